"""Cell means of each population and scale, against loops over the units in the data."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bambi_anova as ba
from bambi_anova.families.links import LINKS
from bambi_anova.families.registry import get_family
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.populations import cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.specification import of_design

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

CHAINS, DRAWS = 2, 3


# -- Designs, and who their units are ----------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A design, and for units that nest in each other the finest and all terms."""

    formula: str
    data: pd.DataFrame
    families: tuple


def with_response(frame):
    return frame.assign(y=np.random.default_rng(len(frame)).normal(size=len(frame)))


def unequal_groups():
    """Five subjects in one group and two in the other; each does both tasks twice."""
    frame = pd.DataFrame(product("abcdefg", ["x", "y"], range(2)), columns=["s", "task", "copy"])
    return with_response(frame.assign(group=np.where(frame["s"] < "f", "A", "B")))


def incomplete():
    """One subject skips a task."""
    frame = unequal_groups()
    return frame[(frame["s"] != "b") | (frame["task"] != "y")]


def three_levels():
    frame = pd.DataFrame(
        product(["s1", "s2", "s3", "s4"], ["p", "q"], ["u", "v", "w"], range(2)),
        columns=["s", "A", "B", "copy"],
    )
    return with_response(frame)


def subjects_by_items():
    """Five subjects in two groups see seven items of two kinds."""
    frame = pd.DataFrame(product("abcde", range(7)), columns=["s", "item"])
    return with_response(
        frame.assign(
            group=np.where(frame["s"] < "c", "A", "B"),
            kind=np.where(frame["item"] < 3, "noun", "verb"),
        )
    )


def field(plot_labels):
    """Three blocks of unequal numbers of plots; one block lacks a variety."""
    varieties = {"I": "uvuv", "J": "uvv", "K": "vv"}
    rows = [
        {"block": block, "plot": plot_labels(block, i), "variety": variety, "feed": feed}
        for block, plots in varieties.items()
        for i, variety in enumerate(plots)
        for feed in ("lo", "hi")
        for _ in range(2)
    ]
    return with_response(pd.DataFrame(rows))


def numbered(block, i):
    return f"{i}"


def unique(block, i):
    return f"{block}{i}"


SUBJECTS = (("s",), [("s",)])

CASES = {
    "unequal groups": Case("y ~ group * task + Error(s)", unequal_groups(), (SUBJECTS,)),
    "unit by factor": Case(
        "y ~ group * task + Error(s/task)",
        unequal_groups(),
        ((("s",), [("s",), ("s", "task")]),),
    ),
    "a skipped task": Case(
        "y ~ group * task + Error(s/task)", incomplete(), ((("s",), [("s",), ("s", "task")]),)
    ),
    "two within factors": Case(
        "y ~ A * B + Error(s/(A*B))",
        three_levels(),
        ((("s",), [("s",), ("s", "A"), ("s", "B"), ("s", "A", "B")]),),
    ),
    "only the unit by factor": Case(
        "y ~ A * B + Error(s:A)", three_levels(), ((("s",), [("s", "A")]),)
    ),
    "crossed units": Case(
        "y ~ group * kind + Error(s) + Error(item)",
        subjects_by_items(),
        (SUBJECTS, (("item",), [("item",)])),
    ),
    "crossed units, one by a factor": Case(
        "y ~ group * kind + Error(s/kind) + Error(item)",
        subjects_by_items(),
        ((("s",), [("s",), ("s", "kind")]), (("item",), [("item",)])),
    ),
    "plots numbered within blocks": Case(
        "y ~ variety * feed + Error(block/plot)",
        field(numbered),
        ((("block", "plot"), [("block",), ("block", "plot")]),),
    ),
    "plots with labels of their own": Case(
        "y ~ variety * feed + Error(block/plot)",
        field(unique),
        ((("block", "plot"), [("block",), ("block", "plot")]),),
    ),
    "nested units written as two terms": Case(
        "y ~ variety * feed + (1|block) + (1|plot)",
        field(unique),
        ((("block", "plot"), [("block",), ("plot",)]),),
    ),
    "block by treatment": Case(
        "y ~ variety * feed + Error(block/variety)",
        field(numbered),
        ((("block",), [("block",), ("block", "variety")]),),
    ),
}


def make(case):
    return ba.Model(case.formula, case.data).design


