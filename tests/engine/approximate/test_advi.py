"""Deterministic ADVI on densities that are known, and its proposals on models."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import bambi_anova as ba
from bambi_anova.engine.approximate import advi
from bambi_anova.engine.approximate.modes import Peak
from bambi_anova.engine.approximate.normals import Normal, even_noise
from bambi_anova.errors import UnsupportedError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

MEAN = np.array([1.0, -2.0, 0.5])
SD = np.array([0.05, 1.0, 2.0])
COVARIANCE = np.array([[1, 0.6, -0.3], [0.6, 1, 0], [-0.3, 0, 1]]) * np.outer(SD, SD)


def gaussian(u, mean=MEAN, covariance=COVARIANCE):
    """A log density that is normal, with an integral of exp(7)."""
    gap = u - mean[:, None]
    squares = (gap * np.linalg.solve(covariance, gap)).sum(axis=0)
    return 7 - squares / 2 - np.linalg.slogdet(2 * np.pi * covariance)[1] / 2


def skewed(u):
    """The logarithm of a gamma variable with shape 2, and one correlated with it."""
    return 2 * u[0] - np.exp(u[0]) - (u[1] - u[0]) ** 2 / 2


def starts(size, count=32, seed=1):
    return np.random.default_rng(seed).normal(0, 3, (size, count))


def find(log_density, size, seed=1):
    return advi.find_normals(log_density, starts(size), np.random.default_rng(seed))


def test_a_normal_density_is_recovered():
    normals, elbos = find(gaussian, 3)
    assert len(normals) == 1
    gap = np.linalg.solve(np.linalg.cholesky(COVARIANCE), normals[0].mean - MEAN)
    assert gap == pytest.approx(np.zeros(3), abs=0.03)
    ratio = np.linalg.solve(COVARIANCE, normals[0].covariance)
    assert np.linalg.eigvals(ratio).real == pytest.approx(np.ones(3), rel=0.05)
    assert elbos[0] == pytest.approx(7, abs=0.01)


def test_a_wrong_start_does_not_matter():
    noise = even_noise(np.random.default_rng(1), 3, 24)
    start = Normal(MEAN + 2 * SD, np.diag(0.5 * SD))
    normal, elbo = advi.climb_elbo(gaussian, start, noise)
    assert elbo == pytest.approx(7, abs=0.01)
    assert np.linalg.solve(COVARIANCE, normal.covariance) == pytest.approx(np.eye(3), abs=0.2)


def test_the_optimum_is_that_of_the_exact_elbo():
    """E[2 u - exp(u)] of a normal is known: the best one has mean log 2 - 1/4 and variance 1/2."""
    (normal, *_), (elbo, *_) = find(skewed, 2)
    assert normal.mean == pytest.approx([np.log(2) - 1 / 4] * 2, abs=0.1)
    assert normal.covariance == pytest.approx(np.array([[0.5, 0.5], [0.5, 1.5]]), abs=0.15)
    exact = 2 * (np.log(2) - 1 / 4) - 2 - 0.5 + np.log(2 * np.pi) + 1 + np.log(0.5) / 2
    assert elbo == pytest.approx(exact, abs=0.05)


def test_two_modes_have_a_normal_each():
    def two(u):
        heights = [gaussian(u, np.full(2, at), np.eye(2)) for at in (-5.0, 5.0)]
        return special.logsumexp([heights[0] + np.log(0.4), heights[1] + np.log(0.6)], axis=0)

    normals, elbos = find(two, 2)
    assert [normal.mean[0] for normal in normals] == pytest.approx([5, -5], abs=0.1)
    assert special.softmax(elbos) == pytest.approx([0.6, 0.4], abs=0.02)


def test_the_same_seed_gives_the_same_normal():
    (one, _), (other, _) = find(skewed, 2), find(skewed, 2)
    assert (one[0].factor == other[0].factor).all()


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_without_a_finite_elbo_the_error_names_the_way_out(value):
    with pytest.raises(UnsupportedError, match=r"finite ELBO.*use inference_method='nuts'"):
        find(lambda u: np.full(u.shape[1], value), 2)


def test_a_climb_that_fits_itself_to_its_draws_is_noticed(monkeypatch):
    """A climb that claims much and leads astray: the draws are doubled, and its start is kept."""
    counts = []

    def astray(log_density, start, noise):
        counts.append(noise.shape[1])
        return Normal(start.mean + 3 * SD, start.factor), 100.0

    monkeypatch.setattr(advi, "climb_elbo", astray)
    peak = Peak(MEAN, 0.0, np.linalg.inv(COVARIANCE))
    normal, elbo = advi.fit_normal(gaussian, peak, np.random.default_rng(1))
    assert counts == [advi.DRAWS * 2**i for i in range(advi.DOUBLINGS + 1)]
    assert (normal.mean == MEAN).all()
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


# -- Models ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows():
    """Ten units, five in each group, three times each."""
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(10), 3)
    y = rng.normal(size=30) + rng.normal(size=10)[unit] + (unit < 5)
    return pd.DataFrame({"s": unit, "A": np.where(unit < 5, "a1", "a2"), "y": y})


def fit(rows, method, **options):
    return ba.Model("y ~ A + Error(s)", rows).fit(
        method, **{"random_seed": 1, "progressbar": False, **options}
    )


def test_a_small_model_is_what_laplace_says(rows):
    one, other = fit(rows, "advi").diagnostics, fit(rows, "laplace").diagnostics
    error = np.hypot(one["mcse_mean"], other["mcse_mean"])
    assert ((one["mean"] - other["mean"]).abs() < 4.5 * error).all()
    assert (one["sd"] / other["sd"]).between(0.85, 1.15).all()


def test_draws_depend_on_the_seed_alone(rows):
    one, same, other = (fit(rows, "advi", random_seed=seed) for seed in (1, 1, 2))
    values = [result.idata["posterior"]["Intercept"].to_numpy() for result in (one, same, other)]
    assert (values[0] == values[1]).all()
    assert (values[0] != values[2]).any()


def test_without_hyperparameters_there_is_nothing_to_find(rows):
    result = ba.Model("y ~ 1", rows, priors={"sigma": 1.0}).fit(
        "advi", random_seed=1, progressbar=False
    )
    assert result.verdict == "trusted"
