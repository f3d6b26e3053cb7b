"""Arrow systems and latent modes against dense algebra and a general optimiser."""

from dataclasses import dataclass, field
from functools import cache
from itertools import product

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, stats

import bambi_anova as ba
from bambi_anova.engine.latent.arrow import (
    Curvature,
    cholesky,
    core_cholesky,
    factor,
    forward,
    inverse,
    log_det,
)
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.mode import COARSE, ModeFinder

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


# -- Small real designs ------------------------------------------------------------------------


@cache
def experiment():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(product(range(5), ["x", "y"], range(3)), columns=["s", "task", "copy"])
    frame = frame.assign(
        group=np.where(frame["s"] < 3, "B", "A"),
        dose=rng.uniform(0, 3, len(frame)).round(1),
        y=rng.normal(3, 2, len(frame)).round(1),
        shown=4,
        count=rng.poisson(3, len(frame)),
        positive=rng.gamma(2, 1, len(frame)),
        share=rng.beta(2, 3, len(frame)),
    )
    return frame.assign(hits=rng.binomial(4, 0.4, len(frame)))


@cache
def field_trial():
    """Blocks of two, three and one plots: some blocks have coordinates of no unit."""
    rows = [
        {"block": f"b{block}", "plot": plot, "feed": feed}
        for block in range(6)
        for plot in range([2, 3, 1][block % 3])
        for feed in ("lo", "hi")
        for _ in range(2)
    ]
    frame = pd.DataFrame(rows)
    rng = np.random.default_rng(2)
    return frame.assign(y=rng.normal(size=len(frame)), count=rng.poisson(2, len(frame)))


@cache
def crossed():
    frame = pd.DataFrame(product("abcde", range(4), range(2)), columns=["subject", "item", "copy"])
    frame = frame.assign(kind=np.where(frame["item"] < 2, "noun", "verb"))
    frame = frame.drop(index=[3, 8, 9])
    rng = np.random.default_rng(3)
    return frame.assign(
        y=rng.normal(size=len(frame)),
        hit=rng.integers(0, 2, len(frame)),
        dose=rng.uniform(0, 2, len(frame)).round(1),
    )


@dataclass(frozen=True)
class Case:
    formula: str
    data: object = experiment
    family: str = "gaussian"
    options: dict = field(default_factory=dict)

    def latent(self, **options):
        model = ba.Model(
            self.formula, self.data(), family=self.family, **{**self.options, **options}
        )
        return latent_model(model)


GAUSSIAN = {
    "split plot": Case("y ~ group * task + Error(s/task)"),
    "overparameterized": Case(
        "y ~ group * task + Error(s)", options={"parameterization": "overparameterized"}
    ),
    "blocks of unequal size": Case("y ~ feed + Error(block/plot)", field_trial),
    "crossed": Case("y ~ kind + (1|subject) + (1|item) + (1|subject:item)", crossed),
    "slopes": Case("y ~ kind + dose + (dose|subject)", crossed),
    "independent slopes": Case("y ~ kind + dose + (dose||subject)", crossed),
    "cells": Case("y ~ group * task + Error(s/task, cov='unstructured')"),
    "no units": Case("y ~ group * task + dose"),
    "an offset": Case("y ~ task + offset(dose) + Error(s)"),
}
OTHERS = {
    "binomial": Case("p(hits, shown) ~ group * task + Error(s/task)", family="binomial"),
    "probit": Case(
        "p(hits, shown) ~ group + Error(s)", family="binomial", options={"link": "probit"}
    ),
    "cloglog": Case("hit ~ kind + Error(subject)", crossed, "bernoulli", {"link": "cloglog"}),
    "crossed bernoulli": Case("hit ~ kind + (1|subject) + (1|item)", crossed, "bernoulli"),
    "poisson": Case("count ~ feed + Error(block/plot)", field_trial, "poisson"),
    "negativebinomial": Case("count ~ group + dose + Error(s)", family="negativebinomial"),
    "gamma": Case("positive ~ group + dose + Error(s)", family="gamma"),
    "beta": Case("share ~ group + dose + Error(s)", family="beta"),
    "t": Case("y ~ group + task + Error(s)", family="t"),
    "no scales": Case("p(hits, shown) ~ dose", family="binomial"),
}
CASES = {**GAUSSIAN, **OTHERS}


@cache
def latent(name):
    return CASES[name].latent()


