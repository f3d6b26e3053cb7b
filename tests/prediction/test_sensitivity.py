"""Power-scaling: exact log priors, known conflicts, and what the words mean."""

import bambi as bmb
import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.prediction.predictors import read_predictor
from bambi_anova.prediction.rows import total_log_likelihood
from bambi_anova.prediction.sensitivity import (
    CONFLICT,
    FINE,
    STRONG,
    _moves,
    _sensitivity,
    diagnosis,
    log_priors,
    sensitivity_table,
)

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def fit(formula, data, family="gaussian", draws=500, **options):
    model = ba.Model(formula, data, family=family, **options)
    return model.fit("laplace", draws=draws, random_seed=1, progressbar=False)


@pytest.fixture
def slopes(split_plot):
    formula = "y ~ group * task + dose + group:dose + (1|subject) + (dose|subject)"
    return fit(formula, split_plot, draws=25)


@pytest.mark.slow
def test_log_priors_are_those_of_the_bambi_model(slopes):
    """The free variables of the PyMC model that are hyperparameters, one by one."""
    posterior = slopes.idata["posterior"].to_dataset()
    found = log_priors(posterior, slopes.model)
    model = slopes.model.bambi_model.backend.model
    free = {variable.name: variable for variable in model.free_RVs}
    names = {
        "Intercept": "Intercept",
        "slope of dose": "dose",
        "sigma": "sigma",
        "sd of group": "1|group_sigma",
        "sd of task": "1|task_sigma",
        "sd of group:task": "1|group:task_sigma",
        "sd of group:dose": "dose|group_sigma",
        "sd of subject": "1|subject_sigma",
        "sd of dose|subject": "dose|subject_sigma",
    }
    assert set(found) == set(names)
    assert set(names.values()) == {n for n in free if not n.endswith("_offset")}
    import pymc as pm
    from pytensor.graph.traversal import ancestors

    for label, name in names.items():
        values = posterior[name].to_numpy()
        if label in (
            "Intercept",
            "slope of dose",
        ):  # given the standard deviations that share in it
            sigmas = [other for other in names.values() if other.endswith("_sigma")]
            want = np.array(
                [
                    [
                        pm.logp(free[name], values[chain, draw]).eval(
                            {
                                free[other]: posterior[other].to_numpy()[chain, draw]
                                for other in sigmas
                                if free[other] in set(ancestors([free[name]]))
                            }
                        )
                        for draw in range(3)
                    ]
                    for chain in range(len(values))
                ]
            )
            np.testing.assert_allclose(found[label][:, :3], want, rtol=1e-6, err_msg=label)
            continue
        want = pm.logp(free[name], values).eval()
        np.testing.assert_allclose(found[label], want, rtol=1e-6, err_msg=label)


def test_the_likelihood_is_that_of_the_rows(split_plot):
    merged = fit("y ~ group * task + (1|subject)", split_plot.round(1), draws=25)
    plain = fit("y ~ group * task + (1|subject)", split_plot.round(1), draws=25, collapse=False)
    posterior = merged.idata["posterior"].to_dataset()
    totals = [
        total_log_likelihood(read_predictor(posterior, merged.model), result.model)
        for result in (merged, plain)
    ]
    difference = totals[0] - totals[1]
    assert merged.model.collapsed.merged
    assert np.ptp(difference) < 1e-8


