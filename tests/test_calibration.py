"""Simulation-based calibration: its envelope, and a small run of the quick fit by it."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import calibrate
from benchmarks.calibration.envelope import envelope_p, outside_envelope
from benchmarks.calibration.split_plots import DESIGNS, predictor, simulate


def ranked(spread, shift, simulations=200, columns=300):
    """Ranks, 0 to 99, of true values under posteriors with a wrong sd or mean."""
    z = np.random.default_rng(1).normal(size=(simulations, columns))
    return np.floor(100 * stats.norm.cdf((z + shift) / spread)).astype(int)


@pytest.mark.parametrize("simulations", [40, 200])
def test_one_in_twenty_uniform_samples_leaves_the_envelope(simulations):
    outside = outside_envelope(ranked(1, 0, simulations, columns=2000))
    assert 0.035 < outside.mean() < 0.065


@pytest.mark.parametrize(("spread", "shift"), [(0.7, 0), (1.5, 0), (1, 0.4), (1, -0.4)])
def test_wrong_posteriors_leave_the_envelope(spread, shift):
    assert outside_envelope(ranked(spread, shift)).mean() > 0.9


def test_envelope_follows_the_number_of_draws():
    few = ranked(1, 0) // 5  # 0 to 19
    assert outside_envelope(few, draws=19).mean() < 0.1
    assert outside_envelope(few, draws=99).all()


def test_extreme_ranks_are_rare_by_their_exact_chance():
    # Of one simulation the ECDF is least likely if the rank is first or last: 2 in 100.
    p = envelope_p(np.array([[0, 50, 99]]))
    assert p[[0, 2]] == pytest.approx(0.02, abs=0.005)
    assert p[1] > 0.9


def test_rank_counts_draws_below_the_truth():
    draws = {"a": np.arange(10.0), "b": np.arange(10.0)}
    truth = {"a": np.array([3.5]), "b": np.array([-1.0])}
    kept = np.arange(10)
    assert calibrate.ranks(truth, draws, kept) == {"a": 4, "b": 0}
    # Half the distances from 4.5: from 2.25 to 6.75 in steps of one half.
    assert calibrate.ranks(truth, draws, kept, spread=0.5) == {"a": 3, "b": 0}


def test_chosen_draws_come_of_different_points():
    point = np.random.default_rng(2).permutation(np.repeat(np.arange(150), 8)).reshape(4, 300)
    result = SimpleNamespace(
        draws=SimpleNamespace(sample_shape=(4, 300)),
        sampling=SimpleNamespace(weighting=SimpleNamespace(point=point)),
    )
    chosen = point.ravel()[calibrate.apart(result, 99)]
    assert len(np.unique(chosen)) == 99


@pytest.mark.parametrize("name", DESIGNS)
def test_simulated_parameters_have_the_models_form(name):
    design = DESIGNS[name]
    frame, truth = simulate(design, np.random.default_rng(3))
    grid = truth["super"][0]
    assert grid.shape == (2, design.within)
    centre = truth.get("Intercept", np.zeros(1))[0]
    assert grid.mean() == pytest.approx(centre)
    assert grid.mean(axis=1) - grid.mean() == pytest.approx(truth["A"][0])
    assert grid.mean(axis=0) - grid.mean() == pytest.approx(truth["B"][0])
    # The finite population's cell means average the units' own predictors.
    frame["eta"] = predictor(design, frame, truth)[0]
    means = frame.groupby(["A", "B"])["eta"].mean().to_numpy().reshape(grid.shape)
    assert means == pytest.approx(truth["finite"][0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["binomial", "gaussian"])
def test_quick_fit_is_calibrated_and_a_narrower_one_is_not(name):
    found = [calibrate.calibrate(DESIGNS[name], simulations=40)]
    assert calibrate.complaints(found) == []
    assert calibrate.complaints(found, broken=True)
