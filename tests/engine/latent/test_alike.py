"""Rows that share every predictor are one row of the likelihood, and nothing else changes."""

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.engine.latent.alike import merge_alike
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.mode import ModeFinder
from bambi_anova.specification import specify

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def specification(formula="y ~ g * t + Error(s/t)", family="t", each=6):
    rng = np.random.default_rng(3)
    s, t = np.repeat(np.arange(8), 2 * each), np.tile(np.repeat([0, 1], each), 8)
    frame = pd.DataFrame({"s": s, "g": np.where(s % 2, "a", "b"), "t": np.where(t, "x", "y")})
    real = rng.normal(size=8)[s] + 0.5 * t + rng.standard_t(3, len(s))
    frame["y"] = {
        "t": real,
        "gamma": np.exp(0.4 * real),
        "beta": 1 / (1 + np.exp(-real)),
        "negativebinomial": rng.poisson(np.exp(1 + 0.4 * real)),
    }[family]
    frame["x"] = rng.normal(size=len(s))
    return specify(formula, frame, family)


@pytest.mark.parametrize("family", ["t", "gamma", "beta", "negativebinomial"])
def test_the_density_stays(family):
    model = latent_model(specification(family=family))
    merged = merge_alike(model)
    assert len(merged.origin) == 16 < len(model.origin)
    rng = np.random.default_rng(1)
    u = rng.normal(size=(len(model.scales), 5))
    core = rng.normal(size=(model.core.size, 5))
    units = rng.normal(size=(model.blocks.count, model.blocks.size, 5))
    points = u, core, units
    np.testing.assert_allclose(merged.log_density(*points), model.log_density(*points), rtol=1e-10)


@pytest.mark.parametrize("family", ["t", "gamma", "beta", "negativebinomial"])
def test_derivatives_are_those_of_the_sum(family):
    merged = merge_alike(latent_model(specification(family=family, each=40)))
    likelihood, step = merged.likelihood, 1e-4
    aux = merged.likelihood_parameters(merged.values(np.full((len(merged.scales), 3), 0.3)))
    eta = likelihood.own_predictor() + np.array([-0.2, 0.0, 0.3])
    below, here, above = (likelihood.log(eta + k * step, aux) for k in (-1, 0, 1))
    found = likelihood.derivatives(eta, aux)
    np.testing.assert_allclose(found.slope, (above - below) / (2 * step), rtol=1e-4, atol=1e-3)
    # Of many rows the curvature is nearly their own, not its expectation alone.
    own = (2 * here - above - below) / step**2
    assert (found.curvature > 0).all()
    if family != "beta":
        np.testing.assert_allclose(found.curvature, own, rtol=0.12)


@pytest.mark.parametrize("family", ["t", "gamma", "negativebinomial"])
def test_modes_are_the_same(family):
    model = latent_model(specification(family=family))
    u = np.zeros((len(model.scales), 1))
    one, other = (ModeFinder(m)(u, 1e-6) for m in (model, merge_alike(model)))
    np.testing.assert_allclose(one.core, other.core, atol=1e-3)
    np.testing.assert_allclose(one.units, other.units, atol=1e-3)


def test_rows_that_differ_stay():
    model = latent_model(specification("y ~ g * t + x + Error(s/t)"))
    assert merge_alike(model) is model
    gaussian = latent_model(specify("yield ~ variety", ba.load_data("oats")))
    assert merge_alike(gaussian) is gaussian
