"""The latent model's density is the Bambi model's, a constant apart; without sampling."""

from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product

import bambi as bmb
import numpy as np
import pandas as pd
import pytensor
import pytest

import bambi_anova as ba
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.covariance import Diagonal, partial_correlations
from bambi_anova.families.registry import FAMILIES, get_family
from bambi_anova.priors.ordered import OrderedNormals
from tests.generated import FAMILY_LINKS, generated, left_hand_side

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

PARAMETERIZATIONS = ["identified", "overparameterized"]


@pytest.fixture(autouse=True, scope="module")
def _without_compiling():
    """Interpret graphs: these models are evaluated a few hundred times only."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


# -- Data --------------------------------------------------------------------------------------


@cache
def experiment():
    """Four subjects, three of them in one group, do two tasks three times; all kinds of response.

    Responses are coarse, so that rows collapse for every family.
    """
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(product(range(4), ["x", "y"], range(3)), columns=["s", "task", "copy"])
    size = len(frame)
    frame = frame.assign(
        group=np.where(frame["s"] < 3, "B", "A"),
        age=np.array([3.0, 4.1, 2.5, 5.2])[frame["s"]],
        dose=(frame["copy"] // 2) * 1.3 + 0.5 * (frame["task"] == "y"),
        seconds=rng.choice([0.5, 1.0, 4.0], size),
        hit=rng.integers(0, 2, size),
        shown=rng.integers(3, 6, size),
        count=rng.poisson(2, size),
        y=rng.normal(3, 2, size).round(1),
        coarse=rng.integers(-2, 3, size) / 2,
        positive=rng.integers(1, 5, size) / 2,
        share=rng.integers(1, 5, size) / 5,
    )
    frame["hits"] = rng.binomial(frame["shown"], 0.6)
    # The order of the rows must not matter.
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


@cache
def field_trial(blocks=3):
    """Blocks of two, three and one plots, so that blocks differ in size."""
    rows = [
        {"block": f"b{block}", "plot": plot, "variety": variety, "feed": feed}
        for block in range(blocks)
        for plot, variety in enumerate(["uv", "wuv", "w"][block % 3])
        for feed in ("lo", "hi")
        for _ in range(2)
    ]
    frame = pd.DataFrame(rows)
    rng = np.random.default_rng(2)
    return frame.assign(
        y=rng.normal(size=len(frame)),
        dose=rng.uniform(0, 2, len(frame)).round(1),
        count=rng.poisson(3, len(frame)),
    )


@cache
def crossed():
    """Three subjects by four items, each twice, some left out."""
    frame = pd.DataFrame(product("abc", range(4), range(2)), columns=["subject", "item", "copy"])
    frame = frame.assign(kind=np.where(frame["item"] < 2, "noun", "verb"))
    frame = frame.drop(index=[3, 8, 9])
    rng = np.random.default_rng(3)
    return frame.assign(
        y=rng.normal(size=len(frame)),
        hit=rng.integers(0, 2, len(frame)),
        dose=rng.uniform(0, 2, len(frame)).round(1),
    )


# -- Two densities of one model ----------------------------------------------------------------


class Densities:
    """The log density of the PyMC model and of the latent model, each at its own coordinates."""

    def __init__(self, model, spread=0.6, seed=7):
        self.latent = latent_model(model)
        self.built = model.bambi_model.backend.model
        effects = {}
        for part in model.parts:
            key, prefix, design = part.parent.key, part.parent.prefix, part.design
            effects |= {
                key(term.name): f"{prefix}{term.covariate or 1}|{':'.join(term.factors)}"
                for term in design.terms
                if term.factors
            }
            effects |= {
                key(unit.name): f"{prefix}1|{unit.name}"
                for unit in design.units
                if not unit.by_cell
            }
            effects |= {key(slope.name): prefix + slope.name for slope in design.slopes}
            alone = ["Intercept", *(term.name for term in design.terms if not term.factors)]
            effects |= {key(name): prefix + name for name in alone}
        self.blocks = [
            (block, effects.get(block.key, block.key))
            for block in (*self.latent.core.terms, *self.latent.blocks.terms)
        ]
        names = [name for _, name in self.blocks]
        partial = [h for one in self.latent.correlations for h in one.hyperparameters]
        self.partial = {h: n for n, h in enumerate(partial)}
        names += [
            scale.name if scale.name in self.latent.auxiliary else f"{effects[scale.name]}_sigma"
            for h, scale in enumerate(self.latent.scales)
            if h not in self.partial
        ]
        names += [f"{one.name}_correlation" for one in self.latent.correlations]
        self.thresholds, self.in_order = model.family.thresholds, model.family.in_order
        wanted = self.built.replace_rvs_by_values([self.variable(name) for name in names])
        self.evaluate = pytensor.function(
            self.built.value_vars, [self.built.logp(), *wanted], on_unused_input="ignore"
        )
        start = self.built.initial_point()
        self.start = [np.asarray(start[v.name], dtype=float) for v in self.built.value_vars]
        self.rng, self.spread = np.random.default_rng(seed), spread

    def variable(self, name):
        if name in self.thresholds:
            return self.built["threshold"][self.thresholds.index(name)]
        return self.built[name]

    def gaps(self, core):
        """Log distances of thresholds that are in order: the sampler's coordinates of them."""
        if not self.in_order:
            return [], np.zeros(0)
        places = [t.start for t in self.latent.core.terms if t.key in self.thresholds]
        return places, np.log(np.diff(core[places]))

    @property
    def size(self):
        """How many numbers the sampler moves."""
        return sum(part.size for part in self.start)

    def random_point(self):
        return self.rng.normal(scale=self.spread, size=self.size)

    def at(self, point):
        """Return PyMC's log density, and the latent model's (u, core, units)."""
        parts, used = [], 0
        for part in self.start:
            parts.append(part + point[used : used + part.size].reshape(part.shape))
            used += part.size
        logp, *values = self.evaluate(*parts)
        latent = self.latent
        core = np.full((latent.core.size, 1), np.nan)
        units = np.zeros((latent.blocks.count * latent.blocks.size, 1))
        for (block, _), effect in zip(self.blocks, values, strict=False):
            effect = np.atleast_1d(effect)
            if hasattr(block, "index"):
                units[block.index, 0] = effect
                continue
            if block.basis is not None:
                effect = block.basis.T @ effect
            core[block.start : block.stop, 0] = effect
        sigmas = values[len(self.blocks) :]
        matrices = [sigmas.pop() for _ in latent.correlations][::-1]
        partial = [p for matrix in matrices for p in partial_correlations(matrix)]
        rest = iter(sigmas)
        own = [
            partial[self.partial[h]] if h in self.partial else next(rest)
            for h in range(len(latent.scales))
        ]
        u = [scale.coordinate(v) for scale, v in zip(latent.scales, own, strict=True)]
        u = np.array(u, dtype=float).reshape(-1, 1)
        return float(logp), (u, core, units.reshape(latent.blocks.count, latent.blocks.size, 1))

    def flat(self, point):
        u, core, units = self.at(point)[1]
        logs = [scale.bent(own[0]) for scale, own in zip(self.latent.scales, u, strict=True)]
        places, gaps = self.gaps(core[:, 0])
        core[places[1:], 0] = gaps
        return np.concatenate([logs, core[:, 0], units[self.latent.blocks.occupied]])

    def log_jacobian(self, point):
        """Return log |d latent / d PyMC|.

        The scales' coordinates, once straightened, are the same here and there, and given them
        the map is linear: so differences over a step of one give the determinant exactly.
        """
        (u, core, _), h = self.at(point)[1], 1e-6
        slopes = [
            (scale.bent(own[0] + h) - scale.bent(own[0] - h)) / (2 * h)
            for scale, own in zip(self.latent.scales, u, strict=True)
        ]
        return self._log_determinant(point) - np.log(slopes).sum() + self.gaps(core[:, 0])[1].sum()

    def _log_determinant(self, point):
        here = self.flat(point)
        columns = [self.flat(point + step) - here for step in np.eye(self.size)]
        sign, log_det = np.linalg.slogdet(np.column_stack(columns))
        assert sign != 0
        return log_det

    def surplus(self, points=3, latent=None):
        """PyMC's log density less the latent model's, at random points."""
        found = []
        for _ in range(points):
            point = self.random_point()
            logp, coordinates = self.at(point)
            ours = (latent or self.latent).log_density(*coordinates)[0]
            assert np.isfinite(ours)
            found.append(logp - self.log_jacobian(point) - ours)
        return np.array(found)


