"""Probabilities m by link, with the derivatives that likelihoods of scattered rates need.

Letters: any shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

Array = np.ndarray
#: eta -> m, 1 - m, and the first and second derivative of m.
Rate = Callable[[Array], tuple[Array, Array, Array, Array]]

_LOG_2PI = np.log(2 * np.pi)


def _logit(eta: Array) -> tuple[Array, Array, Array, Array]:
    m, rest = special.expit(eta), special.expit(-eta)
    return m, rest, m * rest, m * rest * (rest - m)


def _probit(eta: Array) -> tuple[Array, Array, Array, Array]:
    density = np.exp(-(eta**2) / 2 - _LOG_2PI / 2)
    return special.ndtr(eta), special.ndtr(-eta), density, -eta * density


def _cloglog(eta: Array) -> tuple[Array, Array, Array, Array]:
    hazard = np.exp(np.clip(eta, -700, 30))
    rest = np.exp(-hazard)
    return -np.expm1(-hazard), rest, hazard * rest, hazard * rest * (1 - hazard)


RATES: dict[str, Rate] = {"logit": _logit, "probit": _probit, "cloglog": _cloglog}
