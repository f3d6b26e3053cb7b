"""Cell means of each population and scale, against loops over the units in the data."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bambi_anova as ba
from bambi_anova.design.membership import nested_units
from bambi_anova.families.links import LINKS
from bambi_anova.families.registry import get_family
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.importance import Weighting
from bambi_anova.posterior.populations import cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.specification import of_design

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

CHAINS, DRAWS = 2, 3
SAMPLING = Sampling("nuts", divergences=0, seconds=1.0)


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
    """The summed effects of each finest unit that belongs in a cell; a list of (H, D) arrays.

    Effects that were never observed are zero, as they are drawn where their sd is.
    """
    own, units = family
    cell = dict(zip((factor.name for factor in design.factors), levels, strict=True))
    data = case.data
    between = [name for name in cell if data.groupby(list(own))[name].nunique().max() == 1]
    found = []
    for finest in combinations(data, own):
        rows = data[(data[list(own)] == list(finest)).all(axis=1)]
        if any(rows[name].iloc[0] != cell[name] for name in between):
            continue
        found.append(summed({**cell, **dict(zip(own, finest, strict=True))}, units, data, draws))
    if len(own) == 1:
        return found
    here = data if not between else data[(data[between] == [cell[n] for n in between]).all(axis=1)]
    there = combinations(here, own[:1])
    for coarse in sorted(set(combinations(data, own[:1])) - set(there)):
        effect = summed({**cell, own[0]: coarse[0]}, units, data, draws)
        found += [effect] * max(round(len(found) / max(len(there), 1)), 1)
    return found


def summed(place, units, data, draws):
    """The effects of a unit at some levels; zero where its unit terms were not observed there."""
    total = np.zeros((CHAINS, DRAWS))
    for unit in units:
        key, labels = tuple(place.get(name) for name in unit), combinations(data, unit)
        if key in labels:
            total = total + draws.units[":".join(unit)][..., labels.index(key)]
    return total


def cells_of(draws, design, link, population, scale):
    """Cell means for a family whose mean is the inverse link."""
    family = get_family({"identity": "gaussian", "log": "poisson"}.get(link, "binomial"))
    specification = of_design(design, family, family.link(link), None)
    return cell_means(Posterior(specification, None, draws, SAMPLING), population, scale)


def unseen_are_zero(draws):
    """Let effects that were never observed be zero."""
    return replace(draws, sigmas={name: 0 * sigma for name, sigma in draws.sigmas.items()})


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
    draws = unseen_are_zero(made_up(design))
    found = cells_of(draws, design, link, "finite", "response")
    by_loops = finite_by_loops(case, design, draws, LINKS[link].inverse)
    np.testing.assert_allclose(found, by_loops, rtol=1e-10)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_finite_link_averages_the_units_linear_predictors(case):
    design = make(case)
    draws = unseen_are_zero(made_up(design))
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
    data = unequal_groups().assign(hall=lambda frame: np.where(frame["s"] < "c", "p", "q"))
    design = ba.Model("y ~ group * hall + Error(s/task)", data).design
    assert design.empty_cells == ["B:p"]
    draws = made_up(design)
    for scale, expected in (
        ("link", draws.cells),
        ("response", LINKS["logit"].inverse(draws.cells)),
    ):
        found = cells_of(draws, design, "logit", "finite", scale)
        np.testing.assert_allclose(found[..., 2], expected[..., 2])
        assert np.isfinite(found).all()


# -- Effects that were never observed ------------------------------------------------------------


def many_draws(design, unit_sd=1.0, draws=20_000):
    """Draws that differ in nothing but the effects that were never observed."""
    shape = (2, draws)
    rng = np.random.default_rng(3)
    fixed = {u.name: unit_sd * rng.normal(size=u.size) for u in design.units}
    return Draws(
        cells=np.zeros((*shape, len(design.cells))),
        units={name: np.broadcast_to(own, (*shape, len(own))) for name, own in fixed.items()},
        sigmas={u.name: np.full(shape, unit_sd) for u in design.units},
        auxiliary={},
    )


def without(data, pairs):
    """The data without some units' tasks."""
    lost = [tuple(pair) in pairs for pair in data[["s", "task"]].to_numpy()]
    return data[~np.array(lost)]


LOST = {("a", "y"), ("b", "y"), ("f", "x")}


