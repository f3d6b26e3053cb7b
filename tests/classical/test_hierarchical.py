"""Kruschke's hierarchical binomial model: against the literal model, simulated from its prior."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bambi_anova as ba
from bambi_anova.classical import COLUMNS, hierarchical_binomial, logistic_anova
from bambi_anova.classical.beta_categories import draw_categories
from bambi_anova.errors import ArgumentError, NotApplicableError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

FORMULA = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
SUCCESSES = ((1, 2, 1), (4, 3))
TRIALS = ((6, 6, 5), (6, 5))
PRIORS = [(0.01, 0.01), (2.0, 0.1)]


@cache
def literal(shape, rate, size=500_000):
    """Draw every parameter, thetas too, from the prior, and weigh it by its likelihood."""
    rng = np.random.default_rng(3)
    omega0, excess0 = rng.random(size), rng.gamma(shape, 1 / rate, size)
    log_weights, omega, kappa = np.zeros(size), [], []
    for successes, trials in zip(SUCCESSES, TRIALS, strict=True):
        omega.append(rng.beta(omega0 * excess0 + 1, (1 - omega0) * excess0 + 1))
        excess = rng.gamma(shape, 1 / rate, size)
        kappa.append(2 + excess)
        for k, n in zip(successes, trials, strict=True):
            theta = rng.beta(omega[-1] * excess + 1, (1 - omega[-1]) * excess + 1)
            log_weights += k * np.log(theta) + (n - k) * np.log1p(-theta)
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum(), np.array(omega), np.array(kappa), omega0, 2 + excess0


def questions(omega, kappa, omega0, kappa0):
    """Quantities of the posterior; parameters of categories have the category first."""
    return np.stack(
        [
            omega[0],
            omega[1],
            (omega[1] - omega[0]) ** 2,
            omega[0] * omega[1],
            omega[1] > omega[0],
            kappa[0] > 6,
            kappa[1] > 6,
            kappa0 > 6,
            omega0,
            omega0**2,
            (omega[0] < 0.25) & (kappa0 > 6),
            (omega[0] < 0.25) & (kappa[0] > 6),
        ]
    )


@pytest.mark.parametrize("prior", PRIORS)
def test_the_posterior_is_that_of_the_literal_model(prior):
    weights, *parameters = literal(*prior)
    values = questions(*parameters)
    expected = values @ weights
    errors = np.sqrt((values - expected[:, None]) ** 2 @ weights**2)
    found = draw_categories(
        [np.array(k) for k in SUCCESSES],
        [np.array(n) for n in TRIALS],
        *prior,
        40_000,
        np.random.default_rng(1),
    )
    drawn = questions(found.omega.T, found.kappa.T, found.omega0, found.kappa0).astype(float)
    errors = np.hypot(errors, drawn.std(axis=1) / 200)
    assert np.all(errors < 0.005)  # else the comparison says little
    assert np.all(np.abs(drawn.mean(axis=1) - expected) < 4 * errors)
    assert found.grid_error < 0.01


def test_one_category_is_that_of_integration():
    # With one subject, omega0 and kappa0 out of the way by a prior that keeps kappa0 at 2.
    prior, k, n = (1e-4, 1.0), 7, 9
    found = draw_categories(
        [np.array([k])], [np.array([n])], *prior, 40_000, np.random.default_rng(2)
    )
    # Then kappa is 2 and omega uniform, whatever the data.
    assert stats.kstest(found.omega[:, 0], "uniform").statistic < 0.012
    prior = (20.0, 0.5)
    found = draw_categories(
        [np.array([k])], [np.array([n])], *prior, 40_000, np.random.default_rng(2)
    )
    # The prior of omega, kappa0 and omega0 integrated out, on a fine grid of its own.
    omega, excess = (np.arange(200) + 0.5) / 200, np.linspace(5, 110, 100)
    gamma = stats.gamma(prior[0], scale=1 / prior[1]).pdf(excess)
    mixed = np.zeros(len(omega))
    for mode in (np.arange(100) + 0.5) / 100:
        density = stats.beta(mode * excess + 1, (1 - mode) * excess + 1).pdf(omega[:, None])
        mixed += integrate.simpson(density * gamma, x=excess, axis=1)
    likelihood = stats.betabinom(
        n, omega[:, None] * excess + 1, (1 - omega)[:, None] * excess + 1
    ).pmf(k)
    posterior = mixed * integrate.simpson(likelihood * gamma, x=excess, axis=1)
    posterior /= posterior.sum()
    mean = omega @ posterior
    sd = np.sqrt(omega**2 @ posterior - mean**2)
    assert found.omega.mean() == pytest.approx(mean, abs=4 * sd / 200)
    assert found.omega.std() == pytest.approx(sd, rel=0.02)


def test_many_subjects_pin_their_category_down():
    rng = np.random.default_rng(5)
    theta = rng.beta(0.2 * 48 + 1, 0.8 * 48 + 1, 3000)
    trials = rng.integers(5, 40, 3000)
    successes = rng.binomial(trials, theta)
    found = draw_categories([successes], [trials], 0.01, 0.01, 4000, np.random.default_rng(1))
    assert found.omega.mean() == pytest.approx(0.2, abs=4 * found.omega.std())
    assert found.omega.std() < 0.01
    assert found.kappa.mean() == pytest.approx(50, abs=4 * found.kappa.std())
    assert found.grid_error < 0.01


@pytest.fixture(scope="module")
def memory():
    return ba.Model(FORMULA, ba.load_data("memory"), family="binomial")


def test_the_experiment(memory):
    table = hierarchical_binomial(memory, random_seed=1)
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    condition, trial_type, _ = (row for _, row in table.iterrows())
    # All of the trial type's posterior lies on one side, and some of the condition's on both.
    assert trial_type["pd"] > 0.99
    assert trial_type["lower"] > 0
    assert 0.6 < condition["pd"] < 0.95
    assert (condition["subjects"], trial_type["subjects"]) == (41, 82)
    # Pairing is lost: robust errors of the same contrast are a quarter as wide.
    paired = logistic_anova(memory, robust=True).iloc[1]
    ratio = (trial_type["upper"] - trial_type["lower"]) / (paired["upper"] - paired["lower"])
    assert ratio > 3


def test_a_seed_gives_the_same_draws_and_scales_are_of_the_same(memory):
    one, two = (
        hierarchical_binomial(memory, "trial_type", random_seed=4, draws=500) for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), two.drop(columns="seconds"))
    response = hierarchical_binomial(memory, "trial_type", scale="response", random_seed=4)
    assert response["scale"].unique().tolist() == ["response"]
    assert 0.02 < response["estimate"][0] < 0.06


def test_what_does_not_fit_is_refused(memory, within, crossed):
    with pytest.raises(NotApplicableError, match="split_plot"):
        hierarchical_binomial(ba.Model("y ~ A * B + Error(s)", within))
    binary = crossed.assign(y=np.arange(len(crossed)) % 2)
    both = ba.Model("y ~ group * kind + Error(subject) + Error(item)", binary, family="bernoulli")
    with pytest.raises(NotApplicableError, match="units cross"):
        hierarchical_binomial(both)
    row = hierarchical_binomial(both, "group", unit="subject", draws=200).iloc[0]
    assert row["subjects"] == 6
    with pytest.raises(NotApplicableError, match="hold no subjects"):
        hierarchical_binomial(ba.Model("y ~ group", binary, family="bernoulli"))
    part = ba.load_data("memory").query("not (condition == 'A' and trial_type == 'x')")
    with pytest.raises(NotApplicableError, match="no data in A:x"):
        hierarchical_binomial(ba.Model(FORMULA, part, family="binomial"))
    for wrong in ({"draws": 10}, {"kappa_prior": (0.0, 1.0)}, {"ci_prob": 0}, {"scale": "odds"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            hierarchical_binomial(memory, **wrong)
