"""Derivatives by differences."""

import numpy as np
import pytest

from bambi_anova.engine.approximate.differences import differences


def test_differences_are_gradients(gaussian, starts):
    u = starts(3, count=5)
    values, gradients = differences(gaussian, u, np.full(u.shape, 1e-6))
    assert values == pytest.approx(gaussian(u))
    expected = -np.linalg.solve(gaussian.covariance, u - gaussian.mean[:, None])
    assert gradients == pytest.approx(expected, rel=1e-2)
