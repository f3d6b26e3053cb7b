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


def _compiled_logit():
    from math import exp

    from bambi_anova.families.compiled import jit

    @jit
    def rate(eta):
        small = exp(-abs(eta))
        m, rest = 1 / (1 + small), small / (1 + small)
        if eta < 0:
            m, rest = rest, m
        return m, rest, m, rest

    return rate


def _compiled_probit():
    from math import erfc, exp, sqrt

    from bambi_anova.families.compiled import HALF_LOG_2PI, jit

    @jit
    def rate(eta):
        m, rest = 0.5 * erfc(-eta / sqrt(2.0)), 0.5 * erfc(eta / sqrt(2.0))
        return m, rest, exp(-eta * eta / 2 - HALF_LOG_2PI), 1.0

    return rate


def _compiled_cloglog():
    from math import exp, expm1

    from bambi_anova.families.compiled import jit

    @jit
    def rate(eta):
        hazard = exp(max(min(eta, 30.0), -700.0))
        rest = exp(-hazard)
        return -expm1(-hazard), rest, hazard, rest

    return rate


#: () -> compiled (eta) -> m, 1 - m, and the first derivative of m as two factors.
COMPILED_RATES = {
    "logit": _compiled_logit,
    "probit": _compiled_probit,
    "cloglog": _compiled_cloglog,
}
