"""The built Bambi models: likelihoods, levels and predictions, without sampling a posterior."""

from dataclasses import dataclass, field
from functools import cache
from itertools import product

import bambi as bmb
import numpy as np
import pandas as pd
import pytensor
import pytest
import xarray as xr
from scipy import special, stats

import bambi_anova as ba
from bambi_anova.posterior.extract import add_cells, extract_draws
from bambi_anova.posterior.populations import cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@pytest.fixture(autouse=True, scope="module")
def _without_compiling():
    """Interpret graphs: these models are evaluated a few times only."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


# -- Data --------------------------------------------------------------------------------------


@cache
def experiment():
    """Seven subjects in two unequal groups do two tasks six times; a response for each family."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(product(range(5, 12), ["x", "y"], range(6)))
    frame.columns = ["s", "task", "copy"]
    size = len(frame)
    frame = frame.assign(
        group=np.where(frame["s"] < 9, "B", "A"),
        age=np.array([30.0, 41.5, 25.0, 62.0, 50.5, 33.0, 47.0])[frame["s"] - 5],
        dose=frame["copy"] // 2 + 0.5 * (frame["task"] == "y"),
        seconds=rng.choice([0.5, 1.0, 4.0], size),
        hit=rng.integers(0, 2, size),
        shown=rng.integers(3, 6, size),
        count=rng.poisson(3, size),
        y=rng.normal(3, 2, size).round(1),
        coarse=rng.integers(-2, 3, size) / 2,
        positive=rng.integers(1, 5, size) / 2,
        share=rng.integers(1, 5, size) / 5,
    )
    frame["hits"] = rng.binomial(frame["shown"], 0.6)
    return frame.sample(frac=1, random_state=1).set_index(pd.Index(range(100, 100 + size)))


def field_trial(label):
    """Three blocks of unequal numbers of plots."""
    rows = [
        {"block": block, "plot": label(block, i), "variety": variety, "feed": feed}
        for block, plots in {"I": "uvuv", "J": "uvv", "K": "vv"}.items()
        for i, variety in enumerate(plots)
        for feed in ("lo", "hi")
        for _ in range(2)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(y=np.random.default_rng(2).normal(size=len(frame)))


def centred(values):
    return values - values.mean()


def standardised(values):
    return centred(values) / np.std(values)


# -- The linear predictor and the likelihoods, written out -------------------------------------


def level_of_rows(data, columns, labels):
    """The position of each row's combination of levels among a term's labels."""
    rows = data[columns].astype(str).agg(":".join, axis=1)
    return [labels.index(row) for row in rows]


def linear_predictor(values, labels, data, covariates=None):
    """Add up the intercept, slopes and effects of each row, by the labels of their levels."""
    covariates = covariates or {}
    eta = values["Intercept"][..., None] * np.ones(len(data))
    for name, value in values.items():
        if name in covariates:
            eta = eta + value[..., None] * covariates[name].to_numpy()
        elif "|" in name and name in labels:
            left, right = name.split("|")
            effects = value[..., level_of_rows(data, right.split(":"), labels[name])]
            eta = eta + effects * (1 if left == "1" else covariates[left].to_numpy())
    return eta


LOG_LIKELIHOODS = {
    "gaussian": lambda d, mu, v: stats.norm.logpdf(d["y"], mu, v["sigma"]),
    "bernoulli": lambda d, mu, v: stats.binom.logpmf(d["hit"], 1, mu),
    "binomial": lambda d, mu, v: stats.binom.logpmf(d["hits"], d["shown"], mu),
    "poisson": lambda d, mu, v: stats.poisson.logpmf(d["count"], mu),
    "t": lambda d, mu, v: stats.t.logpdf(d["coarse"], v["nu"], mu, v["sigma"]),
    "negativebinomial": lambda d, mu, v: stats.nbinom.logpmf(
        d["count"], v["alpha"], v["alpha"] / (v["alpha"] + mu)
    ),
    "gamma": lambda d, mu, v: stats.gamma.logpdf(d["positive"], v["alpha"], scale=mu / v["alpha"]),
    "beta": lambda d, mu, v: stats.beta.logpdf(d["share"], mu * v["kappa"], (1 - mu) * v["kappa"]),
    "betabinomial": lambda d, mu, v: stats.betabinom.logpmf(
        d["hits"], d["shown"], mu * v["kappa"], (1 - mu) * v["kappa"]
    ),
    "betabinomial_mode": lambda d, mu, v: stats.betabinom.logpmf(
        d["hits"], d["shown"], mu * v["kappa_minus_2"] + 1, (1 - mu) * v["kappa_minus_2"] + 1
    ),
}
RESPONSES = {
    "gaussian": "y",
    "bernoulli": "hit",
    "binomial": "p(hits, shown)",
    "poisson": "count",
    "t": "coarse",
    "negativebinomial": "count",
    "gamma": "positive",
    "beta": "share",
    "betabinomial": "p(hits, shown)",
    "betabinomial_mode": "p(hits, shown)",
}
INVERSES = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "logit": special.expit,
    "probit": stats.norm.cdf,
    "cloglog": lambda eta: 1 - np.exp(-np.exp(eta)),
}
LINKS = {"gaussian": "identity", "t": "identity", "poisson": "log", "gamma": "log"} | {
    "negativebinomial": "log"
}


