"""Monte Carlo errors of weighted, resampled draws: calibrated by simulation."""

from functools import cache

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import special, stats

from bambi_anova.posterior.importance import (
    Weighting,
    effective_shares,
    monte_carlo,
    pareto_k,
    tail_shapes,
)
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Sampling, is_trusted

CHAINS, DRAWS = 4, 500
POINTS, EACH = 480, 4
REPETITIONS = 300


def weighting(point, proposal, log_weight):
    return Weighting(point, proposal, log_weight, 0.1, 100.0, POINTS * EACH)


def independent(shape=(CHAINS, DRAWS)):
    """The weighting of draws that are all proposed draws of points of their own."""
    number = np.arange(np.prod(shape)).reshape(shape)
    return weighting(number, number, np.zeros(shape))


def resample(weights, rng):
    """Systematic resampling of each part by itself, shape (CHAINS, DRAWS)."""
    parts = weights.reshape(CHAINS, -1)
    chosen = np.empty((CHAINS, DRAWS), dtype=int)
    for h, own in enumerate(parts):
        marks = (np.arange(DRAWS) + rng.uniform()) / DRAWS
        index = np.searchsorted(np.cumsum(own) / own.sum(), marks)
        chosen[h] = h * len(own) + rng.permutation(np.minimum(index, len(own) - 1))
    return chosen


#: How much of the proposal's variance the draws of a point share.
SHARED = {"alone": 0.0, "together": 0.6, "alike": 0.98}
PROPOSAL_SD, TARGET_MEAN = 1.3, 0.6


@cache
def repetitions(name):
    """Estimates, and the errors that they claim, of a N(TARGET_MEAN, 1) from another normal."""
    rng = np.random.default_rng(1)
    found = {key: [] for key in ("mean", "sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail")}
    shared = SHARED[name]
    for _ in range(REPETITIONS):
        x = np.sqrt(shared) * rng.normal(size=(POINTS, 1))
        x = PROPOSAL_SD * (x + np.sqrt(1 - shared) * rng.normal(size=(POINTS, EACH)))
        log_weight = stats.norm.logpdf(x, TARGET_MEAN) - stats.norm.logpdf(x, 0, PROPOSAL_SD)
        chosen = resample(np.exp(log_weight), rng)
        draws = x.ravel()[chosen]
        worth = monte_carlo(
            draws[..., None], weighting(chosen // EACH, chosen, log_weight.ravel()[chosen])
        )
        found["mean"].append(draws.mean())
        found["sd"].append(draws.std(ddof=1))
        for key in ("mcse_mean", "mcse_sd", "ess_bulk", "ess_tail"):
            found[key].append(worth[key][0])
    return {key: np.array(values) for key, values in found.items()}


@pytest.mark.parametrize("quantity", ["mean", "sd"])
@pytest.mark.parametrize("name", SHARED)
def test_errors_are_as_large_as_they_say(name, quantity):
    found = repetitions(name)
    claimed = np.sqrt((found[f"mcse_{quantity}"] ** 2).mean())
    assert claimed == pytest.approx(found[quantity].std(ddof=1), rel=0.15)


@pytest.mark.parametrize("name", SHARED)
def test_intervals_of_two_errors_cover(name):
    found = repetitions(name)
    gap = np.abs(found["mean"] - TARGET_MEAN) / found["mcse_mean"]
    assert np.mean(gap < 2) == pytest.approx(0.954, abs=0.035)


@pytest.mark.parametrize("name", SHARED)
def test_the_effective_size_is_what_the_errors_imply(name):
    found = repetitions(name)
    implied = 1 / found["mean"].var()
    assert found["ess_bulk"].mean() == pytest.approx(implied, rel=0.25)


def test_errors_that_take_draws_for_independent_are_too_small():
    """The negative control: points are what counts."""
    found = repetitions("alike")
    naive = 1 / np.sqrt(CHAINS * DRAWS)
    assert naive < 0.6 * found["mean"].std()


# -- Plain cases -------------------------------------------------------------------------------


def test_independent_draws_have_their_number_as_effective_size():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(CHAINS, DRAWS, 3)) * [1.0, 10.0, 0.01] + [0.0, 5.0, 100.0]
    found = monte_carlo(values, independent())
    flat = values.reshape(-1, 3)
    size = len(flat)
    np.testing.assert_allclose(found["mcse_mean"], flat.std(axis=0) / np.sqrt(size), rtol=1e-10)
    np.testing.assert_allclose(found["mcse_sd"], flat.std(axis=0) / np.sqrt(2 * size), rtol=0.1)
    np.testing.assert_allclose(found["ess_bulk"], size, rtol=1e-6)
    np.testing.assert_allclose(found["ess_tail"], size, rtol=1e-6)
    assert (found["pareto_k"] < 0.5).all()