def same_up_to_a_constant(model, **options):
    """The constant is known, but for merged rows: Bambi's likelihood is then that of totals."""
    densities = Densities(model, **options)
    surplus = densities.surplus()
    # Bambi's probit takes the root of two in single precision.
    np.testing.assert_allclose(surplus, surplus[0], rtol=0, atol=1e-5)
    if not model.collapsed.merged:
        latent = densities.latent
        normals = latent.core.size + latent.blocks.occupied.sum()
        constant = latent.log_constant - normals * np.log(2 * np.pi) / 2
        # PyMC's prior of ordered thresholds does not integrate to one.
        if model.family.thresholds and model.family.in_order:
            own = [model.priors.auxiliary[name] for name in model.family.thresholds]
            constant += OrderedNormals.of(own).log_probability
        np.testing.assert_allclose(surplus, constant, rtol=0, atol=1e-5)


# -- Every family and link ---------------------------------------------------------------------


def model_of(name, link, **options):
    offset = " + offset(np.log(area))" if link == "log" else ""
    formula = f"{left_hand_side(get_family(name))} ~ group * task + dose{offset} + Error(s)"
    if not get_family(name).intercept:  # thresholds lie about the grand mean
        options.pop("parameterization", None)
    return ba.Model(formula, generated(name, link, units=4), family=name, link=link, **options)


