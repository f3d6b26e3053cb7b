"""Likelihoods of rows and their derivatives, against SciPy, differences and quadrature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from bambi_anova.families.links import LINKS
from bambi_anova.families.registry import FAMILIES
from bambi_anova.families.sufficient import Collapsed

AUXILIARY = {"sigma": 1.3, "nu": 3.0, "alpha": 2.2, "kappa": 4.5, "kappa_minus_2": 1.7}
#: Successes out of five trials, counts, or plain values.
RESPONSES = {
    "gaussian": [1.5, -2.0],
    "bernoulli": [0.0, 3.0, 5.0],
    "binomial": [0.0, 3.0, 5.0],
    "poisson": [0.0, 4.0],
    "t": [1.5, -2.0, 30.0],
    "negativebinomial": [0.0, 4.0],
    "gamma": [0.5, 3.0],
    "beta": [0.2, 0.9],
    "betabinomial": [0.0, 3.0, 5.0],
    "betabinomial_mode": [0.0, 3.0, 5.0],
}
KEYS = [
    (family, link)
    for family in RESPONSES
    for link in (one.name for one in FAMILIES[family].parent.links)
]

#: Whose curvature is the observed one; the others' may not be, or it would be negative.
OBSERVED = [key for key in KEYS if key[0] not in ("t", "beta", "betabinomial", "betabinomial_mode")]


def likelihood(family, link, y, n=1.0, trials=5.0, within=0.0):
    y = np.asarray(y, dtype=float)
    ones, rows = np.ones(len(y)), np.arange(len(y))
    binary = FAMILIES[family].response.binary or FAMILIES[family].response.trials
    collapsed = Collapsed(
        rows, rows, y, trials * ones if binary else None, None, n * ones, within * ones
    )
    return FAMILIES[family].likelihood((LINKS[link],), collapsed)


def auxiliary(size, **given):
    return {name: np.full(size, value) for name, value in {**AUXILIARY, **given}.items()}


# -- The log-likelihood ------------------------------------------------------------------------


def test_a_gaussian_row_holds_the_likelihood_of_its_observations():
    values = np.array([1.0, 2.5, -0.3, 0.9])
    mean, within = values.mean(), ((values - values.mean()) ** 2).sum()
    merged = likelihood("gaussian", "identity", [mean], n=4.0, within=within)
    single = likelihood("gaussian", "identity", values)
    eta, aux = np.array([[-1.0, 0.2, 3.0]]), {"sigma": np.array([0.4, 1.0, 2.0])}
    np.testing.assert_allclose(merged.log(eta, aux)[0], single.log(eta, aux).sum(axis=0))
    one, many = merged.derivatives(eta, aux), single.derivatives(np.tile(eta, (4, 1)), aux)
    np.testing.assert_allclose(one.slope[0], many.slope.sum(axis=0))
    np.testing.assert_allclose(one.curvature[0], many.curvature.sum(axis=0))


# -- Derivatives -------------------------------------------------------------------------------


def differences(function, eta, width):
    """A derivative by Richardson's extrapolation of central differences."""
    coarse, fine = ((function(eta + h) - function(eta - h)) / (2 * h) for h in (width, width / 2))
    return (4 * fine - coarse) / 3


ETA = np.concatenate([[-9.0, -6.0], np.linspace(-4, 2.5, 27)])


@pytest.mark.parametrize(("family", "link"), OBSERVED)
def test_the_curvature_is_minus_the_second_derivative(family, link):
    model = likelihood(family, link, RESPONSES[family])
    eta, aux = np.tile(ETA, (len(RESPONSES[family]), 1)), auxiliary(len(ETA))
    expected = -differences(lambda eta: model.derivatives(eta, aux).slope, eta, 1e-3)
    found = model.derivatives(eta, aux).curvature
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("eta", [-3.0, -0.4, 1.5])
@pytest.mark.parametrize("kappa", [0.8, 4.5, 60.0])
def test_the_curvature_of_beta_responses_is_the_expected_information(eta, kappa):
    mean = special.expit(eta)
    a, b = kappa * mean, kappa * (1 - mean)
    # The density of the logit of y, whose tails reach where y itself rounds to 0 or 1.
    logits = np.linspace(-1000, 1000, 200_001)
    log_y, log_rest = special.log_expit(logits), special.log_expit(-logits)
    density = np.exp(a * log_y + b * log_rest - special.betaln(a, b))
    assert integrate.simpson(density, x=logits) == pytest.approx(1, abs=1e-6)
    inside = np.array([-3.0, 0.0, 1.0, 5.0])
    found = likelihood("beta", "logit", special.expit(inside))
    found = found.derivatives(np.array([[eta]]), {"kappa": np.array([kappa])})
    line = np.polynomial.Polynomial.fit(inside, found.slope[:, 0], 1)
    np.testing.assert_allclose(line(inside), found.slope[:, 0], atol=1e-10)
    assert integrate.simpson(line(logits) * density, x=logits) == pytest.approx(0, abs=1e-5)
    information = integrate.simpson(line(logits) ** 2 * density, x=logits)
    np.testing.assert_allclose(found.curvature[:, 0], information, rtol=1e-5)