def whole_factor(model, core_sd, factor):
    """C of all coordinates, shape (G, Q, Q): its blocks are what it makes of unit vectors."""
    (p, size), (b, d) = core_sd.shape, (model.blocks.count, model.blocks.size)
    inner = factor.natural(np.repeat(np.eye(d)[..., None], size, axis=2))
    c = np.zeros((size, model.size, model.size))
    for g in range(size):
        c[g, :p, :p] = np.diag(core_sd[:, g])
        c[g, p:, p:] = np.kron(np.eye(b), inner[..., g].T)
    return c


class Dense:
    """The same precision as full matrices, one for each of G points."""

    def __init__(self, model, seed=1, size=3):
        rng = np.random.default_rng(seed)
        self.model, self.p = model, model.core.size
        self.weights = rng.uniform(0, 3, (len(model.blocks.of_row), size))
        u = rng.normal(size=(len(model.scales), size))
        self.core_sd, self.factor = model.spreads(model.values(u))
        c = whole_factor(model, self.core_sd, self.factor)
        a = model.parent.columns.toarray()
        self.plain = np.stack([a.T @ (w[:, None] * a) for w in self.weights.T])
        self.precision = c.transpose(0, 2, 1) @ self.plain @ c + np.eye(model.size)
        self.right = rng.normal(size=(model.size, size))

    @property
    def unit_right(self):
        return self.right[self.p :].reshape(self.model.blocks.count, self.model.blocks.size, -1)

    def arrow(self):
        finder = ModeFinder(self.model)
        return finder.factor(self.weights, self.core_sd, self.factor)


EACH = pytest.mark.parametrize("name", CASES)


def flat(units):
    return units.reshape(-1, units.shape[-1])


# -- Building and factoring --------------------------------------------------------------------


@EACH
def test_the_entries_are_those_of_the_dense_product(name):
    dense = Dense(latent(name))
    model, p = dense.model, dense.p
    core, border, units = Curvature(model).entries(dense.weights)
    d = model.blocks.size
    rebuilt = np.zeros_like(dense.plain)
    rebuilt[:, :p, :p] = core.transpose(2, 0, 1)
    for e in range(model.blocks.count):
        own = slice(p + e * d, p + (e + 1) * d)
        rebuilt[:, own, :p] = border[e].transpose(2, 0, 1)
        rebuilt[:, :p, own] = border[e].transpose(2, 1, 0)
        rebuilt[:, own, own] = units[e].transpose(2, 0, 1)
    # What the arrow leaves out, between two blocks, must be zero in the dense product too.
    np.testing.assert_allclose(rebuilt, dense.plain, atol=1e-10)


@EACH
def test_solutions_are_those_of_the_dense_system(name):
    dense = Dense(latent(name))
    core, units = dense.arrow().solve(dense.right[: dense.p], dense.unit_right)
    expected = np.linalg.solve(dense.precision, dense.right.T[:, :, None])[:, :, 0].T
    np.testing.assert_allclose(np.vstack([core, flat(units)]), expected, rtol=1e-8, atol=1e-10)


@EACH
def test_log_determinants_add_up_to_half_the_dense_one(name):
    dense = Dense(latent(name))
    arrow = dense.arrow()
    found = arrow.core_log_det + arrow.block_log_det.sum(axis=0)
    np.testing.assert_allclose(2 * found, np.linalg.slogdet(dense.precision)[1], rtol=1e-10)


@EACH
def test_noise_becomes_draws_with_the_inverse_as_covariance(name):
    """The map from noise to draws is linear: its matrix times its transpose is the covariance."""
    dense = Dense(latent(name), size=1)
    model, p, q = dense.model, dense.p, dense.model.size
    arrow = dense.arrow()
    noise = np.eye(q)
    flats, cores = (np.repeat(part, q, axis=0) for part in (arrow.border.flat, arrow.core_inverse))
    wide = type(arrow)(np.repeat(arrow.blocks, q, axis=-1), type(arrow.border)(flats), cores)
    core = wide.core_noise(noise[:p])
    units = wide.units_given(core, noise[p:].reshape(model.blocks.count, model.blocks.size, q))
    root = np.vstack([core, flat(units)])
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(dense.precision[0]), atol=1e-9)


