"""Quadratic log-likelihoods from the rows' cross-products, against row by row."""

import numpy as np
import pandas as pd
import pytest

from bambi_anova.engine.approximate import conditional
from bambi_anova.engine.approximate.conditional import Candidates, draw_given_modes
from bambi_anova.engine.latent import crossed
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.mode import FINE, ModeFinder
from bambi_anova.specification import specify

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def finder(family="gaussian", shift=0.0, formula="y ~ g * k + (1|s) + (1|item)"):
    rng = np.random.default_rng(2)
    rows = 400
    s, item = rng.integers(0, 30, rows), rng.integers(0, 9, rows)
    y = rng.normal(size=30)[s] + rng.normal(size=9)[item] + rng.normal(size=rows)
    frame = pd.DataFrame({"s": s, "item": item, "g": (s % 2).astype(str), "x": y[::-1]})
    frame["k"] = (item % 3).astype(str)
    frame["y"] = np.exp(y) if family == "lognormal" else y + shift
    return ModeFinder(latent_model(specify(formula, frame, family)))


CASES = [
    {},
    {"family": "lognormal"},
    {"shift": 1e6},
    {"formula": "y ~ g * x + (x|s) + (1|item)"},
    {"formula": "y ~ g"},
]


@pytest.fixture(params=[False, True], ids=["dense", "sparse"])
def sparse(request, monkeypatch):
    """Whether the core's Schur complement is added up from the entries that are there."""
    if request.param:
        monkeypatch.setattr(crossed, "LEAST_CORE", 1)
        monkeypatch.setattr(crossed, "DENSEST", 2.0)
    return request.param


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums_give_the_modes_that_rows_give(case, sparse):
    find = finder(**case)
    # Blocks of an intercept and a slope are solved densely.
    assert (find._crossed is not None) == (sparse and "(x|s)" not in case.get("formula", ""))
    u = np.random.default_rng(3).normal(-0.5, 0.8, (len(find.model.scales), 6))
    sums, rows = find(u), find._by_newton(u, FINE)
    tolerance = 1e-9 * (1 + case.get("shift", 0.0))
    for name in ("core", "units"):
        np.testing.assert_allclose(getattr(sums, name), getattr(rows, name), atol=tolerance)
    gap = sums.log_marginal - rows.log_marginal
    np.testing.assert_allclose(gap, 0, atol=1e-6)
    eta = find.predictor(sums)
    np.testing.assert_allclose(eta, rows.eta, atol=tolerance)


@pytest.mark.parametrize("case", CASES[:2], ids=str)
def test_a_draw_weighs_the_density_of_its_point(case, sparse):
    find = finder(**case)
    model, rng = find.model, np.random.default_rng(4)
    u = rng.normal(-0.5, 0.3, (len(model.scales), 5))
    noise = rng.standard_normal((model.core.size, 5, 3))
    candidates = Candidates.first(model)
    found = draw_given_modes(
        model, find(u), noise, candidates, find.curvature, np.random.default_rng(5)
    )
    # The joint density over that of the blocks given the core, by rows.
    core = found.core
    point = np.repeat(np.arange(5), 3)
    joint = model.log_density(u[:, point], core, found.units)
    sd, factor = model.spreads(model.values(u[:, point]))
    joint += np.log(sd).sum(axis=0)
    joint += (np.log(factor.sd) * model.blocks.occupied).sum(axis=(0, 1))
    modes = find(u)
    v = (core - model.core.mean) / sd
    lower = modes.arrow.blocks[..., point]
    tilt = modes.arrow.across((v - modes.core[:, point]).reshape(-1, 5, 3))
    tilt = tilt.reshape(*found.units.shape)
    mean = modes.units[..., point] - conditional.backward(lower, tilt)
    gap = factor.whitened(found.units) - mean
    own = conditional._log_normal(lower, gap).sum(axis=0)
    expected = joint - own - modes.arrow.core_log_det[point]
    np.testing.assert_allclose(found.log_ratio, expected, atol=1e-7)
