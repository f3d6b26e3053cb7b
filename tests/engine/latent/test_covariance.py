"""Prior covariances of unit blocks against dense algebra."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import integrate, stats

from bambi_anova.engine.latent.covariance import (
    Correlated,
    Diagonal,
    Together,
    correlation_factor,
    factor_at,
    partial_correlations,
    partial_shape,
)
from bambi_anova.engine.latent.scales import partial_scale
from bambi_anova.errors import UnsupportedError

B, D, P, G = 4, 3, 2, 5
#: A scale's, a number's own, and a sum of a number and two squared scales.
VARIANCES = [(0.0, ((0, 1.0),)), (0.49, ()), (0.3, ((1, 0.5), (2, 4.0)))]
COVARIANCE = Diagonal.of(VARIANCES, 3)
#: The last coordinate and the first vary together, in this order; or all of them.
PAIR = Correlated(COVARIANCE, (Together((2, 0), 3),))
ALL = Correlated(COVARIANCE, (Together((1, 0, 2), 3),))
EACH = pytest.mark.parametrize("covariance", [COVARIANCE, PAIR, ALL], ids=["none", "pair", "all"])


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def values(rng):
    return np.vstack([rng.uniform(0.5, 2, (3, G)), rng.uniform(-0.9, 0.9, (3, G))])


def correlations(covariance, v):
    """The correlation matrix, from partial correlations one after the other."""
    found = np.eye(D)
    for one in getattr(covariance, "together", ()):
        a, b, *rest = one.places
        found[a, b] = found[b, a] = v[3]
        for c in rest:  # the third one: with the first, and with the second given the first
            found[a, c] = found[c, a] = v[4]
            given = v[5] * np.sqrt((1 - v[3] ** 2) * (1 - v[4] ** 2))
            found[b, c] = found[c, b] = v[3] * v[4] + given
    return found


def dense(values, covariance=COVARIANCE):
    """C as full matrices, shape (G, D, D): of coordinates in the order in which they depend."""
    sums = [np.sqrt(0.3 + v[1] ** 2 / 2 + 4 * v[2] ** 2) for v in values.T]
    found = []
    for v, total in zip(values.T, sums, strict=True):
        sd = np.diag([v[0], 0.7, total])
        order = [*getattr(covariance, "together", [Together((), 3)])[0].places]
        order += [i for i in range(D) if i not in order]
        whole = (sd @ correlations(covariance, v) @ sd)[np.ix_(order, order)]
        back = np.argsort(order)
        found.append(np.linalg.cholesky(whole)[np.ix_(back, back)])
    return np.array(found)


def test_variances_add_up_from_squared_scales(values):
    sd = COVARIANCE.sd(values)
    np.testing.assert_allclose(sd.T, [np.diag(c) for c in dense(values)])
    assert COVARIANCE.variances() == VARIANCES


@EACH
def test_the_factor_whitens_as_its_matrix_does(rng, values, covariance):
    factor, c = factor_at(covariance, values), dense(values, covariance)
    v, weight = rng.normal(size=(B, D, G)), rng.uniform(1, 2, G)
    x = factor.natural(v)
    np.testing.assert_allclose(x, np.einsum("gij,bjg->big", c, v))
    np.testing.assert_allclose(factor.natural(v[..., None])[..., 0], x)
    np.testing.assert_allclose(factor.whitened(x), v)
    np.testing.assert_allclose(factor.natural(v, out=(kept := v.copy())), kept)
    np.testing.assert_allclose(kept, x)
    logs = factor.log_density(x).sum(axis=1)
    for g, one in enumerate(c):
        whole = stats.multivariate_normal(np.zeros(D), one @ one.T).logpdf(x[..., g])
        np.testing.assert_allclose(logs[:, g] - D * np.log(2 * np.pi) / 2, whole)
    pull = np.einsum("gji,bjg->big", c, v * weight)
    np.testing.assert_allclose(factor.transposed(v, weight), pull)
    blocks, border = rng.normal(size=(B, D, D, G)), rng.normal(size=(B, D, P, G))
    inner = np.einsum("gki,bklg,glj->bijg", c, blocks * weight, c) + np.eye(D)[..., None]
    np.testing.assert_allclose(factor.precision(blocks, weight), inner)
    outer = np.einsum("gik,bklg,gjl->bijg", c, blocks, c)
    np.testing.assert_allclose(factor.spread(blocks), outer)
    core_sd = rng.uniform(1, 2, (P, G))
    both = np.einsum("gki,bkpg,pg->bipg", c, border, core_sd)
    np.testing.assert_allclose(factor.border(border, core_sd), both)
    np.testing.assert_allclose(factor.variance.T, [np.diag(one @ one.T) for one in c])


@EACH
def test_columns_and_order(rng, values, covariance):
    factor, v = factor_at(covariance, values), rng.normal(size=(B, D, G))
    few, order = np.array([3, 0, 0]), np.array([2, 0, 1])
    x = factor.natural(v)
    np.testing.assert_array_equal(factor.columns(few).natural(v[..., few]), x[..., few])
    np.testing.assert_allclose(factor.ordered(order).natural(v[:, order]), x[:, order])


def test_partial_correlations_go_both_ways(rng):
    partial = rng.uniform(-0.95, 0.95, (10, 4))
    lower = correlation_factor(partial)
    whole = np.einsum("ikg,jkg->gij", lower, lower)
    np.testing.assert_allclose(whole[:, range(5), range(5)], 1)
    np.testing.assert_allclose(partial_correlations(whole), partial, rtol=1e-9)


@pytest.mark.parametrize("eta", [0.7, 1.0, 3.5])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_partial_correlations_have_the_lkj_density(rng, eta, size):
    """det(R)^(eta - 1), times the volume of the map to R: by differences; a constant apart."""
    count, step = size * (size - 1) // 2, 1e-6
    scales = [
        partial_scale("p", partial_shape(eta, size, j)) for i in range(size) for j in range(i)
    ]
    below = np.tril_indices(size, -1)

    def matrix(u):
        lower = correlation_factor(np.array([s.value(x) for s, x in zip(scales, u, strict=True)]))
        return lower @ lower.T

    found = []
    for _ in range(5):
        u = rng.normal(size=count)
        moved = [
            (matrix(u + e)[below] - matrix(u - e)[below]) / (2 * step) for e in step * np.eye(count)
        ]
        lkj = (eta - 1) * np.linalg.slogdet(matrix(u))[1] + np.linalg.slogdet(np.array(moved))[1]
        found.append(sum(float(s.log_density(x)) for s, x in zip(scales, u, strict=True)) - lkj)
    np.testing.assert_allclose(found, found[0], atol=1e-6)


@pytest.mark.parametrize("b", [0.5, 1.0, 2.5])
def test_the_coordinate_of_a_partial_correlation_has_a_density(b):
    scale = partial_scale("p", b)

    def density(u):
        return np.exp(scale.log_density(u) + scale.log_constant)

    assert integrate.quad(density, -60, 60)[0] == pytest.approx(1)
    second = integrate.quad(lambda u: density(u) * scale.value(u) ** 2, -60, 60)[0]
    assert second == pytest.approx(1 / (2 * b + 1))  # of 2 Beta(b, b) - 1
    u = np.array([-3.0, 0.2, 5.0])
    np.testing.assert_allclose(scale.coordinate(scale.value(u)), u)


@dataclass(frozen=True)
class Unknown:
    """A kind of covariance that nobody knows."""


def test_an_unknown_kind_is_refused_in_words(values):
    with pytest.raises(UnsupportedError, match=r"Unknown; expected one of Diagonal, Correlated"):
        factor_at(Unknown(), values)