def pymc_model(model):
    return model.bambi_model.backend.model


def labels_of(model):
    """The levels of each group-level term, as the PyMC model names them."""
    found = {}
    for name, dims in pymc_model(model).named_vars_to_dims.items():
        if "|" in name and not name.endswith(("_sigma", "_offset", "_correlation")):
            found[name] = [str(label) for label in pymc_model(model).coords[dims[-1]]]
    return found


def at_random_points(model, points=4, spread=0.4):
    """Evaluate a model's data log likelihood and its parameters at random points."""
    built = pymc_model(model)
    wanted = [
        variable
        for variable in [*built.free_RVs, *built.deterministics]
        if "__obs__" not in (built.named_vars_to_dims.get(variable.name) or ())
    ]
    outputs = [built.datalogp, *built.replace_rvs_by_values(wanted)]
    evaluate = pytensor.function(built.value_vars, outputs, on_unused_input="ignore")
    rng = np.random.default_rng(7)
    start = built.initial_point()
    for _ in range(points):
        moved = [
            start[v.name] + spread * rng.normal(size=start[v.name].shape) for v in built.value_vars
        ]
        logp, *values = evaluate(*moved)
        yield float(logp), {v.name: value for v, value in zip(wanted, values, strict=True)}


def surplus(model, data, log_likelihood, inverse, covariates=None, offset=0.0, **points):
    """The model's data log likelihood less that of all rows, at several points."""
    labels = labels_of(model)
    found = []
    for logp, values in at_random_points(model, **points):
        mu = inverse(linear_predictor(values, labels, data, covariates) + offset)
        found.append(logp - log_likelihood(data, mu, values).sum())
    return np.array(found)


FAMILY_LINKS = [
    *((family, LINKS.get(family, "logit")) for family in RESPONSES),
    ("binomial", "probit"),
    ("bernoulli", "cloglog"),
]


