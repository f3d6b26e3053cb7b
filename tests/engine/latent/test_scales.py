"""Priors of scales: SciPy's densities on an unbounded coordinate."""

import bambi as bmb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bambi_anova.engine.latent.scales import make_scale
from bambi_anova.errors import UnsupportedError
from bambi_anova.priors.distributions import Prior

INF = np.inf


def truncated(mu, sigma, lower, upper=INF):
    return stats.truncnorm((lower - mu) / sigma, (upper - mu) / sigma, mu, sigma)


#: The arguments that PyMC takes, and the same distribution as SciPy has it.
PRIORS = [
    ("Gamma", {"alpha": 1.64, "beta": 0.32}, stats.gamma(1.64, scale=1 / 0.32)),
    ("Gamma", {"alpha": 0.4, "beta": 2.0}, stats.gamma(0.4, scale=0.5)),
    ("Gamma", {"mu": 2.0, "sigma": 0.5}, stats.gamma(16.0, scale=0.125)),
    ("HalfNormal", {}, stats.halfnorm()),
    ("HalfNormal", {"sigma": 0.3}, stats.halfnorm(scale=0.3)),
    ("HalfNormal", {"tau": 4.0}, stats.halfnorm(scale=0.5)),
    ("HalfCauchy", {"beta": 2.5}, stats.halfcauchy(scale=2.5)),
    ("HalfStudentT", {"nu": 3.0, "sigma": 2.0}, (stats.t(3.0, scale=2.0), 0.0)),
    ("HalfStudentT", {"nu": 5.0, "lam": 0.25}, (stats.t(5.0, scale=2.0), 0.0)),
    ("Exponential", {"lam": 2.0}, stats.expon(scale=0.5)),
    ("Exponential", {"scale": 3.0}, stats.expon(scale=3.0)),
    ("Uniform", {}, stats.uniform()),
    ("Uniform", {"lower": 0.5, "upper": 4.0}, stats.uniform(0.5, 3.5)),
    ("LogNormal", {}, stats.lognorm(1.0)),
    ("LogNormal", {"mu": 0.5, "sigma": 0.8}, stats.lognorm(0.8, scale=np.exp(0.5))),
    ("LogNormal", {"mu": -1.0, "tau": 4.0}, stats.lognorm(0.5, scale=np.exp(-1.0))),
    ("InverseGamma", {"alpha": 3.0}, stats.invgamma(3.0)),
    ("InverseGamma", {"alpha": 3.0, "beta": 2.0}, stats.invgamma(3.0, scale=2.0)),
    ("InverseGamma", {"mu": 1.5, "sigma": 1.5}, stats.invgamma(3.0, scale=3.0)),
    ("Weibull", {"alpha": 1.7, "beta": 2.0}, stats.weibull_min(1.7, scale=2.0)),
    ("ChiSquared", {"nu": 3.0}, stats.chi2(3.0)),
    ("TruncatedNormal", {"mu": 1.0, "sigma": 0.5, "lower": 0.0}, truncated(1.0, 0.5, 0.0)),
    ("TruncatedNormal", {"mu": -1.0, "tau": 0.25, "lower": 0.5}, truncated(-1.0, 2.0, 0.5)),
    (
        "TruncatedNormal",
        {"mu": 1.0, "sigma": 2.0, "lower": 0.1, "upper": 3.0},
        truncated(1.0, 2.0, 0.1, 3.0),
    ),
    ("Pareto", {"alpha": 2.5, "m": 0.3}, stats.pareto(2.5, scale=0.3)),
]
EACH = pytest.mark.parametrize(("name", "args", "theirs"), PRIORS)
TOGETHER = st.sampled_from([(name, args) for name, args, _ in PRIORS])


def log_pdf(theirs, sigma):
    return (theirs[0] if isinstance(theirs, tuple) else theirs).logpdf(sigma)


def mean_and_median(theirs):
    if isinstance(theirs, tuple):
        return None, theirs[0].ppf(0.75)
    return theirs.mean(), theirs.median()