@EACH
def test_units_given_a_core_are_at_their_conditional_mean(name):
    dense = Dense(latent(name))
    arrow, p = dense.arrow(), dense.p
    core = np.random.default_rng(2).normal(size=(p, 3))
    found = flat(arrow.units_given(core, forward(arrow.blocks, dense.unit_right)))
    for g, precision in enumerate(dense.precision):
        rest = dense.right[p:, g] - precision[p:, :p] @ core[:, g]
        expected = np.linalg.solve(precision[p:, p:], rest)
        np.testing.assert_allclose(found[:, g], expected, rtol=1e-8, atol=1e-10)


def test_some_columns_of_a_factor_are_the_factor_of_those_columns():
    dense = Dense(latent("crossed"), size=4)
    part = dense.arrow().columns(slice(1, 3))
    core, units = part.solve(dense.right[: dense.p, 1:3], dense.unit_right[..., 1:3])
    expected = np.linalg.solve(dense.precision[1:3], dense.right.T[1:3, :, None])[:, :, 0].T
    np.testing.assert_allclose(np.vstack([core, flat(units)]), expected, rtol=1e-8, atol=1e-10)


def test_coordinates_of_no_unit_do_no_harm():
    dense = Dense(latent("blocks of unequal size"))
    model, p = dense.model, dense.p
    empty = np.flatnonzero(~model.blocks.occupied.ravel())
    assert len(empty) > 0
    used = np.setdiff1d(np.arange(model.size), p + empty)
    arrow = dense.arrow()
    for g, precision in enumerate(dense.precision):
        np.testing.assert_array_equal(precision[p + empty][:, p + empty], np.eye(len(empty)))
        np.testing.assert_array_equal(precision[p + empty][:, used], 0)
        small = precision[np.ix_(used, used)]
        found = arrow.core_log_det[g] + arrow.block_log_det[:, g].sum()
        assert 2 * found == pytest.approx(np.linalg.slogdet(small)[1])
    right = dense.right.copy()
    right[p + empty] = 0
    _, units = arrow.solve(right[:p], right[p:].reshape(model.blocks.count, model.blocks.size, -1))
    np.testing.assert_array_equal(flat(units)[empty], 0)


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 999)
)
@settings(max_examples=40)
def test_any_arrow_is_factored(e, d, p, g, seed):
    rng = np.random.default_rng(seed)
    q = p + e * d
    inside = np.zeros((q, q), dtype=bool)
    inside[:p] = inside[:, :p] = True
    for k in range(e):
        own = slice(p + k * d, p + (k + 1) * d)
        inside[own, own] = True
    root = rng.normal(size=(g, q, q))
    matrices = np.where(inside, root + root.transpose(0, 2, 1), 0)
    matrices = matrices + (0.1 + np.abs(matrices).sum(axis=2))[:, :, None] * np.eye(q)
    last = np.moveaxis(matrices, 0, -1)
    blocks = [slice(p + k * d, p + (k + 1) * d) for k in range(e)]
    arrow = factor(
        last[:p, :p],
        np.stack([last[own, :p] for own in blocks]),
        np.stack([last[own, own] for own in blocks]),
    )
    right = rng.normal(size=(q, g))
    core, units = arrow.solve(right[:p], right[p:].reshape(e, d, g))
    expected = np.linalg.solve(matrices, right.T[:, :, None])[:, :, 0].T
    np.testing.assert_allclose(np.vstack([core, flat(units)]), expected, atol=1e-9)
    found = arrow.core_log_det + arrow.block_log_det.sum(axis=0)
    np.testing.assert_allclose(2 * found, np.linalg.slogdet(matrices)[1], atol=1e-9)


def test_blocks_that_rounding_has_made_indefinite_are_factored_to_rounding():
    entry = np.array([1e17, -3e8, 7.0])
    matrix = np.outer(entry, entry) + np.eye(3)
    lower = cholesky(matrix[None, :, :, None])[0, :, :, 0]
    assert np.isfinite(lower).all()
    np.testing.assert_allclose(lower @ lower.T, matrix, rtol=1e-12)