@pytest.mark.parametrize("collapse", [True, False])
@pytest.mark.parametrize(("family", "link"), FAMILY_LINKS)
def test_the_likelihood_is_that_of_all_rows_up_to_a_constant(family, link, collapse):
    data = experiment()
    formula = f"{RESPONSES[family]} ~ group * task + Error(s/task)"
    model = ba.Model(formula, data, family=family, link=link, collapse=collapse)
    assert model.collapsed.merged == collapse
    found = surplus(model, data, LOG_LIKELIHOODS[family], INVERSES[link])
    np.testing.assert_allclose(found, found[0], atol=1e-6)
    if not collapse or family not in ("bernoulli", "binomial", "poisson"):
        assert found[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("family", RESPONSES)
def test_the_likelihood_holds_with_covariates_and_varying_slopes(family):
    data = experiment()
    link = LINKS.get(family, "logit")
    model = ba.Model(
        f"{RESPONSES[family]} ~ group * dose + task + age + Error(s) + (dose|s)",
        data,
        family=family,
    )
    assert model.family.collapse.weighted or model.collapsed.merged
    covariates = {"dose": centred(data["dose"]), "age": centred(data["age"])}
    assert {"dose|s", "dose|group", "age"} <= set(pymc_model(model).named_vars)
    # Log likelihoods of counts with means of 1e9, as further out, have no six decimals.
    found = surplus(model, data, LOG_LIKELIHOODS[family], INVERSES[link], covariates, spread=0.2)
    np.testing.assert_allclose(found, found[0], atol=1e-6)


@pytest.mark.parametrize("collapse", [True, False])
@pytest.mark.parametrize("family", ["poisson", "negativebinomial", "gamma", "gaussian"])
def test_the_likelihood_holds_with_an_offset(family, collapse):
    data = experiment()
    formula = f"{RESPONSES[family]} ~ group * task + offset(np.log(seconds)) + Error(s/task)"
    model = ba.Model(formula, data, family=family, collapse=collapse)
    inverse = INVERSES[LINKS[family]]
    exposure = np.log(data["seconds"].to_numpy())
    found = surplus(model, data, LOG_LIKELIHOODS[family], inverse, offset=exposure)
    np.testing.assert_allclose(found, found[0], atol=1e-6)
    without = surplus(model, data, LOG_LIKELIHOODS[family], inverse)
    assert np.ptp(without) > 1e-2


@pytest.mark.parametrize("family", RESPONSES)
def test_bambis_log_likelihood_of_the_draws_is_that_of_all_rows(family):
    data = experiment()
    name = f"{family}, two tasks"
    CASES[name] = Case(f"{RESPONSES[family]} ~ group * task + Error(s)", data, family)
    model, posterior = built(name), made_up_posterior(name)
    idata = xr.DataTree.from_dict({"posterior": posterior})
    found = model.bambi_model.compute_log_likelihood(idata, inplace=False)["log_likelihood"]
    (found,) = found.data_vars.values()
    values = {key: value.to_numpy() for key, value in posterior.items()}
    mu = model.link.inverse(linear_predictor(values, labels_of(model), data))
    values = {key: value[..., None] for key, value in values.items() if value.ndim == 2}
    rows = LOG_LIKELIHOODS[family](data, mu, values)
    surplus = found.sum("__obs__").to_numpy() - rows.sum(axis=-1)
    np.testing.assert_allclose(surplus, surplus[0, 0], atol=1e-6)
    assert model.collapsed.merged


@pytest.mark.parametrize("family", RESPONSES)
def test_other_data_do_not_differ_by_a_constant(family):
    data = experiment()
    model = ba.Model(f"{RESPONSES[family]} ~ group * task + Error(s/task)", data, family=family)
    shifted = data.copy()
    for name in ("y", "hit", "hits", "shown", "count", "coarse", "positive", "share"):
        shifted[name] = np.roll(data[name], 1)
    inverse = INVERSES[LINKS.get(family, "logit")]
    assert np.ptp(surplus(model, shifted, LOG_LIKELIHOODS[family], inverse)) > 1e-2


def test_the_overparameterized_model_has_the_same_likelihood():
    data = experiment()
    model = ba.Model(
        "p(hits, shown) ~ group * task + Error(s/task)",
        data,
        family="binomial",
        parameterization="overparameterized",
    )
    found = surplus(model, data, LOG_LIKELIHOODS["binomial"], special.expit)
    np.testing.assert_allclose(found, found[0], atol=1e-6)


# -- Levels ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A model of awkward data, with its covariates as the test works them out."""

    formula: str
    data: pd.DataFrame
    family: str = "gaussian"
    covariates: dict = field(default_factory=dict)
    offset: object = 0.0


def cases():
    data = experiment()
    numeric = data.assign(
        strength=np.where(data["group"] == "A", 10, 2.5), right=data["task"] == "x"
    )
    spaced = data.rename(columns={"s": "the person", "task": "my task", "dose": "dose (mg)"})
    ordered = data.assign(
        task=pd.Categorical(data["task"], ["y", "never", "x"]),
        group=pd.Categorical(data["group"].map({"A": "low", "B": "high"}), ["low", "high"]),
    )
    numbered, unique = field_trial(lambda block, i: i), field_trial(lambda block, i: f"{block}{i}")
    age, dose = centred(data["age"]), centred(data["dose"])
    shown = standardised(data["shown"])
    return {
        "split plot": Case("y ~ group * task + Error(s/task)", data),
        "numeric levels": Case("y ~ C(strength) * right + Error(s/right)", numeric),
        "names with spaces": Case(
            "y ~ group * `my task` + `dose (mg)` + Error(`the person`/`my task`)",
            spaced,
            covariates={"dose (mg)": dose},
        ),
        "a scaled covariate with a space": Case(
            "y ~ group + scale(`the age`) + (1|s)",
            data.rename(columns={"age": "the age"}),
            covariates={"scale(`the age`)": standardised(data["age"])},
        ),
        "ordered categories": Case("y ~ group * task + Error(s/task)", ordered),
        "factors in another order": Case("y ~ task + group + task:group + Error(s/task)", data),
        "plots numbered within blocks": Case("y ~ variety*feed + Error(block/plot)", numbered),
        "plots with labels of their own": Case("y ~ variety*feed + Error(block/plot)", unique),
        "nested units as two terms": Case("y ~ variety * feed + (1|block) + (1|plot)", unique),
        "an empty cell": Case(
            "y ~ group * task + Error(s)", data[(data["group"] == "A") | (data["task"] == "x")]
        ),
        "a skipped task": Case(
            "y ~ group * task + Error(s/task)", data[(data["s"] != 7) | (data["task"] == "x")]
        ),
        "without units": Case("y ~ group * task", data),
        "without factors": Case("y ~ age + Error(s)", data, covariates={"age": age}),
        "covariates and slopes": Case(
            "p(hits, shown) ~ group * age + task * dose + Error(s/task) + (dose|s)",
            data,
            "binomial",
            {"age": age, "dose": dose},
        ),
        "slopes alone": Case("y ~ group + (dose|s)", data, covariates={"dose": dose}),
        "transformed covariate": Case(
            "y ~ group * np.log(age) + Error(s)",
            data,
            covariates={"np.log(age)": centred(np.log(data["age"]))},
        ),
        "a function of one covariate before another": Case(
            "y ~ np.log(age) + group * dose + Error(s)",
            data,
            covariates={"np.log(age)": centred(np.log(data["age"])), "dose": dose},
        ),
        "scaled covariates of two kinds": Case(
            "y ~ scale(np.log(age)) + scale(dose):group + (scale(dose)|s)",
            data,
            covariates={
                "scale(np.log(age))": standardised(np.log(data["age"])),
                "scale(dose)": standardised(data["dose"]),
            },
        ),
        "trials are a covariate": Case(
            "p(hits, shown) ~ group + scale(shown) + Error(s)",
            data,
            "binomial",
            {"scale(shown)": shown},
        ),
        "trials are a factor": Case("p(hits, shown) ~ C(shown) + Error(s)", data, "binomial"),
        "trials are a number": Case("p(hits, 9) ~ group * task + Error(s/task)", data, "binomial"),
        "counts with exposures": Case(
            "count ~ group * task + offset(np.log(seconds)) + Error(s)", data, "poisson"
        ),
        "bernoulli rows": Case("hit ~ group * task + Error(s)", data, "bernoulli"),
        "frequency weights": Case("positive ~ group * task + Error(s)", data, "gamma"),
        "a response that is an expression": Case("np.log(positive) ~ group + Error(s)", data),
    }


CASES = cases()
EACH_CASE = pytest.mark.parametrize("name", CASES)


@cache
def built(name):
    case = CASES[name]
    return ba.Model(case.formula, case.data, family=case.family)


@EACH_CASE
def test_terms_have_the_levels_of_the_design_in_its_order(name):
    model = built(name)
    design, data = model.design, CASES[name].data
    coded = {**design.rows.factors, **design.rows.groupings}
    found = labels_of(model)
    for term in design.terms:
        if term.factors:
            levels = [map(str, coded[factor].levels) for factor in term.factors]
            key = f"{term.covariate or 1}|{':'.join(term.factors)}"
            assert found.pop(key) == [":".join(level) for level in product(*levels)]
    units = {unit.name: unit for unit in [*design.units, *(s.unit for s in design.slopes)]}
    for unit in units.values():
        rank = {v: [str(level) for level in coded[v].levels] for v in unit.variables}
        seen = set(data[list(unit.variables)].astype(str).itertuples(index=False, name=None))
        order = sorted(
            seen,
            key=lambda key: [rank[v].index(k) for v, k in zip(unit.variables, key, strict=True)],
        )
        keys = [key for key in found if key.split("|")[1] == unit.name]
        assert keys
        for key in keys:
            assert found.pop(key) == [":".join(levels) for levels in order]
    assert not found


def test_numeric_and_boolean_levels_keep_their_own_order():
    labels = labels_of(built("numeric levels"))
    assert labels["1|strength"] == ["2.5", "10.0"]
    assert labels["1|right"] == ["False", "True"]
    assert labels["1|s"] == [str(s) for s in range(5, 12)]
    assert labels_of(built("ordered categories"))["1|task"] == ["y", "x"]


def test_incomplete_products_have_no_levels_that_do_not_occur():
    assert len(labels_of(built("plots numbered within blocks"))["1|block:plot"]) == 9
    assert len(labels_of(built("plots with labels of their own"))["1|block:plot"]) == 9
    assert len(labels_of(built("a skipped task"))["1|s:task"]) == 13
    assert len(labels_of(built("an empty cell"))["1|group:task"]) == 4


# -- Draws and predictions ---------------------------------------------------------------------


@cache
def made_up_posterior(name):
    """Random numbers under the names and dimensions that Bambi's draws would have."""
    rng = np.random.default_rng(3)
    model = pymc_model(built(name))
    found = {}
    for variable in [*model.free_RVs, *model.deterministics]:
        dims = tuple(model.named_vars_to_dims.get(variable.name) or ())
        if "__obs__" in dims or variable.name.endswith("_offset"):
            continue
        shape = (2, 3, *(len(model.coords[dim]) for dim in dims))
        values = 0.5 * rng.normal(size=shape)
        found[variable.name] = (("chain", "draw", *dims), values if dims else np.abs(values))
    coords = {dim: list(model.coords[dim]) for _, (dims, _) in found.items() for dim in dims[2:]}
    return xr.Dataset(found, coords={"chain": [0, 1], "draw": [0, 1, 2], **coords})


def mean_response(name):
    """Bambi's own prediction for each of its rows, shape (chains, draws, rows)."""
    model = built(name).bambi_model
    idata = xr.DataTree.from_dict({"posterior": made_up_posterior(name)})
    found = model.predict(idata, kind="response_params", inplace=False)["posterior"]
    return found[model.family.likelihood.parent].transpose("chain", "draw", ...).to_numpy()


def draws_of(name):
    model = built(name)
    return extract_draws(made_up_posterior(name), model)


def offset_of_bambis_rows(name):
    """What the user's offset adds to each of Bambi's rows; exposures of counts add up."""
    case, collapsed = CASES[name], built(name).collapsed
    exposure = (
        case.data["seconds"] if "offset(" in case.formula else pd.Series(1.0, case.data.index)
    )
    exposure = exposure.to_numpy()
    if case.family == "poisson":
        return np.log(np.bincount(collapsed.codes, exposure))
    return np.log(exposure[collapsed.first])


def unit_parts(draws, design, data):
    """The effect of each row's units, found by the units' labels."""
    total = 0
    for unit in design.units:
        columns = list(unit.variables)
        rank = {**design.rows.factors, **design.rows.groupings}
        keys = data[columns].astype(object)
        keys = keys.apply(lambda c, r=rank: c.map(r[c.name].levels.index))
        order = sorted(set(keys.itertuples(index=False, name=None)))
        rows = [order.index(key) for key in keys.itertuples(index=False, name=None)]
        total = total + draws.units[unit.name][..., rows]
    return total


def cell_parts(draws, design, data):
    """The linear predictor of each row's cell, found by the cell's levels."""
    names = list(design.levels)
    cells = list(design.cells[names].itertuples(index=False, name=None))
    rows = [cells.index(key) for key in data[names].itertuples(index=False, name=None)]
    return draws.cells[..., rows if names else np.zeros(len(data), int)]


@EACH_CASE
def test_bambi_predicts_the_sum_of_effects_that_the_labels_say(name):
    case, model = CASES[name], built(name)
    labels = labels_of(model)
    values = {key: value.to_numpy() for key, value in made_up_posterior(name).items()}
    eta = linear_predictor(values, labels, case.data, case.covariates)
    eta = eta[..., model.collapsed.first] + offset_of_bambis_rows(name)
    np.testing.assert_allclose(mean_response(name), model.link.inverse(eta), rtol=1e-8)


@EACH_CASE
def test_cells_and_unit_effects_make_bambis_linear_predictor(name):
    case, model = CASES[name], built(name)
    design, draws = model.design, draws_of(name)
    eta = cell_parts(draws, design, case.data) + unit_parts(draws, design, case.data)
    # The covariates' own part: slopes are zero at the mean, where the cells are evaluated.
    posterior, labels = made_up_posterior(name), labels_of(model)
    for key, value in posterior.items():
        left, _, right = key.partition("|")
        if key in case.covariates:
            eta = eta + value.to_numpy()[..., None] * case.covariates[key].to_numpy()
        elif left in case.covariates and key in labels:
            level = level_of_rows(case.data, right.split(":"), labels[key])
            eta = eta + value.to_numpy()[..., level] * case.covariates[left].to_numpy()
    eta = eta[..., model.collapsed.first] + offset_of_bambis_rows(name)
    np.testing.assert_allclose(mean_response(name), model.link.inverse(eta), rtol=1e-8)


def test_the_prediction_check_notices_a_wrong_unit():
    case, model, draws = CASES["split plot"], built("split plot"), draws_of("split plot")
    swapped = case.data.assign(s=case.data["s"].replace({5: 6, 6: 5}))
    eta = cell_parts(draws, model.design, case.data) + unit_parts(draws, model.design, swapped)
    eta = eta[..., model.collapsed.first]
    assert np.abs(mean_response("split plot") - eta).max() > 0.1


@EACH_CASE
def test_sigmas_and_further_parameters_are_read_by_name(name):
    model, posterior, draws = built(name), made_up_posterior(name), draws_of(name)
    assert set(draws.sigmas) == set(model.priors.sigmas)
    for term in model.design.terms:
        if term.factors:
            key = f"{term.covariate or 1}|{':'.join(term.factors)}_sigma"
            np.testing.assert_array_equal(draws.sigmas[term.name], posterior[key])
    for unit in model.design.units:
        np.testing.assert_array_equal(draws.sigmas[unit.name], posterior[f"1|{unit.name}_sigma"])
    for slope in model.design.slopes:
        np.testing.assert_array_equal(draws.sigmas[slope.name], posterior[f"{slope.name}_sigma"])
    assert set(draws.auxiliary) == {one.name for one in model.family.auxiliary}
    for key, value in draws.auxiliary.items():
        np.testing.assert_array_equal(value, posterior[key])


def test_a_parameter_that_was_given_as_a_number_is_known_to_the_tables():
    model = ba.Model("y ~ group + Error(s)", experiment(), priors={"sigma": 1.5})
    posterior = model.bambi_model.prior_predictive(draws=4, random_seed=1)["prior"].to_dataset()
    draws = extract_draws(posterior, model)
    np.testing.assert_array_equal(draws.auxiliary["sigma"], np.full(draws.sample_shape, 1.5))


@EACH_CASE
def test_the_cells_group_has_the_factors_as_dimensions(name):
    model, draws = built(name), draws_of(name)
    design = model.design
    idata = xr.DataTree.from_dict({"posterior": made_up_posterior(name)})
    posterior = Posterior(model, idata, draws, Sampling("nuts", 0, 0.0))
    add_cells(posterior)
    cells = idata["cells"]
    assert set(cells.data_vars) == {"super", "finite"}
    for population in cells.data_vars:
        assert cells[population].dims == ("chain", "draw", *design.levels)
        expected = cell_means(posterior, population, "link")
        np.testing.assert_array_equal(
            cells[population].to_numpy().reshape(expected.shape), expected
        )
    for factor, levels in design.levels.items():
        assert cells[factor].to_numpy().tolist() == list(levels)


def test_a_cell_is_found_by_the_names_of_its_levels():
    model, draws = built("numeric levels"), draws_of("numeric levels")
    idata = xr.DataTree.from_dict({"posterior": made_up_posterior("numeric levels")})
    add_cells(Posterior(model, idata, draws, Sampling("nuts", 0, 0.0)))
    found = idata["cells"]["super"].sel(strength=10.0, right=False)
    posterior = made_up_posterior("numeric levels")
    parts = (("1|strength", "10.0"), ("1|right", "False"), ("1|strength:right", "10.0:False"))
    by_hand = posterior["Intercept"] + sum(
        posterior[key].isel({posterior[key].dims[-1]: labels_of(model)[key].index(level)})
        for key, level in parts
    )
    np.testing.assert_allclose(found, by_hand)


# -- Bambi's frame -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "column"), [("trials are a covariate", "shown")])
def test_a_covariate_that_is_summed_in_the_response_stays_itself(name, column):
    model, data = built(name), CASES[name].data
    frame, collapsed = model.bambi_model.data, model.collapsed
    assert collapsed.merged
    np.testing.assert_array_equal(frame[column], data[column].iloc[collapsed.first])
    hits = np.bincount(collapsed.codes, data["hits"])
    shown = np.bincount(collapsed.codes, data["shown"])
    response = model.bambi_model.response_term.data
    np.testing.assert_array_equal(np.asarray(response), np.column_stack([hits, shown]))


def test_bambis_data_are_the_collapsed_rows_under_the_users_names():
    model = built("split plot")
    frame = model.bambi_model.data
    assert len(frame) == 14
    assert set(frame["group"]) == {"A", "B"}
    means = experiment().groupby(["s", "task"])["y"].mean()
    keys = list(frame[["s", "task"]].itertuples(index=False, name=None))
    np.testing.assert_allclose(frame["y"], means.loc[keys])


@EACH_CASE
def test_the_users_data_are_left_as_they_were(name):
    case = CASES[name]
    data = case.data.copy()
    before = data.copy(deep=True)
    model = ba.Model(case.formula, data, family=case.family)
    assert model.bambi_model.data is not data
    pd.testing.assert_frame_equal(data, before)


def test_new_data_are_predicted_as_the_user_writes_them():
    model, posterior = built("covariates and slopes"), made_up_posterior("covariates and slopes")
    case = CASES["covariates and slopes"]
    new = case.data.sample(5, random_state=2)[["s", "task", "group", "age", "dose"]]
    idata = xr.DataTree.from_dict({"posterior": posterior})
    found = model.bambi_model.predict(idata, kind="response_params", data=new, inplace=False)
    covariates = {key: value.loc[new.index] for key, value in case.covariates.items()}
    values = {key: value.to_numpy() for key, value in posterior.items()}
    eta = linear_predictor(values, labels_of(model), new, covariates)
    np.testing.assert_allclose(found["posterior"]["p"], special.expit(eta), rtol=1e-8)


def test_functions_of_ones_own_reach_bambi():
    data = experiment()
    own = {"decades": lambda years: years / 10}
    model = ba.Model("y ~ group + decades(age) + Error(s)", data, extra_namespace=own)
    slope = centred(data["age"] / 10)
    found = surplus(
        model, data, LOG_LIKELIHOODS["gaussian"], INVERSES["identity"], {"decades(age)": slope}
    )
    np.testing.assert_allclose(found, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("formula", "renamed"),
    [
        ("y ~ group + I(age / 2) + Error(s)", {}),
        ("y ~ group + `years/2` + Error(s)", {"age": "years/2"}),
        ("y ~ `a/b` + Error(s)", {"group": "a/b"}),
        ("y ~ group + Error(`s/t`)", {"s": "s/t"}),
    ],
)
def test_names_that_draws_cannot_have_are_refused_before_bambi_sees_them(formula, renamed):
    with pytest.raises(ba.errors.AnovaError, match="/"):
        ba.Model(formula, experiment().rename(columns=renamed))


# -- Priors and predictive draws ---------------------------------------------------------------


def narrow(family):
    """Priors under which rates of counts stay within what NumPy can draw."""
    if family not in ("poisson", "negativebinomial"):
        return None
    half = {key: bmb.Prior("HalfNormal", sigma=0.5) for key in ("group", "task", "s")}
    return {"Intercept": bmb.Prior("Normal", mu=1, sigma=0.5), **half}


@pytest.mark.parametrize("parameterization", ["identified", "overparameterized"])
@pytest.mark.parametrize("collapse", [True, False])
@pytest.mark.parametrize("family", RESPONSES)
def test_every_family_has_prior_predictive_draws(family, collapse, parameterization):
    model = ba.Model(
        f"{RESPONSES[family]} ~ group + task + Error(s)",
        experiment(),
        family=family,
        priors=narrow(family),
        collapse=collapse,
        parameterization=parameterization,
    )
    found = model.bambi_model.prior_predictive(draws=20, random_seed=1)
    (response,) = found["prior_predictive"].data_vars.values()
    assert response.shape == (1, 20, len(model.collapsed.first))
    assert np.isfinite(response).all()
    assert found["prior"]["1|s"].std() > 0


def spread_of_predictions(model, data=None):
    """The sd of each predicted row where every effect is zero and sigma is two."""
    posterior = made_up_posterior("split plot")[["Intercept", "1|task", "1|s", "sigma"]]
    posterior = posterior.isel(chain=[0], draw=[0]) * 0.0
    posterior["sigma"] = posterior["sigma"] + 2.0
    posterior = xr.concat([posterior] * 4000, "draw").assign_coords(draw=range(4000))
    found = model.bambi_model.predict(
        xr.DataTree.from_dict({"posterior": posterior}),
        kind="response",
        data=data,
        inplace=False,
        random_seed=1,
    )
    return found["posterior_predictive"]["y"].std(["chain", "draw"])


def test_predictions_for_collapsed_gaussian_rows_are_means_as_the_rows_are():
    data = experiment()
    model = ba.Model("y ~ task + Error(s)", data[(data["s"] > 5) | (data["copy"] == 0)])
    assert set(model.collapsed.n) == {1, 6}
    expected = 2.0 / np.sqrt(model.collapsed.n)
    np.testing.assert_allclose(spread_of_predictions(model), expected, rtol=0.06)


@pytest.mark.parametrize("rows", [slice(None), slice(0, 5)])
def test_predictions_for_new_gaussian_data_are_single_observations(rows):
    model = ba.Model("y ~ task + Error(s)", experiment())
    assert set(model.collapsed.n) == {6}
    new = model.bambi_model.data.iloc[rows]
    np.testing.assert_allclose(
        spread_of_predictions(model, new), 2.0 * np.ones(len(new)), rtol=0.06
    )


def test_overparameterized_models_have_a_free_effect_for_every_level():
    options = {"data": experiment(), "parameterization": "overparameterized"}
    model = ba.Model("y ~ group * task + Error(s/task)", **options)
    terms = model.bambi_model.parameters["mu"].group_specific_terms
    sizes = {"1|group": 2, "1|task": 2, "1|group:task": 4, "1|s": 7, "1|s:task": 14}
    assert set(terms) == set(sizes)
    for term in terms.values():
        assert term.prior.name == "Normal"
        assert term.prior.args["mu"] == 0
    built = pymc_model(model)
    free = {v.name: int(np.prod(v.shape.eval())) for v in built.free_RVs}
    assert sum(free.values()) == 2 + sum(1 + size for size in sizes.values())
    at = next(at_random_points(model, points=1))[1]
    for key, size in sizes.items():
        assert at[key].shape == (size,)
        assert abs(at[key].sum()) > 1e-3


def test_identified_models_have_sum_to_zero_effects_of_each_factor_term():
    model = built("split plot")
    for _, values in at_random_points(model, points=2):
        np.testing.assert_allclose(values["1|group"].sum(), 0, atol=1e-10)
        interaction = values["1|group:task"].reshape(2, 2)
        np.testing.assert_allclose(interaction.sum(axis=0), 0, atol=1e-10)
        np.testing.assert_allclose(interaction.sum(axis=1), 0, atol=1e-10)
        assert abs(values["1|s"].sum()) > 1e-3


@EACH_CASE
def test_bambi_has_the_priors_that_the_model_prints(name):
    model = built(name)
    bambi_model = model.bambi_model
    component = bambi_model.parameters[bambi_model.family.likelihood.parent]
    args = {
        term.alias or term_name: term.prior.args["sigma"].args
        for term_name, term in component.group_specific_terms.items()
    }
    expected = {}
    for term in model.design.terms:
        if term.factors:
            key = f"{term.covariate or 1}|{':'.join(term.factors)}"
            expected[key] = model.priors.sigmas[term.name].args
    for unit in model.design.units:
        expected[f"1|{unit.name}"] = model.priors.sigmas[unit.name].args
    for slope in model.design.slopes:
        expected[slope.name] = model.priors.sigmas[slope.name].args
    assert args.keys() == expected.keys()
    for key, found in args.items():
        assert {k: float(v) for k, v in found.items()} == pytest.approx(dict(expected[key]))
