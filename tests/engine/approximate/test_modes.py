"""Modes, ridges and slices of densities that are known."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from bambi_anova.engine.approximate.modes import Peak, cut_slices, find_peaks, find_ridges
from bambi_anova.engine.approximate.proposal import propose_from_slices, share


def normal(mean, covariance, log_mass=0.0):
    frozen = stats.multivariate_normal(mean, covariance)
    return lambda u: log_mass + np.atleast_1d(frozen.logpdf(u.T))


MEAN = np.array([0.5, -1.0, 2.0])
COVARIANCE = np.array([[1.0, 0.5, 0.1], [0.5, 0.6, -0.2], [0.1, -0.2, 2.0]])


def starts(size, seed=1, spread=3.0, count=32):
    return spread * np.random.default_rng(seed).normal(size=(size, count))


# -- Modes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_one_mode_of_a_normal_is_found_with_its_curvature(seed):
    (peak,) = find_peaks(normal(MEAN, COVARIANCE), starts(3, seed))
    gap = peak.u - MEAN
    assert gap @ np.linalg.solve(COVARIANCE, gap) < 0.03
    np.testing.assert_allclose(peak.precision, np.linalg.inv(COVARIANCE), rtol=1e-4, atol=1e-4)
    # The log of the mass, less (2 pi)^(H / 2).
    assert peak.log_mass + 1.5 * np.log(2 * np.pi) == pytest.approx(0, abs=0.02)


def test_steps_beyond_a_sharp_peak_are_cut_short():
    def sharp(u):  # Newton's step leads three times as far as the peak
        return -((u[0] ** 2 + 1e-4) ** 0.65)

    (peak,) = find_peaks(sharp, np.full((1, 1), 0.9))
    assert abs(peak.u[0]) < 0.1


def skewed(u):
    """Independent log gammas, as log scales are a posteriori."""
    shapes = np.array([0.8, 3.0])[:, None]
    return (shapes * u - np.exp(u)).sum(axis=0)


@pytest.mark.parametrize("seed", range(4))
def test_the_mode_of_a_skewed_density_is_found(seed):
    (peak,) = find_peaks(skewed, starts(2, seed, spread=4.0))
    exact = optimize.minimize(lambda u: -skewed(u[:, None])[0], np.zeros(2)).x
    np.testing.assert_allclose(peak.u, exact, atol=0.15)
    assert peak.height > skewed(exact[:, None])[0] - 0.02
    np.testing.assert_allclose(np.diag(peak.precision), [0.8, 3.0], rtol=0.15)


def two_modes(u):
    parts = [
        normal([-2.5, 0.0], np.diag([0.3, 1.0]))(u),
        normal([2.0, 1.0], np.diag([0.5, 0.4]), log_mass=-1.0)(u),
    ]
    return special.logsumexp(parts, axis=0)


@pytest.mark.parametrize("seed", range(4))
def test_both_modes_are_found_the_heavier_first(seed):
    peaks = find_peaks(two_modes, starts(2, seed))
    assert len(peaks) == 2
    np.testing.assert_allclose(peaks[0].u, [-2.5, 0.0], atol=0.15)
    np.testing.assert_allclose(peaks[1].u, [2.0, 1.0], atol=0.15)
    assert peaks[0].log_mass - peaks[1].log_mass == pytest.approx(1, abs=0.15)


def test_modes_of_hardly_any_mass_are_left_out():
    def far(u):
        return np.logaddexp(normal([0.0, 0.0], np.eye(2))(u), normal([9, 9], np.eye(2), -9.0)(u))

    peaks = find_peaks(far, np.array([[0.1, 9.1, -1.0], [0.1, 8.9, 3.0]]))
    assert len(peaks) == 1
    np.testing.assert_allclose(peaks[0].u, 0, atol=0.2)


def test_starting_points_of_no_density_are_passed_over():
    def half(u):
        with np.errstate(invalid="ignore"):
            return np.where(u[0] > 0, normal([2.0], [[1.0]])(u), np.nan)

    (peak,) = find_peaks(half, np.array([[-4.0, -1.0, 3.5, 5.0]]))
    np.testing.assert_allclose(peak.u, [2.0], atol=0.15)
    (peak,) = find_peaks(half, np.array([[0.05]]))
    np.testing.assert_allclose(peak.u, [2.0], atol=0.2)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_density_without_a_value_has_no_modes(value):
    assert find_peaks(lambda u: np.full(u.shape[1], value), np.zeros((2, 5))) == []


def test_where_a_density_is_flat_the_climb_ends():
    def plateau(u):
        return -0.001 * (u**2).sum(axis=0)

    peaks = find_peaks(plateau, starts(2))
    assert len(peaks) >= 1
    assert all(np.isfinite(peak.u).all() for peak in peaks)
    assert all((np.linalg.eigvalsh(peak.precision) > 0).all() for peak in peaks)


def test_a_peaks_height_is_the_density_at_its_point():
    for density in (normal(MEAN, COVARIANCE), lambda u: skewed(u[:2]) - u[2] ** 2 / 2):
        for peak in find_peaks(density, starts(3)):
            assert peak.height == pytest.approx(density(peak.u[:, None])[0])


# -- Ridges --------------------------------------------------------------------------------------


def l_shaped(u):
    """An upright ridge and a level one, that meet: a small scale here wants a large one there.

    The sum of two variances is known, how it is shared out hardly is.
    """
    known = -((np.logaddexp(2 * u[0], 2 * u[1]) / 2) ** 2) / (2 * 0.15**2)
    return known - 0.02 * ((u + 1) ** 2).sum(axis=0)


def peak_of(density, u):
    u = np.asarray(u, dtype=float)
    size, h = len(u), 1e-3
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            steps = np.array([(a, b) for a in (1, -1) for b in (1, -1)])
            points = u[:, None] + np.zeros((size, 4))
            points[i] += h * steps[:, 0]
            points[j] += h * steps[:, 1]
            hessian[i, j] = (density(points) * steps.prod(axis=1)).sum() / (4 * h**2)
    values, vectors = np.linalg.eigh(-hessian)
    precision = (vectors * np.maximum(np.abs(values), 0.05)) @ vectors.T
    return Peak(u, float(density(u[:, None])[0]), precision)


def test_an_l_shaped_arm_is_found():
    start = optimize.minimize(lambda u: -l_shaped(u[:, None])[0], [-3.0, 0.0]).x
    # The mode lies on one ridge or the other, or where they meet.
    peak = peak_of(l_shaped, start)
    slices = cut_slices(l_shaped, peak)
    ridges = find_ridges(l_shaped, peak, slices, np.array([0, 1]))
    points = np.array([peak.u, *(ridge.u for ridge in ridges)])
    assert len(ridges) >= 1
    for ridge in ridges:
        assert ridge.height == pytest.approx(l_shaped(ridge.u[:, None])[0])
        assert ridge.height > peak.height - 7
    # One scale small and the other near one, and the other way round.
    assert (points.min(axis=0) < -0.7).all()
    assert (points.max(axis=0) > -0.2).all()


def test_ridges_let_proposals_cover_the_whole_of_an_l():
    start = optimize.minimize(lambda u: -l_shaped(u[:, None])[0], [-3.0, 0.0]).x
    peak = peak_of(l_shaped, start)
    slices = [cut_slices(l_shaped, peak)]
    ridges = find_ridges(l_shaped, peak, slices[0], np.array([0, 1]))
    slices += [cut_slices(l_shaped, ridge) for ridge in ridges]

    def tail(peaks, slices):
        proposals = [propose_from_slices(p, s, 0) for p, s in zip(peaks, slices, strict=True)]
        proposals = share(proposals, [p.log_mass for p in peaks])
        rng = np.random.default_rng(1)
        n = 4000
        counts = rng.multinomial(n, np.exp([p.log_share for p in proposals]))
        u = np.hstack([p.draw(rng, k) for p, k in zip(proposals, counts, strict=True)])
        none = np.zeros((1, n, 1))
        proposals = [propose_from_slices(p, s, 1) for p, s in zip(peaks, slices, strict=True)]
        proposals = share(proposals, [p.log_mass for p in peaks])
        logs = [p.log_share + p.log_density(u, none)[:, 0] for p in proposals]
        weights = special.softmax(l_shaped(u) - special.logsumexp(logs, axis=0))
        return 1 / (weights**2).sum() / n, u @ weights

    grid = np.array(np.meshgrid(*[np.linspace(-12, 2, 500)] * 2)).reshape(2, -1)
    expected = grid @ special.softmax(l_shaped(grid))
    alone, _ = tail([peak], slices[:1])
    together, mean = tail([peak, *ridges], slices)
    assert together > max(alone, 0.05)
    np.testing.assert_allclose(mean, expected, atol=0.35)


def test_independent_coordinates_have_no_ridges():
    density = normal(MEAN, np.diag([0.3, 1.0, 2.0]))
    (peak,) = find_peaks(density, starts(3))
    assert find_ridges(density, peak, cut_slices(density, peak), np.arange(3)) == []
    assert find_ridges(density, peak, cut_slices(density, peak), np.array([], dtype=int)) == []


def test_only_the_coordinates_that_may_have_ridges_are_moved():
    def with_a_spectator(u):
        return l_shaped(u[:2]) - (u[2] - 0.3) ** 2 / 2

    start = optimize.minimize(lambda u: -l_shaped(u[:, None])[0], [-3.0, 0.0]).x
    peak = peak_of(with_a_spectator, [*start, 0.3])
    slices = cut_slices(with_a_spectator, peak)
    ridges = find_ridges(with_a_spectator, peak, slices, np.array([0, 1]))
    assert len(ridges) >= 1
    assert all(ridge.u[2] == 0.3 for ridge in ridges)


# -- Slices ------------------------------------------------------------------------------------


def test_slices_are_the_density_along_each_coordinate():
    density = normal(MEAN, COVARIANCE)
    precision = np.linalg.inv(COVARIANCE)
    peak = Peak(MEAN, float(density(MEAN[:, None])[0]), precision)
    slices = cut_slices(density, peak)
    assert len(slices) == 3
    v = np.linspace(-3, 3, 61)
    for i, slice_ in enumerate(slices):
        spread = 1 / np.sqrt(precision[i, i])
        np.testing.assert_allclose(slice_.quantile(v), MEAN[i] + spread * v, atol=0.03 * spread)
        expected = stats.norm.logpdf(v)
        found = slice_.log_density(MEAN[i] + spread * v) + np.log(spread)
        np.testing.assert_allclose(found, expected, atol=0.1)


def test_slices_of_a_skewed_density_are_its_own():
    (peak,) = find_peaks(skewed, starts(2))
    first, second = cut_slices(skewed, peak)
    v = np.linspace(-3, 3, 41)
    for slice_, shape in ((first, 0.8), (second, 3.0)):
        expected = np.log(stats.gamma.ppf(stats.norm.cdf(v), shape))
        np.testing.assert_allclose(slice_.quantile(v), expected, atol=0.06)


def test_slices_end_where_the_density_does():
    def half(u):
        with np.errstate(invalid="ignore"):
            return np.where(u[0] > -1, -(u[0] ** 2) / 2, -np.inf)

    (slice_,) = cut_slices(half, Peak(np.zeros(1), 0.0, np.eye(1)))
    draws = slice_.quantile(np.random.default_rng(1).standard_normal(4000))
    assert (draws > -1.25).mean() > 0.999
