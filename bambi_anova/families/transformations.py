"""Transformations of a response that are undone on the response scale: z = T(y).

Where z is symmetric about its predictor, T^-1 of the predictor is the median of y.  Where z is
normal, the mean of y is that of T^-1 over it, which has a closed form for all but the logit; of
heavier tails y may have no mean at all, as the exponential of a t variable has none.

Letters: any shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.families.links import average_over_normal

Array = np.ndarray


@dataclass(frozen=True)
class Transformation:
    """A transformation.

    Attributes
    ----------
    name : str
        The function's name in formulas.
    inverse : callable
    normal_mean : callable
        (mean, sd) -> the mean of the inverse over N(mean, sd).
    ratio : str
        What the exponential of a difference is, "ratio" or "odds_ratio"; empty if neither.
    unit : float
        The natural logs in one unit of z, where there is a ratio.
    shift : float
        Ratios are of y plus this.
    """

    name: str
    inverse: Callable[[Array], Array]
    normal_mean: Callable[[Array, Array], Array]
    ratio: str = ""
    unit: float = 1.0
    shift: float = 0.0


def _log(name: str, base: float) -> Transformation:
    unit = float(np.log(base))

    def mean(mean: Array, sd: Array) -> Array:
        with np.errstate(over="ignore"):  # sds may reach as far as floating point does
            return np.exp(unit * mean + (unit * sd) ** 2 / 2)

    return Transformation(name, lambda z: np.exp(unit * z), mean, "ratio", unit)


def _log1p_mean(mean: Array, sd: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.expm1(mean + sd**2 / 2)


def _square(z: Array) -> Array:
    # No root is negative; a normal predictor may be so far out.
    return np.maximum(z, 0.0) ** 2


TRANSFORMATIONS = {
    one.name: one
    for one in (
        _log("log", math.e),
        _log("log2", 2.0),
        _log("log10", 10.0),
        Transformation("log1p", np.expm1, _log1p_mean, "ratio", shift=1.0),
        Transformation("sqrt", _square, lambda mean, sd: mean**2 + sd**2),
        Transformation(
            "logit",
            special.expit,
            lambda mean, sd: average_over_normal(special.expit, mean, sd),
            "odds_ratio",
        ),
    )
}
