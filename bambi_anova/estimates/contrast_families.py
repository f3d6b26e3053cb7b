"""Families of contrasts among levels, as in R's emmeans.

Every contrast is a row of weights over levels that sums to zero.  Weights, signs, order and names
are those of emmeans, so that its users find what they know; ``.`` and ``_`` are the same in names.
JASP's *deviation* is ``eff``, its *simple* ``trt_vs_ctrl``, *difference* and *Helmert* are, a
positive factor apart, ``helmert`` and ``revhelmert``, and *repeated* is ``consec`` with its sign
turned.

Letters: J levels, K contrasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from bambi_anova.errors import ArgumentError, SpacingWarning, nearest, warn

Array = np.ndarray
Weights = dict[str, Array]


#: Highest degree of a polynomial contrast, as in emmeans.
HIGHEST_DEGREE = 6
_DEGREES = ("linear", "quadratic", "cubic", "quartic", "degree 5", "degree 6")


@dataclass(frozen=True)
class Levels:
    """The levels that are compared, and what is known of them.

    Attributes
    ----------
    name : str
        Factor or term, for messages.
    values : tuple
        The J levels.
    ordered : bool
        Whether their order means something: numbers, or an ordered categorical.
    ref : object
        Level, or levels, that the others are compared with; the first or last if ``None``.
    scores : sequence of float or "levels", optional
        Where the levels lie, for polynomials; equally spaced if ``None``.
    sign : str
        What stands between two levels in a contrast's name: "-", or "/" for ratios.
    """

    name: str
    values: tuple
    ordered: bool = True
    ref: Any = None
    scores: Any = None
    sign: str = "-"

    @property
    def labels(self) -> list[str]:
        """The levels as text; combinations of levels joined by colons."""
        return [as_text(value) for value in self.values]

    @property
    def operands(self) -> list[str]:
        """The levels as text, in brackets where they hold the sign that stands between levels."""
        return [f"({text})" if f" {self.sign} " in text else text for text in self.labels]

    def position(self, level: Any, argument: str) -> int:
        """Find a level, by its value or its text.

        Raises
        ------
        ArgumentError
            If it is not among the levels.
        """
        text = as_text(level)
        if text not in self.labels:
            raise ArgumentError(
                f"{argument}: {level!r} is not a level of {self.name!r}{nearest(text, self.labels)}"
            )
        return self.labels.index(text)


def as_text(level: Any) -> str:
    """Return a level as text; the parts of a combination are joined by colons.

    Parts that hold a colon themselves stand in brackets, so that no two combinations read alike.

    Examples
    --------
    >>> as_text(("a", "x")), as_text(("a:b", "x")), as_text(("a:b",))
    ('a:x', '(a:b):x', 'a:b')
    """
    if not isinstance(level, tuple):
        return str(level)
    parts = [str(part) for part in level]
    if len(parts) > 1:
        parts = [f"({part})" if ":" in part else part for part in parts]
    return ":".join(parts)


def pairwise_weights(levels: Sequence) -> Weights:
    """Return the weights of every "first - second", in level order.

    Examples
    --------
    >>> pairwise_weights(["a", "b", "c"])["a - c"].tolist()
    [1.0, 0.0, -1.0]
    """
    return _pairwise(Levels("levels", tuple(levels)))


def _pairwise(levels: Levels) -> Weights:
    unit, label = np.eye(len(levels.values)), levels.operands
    pairs = combinations(range(len(label)), 2)
    return {f"{label[i]} {levels.sign} {label[j]}": unit[i] - unit[j] for i, j in pairs}


def _revpairwise(levels: Levels) -> Weights:
    unit, label = np.eye(len(levels.values)), levels.operands
    pairs = ((i, j) for i in range(len(label)) for j in range(i))
    return {f"{label[i]} {levels.sign} {label[j]}": unit[i] - unit[j] for i, j in pairs}


def _eff(levels: Levels) -> Weights:
    centring = np.eye(len(levels.values)) - 1 / len(levels.values)
    return {f"{label} effect": row for label, row in zip(levels.labels, centring, strict=True)}


def _del_eff(levels: Levels) -> Weights:
    size = len(levels.values)
    return {name: row * (size / (size - 1)) for name, row in _eff(levels).items()}


def _with_control(levels: Levels, default: int) -> Weights:
    label, ref = levels.labels, levels.ref
    if ref is None:
        controls = [default]
    else:
        controls = sorted({levels.position(level, "ref") for level in sides(ref, levels)})
    if not 0 < len(controls) < len(label):
        raise ArgumentError(f"ref={ref!r}: expected some of the levels of {levels.name!r}, not all")
    unit, mean = np.eye(len(label)), np.zeros(len(label))
    mean[controls] = 1 / len(controls)
    label = levels.operands
    name = label[controls[0]]
    if len(controls) > 1:
        name = f"avg({','.join(label[i] for i in controls)})"
    others = [i for i in range(len(label)) if i not in controls]
    return {f"{label[i]} {levels.sign} {name}": unit[i] - mean for i in others}


def _consec(levels: Levels) -> Weights:
    unit, label = np.eye(len(levels.values)), levels.operands
    return {
        f"{label[i + 1]} {levels.sign} {label[i]}": unit[i + 1] - unit[i]
        for i in range(len(label) - 1)
    }


def _mean_chg(levels: Levels) -> Weights:
    label = levels.labels
    found = {}
    for i in range(1, len(label)):
        after = np.repeat([-1 / i, 1 / (len(label) - i)], [i, len(label) - i])
        found[f"{label[i - 1]}|{label[i]}"] = after
    return found


def _helmert(levels: Levels) -> Weights:
    label = levels.labels
    found = {}
    for i in range(1, len(label)):
        weights = np.zeros(len(label))
        weights[:i], weights[i] = -1, i
        found[f"{label[i]} vs earlier"] = weights
    return found


def _revhelmert(levels: Levels) -> Weights:
    turned = Levels(levels.name, levels.values[::-1])
    return {
        f"{label} vs later": weights[::-1]
        for label, weights in zip(turned.labels[1:], _helmert(turned).values(), strict=True)
    }


def _poly(levels: Levels) -> Weights:
    if levels.scores is not None:
        return _opoly(levels)
    _require_order(levels)
    size = len(levels.values)
    return _by_degree([_whole(row) for row in _polynomials([Fraction(j) for j in range(size)])])


def _opoly(levels: Levels) -> Weights:
    if levels.scores is None:
        _require_order(levels)
    rows = _polynomials([Fraction(score) for score in _scores(levels)])
    weights = np.array([[float(value) for value in row] for row in rows])
    return _by_degree(weights / np.linalg.norm(weights, axis=1, keepdims=True))


def _polynomials(scores: Sequence[Fraction]) -> list[list[Fraction]]:
    """Return orthogonal polynomials of degree 1, 2, ... at the scores, exactly."""
    one, none = Fraction(1), Fraction(0)
    basis = [[one] * len(scores)]
    for _ in range(min(len(scores) - 1, HIGHEST_DEGREE)):
        row = [x * p for x, p in zip(scores, basis[-1], strict=True)]
        for other in basis:
            product = sum((a * b for a, b in zip(row, other, strict=True)), none)
            part = product / sum((b * b for b in other), none)
            row = [a - part * b for a, b in zip(row, other, strict=True)]
        basis.append(row)
    return basis[1:]


def _whole(row: Sequence[Fraction]) -> Array:
    """Return the smallest whole numbers in proportion to a row."""
    common = math.lcm(*(value.denominator for value in row))
    whole = [int(value * common) for value in row]
    return np.array(whole, dtype=float) / math.gcd(*whole)


def _by_degree(rows: Iterable[Array]) -> Weights:
    return dict(zip(_DEGREES, rows, strict=False))


def _scores(levels: Levels) -> list[float]:
    scores = levels.scores
    if scores is None:
        return list(range(len(levels.values)))
    if isinstance(scores, str) and scores == "levels":
        numbers = as_numbers(levels.values)
        if numbers is None:
            raise ArgumentError(f"scores='levels': the levels of {levels.name!r} are not numbers")
        return numbers
    if not are_numbers(scores) or np.shape(scores) != (len(levels.values),):
        raise ArgumentError(
            f"scores={scores!r}: expected 'levels' or {len(levels.values)} numbers, one a level of "
            f"{levels.name!r} ({', '.join(levels.labels)})"
        )
    values = [float(score) for score in scores]
    if len(set(values)) < len(values) or not np.isfinite(values).all():
        raise ArgumentError(f"scores={scores!r}: expected distinct, finite numbers")
    return values


def sides(side: Any, levels: Levels) -> list:
    """Return levels that were given as a list, or one by itself, as a list."""
    if isinstance(side, (str, int, float, np.generic)) or as_text(side) in levels.labels:
        return [side]
    return list(side)


def are_numbers(given: Any) -> bool:
    """Whether something is an array of numbers."""
    try:
        return np.asarray(given).dtype.kind in "iuf"
    except ValueError:  # rows of different lengths
        return False


def _require_order(levels: Levels) -> None:
    """Refuse polynomials over mere names; warn of numbers that are not equally spaced."""
    numbers = as_numbers(levels.values)
    if numbers is None and not levels.ordered:
        raise ArgumentError(
            f"method='poly': the levels of {levels.name!r} ({', '.join(levels.labels)}) are "
            "neither numbers nor an ordered categorical; say where they lie with scores=[...]"
        )
    if numbers is not None and not np.allclose(np.diff(numbers, 2), 0, atol=1e-6 * np.ptp(numbers)):
        warn(
            SpacingWarning(
                "method='poly' takes levels as equally spaced, as emmeans does, but those of "
                f"{levels.name!r} are {', '.join(levels.labels)}; pass scores='levels' to take "
                "them as they lie, or any scores to choose otherwise"
            )
        )


def as_numbers(values: Sequence) -> list[float] | None:
    """Return levels as numbers, also from their text; ``None`` if they are none.

    Examples
    --------
    >>> as_numbers(["0.2", "0.4"]), as_numbers(["lo", "hi"])
    ([0.2, 0.4], None)
    """
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() else None


#: Families by name: functions from levels to weights.
FAMILIES: dict[str, Callable[[Levels], Weights]] = {
    "pairwise": _pairwise,
    "revpairwise": _revpairwise,
    "eff": _eff,
    "del_eff": _del_eff,
    "trt_vs_ctrl": lambda levels: _with_control(levels, 0),
    "trt_vs_ctrlk": lambda levels: _with_control(levels, len(levels.values) - 1),
    "consec": _consec,
    "mean_chg": _mean_chg,
    "poly": _poly,
    "opoly": _opoly,
    "helmert": _helmert,
    "revhelmert": _revhelmert,
}
#: The families that an option is for.
OPTIONS = {"ref": ("trt_vs_ctrl", "trt_vs_ctrlk"), "scores": ("poly", "opoly")}
