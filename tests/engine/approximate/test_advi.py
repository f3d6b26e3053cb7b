"""Deterministic ADVI: the climb to the highest ELBO."""

import numpy as np
import pytest
from scipy import optimize

from bambi_anova.engine.approximate import advi
from bambi_anova.engine.approximate.modes import Peak
from bambi_anova.engine.approximate.normals import Normal, even_noise
from bambi_anova.errors import UnsupportedError


def skewed(u):
    """The logarithm of a gamma variable with shape 2, and one correlated with it."""
    return 2 * u[0] - np.exp(u[0]) - (u[1] - u[0]) ** 2 / 2


@pytest.fixture
def find(starts):
    def find(log_density, size, seed=1):
        return advi.find_normals(log_density, starts(size), np.random.default_rng(seed))

    return find


def test_a_wrong_start_does_not_matter(gaussian):
    noise = even_noise(np.random.default_rng(1), 3, 24)
    start = Normal(gaussian.mean + 2 * gaussian.sd, np.diag(0.5 * gaussian.sd))
    normal, elbo = advi.climb_elbo(gaussian, start, noise)
    assert elbo == pytest.approx(7, abs=0.01)
    ratio = np.linalg.solve(gaussian.covariance, normal.covariance)
    assert ratio == pytest.approx(np.eye(3), abs=0.2)


def test_the_optimum_is_that_of_the_exact_elbo(find):
    """E[2 u - exp(u)] of a normal is known: the best one has mean log 2 - 1/4 and variance 1/2."""
    (normal, *_), (elbo, *_) = find(skewed, 2)
    assert normal.mean == pytest.approx([np.log(2) - 1 / 4] * 2, abs=0.1)
    assert normal.covariance == pytest.approx(np.array([[0.5, 0.5], [0.5, 1.5]]), abs=0.15)
    exact = 2 * (np.log(2) - 1 / 4) - 2 - 0.5 + np.log(2 * np.pi) + 1 + np.log(0.5) / 2
    assert elbo == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_without_a_finite_elbo_the_error_names_the_way_out(find, value):
    with pytest.raises(UnsupportedError, match=r"finite ELBO.*use inference_method='nuts'"):
        find(lambda u: np.full(u.shape[1], value), 2)


def test_a_climb_that_fits_itself_to_its_draws_is_noticed(monkeypatch, gaussian):
    """A climb that claims much and leads astray: the draws are doubled, and its start is kept."""
    counts = []

    def astray(log_density, start, noise):
        counts.append(noise.shape[1])
        return Normal(start.mean + 3 * gaussian.sd, start.factor), 100.0

    monkeypatch.setattr(advi, "climb_elbo", astray)
    peak = Peak(gaussian.mean, 0.0, np.linalg.inv(gaussian.covariance))
    normal, elbo = advi.fit_normal(gaussian, peak, np.random.default_rng(1))
    assert counts == [advi.DRAWS * 2**i for i in range(advi.DOUBLINGS + 1)]
    assert (normal.mean == gaussian.mean).all()
    assert elbo == pytest.approx(7)


def test_the_slope_is_that_of_the_objective(monkeypatch):
    """L-BFGS is given derivatives of what it is to minimize."""
    seen = {}

    def take(loss, start, **options):
        seen["loss"] = loss
        return optimize.OptimizeResult(x=start, fun=loss(start)[0])

    monkeypatch.setattr(advi.optimize, "minimize", take)
    noise = even_noise(np.random.default_rng(1), 2, 24)
    advi.climb_elbo(skewed, Normal(np.zeros(2), np.eye(2)), noise)
    at = np.array([0.3, -0.2, 0.1, -0.4, 0.5])
    slope = optimize.approx_fprime(at, lambda parameters: seen["loss"](parameters)[0], 1e-6)
    assert seen["loss"](at)[1] == pytest.approx(slope, abs=5e-3)