def conjugate(data_mean=5.0, prior_mean=0.0, prior_sd=1.0, n=4, draws=40_000):
    """Draws of a normal mean with a normal prior, log prior and log likelihood."""
    precision = n + 1 / prior_sd**2
    mean = (n * data_mean + prior_mean / prior_sd**2) / precision
    rng = np.random.default_rng(1)
    mu = rng.normal(mean, precision**-0.5, (4, draws // 4))
    return mu, -((mu - prior_mean) ** 2) / (2 * prior_sd**2), -n * (mu - data_mean) ** 2 / 2


def test_shifts_are_those_of_the_conjugate_normal():
    mu, log_prior, _ = conjugate()
    # posterior mean at alpha: n 5 / (n + alpha), so its derivative at 1 is -20 / 25
    want = np.log(2) * (-20 / 25) / 5**-0.5
    assert _moves(mu[None], log_prior)[0] == pytest.approx(want, rel=0.03)


def test_sensitivity_is_that_of_reweighted_draws():
    """Negative control: power-scaling a prior that is far from the data moves the mean."""
    mu, log_prior, log_likelihood = conjugate()
    table = sensitivity_table({"mu": mu}, {"prior": log_prior}, log_likelihood)
    assert table["diagnosis"].tolist() == [CONFLICT]
    mu, log_prior, log_likelihood = conjugate(prior_sd=50.0)
    table = sensitivity_table({"mu": mu}, {"prior": log_prior}, log_likelihood)
    assert table["diagnosis"].tolist() == [FINE]
    assert table["likelihood"][0] > 0.05
    mu, log_prior, log_likelihood = conjugate(data_mean=0.02, prior_sd=0.01, n=1)
    table = sensitivity_table({"mu": mu}, {"prior": log_prior}, log_likelihood)
    assert table["diagnosis"].tolist() == [STRONG]


def test_what_does_not_move_is_not_sensitive():
    mu, log_prior, _ = conjugate(draws=400)
    constant = np.ones_like(mu)
    assert _sensitivity(np.stack([mu, constant]), log_prior)[1] == 0
    assert _sensitivity(mu[None], constant).tolist() == [0]
    assert _moves(np.stack([constant]), log_prior).tolist() == [0]
    assert diagnosis(np.nan, 1.0) == FINE


def test_a_prior_that_disagrees_with_the_data_is_found(split_plot):
    split_plot["y"] += 8 * (split_plot["task"] == "y")
    # With an interaction its sd would do the work of the task's.
    formula = "y ~ group + task + (1|subject)"
    tight = {"task": bmb.Prior("HalfNormal", sigma=0.2)}
    found = {}
    for name, priors in (("default", None), ("tight", tight)):
        table = fit(formula, split_plot, priors=priors, draws=1000).sensitivity()
        own = table[(table["prior"] == "sd of task") & (table["quantity"] == "task: x - y")]
        found[name] = own.iloc[0]
    assert found["tight"]["diagnosis"] == CONFLICT
    assert found["default"]["diagnosis"] == FINE
    assert found["tight"]["shift"] > 0.3  # towards no difference: x - y is -8


def test_the_table_holds_every_prior_and_what_an_anova_is_about(slopes):
    table = slopes.sensitivity()
    assert table.columns.tolist() == [
        "prior",
        "quantity",
        "sensitivity",
        "likelihood",
        "shift",
        "diagnosis",
    ]
    assert table["sensitivity"].is_monotonic_decreasing
    assert {"Intercept", "slope of dose", "sd of subject", "sd of dose|subject", "sigma"} == set(
        table["prior"]
    ) - {"sd of group", "sd of task", "sd of group:task", "sd of group:dose"}
    assert {
        "group: A - B",
        "task: x - y",
        "deflection group:task A:x",
        "slope of dose",
        "sigma",
    } < set(table["quantity"])
    assert len(table) == table["prior"].nunique() * table["quantity"].nunique()
    finite = slopes.sensitivity(population="finite")
    assert not finite["sensitivity"].equals(table["sensitivity"])
    with pytest.raises(ArgumentError, match="population"):
        slopes.sensitivity(population="all")


def test_parameters_that_are_held_have_no_prior(split_plot):
    result = fit("y ~ group + (1|subject)", split_plot, priors={"sigma": 2.0}, draws=25)
    assert "sigma" not in set(result.sensitivity()["prior"])


def test_factors_with_the_same_levels_are_told_apart(split_plot):
    """Compared by levels alone, "no" of one factor would stand beside "no" of the other."""
    yes = {"A": "no", "B": "yes", "x": "no", "y": "yes"}
    frame = split_plot.assign(third=split_plot["attempt"].map({0: "no", 1: "yes", 2: "no"}))
    frame = frame.replace({"group": yes, "task": yes})
    result = fit("y ~ group * task * third + (1|subject)", frame, draws=25)
    quantities = result.trust()[["quantity", "population"]]
    assert not quantities.duplicated().any()
    same = ba.compare_fits(result, result)
    assert len(same) == len(quantities)
    assert same["shift"].abs().max() == 0
    # Three pairs, four deflections of each two-way interaction and eight of the other.
    names = result.sensitivity()["quantity"].unique()
    assert sum(name.startswith("deflection ") for name in names) == 3 * 4 + 8
    assert sum(name.endswith(": no - yes") for name in names) == 3
    with pytest.raises(ArgumentError, match="full: expected a Result"):
        ba.compare_fits(result, result.model)
    with pytest.raises(ArgumentError, match="threshold"):
        result.sensitivity(threshold="much")