@pytest.mark.parametrize("link", ["identity", "logit", "log"])
def test_unobserved_effects_vary_as_their_sd_says(link):
    design = ba.Model("y ~ group * task + Error(s/task)", without(unequal_groups(), LOST)).design
    sd, draws = 0.8, many_draws(design, unit_sd=0.8)
    found = cells_of(draws, design, link, "finite", "response").reshape(-1, 4)
    inverse, nodes = LINKS[link].inverse, np.linspace(-8, 8, 4001)
    density = stats.norm.pdf(nodes) / stats.norm.pdf(nodes).sum()
    subjects, pairs = draws.units["s"][0, 0], draws.units["s:task"][0, 0]
    known = combinations(without(unequal_groups(), LOST), ["s", "task"])
    for cell, (members, task) in enumerate(product(("abcde", "fg"), "xy")):
        means, variances = [], []
        for member in members:
            own = subjects["abcdefg".index(member)]
            if (member, task) in known:
                values = inverse(own + pairs[known.index((member, task))] + 0 * nodes)
            else:
                values = inverse(own + sd * nodes)
            means.append(density @ values)
            variances.append(density @ values**2 - means[-1] ** 2)
        error = np.sqrt(np.sum(variances)) / len(members)
        assert found[:, cell].mean() == pytest.approx(np.mean(means), abs=1e-12 + error / 40)
        assert found[:, cell].std() == pytest.approx(error, rel=0.03, abs=1e-6)


def test_an_unobserved_effect_is_one_effect_wherever_it_counts():
    data = unequal_groups().assign(feed=lambda frame: np.where(frame["copy"] == 0, "lo", "hi"))
    design = ba.Model("y ~ group * task * feed + Error(s/task)", without(data, LOST)).design
    draws = many_draws(design)
    for link in ("identity", "logit"):
        found = cells_of(draws, design, link, "finite", "response").reshape(-1, 2, 2, 2)
        assert found[:, 0, 1].std(axis=0).min() > 0.02
        np.testing.assert_allclose(found[..., 0], found[..., 1], rtol=1e-12)
        # Different people, different effects.
        assert abs(np.corrcoef(found[:, 0, 1, 0], found[:, 1, 0, 0])[0, 1]) < 0.02


def test_unobserved_effects_of_two_unit_terms_are_independent():
    data = three_levels()
    lost = (data["s"] == "s1") & (data["A"] == "q") & (data["B"] == "w")
    design = ba.Model("y ~ A * B + Error(s/(A*B))", data[~lost & (data["B"] != "v")]).design
    found = cells_of(many_draws(design), design, "identity", "finite", "link")
    assert found[..., 3].std() == pytest.approx(1 / 4, rel=0.03)
    np.testing.assert_allclose(found[..., :3].std(axis=(0, 1)), 0, atol=1e-9)
    gone = (data["s"] == "s1") & (data["B"] == "w")
    design = ba.Model("y ~ A * B + Error(s/(A*B))", data[~gone & (data["B"] != "v")]).design
    found = cells_of(many_draws(design), design, "identity", "finite", "link")
    # s:B is shared by both levels of A, s:A:B is not.
    np.testing.assert_allclose(found[..., [1, 3]].std(axis=(0, 1)), 2**0.5 / 4, rtol=0.03)
    assert np.corrcoef(found[..., 1].ravel(), found[..., 3].ravel())[0, 1] == pytest.approx(
        0.5, abs=0.03
    )


def test_a_lost_plot_counts_as_one_more_plot_of_its_block():
    design = make(CASES["plots numbered within blocks"])
    draws = many_draws(design)
    found = cells_of(draws, design, "identity", "finite", "link").reshape(-1, 2, 2)
    # Block K has no plot of u; the others have three, so that two plots of five are unseen.
    assert found[:, 0, 0].std() == pytest.approx(2**0.5 / 5, rel=0.03)
    np.testing.assert_allclose(found[:, 0, 0], found[:, 0, 1])
    np.testing.assert_allclose(found[:, 1].std(axis=0), 0, atol=1e-9)


def test_copies_of_one_proposed_draw_have_one_unobserved_effect():
    design = make(CASES["a skipped task"])
    draws = many_draws(design, draws=50)
    proposal = np.random.default_rng(1).integers(0, 30, (2, 50))
    weighting = Weighting(proposal, proposal, np.zeros((2, 50)), 0.1, 30.0, 30)
    family = get_family("poisson")
    specification = of_design(design, family, family.link("log"), None)
    sampling = replace(SAMPLING, weighting=weighting)
    for scale in ("link", "response"):
        found = cell_means(Posterior(specification, None, draws, sampling), "finite", scale)[..., 1]
        spread = pd.Series(found.ravel()).groupby(proposal.ravel()).agg(np.ptp)
        assert (spread == 0).all()
        assert len(np.unique(found)) == len(np.unique(proposal))


def test_units_that_nowhere_exist_are_not_made_up():
    """Subjects are numbered anew in each group, and one group has two more of them."""
    frame = pd.DataFrame(
        product(range(6), "AB", "xy", range(2)), columns=["s", "group", "task", "c"]
    )
    frame = with_response(frame[(frame["s"] < 4) | (frame["group"] == "B")])
    design = ba.Model("y ~ group * task + Error(group:s/task)", frame).design
    (nested,) = nested_units(design)
    assert [len(own) for own in nested.members] == [4, 4, 6, 6]
    assert nested.unseen == (0, 0)


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
