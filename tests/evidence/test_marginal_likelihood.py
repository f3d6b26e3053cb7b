"""Marginal likelihoods by weights and by bridge sampling, against oracles and R."""

from functools import cache
from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.evidence.bridge import _bridged
from bambi_anova.evidence.marginal_likelihood import verdict_of
from bambi_anova.posterior.importance import LogEvidence
from tests.engine.approximate.test_importance_sampling import CASES, by_quadrature, rows

REFERENCE = Path(__file__).parents[1] / "reference"
pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@cache
def fitted(formula, family="gaussian", method="laplace", data=rows, sigma=None, **options):
    priors = KNOWN if formula == "y ~ z" else {} if sigma is None else {"sigma": sigma}
    model = ba.Model(formula, data(), family=family, priors=priors, **options)
    return model.fit(method, random_seed=1, progressbar=False)


def row(fit, method, **options):
    return fit.marginal_likelihood(method, random_seed=2, **options).iloc[0]


def agree(found, expected):
    assert found["trusted"]
    assert found["mcse"] < 0.05
    error = 4 * found["mcse"] + 1e-6
    assert found["log_marginal_likelihood"] == pytest.approx(expected, abs=min(error, 0.05))


# -- Oracles -----------------------------------------------------------------------------------


def conjugate(fit):
    """Log p(y) of y ~ z with a known sigma."""
    z = rows()["z"] - rows()["z"].mean()
    intercept = fit.priors.intercept.args
    total = 1.3**2 * np.eye(len(z)) + 0.8**2 * np.outer(z, z) + intercept["sigma"] ** 2
    mean = intercept["mu"] + 0.2 * z
    return stats.multivariate_normal(mean, total).logpdf(rows()["y"])


KNOWN = {"sigma": 1.3, "z": bmb.Prior("Normal", mu=0.2, sigma=0.8)}


def test_without_scales_both_methods_give_the_conjugate_evidence():
    fit = fitted("y ~ z")
    for method in ("weights", "bridge"):
        agree(row(fit, method), conjugate(fit))