def made_up(design, seed=1, unit_sd=1.0):
    """Draws of no model, all different, so that nothing can be right by accident."""
    rng = np.random.default_rng(seed)
    sample = (CHAINS, DRAWS)
    return Draws(
        cells=rng.normal(size=(*sample, len(design.cells))),
        units={u.name: unit_sd * rng.normal(size=(*sample, u.size)) for u in design.units},
        sigmas={u.name: unit_sd * rng.uniform(0.3, 2, size=sample) for u in design.units},
        auxiliary={},
    )


# -- The same by loops -------------------------------------------------------------------------


def combinations(data, columns):
    """The distinct combinations of some columns, sorted."""
    return sorted(set(data[list(columns)].itertuples(index=False, name=None)))


def effects_in_cell(case, family, design, draws, levels):
    """The summed effects of each finest unit that belongs in a cell; a list of (H, D) arrays."""
    own, units = family
    cell = dict(zip((factor.name for factor in design.factors), levels, strict=True))
    data = case.data
    between = [name for name in cell if data.groupby(list(own))[name].nunique().max() == 1]
    found = []
    for finest in combinations(data, own):
        rows = data[(data[list(own)] == list(finest)).all(axis=1)]
        if any(rows[name].iloc[0] != cell[name] for name in between):
            continue
        place = {**cell, **dict(zip(own, finest, strict=True))}
        keys = [tuple(place[name] for name in unit) for unit in units]
        known = [combinations(data, unit) for unit in units]
        if all(key in labels for key, labels in zip(keys, known, strict=True)):
            found.append(
                sum(
                    draws.units[":".join(unit)][..., labels.index(key)]
                    for unit, key, labels in zip(units, keys, known, strict=True)
                )
            )
    return found


def cells_of(draws, design, link, population, scale):
    """Cell means for a family whose mean is the inverse link."""
    family = get_family({"identity": "gaussian", "log": "poisson"}.get(link, "binomial"))
    specification = of_design(design, family, family.link(link), None)
    return cell_means(Posterior(specification, None, draws, None), population, scale)


def finite_by_loops(case, design, draws, inverse):
    """The mean over every combination of one finest unit of each family, cell by cell."""
    means = []
    for index, levels in enumerate(product(*(factor.levels for factor in design.factors))):
        effects = [effects_in_cell(case, f, design, draws, levels) for f in case.families]
        eta = [draws.cells[..., index] + sum(chosen) for chosen in product(*filter(len, effects))]
        means.append(np.mean([inverse(value) for value in eta], axis=0))
    return np.stack(means, axis=-1)


@pytest.mark.parametrize("link", ["identity", "logit", "cloglog", "log"])
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_finite_response_averages_the_inverse_link_over_units(case, link):
    design = make(case)
    draws = made_up(design)
    found = cells_of(draws, design, link, "finite", "response")
    by_loops = finite_by_loops(case, design, draws, LINKS[link].inverse)
    np.testing.assert_allclose(found, by_loops, rtol=1e-10)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_finite_link_averages_the_units_linear_predictors(case):
    design = make(case)
    draws = made_up(design)
    found = cells_of(draws, design, "logit", "finite", "link")
    by_loops = finite_by_loops(case, design, draws, lambda eta: eta)
    np.testing.assert_allclose(found, by_loops, rtol=1e-10)
    assert np.abs(found - draws.cells).max() > 0.1


def test_units_count_once_however_many_rows_they_have():
    case = CASES["unequal groups"]
    extra = pd.concat([case.data, case.data[case.data["s"] == "a"]], ignore_index=True)
    one, other = make(case), make(Case(case.formula, extra, case.families))
    draws = made_up(one)
    for scale in ("link", "response"):
        np.testing.assert_array_equal(
            cells_of(draws, one, "logit", "finite", scale),
            cells_of(draws, other, "logit", "finite", scale),
        )


def test_a_cell_without_units_keeps_the_linear_predictor():
    data = unequal_groups()
    data = data[(data["group"] == "A") | (data["task"] == "x")]
    design = ba.Model("y ~ group * task + Error(s/task)", data).design
    draws = made_up(design)
    for scale, expected in (
        ("link", draws.cells),
        ("response", LINKS["logit"].inverse(draws.cells)),
    ):
        found = cells_of(draws, design, "logit", "finite", scale)
        np.testing.assert_allclose(found[..., 3], expected[..., 3])
        assert np.isfinite(found).all()


# -- Super and average -------------------------------------------------------------------------


