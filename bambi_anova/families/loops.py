"""Likelihoods of many rows in one pass over memory, for quick fits.

Where a row's log density takes several special functions, NumPy goes through memory for each of
them; these loops go once, let other threads run, and are compiled by numba once a machine.

numba is heavy: import this module late.

Letters: M rows, G columns.
"""

import math
from typing import Any

import numba
import numpy as np

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
ROOT = math.sqrt(0.5)
#: Where the normal distribution function is one to all digits.
CERTAIN = 8.3


def _kept(function):
    """Compile a function, and keep it where there is a directory to write to."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)


@_kept
def ex_gaussian_log(y, n, eta, sigma, nu):
    """Return the log-likelihood of ex-Gaussian rows (M, 1) at predictors (M, G)."""
    rows, columns = eta.shape
    found = np.empty((rows, columns))
    ratio, log_nu = sigma / nu, np.log(nu)
    for m in range(rows):
        for g in range(columns):
            gap = y[m, 0] - eta[m, g] + nu[g]
            scaled = gap / sigma[g]
            z = scaled - ratio[g]
            if z > CERTAIN:
                value = ratio[g] * (ratio[g] / 2 - scaled)
            elif z > -30:
                # ratio (ratio / 2 - scaled) is (z^2 - scaled^2) / 2.
                value = math.log(0.5 * math.erfc(-z * ROOT)) + ratio[g] * (ratio[g] / 2 - scaled)
            else:
                inverse = 1 / (z * z)
                tail = inverse * (-1 + inverse * (3 - 15 * inverse))
                value = math.log1p(tail) - math.log(-z) - HALF_LOG_2PI - scaled * scaled / 2
            found[m, g] = n[m, 0] * (value - log_nu[g])
    return found


@_kept
def ex_gaussian_slopes(y, n, eta, sigma, nu):
    """Return slope and curvature of ex-Gaussian rows in their predictors, each (M, G)."""
    rows, columns = eta.shape
    slope, curvature = np.empty((rows, columns)), np.empty((rows, columns))
    ratio = sigma / nu
    for m in range(rows):
        for g in range(columns):
            z = (y[m, 0] - eta[m, g] + nu[g]) / sigma[g] - ratio[g]
            if z > -30:
                below = 0.5 * math.erfc(-z * ROOT)
                hazard = math.exp(-z * z / 2 - HALF_LOG_2PI) / below
            else:
                inverse = 1 / (z * z)
                hazard = -z / (1 + inverse * (-1 + inverse * (3 - 15 * inverse)))
            slope[m, g] = n[m, 0] * (1 / nu[g] - hazard / sigma[g])
            bend = max(hazard * (hazard + z), 1e-12)
            curvature[m, g] = n[m, 0] * bend / (sigma[g] * sigma[g])
    return slope, curvature


@_kept
def logistic_log(upper, lower):
    """Return log(expit(upper) - expit(lower)) of arrays (M, G), -inf where out of order."""
    rows, columns = upper.shape
    found = np.empty((rows, columns))
    for m in range(rows):
        for g in range(columns):
            a, b = upper[m, g], lower[m, g]
            if not a > b:
                found[m, g] = -math.inf
                continue
            both = (1 + math.exp(-abs(a))) * (1 + math.exp(-abs(b)))
            found[m, g] = math.log(-math.expm1(b - a) / both) + min(a, 0.0) - max(b, 0.0)
    return found


@_kept
def logistic_derivatives(upper, lower, closest):
    """Return gradient (2, M, G) and information (2, 2, M, G) of ``logistic_log``."""
    rows, columns = upper.shape
    gradient, information = np.empty((2, rows, columns)), np.empty((2, 2, rows, columns))
    for m in range(rows):
        for g in range(columns):
            b = lower[m, g]
            a = max(upper[m, g], b + closest)
            shared = 1 / math.expm1(min(a - b, 700.0))
            bend = shared + shared * shared
            # expit(-a) and expit(b), from exponentials that cannot overflow
            small, other = math.exp(-abs(a)), math.exp(-abs(b))
            above = small / (1 + small) if a > 0 else 1 / (1 + small)
            below = 1 / (1 + other) if b > 0 else other / (1 + other)
            gradient[0, m, g], gradient[1, m, g] = above + shared, -below - shared
            information[0, 0, m, g] = above * (1 - above) + bend
            information[1, 1, m, g] = below * (1 - below) + bend
            information[0, 1, m, g] = information[1, 0, m, g] = -bend
    return gradient, information
