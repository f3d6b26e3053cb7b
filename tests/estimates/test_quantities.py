"""Means, contrasts and slopes of made-up draws, against sums written out one row at a time."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.kruschke import kruschke_table
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.trust import Sampling
from bambi_anova.result import Result
from bambi_anova.tables.columns import KRUSCHKE, bound
from bambi_anova.tables.interval import Interval

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

REFERENCE = Path(__file__).parents[1] / "reference"
SAMPLE = (2, 300)


def data(seed=1):
    """8 units in two groups, both tasks, three times; age by unit, dose by row."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(product(range(8), ["x", "y", "z"], range(3)), columns=["s", "task", "k"])
    frame["group"] = np.where(frame["s"] % 2, "B", "A")
    frame["age"] = rng.uniform(20, 60, 8)[frame["s"]].round(1)
    frame["dose"] = rng.uniform(1, 9, len(frame))
    return frame.assign(y=rng.normal(size=len(frame)), hits=rng.integers(0, 6, len(frame)), n=9)


def made_up(formula, frame=None, family="gaussian", seed=2, **options):
    """A result of a formula, with draws out of the air."""
    model = ba.Model(formula, data() if frame is None else frame, family=family, **options)
    design, rng = model.design, np.random.default_rng(seed)
    names = [*design.terms, *design.units, *design.slopes]
    cells = len(design.cells)
    draws = Draws(
        cells=0.3 * rng.normal(size=(*SAMPLE, cells)),
        units={u.name: 0.4 * rng.normal(size=(*SAMPLE, u.size)) for u in design.units},
        sigmas={part.name: rng.uniform(0.2, 0.8, size=SAMPLE) for part in names},
        auxiliary={"sigma": rng.uniform(0.5, 2, size=SAMPLE)} if family == "gaussian" else {},
        slopes={c: 0.05 * rng.normal(size=(*SAMPLE, cells)) for c in design.rows.covariates},
        unit_slopes={s.name: 0.02 * rng.normal(size=(*SAMPLE, s.unit.size)) for s in design.slopes},
    )
    sampling = Sampling("none", divergences=0, seconds=1.0)
    return Result(model, None, draws, sampling)


FULL = "y ~ group * task * dose + scale(age) + (dose|s) + (1|s:task)"


def values_of(result, kind, *args, **kwargs):
    return result.draws_of(kind, *args, **kwargs).to_numpy()


# -- Covariates --------------------------------------------------------------------------------


def cell_value(result, cell, dose, age, population):
    """One cell's linear predictor, unit by unit, as the formula reads."""
    design, draws = result.design, result.draws
    frame = design.rows.data
    known = design.rows.covariates
    scaled = known["scale(age)"]
    years = (age - frame["age"].mean()) / frame["age"].std(ddof=0)
    assert scaled.mean == pytest.approx(0, abs=1e-12)
    off = dose - frame["dose"].mean()
    eta = (
        draws.cells[..., cell]
        + off * draws.slopes["dose"][..., cell]
        + years * draws.slopes["scale(age)"][..., cell]
    )
    group, task = design.cells.loc[cell, ["group", "task"]]
    if population != "finite":
        return [eta]
    found = []
    for unit in np.flatnonzero(frame.groupby("s")["group"].first() == group):
        fine = np.flatnonzero(
            (frame["s"].to_numpy()[design.unit("s:task").first] == unit)
            & (frame["task"].to_numpy()[design.unit("s:task").first] == task)
        )[0]
        found.append(
            eta
            + draws.units["s"][..., unit]
            + draws.units["s:task"][..., fine]
            + off * draws.unit_slopes["dose|s"][..., unit]
        )
    return found


@pytest.mark.parametrize("population", ["super", "finite", "average"])
def test_means_at_values_of_columns_are_those_of_the_formula(population):
    result = made_up(FULL)
    table = result.means(population=population, at={"dose": [2, 8], "age": 33})
    assert table.columns[:4].tolist() == ["dose", "age", "group", "task"]
    found = values_of(result, "means", population=population, at={"dose": [2, 8], "age": 33})
    for row, (dose, cell) in enumerate(product([2.0, 8.0], range(6))):
        by_hand = np.mean(cell_value(result, cell, dose, 33.0, population), axis=0)
        np.testing.assert_allclose(found[..., row], by_hand, atol=1e-8)
        assert table.loc[row, "dose"] == dose


