"""Exponentials and logarithms without branches or calls, for loops of compiled code.

Loops made of them take several numbers at a time, where the processor's own functions take one.

numba is heavy: import this module late.
"""

import math
from typing import Any

import numba
import numpy as np

_LOG2_E = 1 / math.log(2)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
#: Added and taken away again, this rounds to an integer, which its last bits then hold.
_ROUND = 6755399441055744.0
_P2, _P3, _P4, _P5, _P6, _P7 = (1 / math.factorial(i) for i in range(2, 8))
_P8, _P9, _P10, _P11, _P12 = (1 / math.factorial(i) for i in range(8, 13))

# Products may be added without rounding in between; sums keep their order.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
inside = numba.njit(inline="always", **OPTIONS)


def kept(function):
    """Compile a function, and keep it where there is a directory to write to."""
    try:
        return numba.njit(cache=True, nogil=True, **OPTIONS)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **OPTIONS)(function)


@inside
def exp(x):
    """Return exp(x) for x of at most 700 in size, without a branch or a call."""
    shifted = x * _LOG2_E + _ROUND
    power = shifted - _ROUND
    r = (x - power * _LN2_HIGH) - power * _LN2_LOW
    p = _P12 * r + _P11
    p = ((((p * r + _P10) * r + _P9) * r + _P8) * r + _P7) * r + _P6
    p = (((((p * r + _P5) * r + _P4) * r + _P3) * r + _P2) * r + 1.0) * r + 1.0
    bits = (np.float64(shifted).view(np.int64) + np.int64(1023)) << np.int64(52)
    return p * np.int64(bits).view(np.float64)


@inside
def log(x):
    """Return log(x) for a normal positive number, without a branch or a call."""
    bits = np.float64(x).view(np.int64)
    # The power of two that leaves a number between the roots of one half and of two.
    power = (bits - np.int64(4604544271217802189)) >> np.int64(52)
    scaled = np.int64(bits - (power << np.int64(52))).view(np.float64)
    s = (scaled - 1.0) / (scaled + 1.0)
    z = s * s
    p = z * (1 / 21) + 1 / 19
    p = (((p * z + 1 / 17) * z + 1 / 15) * z + 1 / 13) * z + 1 / 11
    p = ((((p * z + 1 / 9) * z + 1 / 7) * z + 1 / 5) * z + 1 / 3) * z + 1.0
    return power * (_LN2_HIGH + _LN2_LOW) + 2.0 * s * p


@kept
def exponentials(x):
    """Return exp(x) of numbers of at most 700 in size."""
    found = np.empty_like(x)
    for i in range(len(x)):
        found[i] = exp(x[i])
    return found


@kept
def logarithms(x):
    """Return log(x) of normal positive numbers."""
    found = np.empty_like(x)
    for i in range(len(x)):
        found[i] = log(x[i])
    return found