@pytest.mark.parametrize(
    ("parameterization", "collapse"), [*zip(PARAMETERIZATIONS, [True, False], strict=True)]
)
@pytest.mark.parametrize(("family", "link"), FAMILY_LINKS)
def test_the_density_is_bambis_for_every_family(family, link, parameterization, collapse):
    model = model_of(family, link, parameterization=parameterization, collapse=collapse)
    assert model.collapsed.merged == collapse
    # Farther out PyMC's own rates and probabilities round to their limits.
    same_up_to_a_constant(model, spread=0.2)


@pytest.mark.parametrize("family", ["gaussian", "poisson", "beta"])
def test_the_density_is_bambis_for_the_overparameterized_model_of_merged_rows(family):
    link = dict(FAMILY_LINKS)[family]
    model = model_of(family, link, parameterization="overparameterized")
    same_up_to_a_constant(model, spread=0.2)


PREDICTABLE = [
    (name, one.name)
    for name, family in FAMILIES.items()
    for one in family.auxiliary
    if one.predictable is not None and one.name not in family.always
]


@pytest.mark.parametrize("collapse", [True, False])
@pytest.mark.parametrize(("family", "parameter"), PREDICTABLE)
def test_the_density_is_bambis_where_a_further_parameter_has_a_predictor(
    family, parameter, collapse
):
    known = get_family(family)
    link = known.parent.links[0].name
    formula = f"{left_hand_side(known)} ~ group * task + dose + Error(s); {parameter} ~ group"
    model = ba.Model(formula, generated(family, link, units=4), family=family, collapse=collapse)
    same_up_to_a_constant(model, spread=0.2)


@pytest.mark.parametrize("collapse", [True, False])
@pytest.mark.parametrize("family", [name for name, known in FAMILIES.items() if known.always])
def test_the_density_is_bambis_of_categories(family, collapse):
    data = generated("cumulative", "probit", units=4)
    data = data.assign(y=data["y"].map({1: "a", 2: "b: 1", 3: "[c]", 4: "a", 5: "b: 1"}))
    model = ba.Model("y ~ group * task + dose + Error(s)", data, family=family, collapse=collapse)
    same_up_to_a_constant(model, spread=0.2)


