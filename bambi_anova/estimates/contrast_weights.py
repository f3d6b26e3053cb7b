"""Contrasts as users give them: by a family's name, by level, by sides, or as an array.

Letters: J levels, K contrasts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.design.design import Design
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.estimates.contrast_families import (
    FAMILIES,
    OPTIONS,
    Levels,
    Weights,
    are_numbers,
    sides,
)
from bambi_anova.estimates.contrast_text import text_weights
from bambi_anova.estimates.effects import Grid, Key

Array = np.ndarray


@dataclass(frozen=True)
class Method:
    """How the levels of a term are to be contrasted; see ``Result.contrasts``.

    Attributes
    ----------
    given : str, mapping or array
        A family, contrasts of one's own, or a mapping from each factor to any of these.
    ref, scores : object
        Options of families, for all factors or by factor.
    cells : bool
        Whether the cells of the term are compared with each other.
    sign : {"-", "/"}
        What stands between two levels in a contrast's name.
    """

    given: Any = "pairwise"
    ref: Any = None
    scores: Any = None
    cells: bool = False
    sign: str = "-"


def term_weights(
    method: Method, factors: list[str], grid: Grid, design: Design
) -> dict[Key, Weights]:
    """Return the contrasts of each factor of a term, or of its cells.

    Raises
    ------
    ArgumentError
        If the method does not fit the term.
    """
    if len(factors) > 1 and (method.cells or _names_cells(method.given)):
        cells = tuple(grid.combinations(factors).itertuples(index=False, name=None))
        levels = Levels(":".join(factors), cells, False, method.ref, method.scores, method.sign)
        own: dict[Key, tuple[Any, Levels]] = {tuple(factors): (method.given, levels)}
    else:
        chosen = _by_factor(method.given, factors)
        own = {
            name: (
                chosen[name],
                Levels(
                    name,
                    tuple(grid.levels[name]),
                    _is_ordered(name, design),
                    _of_factor(method.ref, name, factors),
                    _of_factor(method.scores, name, factors),
                    method.sign,
                ),
            )
            for name in factors
        }
    families = [given.replace(".", "_") for given, _ in own.values() if isinstance(given, str)]
    for argument, users in OPTIONS.items():
        if getattr(method, argument) is not None and not set(users) & set(families):
            raise ArgumentError(f"{argument} is for method {' or '.join(map(repr, users))} only")
    return {key: contrast_weights(given, levels) for key, (given, levels) in own.items()}


def _names_cells(given: Any) -> bool:
    """Whether contrasts of several factors are written out, and so are about their cells."""
    texts = list(given.values()) if isinstance(given, Mapping) else given
    texts = [texts] if isinstance(texts, str) else texts
    return _are_texts(texts) and not any(map(is_family, texts)) and any(":" in t for t in texts)


def _by_factor(method: Any, factors: list[str]) -> dict[str, Any]:
    """Tell which method each factor of a term has."""
    if isinstance(method, str):
        return dict.fromkeys(factors, method)
    named = isinstance(method, Mapping) and set(method) == set(factors)
    if named and (len(factors) > 1 or isinstance(method[factors[0]], str)):
        return dict(method)
    if len(factors) == 1:
        return {factors[0]: method}
    if isinstance(method, Mapping):
        strange = [str(name) for name in method if name not in factors]
        hint = f"; {strange[0]!r}{nearest(strange[0], factors)[1:]}" if strange else ""
    else:
        hint = ""
    raise ArgumentError(
        f"method={method!r}: expected a family's name, or a method for each of "
        f"{', '.join(map(repr, factors))} such as {{{factors[0]!r}: 'pairwise', ...}}{hint}; "
        "for contrasts among the cells pass cells=True"
    )


def _of_factor(value: Any, name: str, factors: list[str]) -> Any:
    """Return what an option says of a factor: its own entry, or what is said of all."""
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in factors]
        if unknown:
            raise ArgumentError(
                f"{unknown[0]!r} is not a factor of the term{nearest(str(unknown[0]), factors)}"
            )
        return value.get(name)
    return value


def _is_ordered(name: str, design: Design) -> bool:
    """Whether a factor is an ordered categorical, or an axis of numbers."""
    if name not in design.levels:
        return True
    data = design.rows.data
    dtype = data[name].dtype if name in data.columns else None
    return isinstance(dtype, pd.CategoricalDtype) and bool(dtype.ordered)


def contrast_weights(method: Any, levels: Levels) -> Weights:
    """Return the weights of a family by its name, or of contrasts of one's own.

    Parameters
    ----------
    method : str, mapping or array
        A key of ``FAMILIES``; a contrast written out, such as ``"a - b"`` or
        ``"(a + b)/2 - c"``, or several; ``{name: {level: weight}}``, where levels left out weigh
        zero;
        ``{name: (levels, levels)}``, the mean of the left less the mean of the right, as in
        Kruschke's scripts; or weights of shape (K, J), or (J,) for one contrast.
    levels : Levels

    Returns
    -------
    dict of str to ndarray, each of shape (J,)

    Raises
    ------
    ArgumentError
        If the method, a level or the weights cannot be used.

    Examples
    --------
    >>> tillage = Levels("tillage", ("Chisel", "Moldbrd", "Ridge"))
    >>> contrast_weights("consec", tillage)["Ridge - Moldbrd"].tolist()
    [0.0, -1.0, 1.0]
    >>> contrast_weights({"rest": (["Moldbrd", "Ridge"], ["Chisel"])}, tillage)["rest"].tolist()
    [-1.0, 0.5, 0.5]
    """
    if len(levels.values) < 2:
        raise ArgumentError(
            f"term={levels.name!r}: a contrast compares two levels or more; there is only "
            f"{levels.labels[0]!r}"
        )
    if isinstance(method, str):
        if is_family(method):
            return FAMILIES[method.replace(".", "_")](levels)
        if re.fullmatch(r"[\w. ]*", method):  # one word, and so no contrast
            raise ArgumentError(
                f"method={method!r}: expected a family of contrasts, or levels with weights such "
                f"as 'a - b' or '(a + b)/2 - c'{nearest(method, FAMILIES)}"
            )
        return contrast_weights({method.strip(): method}, levels)
    if _are_texts(method):
        _require_distinct([text.strip() for text in method])
        return contrast_weights({text.strip(): text for text in method}, levels)
    if isinstance(method, Mapping):
        if not method:
            raise ArgumentError("method: expected at least one contrast, got an empty mapping")
        names = [str(name) for name in method]
        _require_distinct(names)
        weights = [_own(name, given, levels) for name, given in method.items()]
        return dict(zip(names, weights, strict=True))
    return _rows(method, levels)


def _own(name: object, given: Any, levels: Levels) -> Array:
    argument = f"method[{name!r}]"
    weights = np.zeros(len(levels.values))
    if isinstance(given, str):
        weights = text_weights(given, levels)
    elif isinstance(given, Mapping) and given:
        for level, weight in given.items():
            if not isinstance(weight, (int, float, np.number)):
                raise ArgumentError(f"{argument}: expected a number for {level!r}, got {weight!r}")
            weights[levels.position(level, argument)] += float(weight)
    elif isinstance(given, (list, tuple)) and len(given) == 2 and not _is_row(given):
        for side, sign in zip(given, (1.0, -1.0), strict=True):
            chosen = [levels.position(level, argument) for level in sides(side, levels)]
            if not chosen or len(set(chosen)) < len(chosen):
                raise ArgumentError(f"{argument}: each side needs levels, each of them once")
            weights[chosen] += sign / len(chosen)
    elif _is_row(given):
        weights = _checked_shape(given, levels, argument)[0]
    else:
        raise ArgumentError(
            f"{argument}: expected {{level: weight}}, (levels, levels), {len(weights)} weights or "
            f"a text such as 'a - b', got {given!r}"
        )
    return _contrast(weights, argument)


def is_family(method: Any) -> bool:
    """Whether something is the name of a family."""
    return isinstance(method, str) and method.replace(".", "_") in FAMILIES


def _are_texts(given: Any) -> bool:
    return (
        isinstance(given, (list, tuple))
        and len(given) > 0
        and all(isinstance(one, str) for one in given)
    )


def _is_row(given: Any) -> bool:
    """Whether something is a row of numbers: weights, also where levels are numbers too."""
    return (
        isinstance(given, (list, tuple, np.ndarray)) and are_numbers(given) and np.ndim(given) == 1
    )


def _rows(method: Any, levels: Levels) -> Weights:
    if not isinstance(method, (list, tuple, np.ndarray)) or not are_numbers(method):
        raise ArgumentError(
            f"method={method!r}: expected the name of a family ({', '.join(FAMILIES)}), a mapping "
            "{name: {level: weight}} or {name: (levels, levels)}, or an array of weights"
        )
    rows = [_contrast(row, "method") for row in _checked_shape(method, levels, "method")]
    names = [_written(row, levels.operands) for row in rows]
    _require_distinct(names)
    return dict(zip(names, rows, strict=True))


def _require_distinct(names: Sequence[str]) -> None:
    """Refuse contrasts that could not be told apart in a table."""
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(
                f"method: two contrasts read {name!r}; give them names: {{name: weights, ...}}"
            )


def _checked_shape(given: Any, levels: Levels, argument: str) -> Array:
    weights = np.atleast_2d(np.asarray(given, dtype=float))
    if weights.ndim != 2 or weights.shape[1] != len(levels.values) or not len(weights):
        raise ArgumentError(
            f"{argument}: expected a row of {len(levels.values)} weights for each contrast, one a "
            f"level of {levels.name!r} ({', '.join(levels.labels)}); got shape "
            f"{np.shape(given)}"
        )
    return weights


def _contrast(weights: Array, argument: str) -> Array:
    """Refuse weights that compare nothing."""
    if not np.isfinite(weights).all():
        raise ArgumentError(f"{argument}: weights must be finite, got {weights.tolist()}")
    if not weights.any():
        raise ArgumentError(f"{argument}: all weights are zero, or cancel; nothing is compared")
    if abs(weights.sum()) > 1e-9 * np.abs(weights).sum():
        raise ArgumentError(
            f"{argument}: weights sum to {weights.sum():g}, expected 0; a contrast compares levels"
        )
    return weights


def _written(weights: Array, labels: Sequence[str]) -> str:
    """Write weights out, such as "0.5 a + 0.5 b - c"."""
    text = ""
    for weight, label in zip(weights, labels, strict=True):
        if weight:
            sign = (" - " if weight < 0 else " + ") if text else ("-" if weight < 0 else "")
            text += sign + (label if abs(weight) == 1 else f"{abs(weight):.4g} {label}")
    return text
