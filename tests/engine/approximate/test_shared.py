"""Gaussian rows with many units: a few solutions of the large equations, and every point's own."""

import numpy as np
import pandas as pd
import pytest

from bambi_anova.engine.approximate import shared as module
from bambi_anova.engine.approximate.conditional import Candidates
from bambi_anova.engine.approximate.laplace import fit_laplace, propose_by_slices
from bambi_anova.engine.approximate.shared import Shared, shared
from bambi_anova.engine.approximate.target import Target
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.request import Request
from bambi_anova.specification import specify

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@pytest.fixture(scope="module")
def specification():
    """60 subjects crossed with 14 items, of which each subject has seen half."""
    rng = np.random.default_rng(2)
    s, item = (
        np.repeat(np.arange(60), 7),
        np.concatenate([rng.permutation(14)[:7] for _ in range(60)]),
    )
    y = 5 + rng.normal(size=60)[s] + 0.6 * rng.normal(size=14)[item] + rng.normal(size=420)
    frame = pd.DataFrame({"s": s, "item": item, "g": (s % 2).astype(str), "y": y})
    return specify("y ~ g + (1|s) + (1|item)", frame, "gaussian")


@pytest.fixture(scope="module")
def target(specification):
    return Target(latent_model(specification))


@pytest.fixture
def of_any_size(monkeypatch):
    monkeypatch.setattr(module, "LEAST", 0)


REQUEST = Request("laplace", 500, 1, 4, 1, False)


def test_marginal_density_is_that_of_every_point_of_the_posterior(target, of_any_size):
    found = shared(target)
    assert isinstance(found, Shared)
    assert found.evaluations < 200
    u = np.array([[0.0], [-0.3], [-0.5], [0.0]])
    u = u + np.random.default_rng(1).normal(0, 0.1, (4, 40))
    names = [scale.name for scale in found.model.scales]
    assert names == ["g", "s", "item", "sigma"]
    u[3] = found.model.scales[3].coordinate(np.exp(u[3]))
    own, exact = found.log_marginal(u), target.log_marginal(u)
    near = exact > exact.max() - 8
    assert near.sum() > 10
    np.testing.assert_allclose(own[near], exact[near], atol=5e-3)


def test_ratios_beyond_the_box_are_worth_less_the_farther_they_are(target, of_any_size):
    found = shared(target)
    u = np.repeat([[0.0], [0.0], [-0.5], [0.0]], 6, axis=1)
    u[1] = [-40.0, -20.0, -12.0, 5.0, 8.0, 20.0]
    heights = found.log_marginal(u)
    assert heights[0] < heights[1] < heights[2]
    assert heights[3] > heights[4] > heights[5]


def test_polynomials_that_do_not_fit_are_refused(target, of_any_size, monkeypatch):
    monkeypatch.setattr(module, "DIGITS", (1.0,))
    assert shared(target) is target


def test_small_models_and_other_rows_are_left_alone(target):
    assert shared(target) is target


@pytest.mark.slow
def test_fits_agree_with_fits_that_solve_at_every_point(specification, monkeypatch):
    usual = fit_laplace(specification, REQUEST)
    monkeypatch.setattr(module, "LEAST", 0)
    quick = fit_laplace(specification, REQUEST)
    assert quick.sampling.weighting.effective > 2000
    gap = quick.log_evidence.value - usual.log_evidence.value
    assert abs(gap) < 4 * np.hypot(quick.log_evidence.mcse, usual.log_evidence.mcse) + 5e-3
    one, other = (fit.idata["posterior"].to_dataset() for fit in (quick, usual))
    for name in one.data_vars:
        sd = other[name].std(("chain", "draw"))
        moved = (one[name] - other[name]).mean(("chain", "draw")) / sd
        assert float(np.abs(moved).max()) < 0.2, name
        ratio = np.log(one[name].std(("chain", "draw")) / sd)
        assert float(np.abs(ratio).max()) < 0.2, name


def test_draws_of_one_point_have_effects_of_their_own(target, of_any_size):
    found, rng = shared(target), np.random.default_rng(0)
    proposals = propose_by_slices(found, rng)
    batch = found.draw(proposals, 10, 1, Candidates.first(found.model), rng)
    latent = found.take(batch, np.array([[3, 3, 3], [5, 3, 5]]), rng)
    assert len(np.unique(latent.values[0])) == 2
    assert len(np.unique(latent.effects["s"][0])) == 6
    assert len(np.unique(latent.core[0])) == 6


def test_the_same_seed_gives_the_same_draws(specification, of_any_size):
    one, other = (fit_laplace(specification, REQUEST).idata["posterior"] for _ in range(2))
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name], other[name])
