"""Effects of every level stand for the same posterior as coordinates of the margins."""

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.design.margins import row_levels
from bambi_anova.engine.latent import levels
from bambi_anova.engine.latent.build import by_levels, latent_model
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.errors import UnsupportedError
from bambi_anova.names import INTERCEPT
from bambi_anova.specification import specify

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

FORMULAS = [
    "y ~ A * B",
    "y ~ A * B * C",
    "y ~ A / B",
    "y ~ A:B",
    "y ~ B:A + C",
    "y ~ A * B + x + A:x + (1|s)",
    "y ~ A + A:x + (1|s) + (1|s:B)",
]


def frame(missing=False):
    rng = np.random.default_rng(4)
    grid = pd.MultiIndex.from_product([range(3), range(4), range(2), range(3)])
    data = pd.DataFrame(grid.to_list(), columns=["A", "B", "C", "copy"])
    data["s"] = data["A"].astype(str) + "-" + data["copy"].astype(str)
    data["x"] = rng.normal(size=len(data))
    data["y"] = 0.5 * data["A"] + rng.normal(size=len(data))
    data = data.astype({"A": str, "B": str, "C": str})
    return data[(data["A"] != "1") | (data["B"] != "2")] if missing else data


def parts(model, values, points):
    """Draws of a model with some coordinates x, shape (Q, D), and scales."""
    core, units = points[: model.core.size], points[model.core.size :]
    spread = np.repeat(values[:, None, None], points.shape[1], axis=2)
    effects = {term.key: units[term.index][:, None] for term in model.blocks.terms}
    return LatentDraws(spread, core[:, None], effects)


@pytest.mark.parametrize("formula", FORMULAS)
def test_their_margins_have_the_prior_and_the_predictors_of_the_other_coordinates(formula):
    specification = specify(formula, frame())
    model = by_levels(specification)
    rng = np.random.default_rng(1)
    values = rng.uniform(0.5, 2, len(model.scales))
    core_sd, factor = model.spreads(values[:, None])
    sd = np.concatenate([core_sd[:, 0], np.tile(factor.sd[:, 0], model.blocks.count)])
    # One draw for each coordinate: what it does to every effect.
    named, draws = levels.margins_of_levels(
        model, parts(model, values, np.diag(sd)), specification, rng
    )
    effects = {t.key: draws.core[t.start : t.stop, 0] for t in named.core.terms}
    effects |= {key: own[:, 0] for key, own in draws.effects.items()}
    found = np.concatenate(list(effects.values()))
    place = dict(zip(effects, np.cumsum([0, *map(len, effects.values())]), strict=False))
    expected = np.zeros((len(found), len(found)))
    scales = {scale.name: value for scale, value in zip(model.scales, values, strict=True)}
    for one in specification.coordinates:
        variance = sum(k * scales[name] ** 2 for name, k in one.variances.items())
        variance += one.prior.args["sigma"] ** 2 if one.prior else 0.0
        own = slice(place[one.home], place[one.home] + len(one.basis))
        expected[own, own] += variance * one.basis @ one.basis.T
    for unit in specification.design.units:
        own = np.arange(place[unit.name], place[unit.name] + unit.size)
        expected[own, own] = scales[unit.name] ** 2
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-10)

    design, rows = specification.design, specification.collapsed.first
    eta = np.zeros((len(rows), len(sd)))
    for key, own in effects.items():
        unit = next((unit for unit in design.units if unit.name == key), None)
        term = next((term for term in design.terms if term.name == key), None)
        codes = unit.codes if unit else row_levels(term.factors if term else (), design)
        slope = 1.0
        if term is not None and term.covariate:
            covariate = design.rows.covariates[term.covariate]
            slope = (covariate.values[rows] - covariate.mean)[:, None]
        eta += slope * own[codes[rows]]
    np.testing.assert_allclose(model.parent.columns.toarray() * sd, eta, atol=1e-10)


def test_margins_that_go_wrong_are_told_apart(monkeypatch):
    monkeypatch.setattr(levels, "_margin", lambda effects, *_: effects)
    with pytest.raises((AssertionError, ValueError)):
        test_their_margins_have_the_prior_and_the_predictors_of_the_other_coordinates("y ~ A * B")


@pytest.mark.parametrize("missing", [False, True])
def test_both_fits_agree(missing, monkeypatch):
    tables, evidence = [], []
    for many in (1000, 0):
        monkeypatch.setattr(levels, "MANY", many)
        model = ba.Model("y ~ A * B + (1|s)", frame(missing))
        result = model.fit("laplace", random_seed=1, progressbar=False)
        tables.append(result.deflections())
        evidence.append(result.log_evidence)
    (one, other), (first, second) = tables, evidence
    error = np.hypot(one["mcse_mean"], other["mcse_mean"])
    assert ((one["mean"] - other["mean"]).abs() < 4.5 * error).all()
    np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.12)
    assert abs(first.value - second.value) < 4.5 * np.hypot(first.mcse, second.mcse)


def test_cells_of_one_row_each_hold_little():
    rng = np.random.default_rng(1)
    a, b = np.repeat(np.arange(40), 40), np.tile(np.arange(40), 40)
    data = pd.DataFrame({"A": a.astype(str), "B": b.astype(str), "y": rng.normal(size=1600)})
    specification = specify("y ~ A * B", data)
    assert levels.has_many_levels(specification)
    model = levels.quick_model(specification)
    assert (model.core.size, model.blocks.count, model.blocks.size) == (81, 1600, 1)
    assert model.parent.columns.nnz == 4 * 1600
    assert latent_model(specify("y ~ A", data)).core.size == 40
    assert INTERCEPT in {term.key for term in model.core.terms}


def test_what_would_not_fit_is_refused_before_it_starts():
    a, b = np.repeat(np.arange(50), 50), np.tile(np.arange(50), 50)
    y = np.random.default_rng(1).normal(size=2500)
    data = pd.DataFrame({"A": a.astype(str), "B": b.astype(str), "y": y})
    model = ba.Model("y ~ A * B", data, priors_on="deflections")
    with pytest.raises(UnsupportedError, match=r"about \d+ GB for 2,500 coordinates.*nuts"):
        model.fit("laplace", progressbar=False)
