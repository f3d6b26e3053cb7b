"""What compiled rows are made of, by numba.

A family says its likelihood again for one row at a time, with the derivatives in its further
parameters as well: a function that makes two compiled ones (``CompiledRow``).  They have the same
arguments for every family, so that the kernel can choose among all of them while it runs, and is
compiled once and for all.

numba is heavy: import this module late.
"""

import math
from typing import Any, NamedTuple

import numba

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

# What is called from compiled code only needs no wrappers; what is called in one place only is
# compiled faster as a part of its caller.  No fast-math: the same seed gives the same draws.
_OPTIONS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
jit = numba.njit(**_OPTIONS)  # type: ignore[call-overload]
jit_inside = numba.njit(inline="always", **_OPTIONS)  # type: ignore[call-overload]


@jit
def nothing(first, second, entries, ends, size):
    """Return zeros: what most families add once for all rows."""
    return 0.0, 0.0, 0.0


class CompiledRow(NamedTuple):
    """The compiled log-likelihood of a family.

    Attributes
    ----------
    row : compiled function
        ``(eta, y, trials, n, within, first, second, entries, ends, m, size)`` -> log-likelihood of
        row ``m`` of ``size``, its slope in eta, and its slopes in the two further parameters,
        ``first`` and ``second``; 0.0 for those that the family does not have.  ``entries`` and
        ``ends`` are those of ``Observed.entries``.
    once : compiled function
        ``(first, second, entries, ends, size)`` -> what all rows together add, and its slopes in
        the two further parameters.
    """

    row: Any
    once: Any = nothing


class CompiledJoint(NamedTuple):
    """The compiled log-likelihood of rows of several predictors.

    Attributes
    ----------
    row : compiled function
        ``(eta, slopes, y, trials, n, within, first, second)`` -> log-likelihood of a row of K
        predictors, an array, and its slopes in the two further parameters; the slopes in the
        predictors are written into ``slopes``.
    """

    row: Any


@jit
def softplus(x):
    """Return log(1 + exp(x))."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@jit
def log_ndtr(eta):
    """Return the log of the normal distribution function."""
    if eta > -30:
        return math.log(0.5 * math.erfc(-eta / math.sqrt(2.0)))
    inverse = 1 / (eta * eta)
    tail = inverse * (-1 + inverse * (3 - 15 * inverse))
    return -eta * eta / 2 - HALF_LOG_2PI - math.log(-eta) + math.log1p(tail)


@jit
def factors(x, entries, begin, end):
    """Return a sum of logs of factors, or of gamma functions, and its slope."""
    total, slope = 0.0, 0.0
    for k in range(begin, end):
        at, count = x + entries[0, k], entries[1, k]
        if entries[2, k] > 0:
            total += count * math.lgamma(at)
            slope += count * digamma(at)
        else:
            total += count * math.log(at)
            slope += count / at
    return total, slope


@jit
def digamma(x):
    """Return the derivative of log gamma at a positive number."""
    shift = 0.0
    while x < 8:
        shift -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    series = 1 / 12 - inverse * (
        1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))
    )
    return shift + math.log(x) - 0.5 / x - inverse * series


@jit
def bounded_exp(eta):
    """Return exp(eta), finite for whatever a long step may propose."""
    return math.exp(min(eta, 300.0))