@pytest.mark.parametrize("absurd", [np.inf, np.nan, 1e160, 1e248])
def test_a_core_that_has_run_away_leaves_the_other_points_alone(absurd):
    schur = np.array([[[4.0, 2], [2, 5]], [[4.0, 1e99], [1e99, 5]], [[absurd, 1], [1, -absurd]]])
    lower = core_cholesky(schur)
    assert np.isfinite(lower).all()
    np.testing.assert_allclose(lower[0], np.linalg.cholesky(schur[0]), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_small_blocks_are_factored_and_inverted(size):
    rng = np.random.default_rng(size)
    root = rng.normal(size=(3, size, size, 2))
    blocks = np.einsum("eikg,ejkg->eijg", root, root) + 0.1 * np.eye(size)[:, :, None]
    lower = cholesky(blocks)
    for e, g in product(range(3), range(2)):
        np.testing.assert_allclose(lower[e, :, :, g], np.linalg.cholesky(blocks[e, :, :, g]))
        np.testing.assert_allclose(
            inverse(lower)[e, :, :, g], np.linalg.inv(blocks[e, :, :, g]), rtol=1e-6
        )
        sign, expected = np.linalg.slogdet(blocks[e, :, :, g])
        assert sign > 0
        assert 2 * log_det(lower)[e, g] == pytest.approx(expected)


# -- Modes -------------------------------------------------------------------------------------


def points_of(model, size=5, spread=1.5):
    """Hyperparameters about the middle of their priors and far from it."""
    rng = np.random.default_rng(3)
    middle = [np.median(scale.draw(rng, 99)) for scale in model.scales]
    middle = np.array(middle).reshape(-1, 1)
    u = middle + spread * rng.normal(size=(len(middle), size))
    return np.hstack([u, middle - 3, middle + 2])


def optimised(model, u):
    """The mode at one point by a general optimiser on ``log_density``, as (core, units)."""
    p, column = model.core.size, u[:, None]

    def split(x):
        return x[:p, None], x[p:].reshape(model.blocks.count, model.blocks.size, 1)

    core_sd, factor = model.spreads(model.values(column))
    unit_sd = factor.sd
    scale = np.concatenate([core_sd[:, 0], np.tile(unit_sd[:, 0], model.blocks.count)])
    mean = np.concatenate([model.core.mean[:, 0], np.zeros(model.size - p)])

    def loss(v):
        core, units = split(mean + scale * v)
        inside = np.sum((v[p:] ** 2) * ~model.blocks.occupied.ravel()) / 2
        return inside - model.log_density(column, core, units)[0]

    v = np.zeros(model.size)
    for _ in range(3):
        v = optimize.minimize(loss, v, method="BFGS", options={"gtol": 1e-7}).x
    return split(mean + scale * v), -loss(v)


@pytest.mark.parametrize("name", OTHERS)
def test_modes_are_those_of_a_general_optimiser(name):
    model = latent(name)
    u = points_of(model)
    modes = ModeFinder(model)(u, tolerance=1e-7)
    for g in range(u.shape[1]):
        (core, units), height = optimised(model, u[:, g])
        ours = model.core.mean + modes.core_sd * modes.core
        ours_units = modes.units * modes.factor.sd
        eta = model.parent.offset + model.parent.columns @ np.vstack([core, flat(units)])
        np.testing.assert_allclose(modes.eta[:, [g]], eta, atol=2e-3)
        rebuilt = np.vstack([ours[:, [g]], flat(ours_units)[:, [g]]])
        np.testing.assert_allclose(
            model.parent.offset + model.parent.columns @ rebuilt, eta, atol=2e-3
        )
        reached = model.log_density(u[:, [g]], ours[:, [g]], ours_units[..., [g]])[0]
        assert reached > height - 1e-5


def laplace(model, u, modes, g):
    """Laplace's approximation by dense algebra, around the mode."""
    aux = model.likelihood_parameters(model.values(u))
    weights = model.likelihood.derivatives(modes.eta, aux).curvature[:, g]
    sd = np.concatenate([modes.core_sd[:, g], np.tile(modes.factor.sd[:, g], model.blocks.count)])
    scaled = model.parent.columns.toarray() * sd
    precision = np.eye(model.size) + scaled.T @ (weights[:, None] * scaled)
    core = model.core.mean + modes.core_sd * modes.core
    height = model.log_density(
        u[:, [g]], core[:, [g]], modes.units[..., [g]] * modes.factor.sd[None, :, [g]]
    )[0]
    # The density of v in place of that of x = sd v.
    occupied = np.concatenate([np.ones(model.core.size, bool), model.blocks.occupied.ravel()])
    height += np.log(sd[occupied]).sum()
    return height - np.linalg.slogdet(precision)[1] / 2


@pytest.mark.parametrize("name", OTHERS)
def test_the_log_marginal_is_laplaces(name):
    model = latent(name)
    u = points_of(model)
    modes = ModeFinder(model)(u, tolerance=1e-7)
    dense = np.array([laplace(model, u, modes, g) for g in range(u.shape[1])])
    np.testing.assert_allclose(modes.log_marginal, dense, rtol=0, atol=1e-5)
    # As it is used, with fewer steps, it is good to what hyperparameters can tell apart.
    quick = ModeFinder(model)(u)
    np.testing.assert_allclose(quick.log_marginal, dense, rtol=0, atol=5e-3)


@pytest.mark.parametrize("name", OTHERS)
def test_modes_do_not_depend_on_the_company_of_other_points(name):
    model = latent(name)
    u = points_of(model)
    together = ModeFinder(model)(u, tolerance=1e-7)
    for g in range(u.shape[1]):
        alone = ModeFinder(model)(u[:, [g]], tolerance=1e-7)
        np.testing.assert_allclose(alone.eta, together.eta[:, [g]], atol=1e-5)
        np.testing.assert_allclose(alone.log_marginal, together.log_marginal[g], atol=1e-5)


@pytest.mark.parametrize("name", OTHERS)
def test_coordinates_and_predictors_stay_together(name):
    """Whatever the tolerance: weights trust that the predictor is that of the coordinates."""
    model = latent(name)
    u = points_of(model, spread=2.5)
    for tolerance in (COARSE, 1e-3):
        modes = ModeFinder(model)(u, tolerance)
        core = model.core.mean + modes.core_sd * modes.core
        eta = model.parent.offset + model.parent.columns @ np.vstack(
            [core, flat(modes.units * modes.factor.sd)]
        )
        np.testing.assert_allclose(modes.eta, eta, atol=1e-8 * np.abs(eta).max())


# -- Gaussian responses, exactly ---------------------------------------------------------------


def marginal_likelihood(model, u, g):
    """Log p(y | u) + log p(u) of single observations, by a multivariate normal density."""
    values = model.values(u)
    scaled = model.parent.columns.toarray() @ whole_factor(model, *model.spreads(values))[g]
    sigma = model.likelihood_parameters(values)["sigma"][g]
    data = model.likelihood.data
    assert (data.n == 1).all()
    mean = (model.parent.offset + model.core_columns @ model.core.mean)[:, 0]
    covariance = scaled @ scaled.T + sigma**2 * np.eye(len(mean))
    return stats.multivariate_normal.logpdf(data.y[:, 0], mean, covariance)


@pytest.mark.parametrize("name", GAUSSIAN)
def test_the_log_marginal_of_gaussian_responses_is_exact(name):
    merged, single = latent(name), CASES[name].latent(collapse=False)
    u = points_of(merged)
    exact = [marginal_likelihood(single, u, g) for g in range(u.shape[1])]
    exact = np.array(exact) + single.log_prior(u)
    for model in (merged, single):
        modes = ModeFinder(model)(u)
        surplus = modes.log_marginal - exact
        np.testing.assert_allclose(surplus, surplus[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", GAUSSIAN)
def test_modes_of_gaussian_responses_are_conditional_means(name):
    model = latent(name)
    u = points_of(model)
    modes = ModeFinder(model)(u)
    aux = model.likelihood_parameters(model.values(u))
    data, origin = model.likelihood.data, model.parent.offset + model.core_columns @ model.core.mean
    for g in range(u.shape[1]):
        c = whole_factor(model, modes.core_sd, modes.factor)[g]
        scaled = model.parent.columns.toarray() @ c
        weights = data.n[:, 0] / aux["sigma"][g] ** 2
        precision = np.eye(model.size) + scaled.T @ (weights[:, None] * scaled)
        right = scaled.T @ (weights * (data.y - origin)[:, 0])
        expected = linalg.solve(precision, right, assume_a="pos")
        found = np.concatenate([modes.core[:, g], modes.units[..., g].ravel()])
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_a_fixed_residual_stays_where_it_is_held():
    priors = {"sigma": 1.7, "s": bmb.Prior("HalfNormal", sigma=1)}
    model = latent_model(
        ba.Model("y ~ group + Error(s)", experiment(), priors=priors, collapse=False)
    )
    u = points_of(model)
    assert len(u) == 2
    exact = [marginal_likelihood(model, u, g) for g in range(u.shape[1])] + model.log_prior(u)
    surplus = ModeFinder(model)(u).log_marginal - exact
    np.testing.assert_allclose(surplus, surplus[0], rtol=0, atol=1e-6)
