"""Pathfinder on densities that are known, and its proposals on models."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.engine.approximate import pathfinder
from bambi_anova.engine.approximate.differences import differences
from bambi_anova.engine.approximate.normals import (
    Normal,
    best_of_modes,
    elbo_terms,
    even_noise,
)
from bambi_anova.engine.approximate.tails import FAR, find_tails, mix, walk_ridges
from bambi_anova.errors import AnovaError, UnsupportedError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

MEAN = np.array([1.0, -2.0, 0.5])
SD = np.array([0.05, 1.0, 2.0])
CORRELATION = np.array([[1, 0.6, -0.3], [0.6, 1, 0], [-0.3, 0, 1]])
COVARIANCE = CORRELATION * np.outer(SD, SD)


def gaussian(u, mean=MEAN, covariance=COVARIANCE):
    """A log density that is normal, with an integral of exp(7)."""
    gap = u - mean[:, None]
    squares = (gap * np.linalg.solve(covariance, gap)).sum(axis=0)
    return 7 - squares / 2 - np.linalg.slogdet(2 * np.pi * covariance)[1] / 2


def two_modes(u):
    """Three tenths of the mass at -4, the rest at 4."""
    heights = [gaussian(u, np.full(2, at), np.diag([0.25, 1.0])) for at in (-4.0, 4.0)]
    return special.logsumexp([heights[0] + np.log(0.3), heights[1] + np.log(0.7)], axis=0)


def flattening(u):
    """The logarithm of a scale that may be zero: the tail to the left is exponential."""
    return (u - np.exp(u)).sum(axis=0)


def starts(size, count=32, seed=1):
    return np.random.default_rng(seed).normal(0, 4, (size, count))


def find(log_density, size, seed=1):
    return pathfinder.find_normals(log_density, starts(size), np.random.default_rng(seed))


def test_a_normal_density_is_recovered():
    normals, elbos = find(gaussian, 3)
    assert len(normals) == 1
    assert normals[0].mean == pytest.approx(MEAN, abs=0.05 * SD.min())
    ratio = np.linalg.solve(COVARIANCE, normals[0].covariance)
    assert np.linalg.eigvals(ratio).real == pytest.approx(np.ones(3), rel=0.2)
    assert elbos[0] == pytest.approx(7, abs=0.05)


def test_two_modes_are_both_found_and_share_as_their_masses_do():
    normals, elbos = find(two_modes, 2)
    assert [normal.mean[0] for normal in normals] == pytest.approx([4, -4], abs=0.05)
    assert special.softmax(elbos) == pytest.approx([0.7, 0.3], abs=0.05)
    assert elbos[0] == pytest.approx(7 + np.log(0.7), abs=0.1)


def test_the_same_seed_gives_the_same_normals():
    (one, _), (other, _) = find(two_modes, 2), find(two_modes, 2)
    assert all((a.mean == b.mean).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("value", [np.nan, -np.inf, 0.0])
def test_where_no_path_climbs_the_error_names_the_way_out(value):
    with pytest.raises(UnsupportedError, match=r"none of \d paths .* use inference_method='nuts'"):
        find(lambda u: np.full(u.shape[1], value), 2)
    assert issubclass(UnsupportedError, AnovaError)


def test_a_path_into_nothing_is_dropped():
    """Beyond the wall nothing can be evaluated; the paths on this side are kept."""
    normals, _ = find(lambda u: np.where(u[0] < -1, np.nan, gaussian(u)), 3)
    assert normals[0].mean == pytest.approx(MEAN, abs=0.05 * SD.min())


# -- L-BFGS ------------------------------------------------------------------------------------


def test_the_inverse_hessian_explains_the_last_step_and_stays_positive():
    rng = np.random.default_rng(1)
    precision = np.linalg.inv(COVARIANCE)
    steps = rng.normal(size=(5, 3)) * SD
    pairs = [(s, precision @ s) for s in steps]
    diagonal = np.ones(3)
    for s, z in pairs:
        diagonal = pathfinder.next_diagonal(diagonal, s, z)
        assert (diagonal > 0).all()
    inverse = pathfinder.inverse_hessian(diagonal, pairs)
    assert inverse @ pairs[-1][1] == pytest.approx(pairs[-1][0])
    assert np.linalg.eigvalsh(inverse).min() > 0


def test_every_point_of_a_path_is_higher_than_the_one_before():
    for path in pathfinder.follow_paths(two_modes, starts(2, count=4)):
        heights = two_modes(np.array(path.points).T)
        assert (np.diff(heights) > 0).all()
        assert path.done


# -- Normals -----------------------------------------------------------------------------------


def test_means_over_even_noise_are_exact_for_quadratics():
    noise = even_noise(np.random.default_rng(1), 3, 8)
    assert noise.shape == (3, 8)
    assert noise.mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-12)
    assert noise @ noise.T / 8 == pytest.approx(np.eye(3))
    assert (noise**3).mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-12)


def test_the_elbo_of_a_normal_is_the_mass_less_the_divergence():
    noise = even_noise(np.random.default_rng(1), 3, 8)
    factor = np.linalg.cholesky(COVARIANCE)
    normals = [Normal(MEAN, factor), Normal(MEAN + factor @ [0, 2.0, 0], factor)]
    elbos = elbo_terms(gaussian, normals, noise).mean(axis=1)
    assert elbos == pytest.approx([7, 7 - 2.0**2 / 2])
    assert normals[0].distance(normals[1]) == pytest.approx(2)
    assert normals[0].sd == pytest.approx(SD)


def test_differences_are_gradients():
    u = starts(3, count=5)
    values, gradients = differences(gaussian, u, np.full(u.shape, 1e-6))
    assert values == pytest.approx(gaussian(u))
    assert gradients == pytest.approx(-np.linalg.solve(COVARIANCE, u - MEAN[:, None]), rel=1e-2)


def test_modes_are_kept_once_and_only_where_they_matter():
    wide = [Normal(np.array([at]), np.eye(1)) for at in (0.0, 0.1, 9.0, 20.0)]
    kept, elbos = best_of_modes(wide, [1.0, 1.5, 0.0, -30.0])
    assert [normal.mean[0] for normal in kept] == [0.1, 9.0]
    assert elbos == [1.5, 0.0]


# -- Tails -------------------------------------------------------------------------------------


def test_a_normal_has_no_tails_that_its_proposal_misses():
    normal = Normal(MEAN, np.linalg.cholesky(COVARIANCE))
    ridges = walk_ridges(gaussian, normal)
    assert ridges.heights[:3] == pytest.approx(ridges.heights[3:])  # both sides
    assert ridges.heights[0] == pytest.approx(gaussian(MEAN[:, None]) - FAR**2 / 2, abs=0.01)
    assert find_tails(ridges, normal, mix([normal], [7.0], 2), 7.0) == []


def test_an_exponential_tail_is_found_and_covered():
    """Where the density has a tail, the ratio to the proposal stays low."""
    normal = Normal(np.zeros(2), 0.8 * np.eye(2))
    ridges = walk_ridges(flattening, normal)
    tails = find_tails(ridges, normal, mix([normal], [0.0], 0), 0.0)
    assert len(tails) == 2
    assert all(tail.mean.min() < -1.5 and tail.mean.max() < 1 for tail, _ in tails)
    parts = mix([normal, *(tail for tail, _ in tails)], np.log([1, *(m for _, m in tails)]), 0)
    u = np.array([np.linspace(-7, 0, 29), np.zeros(29)])
    ratio = {}
    for name, mixture in (("normal", mix([normal], [0.0], 0)), ("all", parts)):
        logs = [p.log_share + p.log_density(u, np.zeros((0, 29, 1)))[:, 0] for p in mixture]
        ratio[name] = np.exp(flattening(u) - special.logsumexp(logs, axis=0)).max()
    assert ratio["all"] < 10 < ratio["normal"]


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
    one, other = fit(rows, "pathfinder").diagnostics, fit(rows, "laplace").diagnostics
    error = np.hypot(one["mcse_mean"], other["mcse_mean"])
    assert ((one["mean"] - other["mean"]).abs() < 4.5 * error).all()
    assert (one["sd"] / other["sd"]).between(0.85, 1.15).all()


def test_draws_depend_on_the_seed_alone(rows):
    one, same, other = (fit(rows, "pathfinder", random_seed=seed) for seed in (1, 1, 2))
    values = [result.idata["posterior"]["Intercept"].to_numpy() for result in (one, same, other)]
    assert (values[0] == values[1]).all()
    assert (values[0] != values[2]).any()


def test_without_hyperparameters_there_is_nothing_to_find(rows):
    result = ba.Model("y ~ 1", rows, priors={"sigma": 1.0}).fit(
        "pathfinder", random_seed=1, progressbar=False
    )
    assert result.verdict == "trusted"
