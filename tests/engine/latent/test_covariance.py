"""Prior covariances of unit blocks against dense algebra."""

from dataclasses import dataclass

import numpy as np
import pytest

from bambi_anova.engine.latent.covariance import Diagonal, factor_at
from bambi_anova.errors import UnsupportedError

B, D, P, G = 4, 3, 2, 5
#: A scale's, a number's own, and a sum of a number and two squared scales.
VARIANCES = [(0.0, ((0, 1.0),)), (0.49, ()), (0.3, ((1, 0.5), (2, 4.0)))]
COVARIANCE = Diagonal.of(VARIANCES, 3)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def values(rng):
    return rng.uniform(0.5, 2, (3, G))


def dense(values):
    """C as full matrices, shape (G, D, D)."""
    sums = [np.sqrt(0.3 + v[1] ** 2 / 2 + 4 * v[2] ** 2) for v in values.T]
    return np.array([np.diag([v[0], 0.7, s]) for v, s in zip(values.T, sums, strict=True)])


def test_variances_add_up_from_squared_scales(values):
    sd = COVARIANCE.sd(values)
    np.testing.assert_allclose(sd.T, [np.diag(c) for c in dense(values)])
    assert COVARIANCE.variances() == VARIANCES


def test_the_factor_whitens_as_its_matrix_does(rng, values):
    factor, c = factor_at(COVARIANCE, values), dense(values)
    v, weight = rng.normal(size=(B, D, G)), rng.uniform(1, 2, G)
    x = factor.natural(v)
    np.testing.assert_allclose(x, np.einsum("gij,bjg->big", c, v))
    np.testing.assert_allclose(factor.natural(v[..., None])[..., 0], x)
    np.testing.assert_allclose(factor.whitened(x), v)
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


def test_columns_and_order(rng, values):
    factor, v = factor_at(COVARIANCE, values), rng.normal(size=(B, D, G))
    few, order = np.array([3, 0, 0]), np.array([2, 0, 1])
    x = factor.natural(v)
    np.testing.assert_array_equal(factor.columns(few).natural(v[..., few]), x[..., few])
    np.testing.assert_array_equal(factor.ordered(order).natural(v[:, order]), x[:, order])


@dataclass(frozen=True)
class Correlated:
    """A kind of covariance that nobody knows."""


def test_an_unknown_kind_is_refused_in_words(values):
    with pytest.raises(UnsupportedError, match=r"Correlated; expected one of Diagonal"):
        factor_at(Correlated(), values)