@pytest.mark.parametrize("name", [name for name in CASES if name != "two unit sigmas, binomial"])
def test_bridge_sampling_is_quadrature(name):
    formula, family, options, _ = CASES[name]
    sigma = options.get("priors", {}).get("sigma")
    agree(row(fitted(formula, family, sigma=sigma), "bridge"), by_quadrature(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_bridge_sampling_of_chains_is_quadrature(name):
    formula, family, options, _ = CASES[name]
    sigma = options.get("priors", {}).get("sigma")
    fit = fitted(formula, family, "nuts", sigma=sigma)
    assert fit.log_evidence is None
    found = fit.marginal_likelihood(random_seed=2).iloc[0]
    assert found["method"] == "bridge"
    agree(found, by_quadrature(name))


def repeated():
    return pd.read_csv(REFERENCE / "repeated.csv")


def binomial():
    return pd.read_csv(REFERENCE / "kruschke_data_binomial.csv")


#: As R's bridgesampling had them from draws of JAGS.
BRIDGED = {
    "gaussian null": ("time ~ 1 + (1|person)", "gaussian", repeated),
    "gaussian": ("time ~ load + side + (1|person) + (1|person:side)", "gaussian", repeated),
    "binomial null": ("p(successes, trials) ~ 1 + Error(s/B)", "binomial", binomial),
    "binomial": ("p(successes, trials) ~ A * B + Error(s/B)", "binomial", binomial),
}


@pytest.mark.parametrize("method", ["weights", "bridge"])
@pytest.mark.parametrize("name", BRIDGED)
def test_both_methods_agree_with_bridgesampling_in_r(name, method):
    formula, family, data = BRIDGED[name]
    table = pd.read_csv(REFERENCE / "bridge.csv", index_col="case")
    found = row(fitted(formula, family, data=data), method)
    error = np.hypot(found["mcse"], table.loc[name, "error"])
    assert found["trusted"]
    assert error < 0.04
    expected = table.loc[name, "log_marginal_likelihood"]
    assert found["log_marginal_likelihood"] == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize(
    ("family", "response"),
    [("gaussian", "y"), ("binomial", "p(k, n)"), ("poisson", "count"), ("t", "y")],
)
def test_merged_rows_are_bridged_to_the_evidence_of_all_rows(family, response):
    formula = f"{response} ~ t + Error(s)"
    merged, single = (row(fitted(formula, family, collapse=c), "bridge") for c in (True, False))
    error = np.hypot(merged["mcse"], single["mcse"])
    assert error < 0.05
    name = "log_marginal_likelihood"
    assert merged[name] == pytest.approx(single[name], abs=4 * error)


# -- The error ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_error_of_bridge_sampling_is_its_scatter(shift):
    """From N(0, 1) by a proposal N(shift, 1.3)."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x, z = rng.normal(size=(4, 100)), rng.normal(shift, 1.3, size=400)
        ratio = [stats.norm.logpdf(v) - stats.norm.logpdf(v, shift, 1.3) for v in (x, z)]
        found.append(_bridged(*ratio, constant=1.0))
    values = np.array([one.value for one in found])
    stated = np.sqrt(np.mean([one.mcse**2 for one in found]))
    assert np.mean(values) == pytest.approx(1.0, abs=4 * stated / 200**0.5)
    assert stated == pytest.approx(values.std(), rel=0.2)


def test_a_proposal_that_misses_a_mode_is_mended_by_the_bridge():
    """Half of the posterior lies where the proposal never goes: weights miss log 2 of it."""
    rng = np.random.default_rng(1)
    x = rng.choice([0.0, 60.0], size=(4, 1000)) + rng.normal(size=(4, 1000))
    z = rng.normal(size=4000)

    def log_posterior(v):
        return np.logaddexp(stats.norm.logpdf(v), stats.norm.logpdf(v, 60)) - np.log(2)

    ratio = [log_posterior(v) - stats.norm.logpdf(v) for v in (x, z)]
    assert np.log(np.exp(ratio[1]).mean()) == pytest.approx(-np.log(2), abs=1e-6)
    assert _bridged(*ratio, constant=0.0).value == pytest.approx(0.0, abs=0.15)


def test_noisy_marginal_likelihoods_are_not_trusted():
    assert verdict_of(LogEvidence(1.0, 0.05, 0.3)).trusted
    assert not verdict_of(LogEvidence(1.0, 0.2, 0.3)).trusted
    assert not verdict_of(LogEvidence(1.0, 0.05, 0.8)).trusted
    assert not verdict_of(LogEvidence(1.0, np.nan, 0.1)).trusted
    assert verdict_of(LogEvidence(1.0, 0.05, 0.8), "bridge").trusted


# -- Arguments ---------------------------------------------------------------------------------


def test_the_same_seed_bridges_to_the_same_number():
    fit = fitted("y ~ z")
    assert row(fit, "bridge").equals(row(fit, "bridge"))


def test_unknown_methods_are_refused():
    with pytest.raises(ArgumentError, match="method='harmonic'"):
        fitted("y ~ z").marginal_likelihood("harmonic")


@pytest.mark.slow
def test_chains_have_no_weights_and_other_densities_no_bridge():
    fit = fitted("y ~ z", method="nuts")
    with pytest.raises(ArgumentError, match="no importance weights"):
        fit.marginal_likelihood("weights")
    cauchy = {"Intercept": bmb.Prior("Cauchy", alpha=3.0, beta=1.0)}
    model = ba.Model("y ~ z", rows(), priors=cauchy)
    fit = model.fit("nuts", draws=100, tune=100, chains=2, random_seed=1, progressbar=False)
    with pytest.raises(UnsupportedError, match="Normal prior"):
        fit.marginal_likelihood()
