"""Priors of another scale: the same distribution in other units about its location."""

import numpy as np
import pytest
from scipy import stats

from bambi_anova.priors.distributions import DISTRIBUTIONS, Prior, distribution
from bambi_anova.priors.exchange import half_normal, scaled

#: One of each distribution that can be scaled, and the point that stays where it is.
PRIORS = [
    (Prior("Normal", {"mu": 2.0, "sigma": 1.5}), 2.0),
    (Prior("Normal", {"mu": 2.0, "tau": 0.3}), 2.0),
    (Prior("Normal", {"mu": 1.0}), 1.0),
    (Prior("StudentT", {"nu": 4.0, "mu": 1.0, "sigma": 2.0}), 1.0),
    (Prior("Cauchy", {"alpha": 1.0, "beta": 2.0}), 1.0),
    (Prior("Laplace", {"mu": 1.0, "b": 2.0}), 1.0),
    (Prior("Gamma", {"alpha": 1.64, "beta": 0.32}), 0.0),
    (Prior("Gamma", {"mu": 2.0, "sigma": 1.0}), 0.0),
    (Prior("HalfNormal", {"sigma": 2.0}), 0.0),
    (Prior("HalfNormal", {}), 0.0),
    (Prior("HalfCauchy", {"beta": 1.0}), 0.0),
    (Prior("HalfStudentT", {"nu": 3.0, "sigma": 2.0}), 0.0),
    (Prior("Exponential", {"lam": 2.0}), 0.0),
    (Prior("Exponential", {"scale": 2.0}), 0.0),
    (Prior("Uniform", {"lower": 0.5, "upper": 9.0}), 0.0),
    (Prior("LogNormal", {"mu": 0.3, "sigma": 0.7}), 0.0),
    (Prior("InverseGamma", {"alpha": 3.0, "beta": 2.0}), 0.0),
    (Prior("Weibull", {"alpha": 1.5, "beta": 2.0}), 0.0),
    (Prior("Pareto", {"alpha": 3.0, "m": 1.0}), 0.0),
]


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize(("prior", "centre"), PRIORS, ids=lambda value: str(value))
def test_densities_are_those_in_other_units(prior, centre, factor):
    one, other = distribution(prior), distribution(scaled(prior, factor))
    x = centre + np.linspace(0.6, 6, 30)
    there = other.log_density(centre + factor * (x - centre)) + np.log(factor)
    np.testing.assert_allclose(there, one.log_density(x), rtol=1e-10, atol=1e-10)


def test_what_has_a_scale_can_be_scaled():
    assert set(DISTRIBUTIONS) - {prior.name for prior, _ in PRIORS} == {
        "Beta",
        "ChiSquared",
        "TruncatedNormal",
    }
    assert scaled(Prior("Beta", {"alpha": 2.0, "beta": 2.0}), 2.0) is None
    assert scaled(Prior("ChiSquared", {"nu": 3.0}), 2.0) is None
    assert scaled(Prior("OfPyMCAlone", {}), 2.0) is None
    assert half_normal(Prior("OfPyMCAlone", {})) is None


def test_a_half_normal_has_the_median_of_what_it_is_exchanged_for():
    prior = Prior("Gamma", {"alpha": 1.64, "beta": 0.32})
    sigma = half_normal(prior).args["sigma"]
    median = stats.gamma(1.64, scale=1 / 0.32).median()
    assert stats.halfnorm(scale=sigma).median() == pytest.approx(median, rel=0.02)