def test_new_units_and_average_units_leave_the_linear_predictor_alone():
    design = make(CASES["unit by factor"])
    draws = made_up(design)
    for population in ("super", "average"):
        found = cells_of(draws, design, "logit", population, "link")
        np.testing.assert_array_equal(found, draws.cells)


@pytest.mark.parametrize("link", ["logit", "cloglog", "probit", "log", "identity"])
def test_the_average_unit_has_the_inverse_link_of_the_linear_predictor(link):
    design = make(CASES["unit by factor"])
    draws = made_up(design)
    found = cells_of(draws, design, link, "average", "response")
    np.testing.assert_allclose(found, LINKS[link].inverse(draws.cells))


def expected_response(link, eta, sd):
    """The mean of the inverse link over N(eta, sd), by adaptive quadrature."""

    def integrand(z):
        return float(link.inverse(np.float64(eta + sd * z))) * stats.norm.pdf(z)

    # The log link's integrand peaks at z = sd, the others bend where eta + sd z is zero.
    bends = [b for b in ((-eta / sd, sd) if sd > 0 else ()) if abs(b) < 15]
    value, _ = integrate.quad(integrand, -16, 22, points=[0, *bends], limit=500, epsabs=1e-14)
    return value


@pytest.mark.parametrize("link", ["logit", "cloglog", "probit", "log"])
def test_super_response_integrates_over_all_unit_terms(link):
    design = make(CASES["crossed units, one by a factor"])
    draws = made_up(design)
    found = cells_of(draws, design, link, "super", "response")
    for h, d, c in np.ndindex(found.shape):
        sd = np.sqrt(sum(draws.sigmas[name][h, d] ** 2 for name in ("s", "s:kind", "item")))
        expected = expected_response(LINKS[link], draws.cells[h, d, c], sd)
        assert found[h, d, c] == pytest.approx(expected, abs=1e-4)


ETAS = np.linspace(-8, 8, 17)


@pytest.mark.parametrize("sd", [0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0])
@pytest.mark.parametrize("link", ["logit", "cloglog", "probit", "log"])
def test_the_mean_over_normal_effects_is_accurate_to_four_decimals(link, sd):
    found = LINKS[link].mean_over_normal(ETAS, np.array(sd))
    expected = np.array([expected_response(LINKS[link], eta, sd) for eta in ETAS])
    if link == "log":
        np.testing.assert_allclose(found, expected, rtol=1e-8)
    else:
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_spread_pulls_probabilities_towards_the_middle(link):
    low, high = LINKS[link].mean_over_normal(np.array([-4.0, 4.0]), np.array(2.0))
    assert low > LINKS[link].inverse(np.array(-4.0)) + 0.01
    assert high < LINKS[link].inverse(np.array(4.0)) - 0.01


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_without_unit_effects_all_populations_agree(case):
    design = make(case)
    draws = made_up(design, unit_sd=0.0)
    for scale, link in (("link", "logit"), ("response", "logit"), ("response", "cloglog")):
        one, *others = (
            cells_of(draws, design, link, population, scale)
            for population in ("super", "finite", "average")
        )
        for other in others:
            np.testing.assert_allclose(other, one, atol=1e-12)


def test_populations_differ_where_units_do():
    design = make(CASES["unit by factor"])
    draws = made_up(design, unit_sd=2.0)
    one, two, three = (
        cells_of(draws, design, "logit", population, "response")
        for population in ("super", "finite", "average")
    )
    for first, second in ((one, two), (one, three), (two, three)):
        assert np.abs(first - second).max() > 0.05


@pytest.mark.parametrize("formula", ["y ~ 1 + Error(s)", "y ~ x + Error(s)"])
def test_a_model_without_factors_has_one_cell_of_all_units(formula):
    data = unequal_groups().assign(x=np.linspace(-1, 1, 28))
    design = ba.Model(formula, data).design
    draws = made_up(design)
    found = cells_of(draws, design, "identity", "finite", "link")
    np.testing.assert_allclose(found[..., 0], draws.cells[..., 0] + draws.units["s"].mean(axis=-1))


def test_a_model_without_units_has_one_population():
    design = ba.Model("y ~ group * task", unequal_groups()).design
    draws = made_up(design)
    for population in ("super", "finite", "average"):
        found = cells_of(draws, design, "log", population, "response")
        np.testing.assert_allclose(found, np.exp(draws.cells))