def test_newton_steps_with_the_curvature_of_t_responses_never_go_downhill():
    y = np.array([1.5, -2.0, 30.0, 0.2])
    model = likelihood("t", "identity", y)
    start = np.linspace(-50, 50, 201)[None]
    for nu in (0.5, 3.0, 50.0):
        aux = auxiliary(start.size, nu=nu)
        found = model.derivatives(start, aux)
        eta = start + found.slope.sum(axis=0) / found.curvature.sum(axis=0)
        gain = (model.log(eta, aux) - model.log(start, aux)).sum(axis=0)
        assert (gain >= -1e-12).all()


@pytest.mark.parametrize("nu", [1.0, 3.0, 40.0])
def test_the_curvatures_of_t_responses_are_the_observed_and_the_expected_one(nu):
    model = likelihood("t", "identity", [1.5])
    eta = np.linspace(-400, 403, 80_301)[None]
    aux = auxiliary(eta.size, nu=nu)
    found = model.derivatives(eta, aux)
    observed = -differences(lambda eta: model.derivatives(eta, aux).slope, eta, 1e-3)
    np.testing.assert_allclose(found.observed, observed, rtol=1e-6, atol=1e-9)
    # Where the response stands follows from where the predictor does.
    density = np.exp(model.log(eta, aux)[0] - np.log(np.pi) / 2)
    expected = integrate.simpson(observed[0] * density, x=eta[0])
    np.testing.assert_allclose(found.curvature, expected, rtol=1e-5)


def test_only_gaussian_likelihoods_are_quadratic():
    for family, link in KEYS:
        model = likelihood(family, link, RESPONSES[family])
        assert model.quadratic == (family == "gaussian")
        curvature = model.derivatives(np.array([[-1.0, 0.0, 1.0]]), auxiliary(3)).least
        assert (np.ptp(curvature, axis=1).max() == 0) == model.quadratic


# -- Far out -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "link"), [key for key in KEYS if 0.0 in RESPONSES[key[0]]])
def test_a_row_without_successes_fits_any_low_predictor(family, link):
    model = likelihood(family, link, [0.0])
    eta = np.array([[-300.0, -100.0, -50.0, 20.0, 30.0]])
    log = model.log(eta, auxiliary(5))[0]
    np.testing.assert_allclose(log[:3] - log[0], 0, atol=1e-12)
    assert log[0] > log[3]
    # Of a mode at one, theta may still be anywhere.
    assert log[3] > log[4] or family == "betabinomial_mode"


@given(
    st.sampled_from(KEYS),
    st.floats(-40, 40),
    st.integers(0, 5),
    st.floats(0.05, 50),
    st.floats(0.3, 100),
)
def test_curvatures_are_never_negative(key, eta, response, spread, shape):
    family, link = key
    y = {"gamma": response + 0.5, "beta": (response + 0.5) / 6}
    y = y.get(family, float(response))
    aux = auxiliary(1, sigma=spread, nu=shape, alpha=shape, kappa=shape, kappa_minus_2=shape)
    found = likelihood(family, link, [y]).derivatives(np.array([[eta]]), aux)
    assert np.isfinite(found.slope).all()
    assert found.curvature[0, 0] >= 0


@given(st.floats(-12, 12), st.integers(0, 5))
def test_probit_and_cloglog_keep_their_digits(eta, successes):
    """Against the same quantities by other routes, on both sides of zero."""
    failures = 5 - successes
    here = np.array([[eta]])
    probit = likelihood("binomial", "probit", [successes]).log(here, {})[0, 0]
    log_rate, log_rest = stats.norm.logcdf(eta), stats.norm.logsf(eta)
    assert probit == pytest.approx(successes * log_rate + failures * log_rest, rel=1e-9)
    hazard = np.exp(eta)
    log_rate = np.log1p(-np.exp(-hazard)) if hazard > 0.1 else np.log(-np.expm1(-hazard))
    cloglog = likelihood("binomial", "cloglog", [successes]).log(here, {})[0, 0]
    assert cloglog == pytest.approx(successes * log_rate - failures * hazard, rel=1e-9, abs=1e-12)