@EACH
def test_the_log_prior_is_scipys_a_constant_apart(name, args, theirs):
    scale = make_scale("s", Prior(name, args))
    sigma = scale.value(np.linspace(-5, 4, 60))
    surplus = scale.log_prior(sigma) - log_pdf(theirs, sigma)
    np.testing.assert_allclose(surplus, surplus[0], rtol=0, atol=1e-9)


@EACH
def test_the_density_of_the_coordinate_carries_the_jacobian(name, args, theirs):
    scale = make_scale("s", Prior(name, args))
    u, h = np.linspace(-5, 4, 60), 1e-5
    slope = (scale.value(u + h) - scale.value(u - h)) / (2 * h)
    surplus = scale.log_density(u) - log_pdf(theirs, scale.value(u)) - np.log(slope)
    np.testing.assert_allclose(surplus, surplus[0], rtol=0, atol=1e-6)


@EACH
def test_quadrature_over_the_coordinate_gives_the_moments(name, args, theirs):
    scale = make_scale("s", Prior(name, args))
    u = np.linspace(-60, 60, 240_001)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        log_density = scale.log_density(u)
    assert not np.isnan(log_density[np.abs(u) < 40]).any()
    density = np.exp(np.nan_to_num(log_density, nan=-INF) - np.nanmax(log_density))
    total = integrate.trapezoid(density, u)
    mean, median = mean_and_median(theirs)
    below = integrate.cumulative_trapezoid(density, u, initial=0) / total
    assert scale.value(np.interp(0.5, below, u)) == pytest.approx(median, rel=1e-3)
    if mean is not None and np.isfinite(mean):
        found = integrate.trapezoid(density * scale.value(u), u) / total
        assert found == pytest.approx(mean, rel=1e-4)


@given(TOGETHER, st.floats(-12, 12))
def test_coordinates_and_values_are_each_others_inverse(prior, u):
    scale = make_scale("s", Prior(*prior))
    sigma = scale.value(u)
    assert scale.lower < sigma < scale.upper
    assert scale.coordinate(sigma) == pytest.approx(u, abs=1e-6)
    assert scale.value(scale.coordinate(sigma)) == pytest.approx(sigma, rel=1e-12)


@given(TOGETHER, st.lists(st.floats(-30, 12), min_size=2, max_size=2, unique=True))
def test_values_rise_with_their_coordinates_and_stay_in_the_support(prior, us):
    scale = make_scale("s", Prior(*prior))
    low, high = scale.value(np.sort(us))
    assert scale.lower <= low <= high <= scale.upper
    assert np.isfinite(scale.log_density(np.array(us))).all()


@EACH
def test_prior_draws_lie_where_the_prior_does(name, args, theirs):
    scale = make_scale("s", Prior(name, args))
    draws = scale.value(scale.draw(np.random.default_rng(1), 4000))
    quantiles = np.quantile(draws, [0.1, 0.5, 0.9])
    if isinstance(theirs, tuple):
        expected = theirs[0].ppf([0.55, 0.75, 0.95])
    else:
        expected = theirs.ppf([0.1, 0.5, 0.9])
    np.testing.assert_allclose(quantiles, expected, rtol=0.15)
    assert (draws > scale.lower).all()
    assert (draws < scale.upper).all()


def bent(alpha=0.01, beta=0.01):
    return make_scale("kappa_minus_2", Prior("Gamma", {"alpha": alpha, "beta": beta}), -3.0)


@given(st.floats(-9, 30), st.sampled_from([0.01, 0.1, 0.7]))
def test_bent_coordinates_and_values_are_each_others_inverse(u, alpha):
    scale = bent(alpha)
    assert scale.coordinate(scale.value(u)) == pytest.approx(u, abs=1e-6)


def test_the_density_of_a_bent_coordinate_carries_the_jacobian():
    scale, h = bent(), 1e-6
    u = np.linspace(-9, 8, 60)
    slope = (scale.value(u + h) - scale.value(u - h)) / (2 * h)
    surplus = scale.log_density(u) - stats.gamma.logpdf(scale.value(u), 0.01, scale=100)
    np.testing.assert_allclose(np.diff(surplus - np.log(slope)), 0, atol=1e-6)