def test_copies_of_draws_count_once():
    rng = np.random.default_rng(3)
    proposal = np.repeat(np.arange(CHAINS * DRAWS // 5), 5).reshape(CHAINS, DRAWS)
    values = rng.normal(size=CHAINS * DRAWS // 5)[proposal][..., None]
    found = monte_carlo(values, weighting(proposal, proposal, np.zeros(proposal.shape)))
    np.testing.assert_allclose(found["ess_bulk"], CHAINS * DRAWS / 5, rtol=1e-6)
    expected = values.std() / np.sqrt(CHAINS * DRAWS / 5)
    np.testing.assert_allclose(found["mcse_mean"], expected, rtol=1e-6)


def test_every_quantity_has_an_effective_size_of_its_own():
    rng = np.random.default_rng(4)
    point = np.repeat(np.arange(CHAINS * DRAWS // 4), 4).reshape(CHAINS, DRAWS)
    holds = rng.uniform(size=(CHAINS, DRAWS, 3)) < [0.5, 0.1, 0.002]
    together = effective_shares(holds, weighting(point, point, np.zeros(point.shape)))
    alone = [
        effective_shares(holds[..., [k]], weighting(point, point, np.zeros(point.shape)))[0]
        for k in range(3)
    ]
    np.testing.assert_allclose(together, alone)
    assert len(set(together)) > 1


def test_the_labels_of_points_do_not_matter():
    rng = np.random.default_rng(4)
    point = rng.integers(0, 50, (CHAINS, DRAWS))
    proposal = np.arange(CHAINS * DRAWS).reshape(CHAINS, DRAWS)
    values = rng.normal(size=(CHAINS, DRAWS, 1)) + (point % 7)[..., None]
    one = monte_carlo(values, weighting(point, proposal, np.zeros(point.shape)))
    renamed = rng.permutation(1000)[point] * 13
    other = monte_carlo(values, weighting(renamed, proposal, np.zeros(point.shape)))
    for key, expected in one.items():
        np.testing.assert_allclose(other[key], expected)


def test_errors_scale_with_the_quantity_and_not_with_its_place():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(CHAINS, DRAWS, 1))
    found = monte_carlo(np.concatenate([x, 3 * x + 100], axis=-1), independent())
    for key, factor in {"mcse_mean": 3, "mcse_sd": 3, "ess_bulk": 1, "ess_tail": 1}.items():
        assert found[key][1] == pytest.approx(factor * found[key][0], rel=1e-6)


def test_effective_sizes_of_the_bulk_hold_under_monotone_maps():
    rng = np.random.default_rng(6)
    point = np.repeat(np.arange(CHAINS * DRAWS // 4), 4).reshape(CHAINS, DRAWS)
    x = rng.normal(size=CHAINS * DRAWS // 4)[point] + 0.3 * rng.normal(size=(CHAINS, DRAWS))
    values = np.stack([x, np.exp(x), np.exp(3 * x)], axis=-1)
    found = monte_carlo(values, weighting(point, independent().proposal, np.zeros(x.shape)))
    np.testing.assert_allclose(found["ess_bulk"], found["ess_bulk"][0])
    np.testing.assert_allclose(found["ess_tail"], found["ess_tail"][0])


def test_constants_have_no_error_and_are_trusted():
    values = np.full((CHAINS, DRAWS, 1), 0.1)
    found = monte_carlo(values, independent())
    np.testing.assert_allclose(found["mcse_mean"], 0, atol=1e-15)
    assert found["pareto_k"][0] == -np.inf
    table = diagnose(values, independent())
    assert table["sd"][0] == 0
    assert is_trusted(table, Sampling("laplace", 0, 1.0, weighting=independent())).tolist() == [
        True
    ]


def test_one_draw_alone_is_not_trusted():
    values = np.random.default_rng(7).normal(size=(1, 1, 1))
    few = diagnose(
        np.repeat(values, 40, axis=1) + np.eye(40)[0][None, :, None], independent((1, 40))
    )
    sampling = Sampling("laplace", 0, 1.0, weighting=independent((1, 40)))
    assert is_trusted(few, sampling).tolist() == [False]


# -- Tails -------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [-0.3, 0.3, 0.6, 1.0, 1.5])
def test_known_tails_are_recognised(k):
    values = stats.genpareto.rvs(k, size=(20_000, 25), random_state=8)
    right = tail_shapes(values, "right")
    assert right.mean() == pytest.approx(k, abs=0.1)
    assert right.std() < 0.2
    np.testing.assert_allclose(tail_shapes(-values, "left"), right)
    turned = np.where(np.arange(20_000) % 2, 1, -1)[:, None] * values
    np.testing.assert_allclose(
        tail_shapes(turned, "both"),
        np.maximum(tail_shapes(turned, "left"), tail_shapes(turned, "right")),
    )


@pytest.mark.parametrize("size", [30, 200, 1000, 4001])
def test_shapes_are_those_of_arviz(size):
    """Column by column, whatever the values are; of all columns at once it is much faster."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(size, 90))
    values[:, :30] = rng.standard_t(2, size=(size, 30)) * 10.0 ** rng.integers(-9, 9, 30)
    values[:, 30:40] = rng.poisson(3, size=(size, 10))
    values[:, 40] = np.minimum(values[:, 40], 0)
    values[:, 41] = 1.0
    for tail in ("left", "right", "both"):
        expected = []
        for column in values.T:
            try:
                k = array_stats.pareto_khat(
                    column, chain_axis=None, draw_axis=-1, r_eff=1.0, tail=tail
                )
            except ValueError:  # all values of a tail are equal
                k = -np.inf
            expected.append(float(k))
        np.testing.assert_allclose(tail_shapes(values, tail), expected, rtol=1e-7, atol=1e-9)


def test_a_tail_on_one_side_is_seen_from_there_only():
    values = stats.genpareto.rvs(1.2, size=(20_000, 1), random_state=9)
    assert tail_shapes(values, "left")[0] < 0.2
    assert tail_shapes(values, "both")[0] > 1.0


def test_tails_do_not_change_with_scale_or_order():
    values = stats.genpareto.rvs(0.8, size=(4000, 1), random_state=10)
    shuffled = np.random.default_rng(1).permutation(values)
    found = tail_shapes(np.hstack([values, 1e6 * values, 1e-6 * values, shuffled]), "right")
    np.testing.assert_allclose(found, found[0], rtol=1e-5)


def test_a_tail_that_ends_has_no_shape():
    assert tail_shapes(np.full((4000, 1), 3.0), "right")[0] == -np.inf
    half = np.minimum(np.random.default_rng(2).normal(size=(4000, 1)), 0.5)
    assert tail_shapes(half, "right")[0] == -np.inf
    assert np.isfinite(tail_shapes(half, "left")[0])


def test_values_too_few_for_a_tail_do_not_pass_for_light_ones():
    heavy = stats.genpareto.rvs(3.0, size=(20, 1), random_state=11)
    assert not tail_shapes(heavy, "right")[0] <= 0.7


def test_even_fewer_values_do_no_harm():
    assert not tail_shapes(np.array([[1.0], [2.0], [1e6]]), "right")[0] <= 0.7


def heavy_weights(power, size=20_000):
    """Draws of a normal, with weights that rise with them like a tail of shape ``power``."""
    rng = np.random.default_rng(12)
    x = rng.normal(size=size)
    log_weight = -power * np.log(stats.norm.sf(x))
    chosen = np.flatnonzero(rng.uniform(size=size) < np.exp(log_weight - log_weight.max()) + 0.5)
    return x[chosen], log_weight[chosen], chosen


@pytest.mark.parametrize("power", [0.2, 0.6, 0.9])
def test_weights_that_rise_with_a_quantity_are_its_own_heavy_tail(power):
    x, log_weight, chosen = heavy_weights(power)
    other = np.random.default_rng(13).normal(size=len(x))
    where = weighting(chosen[None], chosen[None], log_weight[None])
    found = pareto_k(np.column_stack([x, other]), where)
    # Distance from the mean adds a normal factor, whose tail is lighter than any power.
    assert found[0] == pytest.approx(power, abs=0.2)
    assert found[1] == pytest.approx(power, abs=0.2)


def test_quantities_that_stay_put_where_weights_are_large_are_not_hurt():
    x, log_weight, chosen = heavy_weights(0.9)
    other = np.random.default_rng(13).normal(size=len(x))
    calm = np.where(x > 1.5, 0.0, other)
    calm -= calm.mean() * (x <= 1.5)
    where = weighting(chosen[None], chosen[None], log_weight[None])
    found = pareto_k(np.column_stack([x, calm]), where)
    assert found[0] > 0.7 > found[1]


def test_copies_do_not_make_tails():
    x, log_weight, chosen = heavy_weights(0.3)
    once = pareto_k(x[:, None], weighting(chosen[None], chosen[None], log_weight[None]))
    copies = np.random.default_rng(14).permutation(np.repeat(np.arange(len(x)), 3))
    where = weighting(chosen[copies][None], chosen[copies][None], log_weight[copies][None])
    np.testing.assert_allclose(pareto_k(x[copies][:, None], where), once)


def test_a_constant_added_to_log_weights_changes_nothing():
    x, log_weight, chosen = heavy_weights(0.5)
    for shift in (-900.0, 900.0):
        where = weighting(chosen[None], chosen[None], log_weight[None] + shift)
        plain = weighting(chosen[None], chosen[None], log_weight[None])
        np.testing.assert_allclose(pareto_k(x[:, None], where), pareto_k(x[:, None], plain))


def test_weights_on_one_draw_leave_nothing_to_trust():
    rng = np.random.default_rng(15)
    log_weight = rng.normal(size=POINTS * EACH)
    log_weight[7] += 30
    chosen = resample(special.softmax(log_weight), rng)
    assert set(chosen[0]) == {7}
    x = rng.normal(size=POINTS * EACH)[chosen][..., None]
    where = weighting(chosen // EACH, chosen, log_weight[chosen])
    table = diagnose(x, where)
    trusted = is_trusted(table, Sampling("laplace", 0, 1.0, weighting=where))
    assert trusted.tolist() == [False]
