"""What an expression may call: functions of single values, and the words of the language itself.

The functions take numbers and give numbers, row by row; none of them reads a file, keeps a state
or writes into its arguments.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray

#: Functions that learn from the rows they see: their numbers are kept for new rows.
STATEFUL = ("scale", "standardize", "center")
#: Words that stand alone, and words of Bambi's that make several columns of one.
STRUCTURE = ("C", "Error", "offset", "p", "prop", "proportion")
SEVERAL_COLUMNS = ("bs", "poly", "hsgp", "S", "T")

_SMOOTH = "smooths are not fitted here; use Bambi or brms, or a factor of ranges"
#: Functions of R's formulas, and what to write for them.
OF_R = {
    **dict.fromkeys(("factor", "as.factor", "ordered"), "write C(x) for a factor"),
    **dict.fromkeys(("as.numeric", "as.integer"), "make the column numeric in the data frame"),
    "cbind": "write p(successes, trials)",
    "trials": "write p(successes, trials)",
    **dict.fromkeys(("s", "te", "ti", "t2", "ns", "rcs"), _SMOOTH),
    **dict.fromkeys(("mo", "me", "cs"), "it is brms' own; take the column as a factor, C(x)"),
}


def _clip(values: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(values, low), high)


def _logit(values: Array) -> Array:
    return np.log(values) - np.log1p(-values)


def _round(values: Array, digits: Array) -> Array:
    return np.round(values, int(digits))


_UFUNCS = (
    "abs absolute arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt ceil cos cosh deg2rad "
    "exp exp2 expm1 fabs floor fmax fmin fmod heaviside hypot log log10 log1p log2 logaddexp "
    "maximum minimum mod negative power rad2deg reciprocal rint sign sin sinh sqrt square tan tanh "
    "trunc"
).split()
#: NumPy's functions of single values with the numbers of their arguments, ``log(x)`` or
#: ``np.log(x)``.
ELEMENTWISE: dict[str, tuple[Callable[..., Array], int]] = {
    **{name: (getattr(np, name), getattr(np, name).nin) for name in _UFUNCS},
    "logit": (_logit, 1),
    "where": (np.where, 3),
    "clip": (_clip, 3),
    "round": (_round, 2),
}
#: Those that give whole numbers for whole numbers.
WHOLE = {np.add, np.subtract, np.multiply, np.power, np.negative, np.positive, _clip} | {
    ELEMENTWISE[name][0] for name in "abs fmax fmin maximum minimum mod sign square where".split()
}