def test_response_means_at_values_take_the_units_slopes_along():
    formula = "p(hits, n) ~ group * task * dose + scale(age) + (dose|s) + (1|s:task)"
    result = made_up(formula, family="binomial")
    at = {"dose": 8.0, "age": 33.0}
    finite = values_of(result, "means", population="finite", scale="response", at=at)
    superpopulation = values_of(result, "means", scale="response", at=at)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    for cell in range(6):
        etas = cell_value(result, cell, 8.0, 33.0, "finite")
        by_hand = np.mean([special.expit(eta) for eta in etas], axis=0)
        np.testing.assert_allclose(finite[..., cell], by_hand, atol=1e-8)
        (eta,) = cell_value(result, cell, 8.0, 33.0, "super")
        off = 8.0 - result.design.rows.covariates["dose"].mean
        sds = result.draws.sigmas
        sd = np.sqrt(sds["s"] ** 2 + sds["s:task"] ** 2 + (off * sds["dose|s"]) ** 2)
        integral = special.expit(eta[..., None] + sd[..., None] * nodes) @ weights
        np.testing.assert_allclose(
            superpopulation[..., cell], integral / np.sqrt(2 * np.pi), atol=1e-5
        )


def test_response_means_at_values_where_units_have_a_slope_and_nothing_else():
    result = made_up("p(hits, n) ~ group * dose + (0 + dose|s)", family="binomial")
    assert not result.design.units
    draws, off = result.draws, 8.0 - result.design.rows.covariates["dose"].mean
    eta = draws.cells + off * draws.slopes["dose"]
    finite, new, average = (
        values_of(result, "means", population=population, scale="response", at={"dose": 8.0})
        for population in ("finite", "super", "average")
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    sd = np.abs(off) * draws.sigmas["dose|s"]
    unit = result.design.slopes[0].unit
    group = result.design.rows.data["group"].to_numpy()[unit.first]
    for cell, level in enumerate("AB"):
        own = eta[..., cell, None]
        each = special.expit(own + off * draws.unit_slopes["dose|s"][..., group == level])
        np.testing.assert_allclose(finite[..., cell], each.mean(axis=-1), atol=1e-8)
        integral = special.expit(own + sd[..., None] * nodes) @ weights / np.sqrt(2 * np.pi)
        np.testing.assert_allclose(new[..., cell], integral, atol=1e-5)
    np.testing.assert_allclose(average, special.expit(eta), atol=1e-8)
    assert np.abs(new - average).max() > 1e-3


def test_slopes_are_per_unit_of_the_users_column():
    result = made_up(FULL)
    design, draws = result.design, result.draws
    np.testing.assert_allclose(
        values_of(result, "slopes", "dose", "group:task"), draws.slopes["dose"], atol=1e-8
    )
    sd = design.rows.data["age"].std(ddof=0)
    per_year = values_of(result, "slopes", "age", "group:task")
    np.testing.assert_allclose(per_year, draws.slopes["scale(age)"] / sd, atol=1e-8)
    per_sd = values_of(result, "slopes", "scale(age)", "group:task")
    np.testing.assert_allclose(per_sd, draws.slopes["scale(age)"], atol=1e-8)
    assert np.abs(per_sd - per_year).max() > 0.01


def test_slopes_have_a_row_for_what_changes_them():
    result = made_up("y ~ group * dose + task + age + (1|s)")
    assert result.slopes("dose")["group"].tolist() == ["A", "B"]
    assert len(result.slopes("age")) == 1
    mean = result.draws.slopes["dose"].reshape(*SAMPLE, 2, 3).mean(axis=-1)
    np.testing.assert_allclose(values_of(result, "slopes", "dose"), mean, atol=1e-8)


def test_contrasts_of_slopes_are_differences_of_slopes():
    result = made_up(FULL)
    slopes = values_of(result, "slopes", "dose", "task")
    found = values_of(result, "contrasts", "task", "consec", slope="dose")
    np.testing.assert_allclose(found, np.diff(slopes, axis=-1), atol=1e-12)
    table = result.contrasts("task", "consec", by="group", slope="dose")
    assert table.columns[:4].tolist() == ["slope", "term", "group", "contrast"]


def test_slopes_of_bent_columns_are_derivatives_where_they_are_asked_for():
    result = made_up("y ~ group * log(dose) + (1|s)")
    own = result.draws.slopes["log(dose)"]
    for at, dose in (({"dose": 2.0}, 2.0), (None, data()["dose"].mean())):
        found = values_of(result, "slopes", "dose", "group", at=at)
        np.testing.assert_allclose(found, own / dose, rtol=1e-5)
    np.testing.assert_allclose(values_of(result, "slopes", "log(dose)", "group"), own, atol=1e-9)


@pytest.mark.parametrize("population", ["super", "finite", "average"])
def test_response_slopes_are_differences_of_response_means(population):
    formula = "p(hits, n) ~ group * dose + (dose|s)"
    result = made_up(formula, family="binomial")
    options = {"population": population, "scale": "response"}
    slope = values_of(result, "slopes", "dose", "group", **options, at={"dose": 3.0})
    ends = values_of(result, "means", "group", **options, at={"dose": [2.99, 3.01]})
    np.testing.assert_allclose(slope, (ends[..., 2:] - ends[..., :2]) / 0.02, atol=1e-6)


def test_units_have_slopes_of_their_own():
    result = made_up(FULL)
    table = result.unit_slopes("dose")
    assert table["s"].tolist() == list(range(8))
    assert set(table["population"]) == {"finite"}
    found = values_of(result, "unit_slopes", "dose")
    cells = result.draws.slopes["dose"].reshape(*SAMPLE, 2, 3).mean(axis=-1)
    own = result.draws.unit_slopes["dose|s"]
    for unit in range(8):
        np.testing.assert_allclose(
            found[..., unit], cells[..., unit % 2] + own[..., unit], atol=1e-8
        )
    # These units' mean slope in a group is the group's slope in the finite population.
    group = values_of(result, "slopes", "dose", "group", population="finite")
    np.testing.assert_allclose(found[..., ::2].mean(axis=-1), group[..., 0], atol=1e-8)


def test_slopes_that_were_never_observed_are_drawn_beside_the_effects():
    """Half of the units lack task z, and so their effects and slopes there."""
    frame = data().query("s < 4 or task != 'z'")
    result = made_up("y ~ task * dose + (dose|s:task) + (dose|s)", frame)
    # Nothing else varies, and the sds are one.
    zero = {name: 0 * own for name, own in result.draws.units.items()}
    draws = replace(
        result.draws,
        cells=0 * result.draws.cells,
        units=zero,
        sigmas={name: 1 + 0 * own for name, own in result.draws.sigmas.items()},
        slopes={"dose": 0 * result.draws.slopes["dose"]},
        unit_slopes={name: 0 * own for name, own in result.draws.unit_slopes.items()},
    )
    result = replace(result, draws=draws)
    # Four of eight units with a normal effect of sd 1: the mean has an sd of 1/4.
    error = {"rel": 0.12}
    at = {"dose": [result.design.rows.covariates["dose"].mean + x for x in (0.0, 2.0)]}
    mean, moved = values_of(result, "means", "task", "finite", at=at)[..., [2, 5]].reshape(-1, 2).T
    slope = values_of(result, "slopes", "dose", "task", "finite")
    np.testing.assert_allclose(slope[..., :2], 0, atol=1e-9)
    assert mean.std() == pytest.approx(1 / 4, **error)
    assert slope[..., 2].std() == pytest.approx(1 / 4, **error)
    assert moved.std() == pytest.approx(5**0.5 / 4, **error)
    np.testing.assert_allclose(moved, mean + 2 * slope[..., 2].ravel(), atol=1e-8)
    assert abs(np.corrcoef(mean, slope[..., 2].ravel())[0, 1]) < 0.15


def test_contrasts_between_values_of_a_covariate():
    result = made_up(FULL)
    means = values_of(result, "means", "group", at={"dose": [2, 8]})
    within = values_of(result, "contrasts", "group", at={"dose": [2, 8]})
    np.testing.assert_allclose(within, means[..., ::2] - means[..., 1::2], atol=1e-12)
    across = values_of(result, "contrasts", "dose", "consec", by="group", at={"dose": [2, 8]})
    np.testing.assert_allclose(across, means[..., 2:] - means[..., :2], atol=1e-12)


FITTED = "y ~ group * dose + scale(age) + (dose|s)"


def test_both_ways_to_the_draws_have_the_same_slopes():
    model = ba.Model(FITTED, data())
    result = model.fit("laplace", draws=50, random_seed=1, progressbar=False)
    again = extract_draws(result.idata["posterior"].to_dataset(), result.specification)
    assert set(again.slopes) == {"dose", "scale(age)"}
    for name, values in again.slopes.items():
        np.testing.assert_allclose(result.draws.slopes[name], values, atol=1e-10)
    posterior = result.idata["posterior"]
    by_hand = posterior["dose"].to_numpy()[..., None] + posterior["dose|group"].to_numpy()
    np.testing.assert_allclose(again.slopes["dose"], by_hand)
    np.testing.assert_allclose(
        result.draws.unit_slopes["dose|s"], posterior["dose|s"].to_numpy(), atol=1e-10
    )


# -- Support -----------------------------------------------------------------------------------


def test_a_covariate_that_follows_a_factor_leaves_its_contrast_to_the_prior():
    frame = data().assign(age=lambda d: np.where(d["group"] == "A", 30.0, 50.0))
    result = made_up("y ~ group + age + task", frame)
    assert not result.contrasts("group")["supported"].any()
    assert not result.slopes("age")["supported"].any()
    assert result.contrasts("task")["supported"].all()
    # The groups at their own ages are what was observed; so is the average of both.
    table = result.means("group", at={"age": [30, 50]}).set_index(["age", "group"])
    assert table["supported"].to_dict() == {
        (30.0, "A"): True,
        (30.0, "B"): False,
        (50.0, "A"): False,
        (50.0, "B"): True,
    }


def test_one_value_in_a_level_has_no_slope_there():
    frame = data()
    frame.loc[frame["group"] == "A", "dose"] = 4.0
    result = made_up("y ~ group * dose + task", frame)
    table = result.slopes("dose").set_index("group")["supported"]
    assert table.to_dict() == {"A": False, "B": True}
    assert not result.contrasts("group", slope="dose")["supported"].any()
    at = result.means("group", at={"dose": [4, 5]})["supported"]
    assert at.tolist() == [True, True, False, True]


def test_response_scales_need_each_cell():
    frame = data().query("not (group == 'B' and task == 'z')").assign(hits=lambda d: d["hits"])
    linear = made_up("p(hits, n) ~ group * task", frame, family="binomial")
    table = linear.contrasts("task", by="group", scale="response").set_index(["group", "contrast"])
    assert table["supported"].to_dict()["A", "x - z"]
    assert not table["supported"].to_dict()["B", "x - z"]
    assert table["supported"].to_dict()["B", "x - y"]
    ratios = linear.contrasts("task", scale="response", compare="ratio").set_index("contrast")
    assert ratios["supported"].to_dict() == {"x / y": True, "x / z": False, "y / z": False}


# -- Weights of cells --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "emmeans"), [("equal", "equal"), ("observed", "cells"), ("proportional",) * 2]
)
def test_marginal_means_weigh_cells_as_emmeans_does(ours, emmeans):
    rows = np.arange(1, 73)
    oats = ba.load_data("oats")[(rows % 5 != 0) & (rows % 7 != 0)]
    result = made_up("yield ~ variety * nitrogen", oats)
    cells = oats.groupby(["variety", "nitrogen"], observed=True)["yield"].mean().to_numpy()
    result.draws.cells[:] = cells
    theirs = pd.read_csv(REFERENCE / "emmeans_means.csv")
    expected = theirs.loc[theirs["weights"] == emmeans, "mean"]
    found = result.means("variety", weights=ours)["mean"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_trials_count_as_observations():
    frame = data().assign(n=lambda d: np.where(d["task"] == "x", 20, 9))
    result = made_up("p(hits, n) ~ group * task", frame, family="binomial")
    found = values_of(result, "means", "group", weights="observed")
    cells = result.draws.cells.reshape(*SAMPLE, 2, 3)
    np.testing.assert_allclose(found, cells @ (np.array([20, 9, 9]) / 38))


# -- Ratios and standardised effects -----------------------------------------------------------


def test_odds_ratios_on_both_scales():
    result = made_up("p(hits, n) ~ group * task + (1|s)", family="binomial")
    link = values_of(result, "contrasts", "group")
    found = result.draws_of("contrasts", "group", compare="odds_ratio")
    assert found.attrs["null"] == 1.0
    assert found["quantity"].item() == "A / B"
    np.testing.assert_allclose(found.to_numpy(), np.exp(link))
    p = values_of(result, "means", "group", scale="response")
    odds = p / (1 - p)
    marginal = values_of(result, "contrasts", "group", scale="response", compare="odds_ratio")
    np.testing.assert_allclose(marginal[..., 0], odds[..., 0] / odds[..., 1])
    risks = values_of(result, "contrasts", "group", scale="response", compare="ratio")
    np.testing.assert_allclose(risks[..., 0], p[..., 0] / p[..., 1])


def test_the_direction_of_a_ratio_is_about_one():
    result = made_up("p(hits, n) ~ group * task + (1|s)", family="binomial")
    plain, ratio = (result.contrasts("task", compare=c) for c in ("difference", "odds_ratio"))
    np.testing.assert_array_equal(plain["pd"], ratio["pd"])
    assert plain["pd"].max() < 1


def test_rate_ratios():
    result = made_up("hits ~ group + (1|s)", family="poisson")
    link = values_of(result, "contrasts", "group")
    found = values_of(result, "contrasts", "group", compare="ratio")
    np.testing.assert_allclose(found, np.exp(link))


def test_an_interaction_ratio_is_a_ratio_of_ratios():
    result = made_up("p(hits, n) ~ group * task", family="binomial")
    p = values_of(result, "means", scale="response").reshape(*SAMPLE, 2, 3)
    found = values_of(result, "contrasts", "group:task", scale="response", compare="ratio")
    by_hand = (p[..., 0, 0] / p[..., 1, 0]) / (p[..., 0, 1] / p[..., 1, 1])
    np.testing.assert_allclose(found[..., 0], by_hand)


@pytest.mark.parametrize(
    ("formula", "family", "options", "message"),
    [
        ("p(hits, n) ~ group", "binomial", {"compare": "ratio"}, "compare='odds_ratio'"),
        ("hits ~ group", "poisson", {"compare": "odds_ratio"}, "compare='ratio'"),
        ("y ~ group", "gaussian", {"compare": "ratio"}, "between 0 and inf"),
        ("y ~ group", "gaussian", {"compare": "quotient"}, "expected one of"),
        ("y ~ group", "gaussian", {"standardize": "sigma"}, "expected one of"),
        ("hits ~ group", "poisson", {"standardize": "residual"}, "compare='ratio'"),
        (
            "p(hits, n) ~ group",
            "binomial",
            {"standardize": "residual", "scale": "response"},
            "scale='link'",
        ),
        (
            "p(hits, n) ~ group",
            "binomial",
            {"standardize": "residual", "compare": "odds_ratio"},
            "only differences",
        ),
    ],
)
def test_comparisons_that_mean_nothing_are_refused(formula, family, options, message):
    with pytest.raises(ArgumentError, match=message):
        made_up(formula, family=family).contrasts("group", **options)


def test_effects_in_residual_and_total_sds():
    result = made_up("y ~ group * task + (1|s) + (1|s:task)")
    plain = values_of(result, "contrasts", "task")
    sigmas = result.draws.sigmas
    residual = result.draws.auxiliary["sigma"][..., None]
    total = np.sqrt(residual[..., 0] ** 2 + sigmas["s"] ** 2 + sigmas["s:task"] ** 2)[..., None]
    for standardize, population, sd, text in (
        ("residual", "super", residual, "sd of residual"),
        ("total", "super", total, "total sd: s + s:task + residual"),
        ("total", "average", residual, "total sd: residual"),
    ):
        options = {"standardize": standardize, "population": population}
        np.testing.assert_allclose(values_of(result, "contrasts", "task", **options), plain / sd)
        assert set(result.contrasts("task", **options)["standardized_by"]) == {text}


@pytest.mark.parametrize(
    ("link", "sd"), [("logit", 1.8137993642), ("probit", 1.0), ("cloglog", 1.2825498302)]
)
def test_a_yes_or_no_has_the_sd_behind_its_link(link, sd):
    result = made_up("p(hits, n) ~ group", family="binomial", link=link)
    plain = values_of(result, "contrasts", "group")
    found = values_of(result, "contrasts", "group", standardize="residual")
    np.testing.assert_allclose(found, plain / sd)


# -- Regions, comparison values and Kruschke's columns -----------------------------------------


def test_shares_beside_a_region_and_a_value():
    result = made_up("y ~ group * task + (1|s)")
    draws = values_of(result, "contrasts", "task").reshape(-1, 3)
    table = result.contrasts("task", rope=(-0.1, 0.2), comp_val=0.05)
    np.testing.assert_allclose(table["below_rope"], (draws < -0.1).mean(axis=0))
    np.testing.assert_allclose(table["above_rope"], (draws > 0.2).mean(axis=0))
    parts = table[["below_rope", "in_rope", "above_rope"]]
    np.testing.assert_allclose(parts.sum(axis=1), 1)
    np.testing.assert_allclose(table["above_comp_val"], (draws > 0.05).mean(axis=0))
    p = parts.to_numpy()
    np.testing.assert_allclose(
        table["mcse_rope"], np.sqrt(p * (1 - p) / len(draws)).max(axis=1), rtol=0.4
    )
    assert "below_rope" not in result.contrasts("task")


@pytest.mark.parametrize("rope", [(1, -1), (1, 1), 3, (1, 2, 3), ("a", "b"), (np.nan, 1)])
def test_a_region_needs_two_bounds(rope):
    with pytest.raises(ArgumentError, match="rope="):
        made_up("y ~ group").contrasts("group", rope=rope)


@pytest.mark.parametrize("value", ["0", np.inf, True])
def test_a_comparison_value_is_a_number(value):
    with pytest.raises(ArgumentError, match="comp_val="):
        made_up("y ~ group").contrasts("group", comp_val=value)


def test_kruschkes_columns():
    result = made_up("y ~ group * task + (1|s)")
    sides = {"x and y vs z": (["x", "y"], ["z"])}
    table = result.kruschke("task", sides, comp_val=0, rope=(-0.1, 0.1), population="finite")
    assert table.columns.tolist() == KRUSCHKE
    assert table.index.tolist() == ["x and y vs z"]
    row, draws = table.iloc[0], values_of(result, "contrasts", "task", sides, None, "finite")
    assert row["Mean"] == pytest.approx(draws.mean())
    assert row["Median"] == pytest.approx(np.median(draws))
    assert abs(row["Mode"] - row["Median"]) < draws.std()
    assert row["PcntGtCompVal"] == pytest.approx(100 * (draws > 0).mean())
    assert row[["PcntLtROPE", "PcntInROPE", "PcntGtROPE"]].sum() == pytest.approx(100)
    assert (row["HDImass"], row["ROPElow"], row["ROPEhigh"]) == (0.95, -0.1, 0.1)
    assert 300 < row["ESS"] < 1200


def test_kruschkes_mode_is_the_peak_of_a_density():
    """Of 4,000 draws of a gamma of mode 2 and sd 1.7 it is within a sixth of an sd."""
    draws = np.random.default_rng(1).gamma(3, 1, size=(4, 1000, 20))
    labels = pd.DataFrame({"quantity": [f"q{i}" for i in range(20)]})
    quantities = Quantities(labels, draws, np.ones(20, dtype=bool), "super", "link")
    table = kruschke_table(quantities, Sampling("nuts", 0, 1.0))
    assert table["Mode"].to_numpy() == pytest.approx(2, abs=0.3)


def test_kruschkes_summary_of_everything():
    result = made_up("y ~ group * task + (1|s)")
    names = result.kruschke().index.tolist()
    assert names[:3] == ["baseline", "group A", "group B"]
    assert names[-2:] == ["sd of s", "sigma"]
    assert len(names) == 1 + 2 + 3 + 6 + 4 + 1
    assert result.kruschke().loc["baseline", "Mean"] == pytest.approx(result.draws.cells.mean())
    assert result.kruschke("task").index.tolist() == ["x", "y", "z"]
    with pytest.raises(ArgumentError, match="term="):
        result.kruschke(method="pairwise")


# -- Arguments of contrasts --------------------------------------------------------------------


def test_products_of_different_families():
    result = made_up("y ~ group * task")
    cells = result.draws.cells.reshape(*SAMPLE, 2, 3)
    difference = cells[..., 0, :] - cells[..., 1, :]
    found = result.draws_of(
        "contrasts", "group:task", {"task": "poly", "group": "pairwise"}, scores={"task": [0, 1, 3]}
    )
    assert found["contrast"].to_numpy().tolist() == ["(A - B) : (linear)", "(A - B) : (quadratic)"]
    linear = np.array([-4, -1, 5]) / np.sqrt(42)
    np.testing.assert_allclose(found.to_numpy()[..., 0], difference @ linear)


def test_cells_are_compared_with_each_other():
    result = made_up("y ~ group * task")
    table = result.contrasts("task:group", cells=True)
    assert len(table) == 15
    assert table["contrast"].tolist()[:2] == ["A:x - A:y", "A:x - A:z"]
    own = {"corner": (["A:x"], [("B", "z"), "B:y"])}
    found = values_of(result, "contrasts", "group:task", own, cells=True)
    cells = result.draws.cells
    np.testing.assert_allclose(found[..., 0], cells[..., 0] - (cells[..., 5] + cells[..., 4]) / 2)


def test_cells_at_each_level_of_a_third_factor():
    frame = data().assign(half=lambda d: np.where(d["k"] > 1, "late", "early"))
    result = made_up("y ~ half * group * task", frame)
    cells = result.draws.cells.reshape(*SAMPLE, 2, 2, 3)
    draws = result.draws_of("contrasts", "half:task", "consec", by="group", cells=True)
    assert draws["quantity"].to_numpy()[0] == "early:y - early:x at group=A"
    by_hand = np.diff(cells.transpose(0, 1, 3, 2, 4).reshape(*SAMPLE, 2, 6), axis=-1)
    np.testing.assert_allclose(draws.to_numpy(), by_hand.reshape(*SAMPLE, 10))


def test_ordered_categoricals_have_an_order():
    frame = data()
    plain = made_up("y ~ task", frame)
    with pytest.raises(ArgumentError, match="ordered categorical"):
        plain.contrasts("task", "poly")
    frame["task"] = pd.Categorical(frame["task"], ordered=True)
    table = made_up("y ~ task", frame).contrasts("task", "poly")
    assert table["contrast"].tolist() == ["linear", "quadratic"]


@pytest.mark.parametrize(
    ("term", "method", "options", "message"),
    [
        ("group", "pairwise", {"by": "group"}, "is part of term"),
        ("group", "pairwise", {"by": "tsak"}, "did you mean 'task'"),
        ("gruop", "pairwise", {}, "did you mean 'group'"),
        ("group:task", {"a": {"A": 1, "B": -1}}, {}, "cells=True"),
        ("group:task", {"group": "consec"}, {}, "a method for each of 'group', 'task'"),
        ("group:task", [[1, -1]], {}, "cells=True"),
        ("group", "pairwise", {"ref": "A"}, "ref is for method 'trt_vs_ctrl'"),
        ("group", "consec", {"scores": [1, 2]}, "scores is for method 'poly'"),
        ("group", "trt_vs_ctrl", {"ref": {"tsak": "x"}}, "not a factor of the term"),
        ("group", "pairwise", {"weights": "cells"}, "emmeans' 'cells' is 'observed'"),
        ("group", "pairwise", {"at": {"dsoe": 3}}, "did you mean 'dose'"),
        ("group", "pairwise", {"at": {"task": "x"}}, "is a factor; name its levels with by="),
        ("group", "pairwise", {"at": {"dose": "low"}}, "expected a number"),
        ("group", "pairwise", {"at": {"dose": []}}, "expected a number"),
        ("group", "pairwise", {"at": {"dose": [2, 2]}}, "named twice"),
        ("group", "pairwise", {"at": [2, 3]}, "expected a mapping"),
        ("group", "pairwise", {"slope": "y"}, "not a covariate"),
        ("group", "pairwise", {"population": "all"}, "population='all'"),
    ],
)
def test_contrasts_refuse_what_they_cannot_use(term, method, options, message):
    result = made_up("y ~ group * task + dose")
    with pytest.raises(ArgumentError, match=message):
        result.contrasts(term, method, **options)


def test_several_columns_of_one_covariate_are_asked_for_together():
    result = made_up("y ~ group + I(dose * age) + (1|s)")
    with pytest.raises(ArgumentError, match=r"reads .* and .*; give all"):
        result.means("group", at={"dose": 3})
    found = values_of(result, "means", "group", at={"dose": 3, "age": 30})[..., 0]
    frame = data()
    off = 90 - (frame["dose"] * frame["age"]).mean()
    (own,) = result.draws.slopes.values()
    np.testing.assert_allclose(found, result.draws.cells[..., 0] + off * own[..., 0], atol=1e-9)


def test_values_where_a_covariate_is_not_defined_are_refused():
    result = made_up("y ~ group + log(dose)")
    with pytest.raises(ArgumentError, match="not finite at dose=0"):
        result.means("group", at={"dose": 0})


def test_units_without_slopes_have_none():
    with pytest.raises(ArgumentError, match=r"add \(dose\|unit\)"):
        made_up("y ~ group + dose + (1|s)").unit_slopes("dose")
    with pytest.raises(ArgumentError, match="unit='task'"):
        made_up(FULL).unit_slopes("dose", "task")


def test_draws_stand_in_the_order_of_the_table():
    result = made_up("y ~ group * task + dose + (1|s)")
    for kind, args, options in (
        ("means", ("group",), {"at": {"dose": [1, 2]}}),
        ("deflections", (), {}),
        ("contrasts", ("task",), {"by": "group", "method": "eff"}),
        ("slopes", ("dose", "group"), {}),
    ):
        draws = result.draws_of(kind, *args, **options)
        table = getattr(result, kind)(*args, **options)
        assert draws.dims == ("chain", "draw", "quantity")
        np.testing.assert_allclose(draws.mean(("chain", "draw")), table["mean"])
        assert len(set(draws["quantity"].to_numpy())) == len(table)
    with pytest.raises(ArgumentError, match="did you mean 'contrasts'"):
        result.draws_of("contrast", "task")


def test_the_family_is_named_when_no_residual_is_known():
    frame = data().assign(y=lambda d: special.expit(d["y"]))
    with pytest.raises(ArgumentError, match="family 'beta' has no residual sd"):
        made_up("y ~ group", frame, family="beta").contrasts("group", standardize="total")


def test_statements_need_levels_beside_by():
    result = made_up("y ~ group * task + dose")
    for ask in (result.orders, lambda term, by: result.probability("A > B", term, by)):
        with pytest.raises(ArgumentError, match="no levels to make statements of"):
            ask("group", by="group")
    means = result.draws_of("means", "group", at={"dose": [1, 2]})
    table = result.probability("A > B", "group", at={"dose": [1, 2]})
    a, b = (means.sel(quantity=name).to_numpy() for name in ("1:A", "1:B"))
    assert table["probability"][0] == pytest.approx((a > b).mean())


def test_a_model_without_factors_has_a_mean_and_a_slope():
    result = made_up("y ~ dose + (dose|s)")
    assert result.draws_of("means")["quantity"].item() == "mean"
    assert result.draws_of("slopes", "dose")["quantity"].item() == "dose"
    assert len(result.kruschke()) == 5
    with pytest.raises(ArgumentError, match="no factor terms"):
        result.deflections()


# -- Names of factors and levels ---------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [("hdi", "hdi"), ("etiology", "eti")])
def test_factors_named_like_intervals_are_no_bounds(name, kind):
    result = made_up(f"y ~ {name} + (1|s)", data().rename(columns={"group": name}))
    table = result.means(name, ci_kind=kind)
    bounds = [column for column in table if bound(column)]
    assert bounds == list(Interval(kind=kind).bounds) == [f"{kind}95_lb", f"{kind}95_ub"]
    assert (table[bounds[0]] < table[bounds[1]]).all()
    own, usual = result.kruschke(name), result.means(name)
    assert own["HDIlow"].tolist() == usual["hdi95_lb"].tolist()


def test_factors_whose_names_hold_a_colon():
    frame = data().rename(columns={"group": "g:h"})
    result = made_up("y ~ `g:h` * task + (1|s)", frame)
    usual = made_up("y ~ group * task + (1|s)")
    for term in ("g:h:task", "task:g:h", "g:h"):
        ours = values_of(result, "contrasts", term)
        assert np.array_equal(ours, values_of(usual, "contrasts", term.replace("g:h", "group")))
    assert len(result.probability("x > y", "task", by="g:h")) == 2


def test_an_axis_of_one_value_has_no_contrasts():
    result = made_up("y ~ group + age + (1|s)")
    with pytest.raises(ArgumentError, match="compares two levels or more"):
        result.contrasts("age", at={"age": [20]})


def test_the_baseline_is_supported_as_means_are():
    """An additive model knows its empty cells; one with an interaction does not."""
    frame = data()
    frame = frame[~((frame["group"] == "A") & (frame["task"] == "x"))]
    for formula, known in (("y ~ group + task", True), ("y ~ group * task", False)):
        result = made_up(formula, frame)
        assert result.kruschke()["supported"]["baseline"] == known
        assert result.means("group")["supported"].all() == known
        baseline = result.draws.cells.mean(axis=-1)
        assert result.kruschke()["Mean"]["baseline"] == pytest.approx(baseline.mean())
    with pytest.raises(ArgumentError, match="population='all'"):
        result.kruschke(population="all")


def test_the_anova_table_is_supported_as_contrasts_are():
    """A covariate that is one value in each group takes the groups' place."""
    frame = data().assign(dark=lambda d: np.where(d["group"] == "A", 1.0, 3.0))
    result = made_up("y ~ group + task + dark", frame)
    assert not result.contrasts("group")["supported"].any()
    assert result.anova().set_index("term")["supported"].to_dict() == {
        "group": False,
        "task": True,
        "residual": True,
    }
    assert result.anova(scale="response")["supported"].tolist() == [False, True]


def test_options_that_are_no_lists_or_texts_are_refused():
    result = made_up("y ~ group * task + (1|s)")
    with pytest.raises(ArgumentError, match="by=3"):
        result.contrasts("group", by=3)
    with pytest.raises(ArgumentError, match="by=3"):
        result.probability("A > B", "group", by=3)
    with pytest.raises(ArgumentError, match="kind=\\['means'\\]"):
        result.draws_of(["means"])
    assert len(result.orders("task", most=np.int64(2))) <= 2
    assert len(result.means(ci_prob=np.float32(0.5))) == 6


def test_covariates_named_like_columns_of_the_tables_have_slopes():
    frame = data().rename(columns={"dose": "median"})
    result = made_up("y ~ group * median + (1|s)", frame)
    usual = made_up("y ~ group * dose + (1|s)")
    ours, theirs = (values_of(r, "slopes", n) for r, n in ((result, "median"), (usual, "dose")))
    assert np.array_equal(ours, theirs)
    with pytest.raises(ArgumentError, match="kept for the tables"):
        result.means("group", at={"median": 3})
