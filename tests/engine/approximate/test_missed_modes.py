"""Modes that draws have not visited are found, and withdraw trust; one mode is left alone."""

import warnings
from functools import cache

import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.engine.approximate.missed_modes import climb_together, missed_modes
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.draws import read_posterior
from benchmarks.corpus.designs import DESIGNS

METHODS = ["laplace", "pathfinder", "advi", "nuts"]
SEVERAL = "clusters: t in one of three groups"
CONFLICT = "conflict: gaussian effect against a small sigma"


@cache
def fit(name, method, seed=1):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        return DESIGNS[name].model().fit(method, random_seed=seed, progressbar=False)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [SEVERAL, CONFLICT])
def test_one_of_two_modes_is_never_trusted(name, method):
    result = fit(name, method)
    trusted = result.trust().query("sd > 0")["trusted"]
    assert result.verdict == "not trusted"
    assert not trusted.any()
    assert "miss a mode" in "; ".join(result.verdict.reasons)


@pytest.mark.parametrize("name", ["outliers: t rows, few units", "few: poisson 3 sites", "oats"])
def test_where_there_is_one_mode_none_is_missed(name):
    assert not fit(name, "laplace").sampling.missed


def test_draws_of_both_modes_miss_none():
    """Draws of a normal about each of two modes, by their masses or not."""
    result = fit(SEVERAL, "nuts")
    model = latent_model(result.specification)
    u, core, _ = read_posterior(model, result.specification, result.idata["posterior"].to_dataset())
    assert missed_modes(model, u, core)
    other = fit(SEVERAL, "nuts", 2)
    more = read_posterior(model, result.specification, other.idata["posterior"].to_dataset())
    apart = abs(core.mean(axis=1) - more[1].mean(axis=1)).max()
    assert apart > 1  # or else the seeds have to be chosen again
    both = [np.concatenate(pair, axis=1) for pair in ((u, more[0]), (core, more[1]))]
    assert not missed_modes(model, *both)


def two_humps(u):
    """Two normals of sd 1/2, four apart, in the first of two coordinates."""
    first = np.logaddexp(-2 * (u[0] + 2) ** 2, np.log(0.3) - 2 * (u[0] - 2) ** 2)
    return first - u[1] ** 2 / 2


def test_climbs_end_at_every_mode_that_has_a_start():
    starts = np.array([[-5.0, -1.0, 1.5, 6.0], [3.0, 0.0, -2.0, 0.0]])
    peaks = climb_together(two_humps, starts)
    found = np.unique([peak.u.round(1) for peak in peaks], axis=0)
    np.testing.assert_allclose(found, [[-2, 0], [2, 0]], atol=0.11)
    for peak in peaks:
        np.testing.assert_allclose(peak.precision, np.diag([4.0, 1.0]), rtol=0.1, atol=0.05)
    assert all(peak.u[0] < 0 for peak in climb_together(two_humps, starts[:, :2]))


def test_climbs_that_start_nowhere_or_on_a_cliff_are_left_out():
    def density(u):
        hill = -((u[0] - 1) ** 2) / 2 - u[1] ** 2
        return np.where(u[0] < -3, -1e200 * (u[0] + 3) ** 2, np.where(u[1] > 5, np.nan, hill))

    starts = np.array([[0.0, -10.0, 0.0], [0.5, 0.0, 9.0]])
    (peak,) = climb_together(density, starts)
    np.testing.assert_allclose(peak.u, [1, 0], atol=0.05)
