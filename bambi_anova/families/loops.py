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

from bambi_anova.families.likelihood import Derivatives

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
ROOT = math.sqrt(0.5)
HALF = math.sqrt(2 / math.pi)
#: Where the normal distribution function is one to all digits.
CERTAIN = 8.3


def _kept(function):
    """Compile a function, and keep it where there is a directory to write to."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)


def rows_of(log, slopes, names):
    """Return a family's ``make``: rows by two loops that take further parameters by name.

    ``log`` and ``slopes`` take y, n, the predictor and those parameters, each (1, G) or (M, G).
    """

    def make(data):
        def arguments(eta, aux):
            return data.y, data.n, eta, *by_row(aux, names, eta.shape[1])

        return (
            lambda eta, aux: log(*arguments(eta, aux)),
            lambda eta, aux: Derivatives.of_one(*slopes(*arguments(eta, aux))),
        )

    return make


def by_row(aux, names, columns):
    """Return further parameters as arrays of one shape, (1, G) or (M, G)."""
    each = [np.atleast_2d(aux[name]) for name in names]
    rows = max(len(one) for one in each)
    shaped = (np.broadcast_to(one, (rows, columns)) for one in each)
    return [np.ascontiguousarray(one, dtype=float) for one in shaped]


@numba.njit(error_model="numpy")
def _log_normal(x):
    """Return the log of the normal distribution function."""
    if x > CERTAIN:
        return 0.0
    if x > -30:
        return math.log(0.5 * math.erfc(-x * ROOT))
    inverse = 1 / (x * x)
    tail = inverse * (-1 + inverse * (3 - 15 * inverse))
    return math.log1p(tail) - math.log(-x) - HALF_LOG_2PI - x * x / 2


@numba.njit(error_model="numpy")
def _hazard(x):
    """Return the normal density over the distribution function."""
    if x > -30:
        return math.exp(-x * x / 2 - HALF_LOG_2PI) / (0.5 * math.erfc(-x * ROOT))
    inverse = 1 / (x * x)
    return -x / (1 + inverse * (-1 + inverse * (3 - 15 * inverse)))


@_kept
def ex_gaussian_log(y, n, eta, sigma, nu):
    """Return the log-likelihood of ex-Gaussian rows (M, 1) at predictors (M, G).

    Further parameters, here and below, have the shape (1, G), or (M, G) where each row has its own.
    """
    rows, columns = eta.shape
    found = np.empty((rows, columns))
    own = 1 if len(sigma) > 1 else 0
    ratio, log_nu = sigma / nu, np.log(nu)
    for m in range(rows):
        i = own * m
        for g in range(columns):
            scaled, r = (y[m, 0] - eta[m, g] + nu[i, g]) / sigma[i, g], ratio[i, g]
            z = scaled - r
            if z > -30:
                # r (r / 2 - scaled) is (z^2 - scaled^2) / 2.
                value = _log_normal(z) + r * (r / 2 - scaled)
            else:
                inverse = 1 / (z * z)
                tail = inverse * (-1 + inverse * (3 - 15 * inverse))
                value = math.log1p(tail) - math.log(-z) - HALF_LOG_2PI - scaled * scaled / 2
            found[m, g] = n[m, 0] * (value - log_nu[i, g])
    return found


@_kept
def ex_gaussian_slopes(y, n, eta, sigma, nu):
    """Return slope and curvature of ex-Gaussian rows in their predictors, each (M, G)."""
    rows, columns = eta.shape
    slope, curvature = np.empty((rows, columns)), np.empty((rows, columns))
    own = 1 if len(sigma) > 1 else 0
    ratio = sigma / nu
    for m in range(rows):
        i = own * m
        for g in range(columns):
            z = (y[m, 0] - eta[m, g] + nu[i, g]) / sigma[i, g] - ratio[i, g]
            hazard = _hazard(z)
            slope[m, g] = n[m, 0] * (1 / nu[i, g] - hazard / sigma[i, g])
            bend = max(hazard * (hazard + z), 1e-12)
            curvature[m, g] = n[m, 0] * bend / (sigma[i, g] * sigma[i, g])
    return slope, curvature


@_kept
def skew_normal_log(y, n, eta, sigma, delta):
    """Return the log-likelihood of skew normal rows (M, 1) at predictors (M, G)."""
    rows, columns = eta.shape
    found = np.empty((rows, columns))
    own = 1 if len(sigma) > 1 else 0
    mean = HALF * delta
    narrow, alpha = np.sqrt(1 - mean**2) / sigma, delta / np.sqrt(1 - delta**2)
    constant = np.log(narrow)
    for m in range(rows):
        i = own * m
        for g in range(columns):
            r = (y[m, 0] - eta[m, g]) * narrow[i, g] + mean[i, g]
            found[m, g] = n[m, 0] * (constant[i, g] - r * r / 2 + _log_normal(alpha[i, g] * r))
    return found


@_kept
def skew_normal_slopes(y, n, eta, sigma, delta):
    """Return slope and curvature of skew normal rows in their predictors, each (M, G)."""
    rows, columns = eta.shape
    slope, curvature = np.empty((rows, columns)), np.empty((rows, columns))
    own = 1 if len(sigma) > 1 else 0
    mean = HALF * delta
    narrow, alpha = np.sqrt(1 - mean**2) / sigma, delta / np.sqrt(1 - delta**2)
    for m in range(rows):
        i = own * m
        for g in range(columns):
            r = (y[m, 0] - eta[m, g]) * narrow[i, g] + mean[i, g]
            x = alpha[i, g] * r
            hazard = _hazard(x)
            bend = min(max(hazard * (hazard + x), 0.0), 1.0)
            slope[m, g] = n[m, 0] * narrow[i, g] * (r - alpha[i, g] * hazard)
            curvature[m, g] = n[m, 0] * narrow[i, g] ** 2 * (1 + alpha[i, g] ** 2 * bend)
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
