"""Densities that are known, for methods that look for normal approximations."""

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class NormalDensity:
    """A log density that is normal, with an integral of exp(7)."""

    mean: np.ndarray
    covariance: np.ndarray

    @property
    def sd(self):
        return np.sqrt(np.diag(self.covariance))

    @property
    def factor(self):
        return np.linalg.cholesky(self.covariance)

    def __call__(self, u):
        gap = u - self.mean[:, None]
        squares = (gap * np.linalg.solve(self.covariance, gap)).sum(axis=0)
        return 7 - squares / 2 - np.linalg.slogdet(2 * np.pi * self.covariance)[1] / 2


@pytest.fixture(scope="session")
def gaussian():
    """Three coordinates of very different sds, two of them correlated with the first."""
    sd = np.array([0.05, 1.0, 2.0])
    correlation = np.array([[1, 0.6, -0.3], [0.6, 1, 0], [-0.3, 0, 1]])
    return NormalDensity(np.array([1.0, -2.0, 0.5]), correlation * np.outer(sd, sd))


@pytest.fixture(scope="session")
def make_normal():
    """From mean and covariance to such a density."""
    return NormalDensity


@pytest.fixture(scope="session")
def starts():
    """From a number of coordinates to points scattered about zero, each a column."""

    def starts(size, count=32, seed=1):
        return np.random.default_rng(seed).normal(0, 4, (size, count))

    return starts
