"""Proposals: densities that integrate to one, draws that follow them, and what draws teach."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special, stats

from bambi_anova.engine.approximate.modes import OFFSETS, Peak
from bambi_anova.engine.approximate.proposal import (
    DEFENSIVE_FREEDOM,
    FREEDOM,
    Plain,
    Proposal,
    Sliced,
    propose,
    propose_from_slices,
    share,
)
from bambi_anova.engine.approximate.slices import Slice


def skewed(x):
    return 1.6 * x - np.exp(x)


def two_slices():
    return Slice(OFFSETS, skewed(OFFSETS)), Slice(OFFSETS / 2, -2 * (OFFSETS / 2) ** 2)


WARPS = {"plain": Plain(), "sliced": Sliced(two_slices())}
LOWER = np.array([[0.9, 0.0], [0.3, 1.2]])


def one_and_one(warp, **options):
    """One hyperparameter and one core coordinate, correlated."""
    warp = Sliced(warp.slices[:1]) if isinstance(warp, Sliced) else warp
    return Proposal(warp, np.array([0.2, -0.3]), LOWER, size=1, **options)


EACH = pytest.mark.parametrize("warp", WARPS)


# -- The warps ---------------------------------------------------------------------------------


@EACH
def test_coordinates_and_hyperparameters_are_each_others_inverse(warp):
    t = np.random.default_rng(1).normal(scale=1.5, size=(2, 500))
    u = WARPS[warp].hyperparameters(t)
    np.testing.assert_allclose(WARPS[warp].coordinates(u), t, rtol=1e-6, atol=1e-6)


@EACH
def test_the_log_jacobian_is_that_of_differences(warp):
    warp, h = WARPS[warp], 1e-5
    t = np.random.default_rng(2).normal(size=(2, 300))
    u = warp.hyperparameters(t)
    slopes = (warp.coordinates(u + h) - warp.coordinates(u - h)) / (2 * h)
    found = warp.log_jacobian(u, t)
    # At the table's nodes the density has a kink.
    close = np.abs(found - np.log(slopes).sum(axis=0)) < 1e-4
    assert close.mean() > 0.98
    np.testing.assert_allclose(found, np.log(slopes).sum(axis=0), atol=0.02)


def test_no_hyperparameters_need_no_warp():
    for warp in (Plain(), Sliced(())):
        empty = np.zeros((0, 7))
        assert warp.hyperparameters(empty).shape == (0, 7)
        assert warp.coordinates(empty).shape == (0, 7)
        np.testing.assert_array_equal(warp.log_jacobian(empty, empty), np.zeros(7))


# -- The density -------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("freedom", [FREEDOM, DEFENSIVE_FREEDOM])
def test_the_density_of_one_hyperparameter_and_one_core_coordinate_integrates_to_one(warp, freedom):
    proposal = one_and_one(WARPS[warp], freedom=freedom)
    t = np.tan(np.linspace(-np.pi / 2, np.pi / 2, 1503)[1:-1])
    t = 1.5 * t[np.abs(t) < (6 if warp == "sliced" else 200)]
    u = proposal.warp.hyperparameters(t[None])
    # The noise lies about a line in t.
    centre = -0.3 + 0.3 / 0.9 * (proposal.warp.coordinates(u)[0] - 0.2)
    steps = np.linspace(-12, 12, 241)
    density = np.exp(proposal.log_density(u, (centre[:, None] + steps)[None]))
    over_noise = integrate.simpson(density, x=steps, axis=1) / np.sqrt(2 * np.pi)
    found = integrate.trapezoid(over_noise, u[0])
    outside = 2 * stats.t.sf(t.max() / 0.9, freedom) if warp == "sliced" else 0
    assert found == pytest.approx(1 - outside, abs=4e-3)


@EACH
def test_the_density_of_plain_hyperparameters_is_students(warp):
    """And of warped ones, where the warp is undone."""
    h, p = 2, 2
    rng = np.random.default_rng(3)
    factor = np.tril(rng.normal(size=(4, 4))) + 2 * np.eye(4)
    mean = rng.normal(size=4)
    proposal = Proposal(WARPS[warp], mean, factor, h, freedom=5.0)
    u, noise = rng.normal(size=(h, 6)), rng.normal(size=(p, 6, 3))
    t = WARPS[warp].coordinates(u)
    top, rest = factor[:h, :h], factor[h:, h:]
    student = stats.multivariate_t(mean[:h], top @ top.T, df=5.0).logpdf(t.T)
    found = proposal.log_density(u, noise)
    for g in range(6):
        centre = mean[h:] + factor[h:, :h] @ np.linalg.solve(top, t[:, g] - mean[:h])
        normal = stats.multivariate_normal(centre, rest @ rest.T).logpdf(noise[:, g].T)
        expected = student[g] + normal + p / 2 * np.log(2 * np.pi)
        expected += WARPS[warp].log_jacobian(u, t)[g]
        np.testing.assert_allclose(found[g], expected, rtol=1e-9)


@EACH
def test_draws_follow_the_density(warp):
    """The mean of a ratio of densities, under the draws, is one; in every corner."""
    proposal = one_and_one(WARPS[warp])
    rng = np.random.default_rng(4)
    u = proposal.draw(rng, 20_000)
    noise = proposal.draw_noise(rng, u, 2)
    assert u.shape == (1, 20_000)
    assert noise.shape == (1, 20_000, 2)
    t = proposal.warp.coordinates(u)[0]
    log_proposal = proposal.log_density(u, noise) - np.log(2 * np.pi) / 2
    log_proposal -= proposal.warp.log_jacobian(u, t[None])[:, None]
    for a, b, spread in [(0.0, 0.0, 0.5), (1.2, 0.5, 0.5), (-1.5, -1.0, 0.7), (1.0, -1.5, 0.6)]:
        log_other = stats.norm.logpdf(t, a, spread)[:, None]
        log_other = log_other + stats.norm.logpdf(noise[0], b, spread)
        ratio = np.exp(log_other - log_proposal).mean(axis=1)
        error = ratio.std() / np.sqrt(len(ratio))
        assert error < 0.05
        assert abs(ratio.mean() - 1) < 4.5 * error


def test_without_hyperparameters_the_noise_is_all():
    proposal = propose(Plain(), np.zeros(0), np.zeros((0, 0)), 3)
    rng = np.random.default_rng(5)
    u = proposal.draw(rng, 4)
    assert u.shape == (0, 4)
    noise = proposal.draw_noise(rng, u, 2)
    assert noise.shape == (3, 4, 2)
    found = proposal.log_density(u, noise)
    np.testing.assert_allclose(found, -(noise**2).sum(axis=0) / 2, atol=1e-12)


def test_the_noise_of_a_fresh_proposal_is_laplaces():
    proposal = propose(Plain(), np.array([1.0]), np.array([[4.0]]), 2)
    rng = np.random.default_rng(6)
    noise = proposal.draw_noise(rng, proposal.draw(rng, 5000), 1)[..., 0]
    np.testing.assert_allclose(np.cov(noise), np.eye(2), atol=0.1)
    assert proposal.factor[0, 0] == pytest.approx(2.0)


def test_slices_and_curvature_make_a_proposal_with_the_curvatures_correlation():
    """For a normal target, whose slices are conditional, the proposal is the target, widened."""
    covariance = np.array([[1.0, 0.6], [0.6, 0.8]])
    precision = np.linalg.inv(covariance)
    peak = Peak(np.array([0.5, -1.0]), 0.0, precision)
    slices = []
    for i in range(2):
        spread = 1 / np.sqrt(precision[i, i])
        x = peak.u[i] + spread * OFFSETS
        slices.append(Slice(x, -(((x - peak.u[i]) / spread) ** 2) / 2))
    proposal = propose_from_slices(peak, slices, core_size=1)
    draws = proposal.draw(np.random.default_rng(7), 40_000)
    np.testing.assert_allclose(np.median(draws, axis=1), peak.u, atol=0.03)
    scatter = np.cov(draws) * (FREEDOM - 2) / FREEDOM / 1.2
    np.testing.assert_allclose(scatter, covariance, atol=0.06)


# -- Shares ------------------------------------------------------------------------------------


def total_share(proposals):
    return sum(np.exp(proposal.log_share) for proposal in proposals)


def test_defended_proposals_share_what_one_had():
    whole = replace(one_and_one(Plain()), log_share=np.log(0.4))
    kept, wide = whole.defended(0.05, 1.5)
    assert total_share([kept, wide]) == pytest.approx(0.4)
    assert np.exp(wide.log_share) == pytest.approx(0.02)
    np.testing.assert_allclose(wide.factor, 1.5 * whole.factor)
    assert wide.freedom < whole.freedom == kept.freedom


def test_the_core_is_given_a_wider_normal_where_it_is_needed_only():
    whole = replace(one_and_one(Plain()), log_share=np.log(0.4))
    assert whole.with_wider_core(np.array([[1.1]]), 0.3) == (whole,)
    narrow, wide = whole.with_wider_core(np.array([[4.0]]), 0.3)
    assert total_share([narrow, wide]) == pytest.approx(0.4)
    assert np.exp(wide.log_share) == pytest.approx(0.12)
    assert wide.factor[1, 1] == pytest.approx(2.0)
    np.testing.assert_array_equal(wide.factor[:, 0], whole.factor[:, 0])
    assert whole.factor[1, 1] == 1.2, "the proposal itself stays as it is"


@pytest.mark.parametrize("masses", [[0.0], [0.0, 0.0], [3.0, -50.0, 2.0], [1000.0, 0.0]])
def test_shares_follow_the_masses_and_leave_nobody_out(masses):
    proposals = share([one_and_one(Plain())] * len(masses), masses)
    shares = np.exp([proposal.log_share for proposal in proposals])
    assert shares.sum() == pytest.approx(1)
    assert (np.argsort(shares, kind="stable") == np.argsort(masses, kind="stable")).all()
    assert shares.min() > 0.09 / len(masses)


@EACH
def test_a_mixture_of_all_the_parts_integrates_to_one_over_its_own_draws(warp):
    """Importance weights against a wide normal average to one whatever part a draw comes from."""
    whole = one_and_one(WARPS[warp])
    parts = [
        part
        for one in whole.with_wider_core(np.array([[3.0]]), 0.3)
        for part in one.defended(0.2, 2)
    ]
    assert len(parts) == 4
    rng = np.random.default_rng(8)
    counts = rng.multinomial(40_000, np.exp([part.log_share for part in parts]))
    u = np.hstack([part.draw(rng, n) for part, n in zip(parts, counts, strict=True)])
    split = np.split(u, np.cumsum(counts)[:-1], axis=1)
    noise = np.hstack([p.draw_noise(rng, own, 1) for p, own in zip(parts, split, strict=True)])
    logs = [part.log_share + part.log_density(u, noise)[:, 0] for part in parts]
    t = whole.warp.coordinates(u)
    log_proposal = special.logsumexp(logs, axis=0) - np.log(2 * np.pi) / 2
    log_proposal -= whole.warp.log_jacobian(u, t)
    target = stats.norm.logpdf(t[0], 0.2, 1.0) + stats.norm.logpdf(noise[0, :, 0], -0.3, 1.5)
    ratio = np.exp(target - log_proposal)
    error = ratio.std() / np.sqrt(len(ratio))
    assert error < 0.02
    assert abs(ratio.mean() - 1) < 4.5 * error


# -- Learning ----------------------------------------------------------------------------------

TARGET_MEAN = np.array([0.9, -0.5, 0.4])
TARGET_COVARIANCE = np.array([[0.5, 0.2, 0.1], [0.2, 0.9, -0.3], [0.1, -0.3, 1.4]])


def weighted_draws(proposal, count, seed=9, mean=TARGET_MEAN, covariance=TARGET_COVARIANCE):
    """Draws of one hyperparameter and two core coordinates, and log weights for a normal."""
    rng = np.random.default_rng(seed)
    u = proposal.draw(rng, count)
    noise = proposal.draw_noise(rng, u, 1)
    points = np.vstack([proposal.warp.coordinates(u), noise[..., 0]])
    log_weight = stats.multivariate_normal(mean, covariance).logpdf(points.T)
    log_weight += proposal.warp.log_jacobian(u, points[:1])
    return u, noise[..., 0], log_weight - proposal.log_density(u, noise)[:, 0]


@EACH
def test_learning_recovers_a_shifted_normal(warp):
    warp = Sliced(two_slices()[:1]) if warp == "sliced" else Plain()
    start = propose(warp, np.zeros(1), np.eye(1), 2)
    u, noise, log_weight = weighted_draws(start, 40_000)
    learnt = start.learn(u, noise, special.softmax(log_weight))
    np.testing.assert_allclose(learnt.mean, TARGET_MEAN, atol=0.05)
    np.testing.assert_allclose(learnt.factor @ learnt.factor.T, TARGET_COVARIANCE, atol=0.08)
    assert np.allclose(learnt.factor, np.tril(learnt.factor))
    assert learnt.log_share == start.log_share
    _, _, better = weighted_draws(learnt, 4000, seed=10)

    def efficiency(log_weight):
        weights = special.softmax(log_weight)
        return 1 / (weights**2).sum() / len(weights)

    assert efficiency(better) > 0.85 > 2 * efficiency(log_weight)


def test_few_draws_teach_little():
    start = propose(Plain(), np.zeros(1), np.eye(1), 2)
    u, noise, log_weight = weighted_draws(start, 8)
    learnt = start.learn(u, noise, special.softmax(log_weight))
    trusted = learnt.factor @ learnt.factor.T - np.eye(3)
    assert np.linalg.norm(trusted) < 0.5
    assert np.linalg.norm(learnt.mean) <= np.linalg.norm(TARGET_MEAN)


def test_draws_of_the_target_itself_leave_the_mean_where_it_is():
    start = propose(Plain(), np.zeros(1), np.eye(1), 20)
    rng = np.random.default_rng(11)
    for _ in range(5):
        points = rng.standard_normal((21, 60))
        learnt = start.learn(points[:1], points[1:], np.full(60, 1 / 60))
        plain = points.mean(axis=1)
        assert np.linalg.norm(learnt.mean) < 0.6 * np.linalg.norm(plain)


def test_tilting_follows_the_log_weights_where_no_draw_carries_them():
    """A normal three sds off along every axis, and wider or narrower there, from few draws."""
    start = propose(Plain(), np.zeros(1), np.eye(1), 2, freedom=200.0)
    mean, spread = np.array([1.2, -1.5, 1.5]), np.array([1.2, 0.8, 1.0])
    u, noise, log_weight = weighted_draws(start, 2000, mean=mean, covariance=np.diag(spread**2))
    tilted = start.tilted(u, noise, log_weight, np.ones(2000))
    np.testing.assert_allclose(tilted.mean, mean, atol=0.15)
    np.testing.assert_allclose(np.diag(tilted.factor), spread, atol=0.1)


def test_tilting_goes_no_farther_than_three_sds_at_once():
    start = propose(Plain(), np.zeros(1), np.eye(1), 2, freedom=200.0)
    mean = np.array([8.0, -9.0, 7.0])
    u, noise, log_weight = weighted_draws(start, 500, mean=mean, covariance=np.eye(3))
    tilted = start.tilted(u, noise, log_weight, np.ones(500))
    assert np.linalg.norm(tilted.mean) == pytest.approx(3, abs=1e-6)
    assert tilted.mean @ mean / np.linalg.norm(mean) > 2.9


def test_tilting_heeds_the_draws_that_belong_to_the_proposal():
    start = propose(Plain(), np.zeros(1), np.eye(1), 2, freedom=200.0)
    mean = np.array([1.0, 0.0, -1.0])
    u, noise, log_weight = weighted_draws(start, 2000, mean=mean, covariance=np.eye(3))
    misled = np.where(noise[0] > 0, 5.0 * noise[0], 0.0) + log_weight
    tilted = start.tilted(u, noise, misled, 1.0 * (noise[0] <= 0))
    np.testing.assert_allclose(tilted.mean, mean, atol=0.2)
