"""Heights and derivatives of the hyperparameters' log density by differences.

Evaluations come in batches, which cost little more than one.

Letters: H hyperparameters, G points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
#: Hyperparameters (H, G) -> log density (G,).
LogDensity = Callable[[Array], Array]


def finite_heights(log_density: LogDensity, points: Array) -> Array:
    """Return the log density at points (H, G), -inf where it cannot be computed; shape (G,)."""
    found = log_density(points)
    return np.where(np.isfinite(found), found, -np.inf)


def differences(log_density: LogDensity, points: Array, widths: Array) -> tuple[Array, Array]:
    """Return values (G,) and gradients (H, G) at points (H, G), in one batch.

    Parameters
    ----------
    log_density : callable
        (H, G) -> (G,).
    points : ndarray, shape (H, G)
    widths : ndarray, shape (H, G)
        Those of the difference quotients; a sign says on which side.
    """
    size, count = points.shape
    steps = np.concatenate([np.zeros((size, 1)), np.eye(size)], axis=1)
    moved = points[:, None, :] + steps[:, :, None] * widths[:, None, :]
    values = log_density(moved.reshape(size, -1)).reshape(size + 1, count)
    with np.errstate(invalid="ignore"):
        gradients = (values[1:] - values[0]) / widths
    return values[0], np.where(np.isfinite(gradients), gradients, 0.0)


def second_differences(
    log_density: LogDensity, u: Array, widths: Array
) -> tuple[float, Array, Array]:
    """Return value, gradient and Hessian by differences over the given widths."""
    return of_stencil(log_density(u[:, None] + stencil(widths)), widths)


def stencil(widths: Array) -> Array:
    """Return the steps to the points that second differences are made of, shape (H, G).

    None, up and down along each coordinate, and up along each pair of them.
    """
    size, unit = len(widths), np.diag(widths)
    first, second = np.triu_indices(size, 1)
    return np.vstack([np.zeros((1, size)), unit, -unit, unit[first] + unit[second]]).T


def of_stencil(values: Array, widths: Array) -> tuple[float, Array, Array]:
    """Return value, gradient and Hessian from the log density at the stencil's points, (G,)."""
    size = len(widths)
    first, second = np.triu_indices(size, 1)
    values = np.where(np.isfinite(values), values, values[0] - 1e3)
    centre, up, down = values[0], values[1 : size + 1], values[size + 1 : 2 * size + 1]
    with np.errstate(invalid="ignore"):  # about a point without a value
        gradient = (up - down) / (2 * widths)
        hessian = np.diag((up - 2 * centre + down) / widths**2)
        mixed = values[2 * size + 1 :] - up[first] - up[second] + centre
    hessian[first, second] = mixed / (widths[first] * widths[second])
    hessian[second, first] = hessian[first, second]
    return float(centre), gradient, hessian


def positive(matrix: Array) -> Array:
    """Return the nearest matrix whose curvature is positive in every direction."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(np.abs(values), 0.05)
    return (vectors * values) @ vectors.T
