"""Predictions for new rows: what they add up, whose effects they hold, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import bambi_anova as ba
from bambi_anova.errors import AnovaError, ArgumentError, DataError
from bambi_anova.prediction.predictors import predictor_of

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

QUICK = {"inference_method": "laplace", "random_seed": 1, "progressbar": False}


@pytest.fixture(scope="module")
def with_slopes():
    from itertools import product

    rng = np.random.default_rng(2)
    frame = pd.DataFrame(product(range(12), "xyz", range(2)), columns=["subject", "task", "copy"])
    frame = frame.assign(
        group=np.where(frame["subject"] < 6, "A", "B"), dose=rng.normal(3, 2, len(frame))
    )
    frame["y"] = rng.normal(0, 1, len(frame)) + frame["dose"] * rng.normal(1, 1, 12)[frame.subject]
    formula = (
        "y ~ group * task + scale(dose) + group:scale(dose) + log(dose + 99)"
        " + (scale(dose)|subject) + (1|subject:task)"
    )
    return ba.Model(formula, frame).fit(draws=100, **QUICK), frame


@pytest.fixture(scope="module")
def memory():
    formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    model = ba.Model(formula, ba.load_data("memory"), family="binomial")
    return model.fit(draws=1000, **QUICK)


def test_rows_of_the_data_given_again_have_their_own_predictor(with_slopes):
    result, frame = with_slopes
    own = predictor_of(result).at(np.arange(len(frame))).reshape(4, 100, -1)
    turned = frame.iloc[::-1].drop(columns="y")
    for data, expected in ((None, own), (turned, own[..., ::-1]), (frame[5:9], own[..., 5:9])):
        found = result.predict(data)["posterior"]["mu"]
        assert found.dims == ("chain", "draw", "__obs__")
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(result.predict(turned)["posterior"]["dose"], turned["dose"])
    table = pa.Table.from_pandas(turned, preserve_index=False)
    np.testing.assert_allclose(result.predict(table)["posterior"]["mu"], own[..., ::-1])


def test_without_units_rows_are_about_the_average_unit(memory):
    cells = memory.design.cells[["condition", "trial_type"]]
    tree = memory.predict(cells, include_group_specific=False)
    logit = np.log(tree["posterior"]["p"] / (1 - tree["posterior"]["p"]))
    means = memory.means(population="average")
    np.testing.assert_allclose(logit.mean(("chain", "draw")), means["mean"], atol=1e-9)
    assert tree["posterior"]["condition"].to_numpy().tolist() == cells["condition"].tolist()


def test_new_units_are_drawn_from_the_population(memory):
    """Their mean is that of new units; two rows of one new unit share its effect."""
    new = pd.DataFrame({"participant": ["new 1", "new 1", "new 2"], "condition": "A"})
    new["trial_type"] = ["x", "y", "x"]
    with pytest.raises(DataError, match=r"no unit 'new 1', 'new 2' of 'participant'; pass sample"):
        memory.predict(new)
    tree = memory.predict(new, sample_new_groups=True, random_seed=1)
    p = tree["posterior"]["p"].to_numpy().reshape(-1, 3)
    expected = memory.means(scale="response").query("condition == 'A'").set_index("trial_type")
    for column, kind in enumerate("xyx"):
        mcse = p[:, column].std() / np.sqrt(len(p))
        assert abs(p[:, column].mean() - expected.loc[kind, "mean"]) < 4 * mcse
    logit = np.log(p / (1 - p))
    sigmas = memory.draws.sigmas
    between, within = ((sigmas[name] ** 2).mean() for name in list(sigmas)[-2:])
    fixed = memory.predict(new, include_group_specific=False)["posterior"]["p"].to_numpy()
    fixed = np.log(fixed / (1 - fixed)).reshape(-1, 3)
    effects = logit - fixed
    covariance = np.cov(effects.T)
    np.testing.assert_allclose(np.diag(covariance), between + within, rtol=0.1)
    np.testing.assert_allclose(covariance[0, 1], between, rtol=0.15)
    assert abs(covariance[0, 2]) < 0.1 * between


def test_a_known_unit_in_a_new_cell_keeps_what_is_known_of_it():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"s": np.repeat(range(20), 6), "A": list("aabbcc") * 20})
    frame["y"] = 10.0 * (frame["s"] == 3) + rng.normal(0, 1, len(frame))
    seen = frame[~((frame["s"] == 3) & (frame["A"] == "c"))]
    result = ba.Model("y ~ A + Error(s/A)", seen).fit(draws=200, **QUICK)
    row = pd.DataFrame({"s": [3], "A": ["c"]})
    with pytest.raises(DataError, match=r"no unit '3:c' of 's:A'"):
        result.predict(row)
    mean = result.predict(row, sample_new_groups=True, random_seed=1)["posterior"]["mu"].mean()
    assert abs(float(mean) - 10) < 1.5


def test_responses_are_drawn_about_the_parameters(memory, with_slopes):
    rows = pd.DataFrame({"condition": ["A", "B"], "trial_type": "x", "markers": [10, 40]})
    tree = memory.predict(rows, "response", include_group_specific=False, random_seed=1)
    made = tree["posterior_predictive"].to_dataset()
    (name,) = made
    values, p = made[name].to_numpy(), tree["posterior"]["p"].to_numpy()
    assert ((values >= 0) & (values <= [10, 40]) & (values == values.round())).all()
    np.testing.assert_allclose(values.mean((0, 1)), [10, 40] * p.mean((0, 1)), rtol=0.05)
    again = memory.predict(rows, "response", include_group_specific=False, random_seed=1)
    np.testing.assert_array_equal(again["posterior_predictive"][name], values)
    result, frame = with_slopes
    tree = result.predict(frame[:2], "response", random_seed=1)
    gap = (tree["posterior_predictive"]["y"] - tree["posterior"]["mu"]).to_numpy()
    np.testing.assert_allclose(gap.std(), result.draws.auxiliary["sigma"].mean(), rtol=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "w"}, r"factor 'task' has a level that the fit knows nothing of, 'w'; known"),
        ({"subject": 99}, r"no unit '99' of 'subject'"),
        ({"dose": np.nan}, r"'dose' has no value in rows 0"),
        ({"dose": "much"}, "expected finite numbers"),
        ({"dose": np.inf}, "expected finite numbers"),
        ({"task": None}, "'task' has no value"),
    ],
)
def test_what_cannot_be_predicted_is_said(with_slopes, change, words):
    result, frame = with_slopes
    with pytest.raises(DataError, match=words):
        result.predict(frame[:1].drop(columns="y").assign(**change))


def test_arguments_and_columns(with_slopes, memory):
    result, frame = with_slopes
    for column in ("dose", "task", "subject"):
        with pytest.raises(DataError, match=f"no column '{column}', which the formula names"):
            result.predict(frame.drop(columns=column))
    with pytest.raises(DataError, match=r"'subject'.*units that the fit does not know get names"):
        result.predict(frame.drop(columns="subject"))
    with pytest.raises(DataError, match="no rows"):
        result.predict(frame[:0])
    with pytest.raises(ArgumentError, match="kind='mean': expected one of"):
        result.predict(frame, kind="mean")
    with pytest.raises(AnovaError, match="expected a pandas DataFrame"):
        result.predict([1, 2])
    with pytest.raises(DataError, match="no column 'markers'"):
        memory.predict(memory.design.cells, "response", include_group_specific=False)
    bad = memory.design.cells.assign(markers=2.5)
    with pytest.raises(DataError, match="'markers': expected whole numbers"):
        memory.predict(bad, "response", include_group_specific=False)


def test_levels_are_found_by_value_and_text():
    oats = ba.load_data("oats")
    model = ba.Model(
        "yield ~ C(nitrogen) + Error(block)", oats.assign(nitrogen=oats.nitrogen.astype(float))
    )
    result = model.fit(draws=50, **QUICK)
    rows = pd.DataFrame({"nitrogen": [0, 0.2], "block": oats["block"][:2].astype(str)})
    one = result.predict(rows)["posterior"]["mu"]
    np.testing.assert_array_equal(one, result.predict(rows.astype(str))["posterior"]["mu"])


@pytest.mark.parametrize("family", ["poisson", "negativebinomial"])
def test_offsets_are_read_from_the_rows(few_units_frame, family):
    formula = "moths ~ trap + offset(log(hours)) + Error(site)"
    result = ba.Model(formula, few_units_frame, family=family).fit(draws=50, **QUICK)
    rows = few_units_frame[:3]
    once, twice = (result.predict(rows.assign(hours=h))["posterior"]["mu"] for h in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once)


@pytest.fixture
def few_units_frame():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"site": list("abcde") * 6, "trap": list("uv") * 15})
    return frame.assign(hours=rng.uniform(1, 3, 30), moths=rng.poisson(5, 30))
