"""Bayes factors as a curve over the scale of a prior."""

import bambi as bmb
import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.engine.latent.scales import make_scale
from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.evidence.prior_scale import scaled_prior
from bambi_anova.priors.distributions import Prior, distribution
from tests.generated import generated

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
QUIET = {"random_seed": 1, "progressbar": False}


def oats(formula="yield ~ variety * nitrogen + Error(block/variety)"):
    return ba.Model(formula, ba.load_data("oats").astype({"nitrogen": str}))


@pytest.mark.parametrize("priors", [None, "jzs"])
def test_the_curve_passes_through_the_bayes_factor(priors):
    curve = ba.prior_scale_curve(oats(), "variety", [0.25, 1, 4], priors, **QUIET)
    model = oats("yield ~ variety + nitrogen + Error(block/variety)")
    found = ba.bayes_factors(model, priors=priors, keep="nitrogen", **QUIET).terms().iloc[0]
    error = np.hypot(found["mcse"], curve["mcse"][1])
    assert curve["trusted"].all()
    assert curve["log_bf"][1] == pytest.approx(found["log_bf"], abs=4 * error)
    # Wide priors favour the null.
    assert curve["log_bf"][2] < curve["log_bf"][1] - 0.5


def test_a_term_is_left_without_its_interactions():
    curve = ba.prior_scale_curve(oats(), "variety:nitrogen", [1], "jzs", **QUIET)
    model = oats()
    found = ba.bayes_factors(model, models="top", priors="jzs", **QUIET).terms()
    expected = found.set_index("term").loc["variety:nitrogen"]
    error = np.hypot(expected["mcse"], curve["mcse"][0])
    assert curve["log_bf"][0] == pytest.approx(expected["log_bf"], abs=4 * error)


def test_the_prior_of_a_slope_scales_too():
    model = ba.Model("y ~ group + dose + Error(s)", generated("gaussian", "identity"))
    curve = ba.prior_scale_curve(model, "dose", [1, 10], **QUIET)
    assert curve["prior"].str.startswith("Normal").all()
    # Far out the Bayes factor goes down by the factor itself.
    assert curve["log_bf"][0] - curve["log_bf"][1] == pytest.approx(np.log(10), abs=0.3)
    jzs = ba.prior_scale_curve(model, "dose", [1], "jzs", **QUIET)
    assert jzs["prior"][0] == "r = 0.3536"


PRIORS = [
    Prior("Gamma", {"alpha": 1.6, "beta": 0.3}),
    Prior("Gamma", {"mu": 2.0, "sigma": 0.7}),
    Prior("HalfNormal", {"sigma": 0.8}),
    Prior("HalfNormal", {"tau": 3.0}),
    Prior("HalfNormal", {}),
    Prior("HalfCauchy", {"beta": 0.4}),
    Prior("HalfStudentT", {"nu": 3.0, "sigma": 1.4}),
    Prior("HalfStudentT", {"nu": 3.0, "lam": 1.4}),
    Prior("Exponential", {"lam": 0.7}),
    Prior("Exponential", {"scale": 2.5}),
    Prior("Exponential", {}),
    Prior("Uniform", {"lower": 0.2, "upper": 4.0}),
    Prior("Uniform", {}),
    Prior("LogNormal", {"mu": 0.3, "sigma": 0.6}),
    Prior("LogNormal", {"mu": 0.3, "tau": 0.6}),
    Prior("InverseGamma", {"alpha": 3.0, "beta": 2.0}),
    Prior("InverseGamma", {"mu": 1.2, "sigma": 0.5}),
    Prior("Weibull", {"alpha": 1.7, "beta": 2.0}),
    Prior("Pareto", {"alpha": 2.5, "m": 0.3}),
    Prior("TruncatedNormal", {"mu": 1.0, "sigma": 0.5, "lower": 0.2}),
    Prior("Normal", {"mu": 0.2, "sigma": 0.5}),
    Prior("Normal", {"mu": 0.2, "tau": 0.5}),
    Prior("Normal", {}),
]


@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_a_scaled_prior_is_that_of_a_multiple(prior):
    own, scaled = distribution(prior), distribution(scaled_prior("A", prior, 2.5))
    at = np.linspace(0.31, 0.99, 9)
    found = scaled.log_density(2.5 * at) - own.log_density(at)
    np.testing.assert_allclose(found, -np.log(2.5))
    if prior.name != "Normal":
        make_scale("A", scaled_prior("A", prior, 2.5))


@pytest.mark.parametrize(
    "prior", [Prior("ChiSquared", {"nu": 3.0}), Prior("Moyal", {"mu": 1.0, "sigma": 1.0, "c": 2})]
)
def test_other_priors_are_refused(prior):
    with pytest.raises(UnsupportedError, match="not known how"):
        scaled_prior("A", prior, 2.0)
    given = bmb.Prior("HalfNormal", sigma=1, dist=lambda name, **k: None)
    with pytest.raises(UnsupportedError, match="not known how"):
        scaled_prior("A", Prior("HalfNormal", {"sigma": 1.0}, given=given), 2.0)


@pytest.mark.parametrize("multiples", [[0.0], ["1"], [True], [np.inf]])
def test_multiples_are_positive_numbers(multiples):
    with pytest.raises(ArgumentError, match="multiples"):
        ba.prior_scale_curve(oats(), "variety", multiples)


def test_unknown_terms_and_models_are_refused():
    with pytest.raises(ArgumentError, match="'plot' is not a fixed term"):
        ba.prior_scale_curve(oats(), "plot")
    with pytest.raises(ArgumentError, match="expected a Model"):
        ba.prior_scale_curve("y ~ a", "a")