def test_a_bent_coordinate_has_short_tails_and_loses_no_mass():
    scale, u = bent(), np.linspace(-40, 60, 200_001)
    density = np.exp(scale.log_density(u) - scale.log_density(u).max())
    share = np.cumsum(density) / density.sum()
    assert np.interp(0.001, share, u) > -12
    for value in (1e-250, 1e-20, 1e-3, 1.0, 90.0):
        expected = stats.gamma.cdf(value, 0.01, scale=100)
        found = np.interp(scale.coordinate(value), u, share)
        assert found == pytest.approx(expected, abs=1.5e-3)
    # The same prior on the log: a thousandth lies below -600.
    assert np.log(stats.gamma.ppf(0.001, 0.01, scale=100)) < -600


def test_only_long_tails_of_a_known_bend_are_bent():
    assert bent(alpha=2.0).stretch == 0
    assert make_scale("sigma", Prior("Gamma", {"alpha": 0.01, "beta": 0.01})).stretch == 0
    assert make_scale("kappa_minus_2", Prior("Exponential", {"lam": 1.0}), -3.0).stretch == 0
    by_moments = make_scale("kappa_minus_2", Prior("Gamma", {"mu": 1.0, "sigma": 10.0}), -3.0)
    assert by_moments.stretch == pytest.approx(bent().stretch)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_mean_and_sd_mean_the_gamma_that_has_them(mu, sigma):
    by_moments = make_scale("s", Prior("Gamma", {"mu": mu, "sigma": sigma}))
    alpha, beta = (mu / sigma) ** 2, mu / sigma**2
    by_shape = make_scale("s", Prior("Gamma", {"alpha": alpha, "beta": beta}))
    u = np.log(mu) + np.linspace(-1, 1, 5)
    gap = by_moments.log_density(u) - by_shape.log_density(u)
    np.testing.assert_allclose(gap, 0, atol=1e-6 * max(1, alpha))


@pytest.mark.parametrize(
    ("prior", "match"),
    [
        (Prior("Wald", {"mu": 1.0, "lam": 1.0}), "Gamma.*HalfNormal.*got Wald.*nuts"),
        (Prior("Gamma", {"shape": 2.0, "rate": 1.0}), "Gamma from shape, rate.*standard"),
        (Prior("Weibull", {"alpha": 2.0}), "Weibull from alpha.*nuts"),
        (Prior("HalfStudentT", {"sigma": 2.0}), "HalfStudentT from sigma.*nuts"),
    ],
)
def test_priors_that_cannot_be_read_are_refused_in_words(prior, match):
    with pytest.raises(UnsupportedError, match=match):
        make_scale("subject", prior)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Gamma", {"alpha": 2.0}),
        ("Gamma", {"mu": 2.0}),
        ("Gamma", {"mu": 2.0, "beta": 1.0}),
        ("InverseGamma", {"mu": 2.0}),
    ],
)
def test_half_given_parameters_are_refused_in_words(name, args):
    with pytest.raises(UnsupportedError, match=name):
        make_scale("subject", Prior(name, args))


def test_a_distribution_of_the_users_own_is_not_taken_for_that_of_its_name():
    given = bmb.Prior("HalfNormal", sigma=1, dist=lambda name, **kwargs: None)
    with pytest.raises(UnsupportedError, match="own dist"):
        make_scale("subject", Prior("HalfNormal", {"sigma": 1.0}, given=given))


def test_bambis_priors_have_the_names_that_scales_know():
    for name, args, _ in PRIORS:
        prior = bmb.Prior(name, **args)
        assert {key: float(value) for key, value in prior.args.items()} == args


def test_far_out_a_scale_is_infinite_without_a_word():
    """Proposals with heavy tails reach there, and give it no weight."""
    scale = make_scale("A", Prior("Gamma", {"alpha": 1.64, "beta": 0.32}))
    with np.errstate(over="raise"):
        assert scale.value(np.array([0.0, 800.0])).tolist() == [1.0, INF]
