"""Units eliminated at ratios of standard deviations, against the equations of every point."""

import numpy as np
import pandas as pd
import pytest

from bambi_anova.engine.latent import crossed
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.levels import by_levels
from bambi_anova.engine.latent.mode import ModeFinder
from bambi_anova.engine.latent.ratios import Left, Ratios
from bambi_anova.specification import specify

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def finder(formula="y ~ g * k + (1|s) + (1|item)", family="gaussian", shift=0.0, levels=False):
    rng = np.random.default_rng(2)
    rows = 300
    s, item, lab = (rng.integers(0, size, rows) for size in (11, 7, 3))
    y = rng.normal(size=11)[s] + 0.6 * rng.normal(size=7)[item] + rng.normal(size=rows)
    frame = pd.DataFrame({"s": s, "item": item, "lab": lab, "x": y[::-1] - y.mean()})
    frame["letter"], frame["digit"] = s.astype(str), item.astype(str)
    frame["g"], frame["k"] = (s % 2).astype(str), (item % 3).astype(str)
    frame["y"] = np.exp(y) if family == "lognormal" else y + shift
    specification = specify(formula, frame, family)
    return ModeFinder((by_levels if levels else latent_model)(specification))


CASES = {
    "crossed": {},
    "lognormal": {"family": "lognormal"},
    "far from zero": {"shift": 1e6},
    "three ways": {"formula": "y ~ g * k + (1|s) + (1|item) + (1|lab)"},
    "nested and crossed": {"formula": "y ~ k + Error(s/k) + (1|item)"},
    "slopes": {"formula": "y ~ g * x + (x||s) + (1|item)"},
    "no units": {"formula": "y ~ g * k"},
    "effects of every level": {"formula": "y ~ letter * digit", "levels": True},
}


@pytest.fixture(params=[False, True], ids=["dense", "sparse"])
def sparse(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(crossed, "LEAST_CORE", 1)
        monkeypatch.setattr(crossed, "DENSEST", 5.0)
    return request.param


def points(find, count=6, spread=0.8):
    return np.random.default_rng(3).normal(-0.5, spread, (len(find.model.scales), count))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_marginal_density_is_that_of_all_equations(case, sparse):
    find = finder(**case)
    ratios, u = find.ratios, points(find)
    left = ratios.left(ratios.log_ratios(find.model.values(u)))
    again = Left.of_flat(left.flat)
    gap = ratios.log_marginal(u, again) - find(u).log_marginal
    np.testing.assert_allclose(gap, 0, atol=1e-6 * (1 + 1e-3 * case.get("shift", 0.0)))
    np.testing.assert_allclose(find.log_marginal(u), ratios.log_marginal(u, left), atol=1e-8)


def test_points_that_differ_in_scales_of_fixed_terms_share_the_equations(monkeypatch):
    find = finder()
    solved = []
    left = Ratios.left
    monkeypatch.setattr(Ratios, "left", lambda self, r: solved.append(r.shape[1]) or left(self, r))
    u = np.repeat(points(find, 1), 5, axis=1)
    u[0] += np.arange(5)  # of a fixed term
    expected = find(u).log_marginal
    np.testing.assert_allclose(find.log_marginal(u), expected, atol=1e-7)
    assert sum(solved) == 1
    u[find.ratios.scales[0]] += np.arange(5)
    find.log_marginal(u)
    assert sum(solved) == 6


def test_other_rows_have_none():
    assert finder().ratios is not None
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"s": np.arange(60) % 6, "y": rng.poisson(3, 60)})
    assert ModeFinder(latent_model(specify("y ~ (1|s)", frame, "poisson"))).ratios is None


@pytest.mark.parametrize("name", ["crossed", "three ways", "nested and crossed", "slopes"])
@pytest.mark.parametrize("above", [0.0, 0.3])
def test_draws_have_the_moments_of_the_posterior(name, above, sparse):
    """Brute force: the joint posterior given the scales, all coordinates in one dense matrix.

    A node above the ratios makes conjugate gradients do the rest.
    """
    find = finder(**CASES[name])
    ratios, model, count = find.ratios, find.model, 30_000
    u = points(find, 1, spread=0.1)
    values = model.values(u)
    sd = np.concatenate(
        [
            model.core.covariance.sd(values),
            np.tile(model.blocks.covariance.sd(values), (model.blocks.count, 1)),
        ]
    )
    k = 1 / values[model.auxiliary["sigma"]] ** 2
    columns, data = model.columns.toarray(), model.likelihood.data
    precision = k * columns.T @ (data.n * columns) + np.diag(1 / sd[:, 0] ** 2)
    pull = k * columns.T @ (data.n * (data.y - model.offset))
    prior_mean = np.zeros((model.size, 1))
    prior_mean[: model.core.size] = model.core.mean
    mean = np.linalg.solve(precision, pull + prior_mean / sd**2)[:, 0]
    covariance = np.linalg.inv(precision)

    rng = np.random.default_rng(4)
    log_ratio = ratios.log_ratios(values)
    left = ratios.left(log_ratio)
    many = Left.of_flat(np.repeat(left.flat, count, axis=0))
    all_u = np.repeat(u, count, axis=1)
    fixed = ratios.draw_fixed(all_u, many, rng)
    node = ratios.node(log_ratio[:, 0] + above)
    units = ratios.draw_units(node, model.values(all_u), fixed, rng)
    draws = np.empty((model.size, count))
    draws[ratios.fixed] = fixed + ratios.mean
    draws[ratios.crossed] = units[len(units) - len(ratios.crossed) :]
    draws[model.core.size :] = units[: len(units) - len(ratios.crossed)]

    scale = np.sqrt(np.diag(covariance))
    error = (draws.mean(axis=1) - mean) / scale
    assert np.abs(error).max() < 4.5 / np.sqrt(count)
    found = np.cov(draws / scale[:, None])
    assert np.abs(found - covariance / np.outer(scale, scale)).max() < 6.5 / np.sqrt(count)