# -- Every structure ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Structure:
    formula: str
    data: object = experiment
    family: str = "gaussian"
    priors: dict = field(default_factory=dict)

    def model(self, **options):
        data = self.data()
        return ba.Model(self.formula, data, family=self.family, priors=self.priors, **options)


NORMAL = {
    "Intercept": bmb.Prior("Normal", mu=1.5, sigma=0.3),
    "age": bmb.Prior("Normal", mu=-0.2, sigma=0.7),
    "dose": bmb.Prior("Normal", mu=0.4, sigma=2.0),
}

STRUCTURES = {
    "covariates with priors of their own": Structure(
        "y ~ group + age + dose + Error(s)", priors=NORMAL
    ),
    "factor by covariate": Structure("count ~ group * dose + task:dose + (1|s)", family="poisson"),
    "slopes": Structure("hit ~ task * dose + (dose|s)", family="bernoulli"),
    "slopes that vary alone": Structure("y ~ group + (0 + dose|s)"),
    "blocks of unequal size": Structure(
        "y ~ feed + Error(block/plot)", lambda: field_trial(blocks=9)
    ),
    "nested units": Structure("y ~ variety * feed + Error(block/plot)", field_trial),
    "slopes of nested units": Structure(
        "count ~ feed + dose + (1|block) + (dose|block:plot)", field_trial, "poisson"
    ),
    "crossed units": Structure("hit ~ kind + (1|subject) + (1|item)", crossed, "bernoulli"),
    "crossed units and their cells": Structure(
        "y ~ kind + (1|subject) + (1|item) + (1|subject:item)", crossed
    ),
    "crossed units with slopes": Structure("y ~ kind + (dose||subject) + (dose||item)", crossed),
    "crossed units, correlated slopes of one": Structure(
        "y ~ kind + (dose|subject) + (1|item)", crossed
    ),
    "slopes that are independent": Structure("hit ~ task * dose + (dose||s)", family="bernoulli"),
    "three effects that vary together": Structure("y ~ group + (dose + age|s)"),
    "slopes that vary together": Structure("y ~ group + (0 + dose + age|s)"),
    "cells that vary together": Structure("y ~ group * task + Error(s/task, cov='unstructured')"),
    "cells of two factors": Structure(
        "y ~ variety * feed + (variety * feed|block)", lambda: field_trial(blocks=6)
    ),
    "cells and a slope": Structure(
        "count ~ feed + dose + (feed + dose|block:plot) + (1|block)",
        field_trial,
        "poisson",
        priors={"correlation of feed + dose|block:plot": 2.5},
    ),
    "independent cells": Structure("y ~ group * task + Error(s/task, cov='diagonal')"),
    "independent cells beside a unit": Structure("y ~ group * task + (task||s)"),
    "cells in the place of the residual": Structure(
        "y ~ feed + Error(block/feed, cov='unstructured')",
        lambda: field_trial(blocks=9).drop_duplicates(["block", "feed"]),
    ),
    "no units": Structure("hit ~ group * task + age", family="bernoulli"),
    "no factors": Structure("y ~ age + Error(s)"),
    "intercept and units": Structure("count ~ 1 + Error(s)", family="negativebinomial"),
    "three factors": Structure("y ~ variety * feed * block", field_trial),
    "a fixed residual": Structure(
        "y ~ group * task + Error(s)", priors={"sigma": 1.3, "group": bmb.Prior("HalfNormal")}
    ),
    "sds that differ by group": Structure("y ~ group * task + Error(s); sigma ~ group + dose"),
    "sds by what is not in the mean": Structure("y ~ task + Error(s); sigma ~ group * task"),
    "units in the sd": Structure("coarse ~ group + Error(s); sigma ~ task + (1|s)", family="t"),
    "other units in the sd": Structure("y ~ kind + (1|subject); sigma ~ (1|item)", crossed),
    "slopes in the sd": Structure(
        "y ~ feed + (1|block); sigma ~ dose + (dose||block)", field_trial
    ),
    "two further predictors": Structure(
        "y ~ group + Error(s); sigma ~ group; nu ~ dose", family="exgaussian"
    ),
    "priors of the sd's predictor": Structure(
        "y ~ group + Error(s); sigma ~ group + age",
        priors={
            "sigma": {
                "Intercept": bmb.Prior("Normal", mu=0.3, sigma=0.4),
                "group": bmb.Prior("HalfNormal", sigma=0.7),
                "age": bmb.Prior("Normal", mu=0.1, sigma=0.2),
            }
        },
    ),
    "fixed degrees of freedom": Structure(
        "coarse ~ group + Error(s)", family="t", priors={"nu": 4.0}
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_density_is_bambis_for_every_structure(name):
    same_up_to_a_constant(STRUCTURES[name].model())


@pytest.mark.parametrize(
    "name", ["factor by covariate", "slopes", "nested units", "crossed units", "no units"]
)
def test_the_density_is_bambis_for_the_overparameterized_model(name):
    same_up_to_a_constant(STRUCTURES[name].model(parameterization="overparameterized"))


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
@pytest.mark.parametrize("name", STRUCTURES)
def test_the_coordinates_stand_for_every_effect_once(name, parameterization):
    model = STRUCTURES[name].model(parameterization=parameterization)
    latent = latent_model(model)
    free = parameterization == "overparameterized"
    expected = 0
    for design in (part.design for part in model.parts):
        units = [u.size for u in design.units if not u.by_cell]
        units += [s.unit.size for s in design.slopes]
        shapes = [
            np.array([len(design.levels[name]) for name in term.factors]) - (not free)
            for term in design.terms
        ]
        expected += 1 + sum(int(np.prod(shape)) for shape in shapes) + sum(units)
    assert latent.core.size + latent.blocks.occupied.sum() == expected
    places = np.concatenate([np.zeros(0, int), *(block.index for block in latent.blocks.terms)])
    assert len(set(places)) == len(places) == latent.blocks.occupied.sum()
    stops = [block.stop for block in latent.core.terms]
    assert [block.start for block in latent.core.terms] == [0, *stops[:-1]]
    assert stops[-1] == latent.core.size


@pytest.mark.parametrize(
    ("formula", "family", "priors"),
    [("hit ~ age", "bernoulli", {}), ("y ~ age", "gaussian", {"sigma": 2.0})],
)
def test_models_without_hyperparameters_have_a_density(formula, family, priors):
    model = ba.Model(formula, experiment(), family=family, priors=priors)
    assert latent_model(model).scales == ()
    same_up_to_a_constant(model)


def test_coordinates_of_no_unit_leave_the_density_as_it_is():
    latent = latent_model(STRUCTURES["blocks of unequal size"].model())
    assert not latent.blocks.occupied.all()
    rng, (blocks, size) = np.random.default_rng(1), latent.blocks.occupied.shape[:2]
    u, core = rng.normal(size=(len(latent.scales), 5)), rng.normal(size=(latent.core.size, 5))
    units = rng.normal(size=(blocks, size, 5)) * latent.blocks.occupied
    moved = units + 3.0 * ~latent.blocks.occupied
    np.testing.assert_array_equal(
        latent.log_density(u, core, units), latent.log_density(u, core, moved)
    )


# -- Every prior of a scale --------------------------------------------------------------------

P = bmb.Prior
#: Three scales a model, so that few models have to be compiled.
SCALE_PRIORS = [
    [P("Gamma", alpha=1.6, beta=0.3), P("Gamma", mu=2.0, sigma=0.7), P("HalfNormal", sigma=0.8)],
    [P("HalfNormal", tau=3.0), P("HalfCauchy", beta=0.4), P("HalfStudentT", nu=3, sigma=1.4)],
    [P("HalfStudentT", nu=4, lam=0.3), P("Exponential", lam=0.7), P("Exponential", scale=2.5)],
    [P("Uniform", lower=0.2, upper=4.0), P("LogNormal", mu=0.3, sigma=0.6), P("Uniform")],
    [P("LogNormal", mu=-0.2, tau=2.0), P("InverseGamma", alpha=3.0, beta=2.0), P("HalfNormal")],
    [P("InverseGamma", mu=1.2, sigma=0.5), P("Weibull", alpha=1.7, beta=2.0), P("LogNormal")],
    [
        P("ChiSquared", nu=3),
        P("TruncatedNormal", mu=1.0, sigma=0.5, lower=0.0),
        P("TruncatedNormal", mu=1.0, tau=0.5, lower=0.1, upper=3.0),
    ],
    [
        P("TruncatedNormal", mu=-1.0, sigma=2.0, lower=0.5),
        P("Pareto", alpha=2.5, m=0.3),
        P("InverseGamma", alpha=2.0),
    ],
]


@pytest.mark.parametrize("priors", SCALE_PRIORS, ids=lambda ps: ", ".join(map(str, ps)))
def test_the_density_is_bambis_for_every_prior_of_a_scale(priors):
    group, s, sigma = priors
    model = ba.Model(
        "y ~ group + Error(s)",
        experiment(),
        priors={"group": group, "s": s, "sigma": sigma},
        parameterization="overparameterized",
        collapse=False,
    )
    same_up_to_a_constant(model, spread=1.0)


@pytest.mark.parametrize(
    ("key", "prior"),
    [("Intercept", P("Normal", mu=1.0, tau=4.0)), ("age", P("Normal", sigma=0.02))],
)
def test_the_density_is_bambis_for_normal_priors_given_otherwise(key, prior):
    formula, priors = "y ~ age + Error(s)", {key: prior}
    same_up_to_a_constant(ba.Model(formula, experiment(), priors=priors, collapse=False))


# -- Wrong densities are noticed ---------------------------------------------------------------


def other_core(model, **parts):
    return replace(model, core=replace(model.core, **parts))


def other_predictor(model, **parts):
    return replace(model, predictors={"mu": replace(model.parent, **parts)})


def without(covariance, scale):
    """The same coordinates, with another scale where this one governs them alone."""
    variances = [
        (number, ((0, 1.0),) if factors == ((scale, 1.0),) else factors)
        for number, factors in covariance.variances()
    ]
    return Diagonal.of(variances, covariance.factors.shape[1])


def reordered(model, order):
    return other_predictor(model, columns=model.parent.columns[:, order])


WRONG = {
    "another prior sd": lambda m: other_core(
        m, covariance=replace(m.core.covariance, number=1.1 * m.core.covariance.number)
    ),
    "another prior mean": lambda m: other_core(m, mean=m.core.mean + 0.1),
    "two scales' priors swapped": lambda m: replace(
        m, scales=(*m.scales[:2], m.scales[3], m.scales[2], *m.scales[4:])
    ),
    "effects under another scale": lambda m: other_core(
        m, covariance=without(m.core.covariance, 2)
    ),
    "two fixed effects swapped": lambda m: reordered(m, [1, 0, *range(2, m.size)]),
    "two units swapped": lambda m: reordered(m, [*range(m.size - 2), m.size - 1, m.size - 2]),
    "another offset": lambda m: other_predictor(
        m, offset=m.parent.offset + 0.1 * m.blocks.of_row[:, None]
    ),
}


@cache
def well_known():
    priors = {"s": bmb.Prior("HalfNormal", sigma=0.3)}
    return Densities(ba.Model("y ~ group * task + age + Error(s)", experiment(), priors=priors))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_densities_are_told_apart(name):
    densities = well_known()
    governed = [factors for _, factors in densities.latent.core.covariance.variances()]
    assert governed.count(((2, 1.0),)) == 1
    assert [scale.name for scale in densities.latent.scales][2:4] == ["group:task", "s"]
    assert np.ptp(densities.surplus(latent=WRONG[name](densities.latent))) > 1e-3


def test_what_is_no_model_is_refused_in_words():
    with pytest.raises(ba.errors.UnsupportedError, match=r"source is a int.*a Specification"):
        latent_model(1)
