"""Logistic ANOVA by maximum likelihood, against R's glm and a sandwich by hand."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.classical import COLUMNS, logistic_anova, logistic_coefficients
from bambi_anova.errors import ArgumentError, NotApplicableError, SeparationError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

FOLDER = Path(__file__).parents[1] / "reference"
FORMULA = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
OPTIONS = {"none": {}, "fixed": {"units": "fixed"}, "robust": {"robust": True}}


@pytest.fixture(scope="module")
def memory():
    return ba.Model(FORMULA, ba.load_data("memory"), family="binomial")


@pytest.mark.parametrize("units", OPTIONS)
def test_coefficients_are_those_of_glm(memory, units):
    expected = pd.read_csv(FOLDER / "memory_glm.csv").query("units == @units")
    found = logistic_coefficients(memory, **OPTIONS[units]).iloc[:4]
    terms = ["Intercept", "condition", "trial_type", "condition:trial_type"]
    assert found["term"].tolist() == terms
    assert found["contrast"].tolist() == ["", "A", "x", "A:x"]
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-8)
    np.testing.assert_allclose(found["se"], expected["se"], rtol=1e-8)


@pytest.mark.parametrize("units", OPTIONS)
def test_contrasts_are_sums_of_sum_coded_coefficients(memory, units):
    coefficients = logistic_coefficients(memory, **OPTIONS[units]).iloc[1:4]
    contrasts = logistic_anova(memory, **OPTIONS[units])
    for column in ("estimate", "se"):
        np.testing.assert_allclose(contrasts[column], coefficients[column] * [2, 2, 4], rtol=1e-9)
    np.testing.assert_allclose(contrasts["p"], coefficients["p"], rtol=1e-6)


@pytest.mark.parametrize("units", OPTIONS)
def test_contrasts_of_probabilities_are_those_of_the_delta_method(memory, units):
    expected = pd.read_csv(FOLDER / "memory_glm_response.csv").query("units == @units")
    found = logistic_anova(memory, scale="response", **OPTIONS[units])
    found = found.set_index("contrast").loc[expected["contrast"]]
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-8)
    np.testing.assert_allclose(found["se"], expected["se"], rtol=1e-8)


def test_tables_say_what_they_generalise_to(memory):
    tables = {name: logistic_anova(memory, **options) for name, options in OPTIONS.items()}
    for table in tables.values():
        assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    said = {name: table["population"].unique().tolist() for name, table in tables.items()}
    assert said == {"none": ["rows"], "fixed": ["finite"], "robust": ["super"]}


def test_only_robust_errors_find_the_condition_weak(memory):
    between = {name: logistic_anova(memory, **options).iloc[0] for name, options in OPTIONS.items()}
    assert between["none"]["p"] < 0.01
    assert between["fixed"]["p"] < 0.01
    assert between["robust"]["p"] > 0.3
    for options in OPTIONS.values():
        trial_type = logistic_anova(memory, **options).iloc[1]
        assert 0.35 < trial_type["estimate"] < 0.42
        assert trial_type["p"] < 1e-8


def test_rows_and_their_sums_give_the_same(memory):
    trials = ba.load_data("memory")
    keys = ["participant", "condition", "trial_type"]
    sums = trials.groupby(keys, as_index=False)[["errors", "markers"]].sum()
    added = ba.Model(FORMULA, sums, family="binomial")
    markers = trials.loc[trials.index.repeat(trials["markers"])].reset_index()
    markers["error"] = (markers.groupby("index").cumcount() < markers["errors"]).astype(int)
    single = FORMULA.replace("p(errors, markers)", "error")
    binary = ba.Model(single, markers.drop(columns="index"), family="bernoulli")
    for options in OPTIONS.values():
        expected = logistic_anova(memory, **options)[["estimate", "se"]]
        for model in (added, binary):
            found = logistic_anova(model, **options)[["estimate", "se"]]
            np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_robust_intervals_use_t(memory):
    from scipy import stats

    row = logistic_anova(memory, robust=True, ci_prob=0.9).iloc[0]
    reach = stats.t.ppf(0.95, 40) * row["se"]
    assert row["upper"] - row["estimate"] == pytest.approx(reach)
    assert row["df"] == 40


def unbalanced():
    """Three groups of 3, 4 and 5 people; one of them never did task q."""
    rng = np.random.default_rng(5)
    groups = np.repeat(["u", "v", "w"], [3, 4, 5])
    frame = pd.DataFrame(product(range(12), "pq"), columns=["s", "task"])
    frame = frame.assign(group=groups[frame["s"]], n=rng.integers(20, 40, 24))
    frame["k"] = rng.binomial(frame["n"], rng.uniform(0.3, 0.7, 24))
    return frame.drop(index=1)


def test_fixed_units_average_over_all_units_of_their_cell():
    frame = unbalanced()
    model = ba.Model("p(k, n) ~ group * task + Error(s)", frame, family="binomial")
    table = logistic_anova(model, units="fixed").set_index("contrast")
    # The same model with an intercept for each person and a task effect for each group.
    import statsmodels.api as sm

    people = np.eye(12)[frame["s"]]
    tasks = np.where(frame["task"] == "p", 0.5, -0.5)
    groups = np.stack([(frame["group"] == g) * tasks for g in "uvw"], axis=1)
    counts = np.column_stack([frame["k"], frame["n"] - frame["k"]])
    fit = sm.GLM(counts, np.hstack([people, groups]), family=sm.families.Binomial())
    estimates = np.asarray(fit.fit(tol_criterion="params", tol=1e-12).params)
    means = [estimates[:3].mean(), estimates[3:7].mean(), estimates[7:12].mean()]
    assert table.loc["u - v", "estimate"] == pytest.approx(means[0] - means[1])
    assert table.loc["p - q", "estimate"] == pytest.approx(estimates[12:].mean())
    assert table.loc["(u - w) : (p - q)", "estimate"] == pytest.approx(
        estimates[12] - estimates[14]
    )


def test_fixed_units_nested_in_units_and_crossed_units():
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(product(range(8), range(6)), columns=["subject", "item"])
    frame["group"] = np.where(frame["subject"] < 4, "A", "B")
    frame["kind"] = np.where(frame["item"] < 3, "n", "v")
    frame["n"] = 10
    frame["k"] = rng.integers(2, 9, len(frame))
    crossed = "p(k, n) ~ group * kind + Error(subject) + Error(item)"
    model = ba.Model(crossed, frame, family="binomial")
    # Balanced and crossed: contrasts of means over every pair of subject and item.
    table = logistic_anova(model, units="fixed", scale="response").set_index("contrast")
    shares = frame["k"].groupby(frame["group"]).sum() / frame["n"].groupby(frame["group"]).sum()
    assert table.loc["A - B", "estimate"] == pytest.approx(shares["A"] - shares["B"])
    with pytest.raises(NotApplicableError, match=r"units cross \(subject, item\)"):
        logistic_anova(model, robust=True)
    nested = frame.assign(item=frame["subject"] * 10 + frame["item"])
    model = ba.Model("p(k, n) ~ group + Error(subject/item)", nested, family="binomial")
    assert len(logistic_coefficients(model, units="fixed")) == 48


def test_separation_is_found_and_named():
    frame = unbalanced()
    frame.loc[(frame["s"] == 4), "k"] = 0
    model = ba.Model("p(k, n) ~ group * task + Error(s)", frame, family="binomial")
    with pytest.raises(SeparationError, match=r"v:[pq]:4.*model.fit"):
        logistic_anova(model, units="fixed")
    assert np.isfinite(logistic_anova(model)["se"]).all()
    frame.loc[(frame["group"] == "u") & (frame["task"] == "q"), "k"] = 0
    model = ba.Model("p(k, n) ~ group * task + Error(s)", frame, family="binomial")
    with pytest.raises(SeparationError, match="u:q"):
        logistic_anova(model)
    additive = ba.Model("p(k, n) ~ group + task + Error(s)", frame, family="binomial")
    assert np.isfinite(logistic_anova(additive)["se"]).all()


def test_cells_without_data_are_refused():
    frame = unbalanced().query("not (group == 'u' and task == 'q')")
    model = ba.Model("p(k, n) ~ group * task + Error(s)", frame, family="binomial")
    with pytest.raises(NotApplicableError, match="cells without data: u:q"):
        logistic_anova(model)


def test_what_does_not_fit_is_refused(memory, within):
    with pytest.raises(ArgumentError, match="units='random'"):
        logistic_anova(memory, units="random")
    with pytest.raises(ArgumentError, match="take one of them"):
        logistic_anova(memory, units="fixed", robust=True)
    with pytest.raises(ArgumentError, match="scale='logit'"):
        logistic_anova(memory, scale="logit")
    with pytest.raises(NotApplicableError, match="split_plot_anova"):
        logistic_anova(ba.Model("y ~ A * B + Error(s)", within))
    probit = ba.Model(FORMULA, ba.load_data("memory"), family="binomial", link="probit")
    with pytest.raises(NotApplicableError, match="probit"):
        logistic_anova(probit)
    plain = ba.Model("p(errors, markers) ~ condition", ba.load_data("memory"), family="binomial")
    with pytest.raises(NotApplicableError, match="no units"):
        logistic_anova(plain, robust=True)


def test_these_units_are_all_of_them_where_the_worst_lack_a_trial_type():
    """Fixed units and the posterior of the units of the study are about the same people."""
    data = ba.load_data("memory")
    errors = data.groupby("participant")[["errors", "markers"]].sum()
    worst = (errors["errors"] / errors["markers"]).nlargest(10).index
    data = data[~data["participant"].isin(worst) | (data["trial_type"] != "y")]
    formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    with pytest.warns(ba.errors.IncompleteUnitsWarning, match="10 in all"):
        model = ba.Model(formula, data, family="binomial")
    fixed = logistic_anova(model, units="fixed").iloc[1]
    result = model.fit("laplace", random_seed=1, progressbar=False)
    row = result.contrasts("trial_type", population="finite").iloc[0]
    assert row["mean"] == pytest.approx(fixed["estimate"], abs=fixed["se"])
    assert row["sd"] == pytest.approx(fixed["se"], rel=0.2)
    # Of those who did both; the other people's mean alone would give .63.
    assert row["mean"] == pytest.approx(0.43, abs=0.04)
    response = result.contrasts("trial_type", population="finite", scale="response").iloc[0]
    assert response["mean"] == pytest.approx(0.044, abs=0.004)
