"""What the formula of a ``bambi.Model`` reads of its data: factors, numeric columns, groups.

A column is a *factor* where it is no number (text, categories, booleans) or stands in ``C()``;
else it is numeric.  The columns right of a bar make up groups; they are factors only if common
terms have them too, or if they are named as such.

Letters: C rows, K columns of a term's expression, J groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest

Array = np.ndarray

#: Numbers of a design matrix that are held at once.
MOST_NUMBERS = 4_000_000


@dataclass(frozen=True)
class Component:
    """One linear predictor of a model: its terms, and what its variables are called in draws.

    Attributes
    ----------
    name : str
        The parameter of the likelihood, such as ``"mu"``.
    own : object
        Bambi's own component.
    """

    name: str
    own: Any

    @property
    def common(self) -> list[Any]:
        """Common terms, offsets among them."""
        return [term for term in self.own.terms.values() if not is_group(term)]

    @property
    def groups(self) -> list[Any]:
        """Group-specific terms."""
        return [term for term in self.own.terms.values() if is_group(term)]


@dataclass(frozen=True)
class Columns:
    """The columns that a model reads, but for its response.

    Attributes
    ----------
    factors, numeric, groups : tuple of str
        In order of appearance; those of ``groups`` stand right of a bar.
    """

    factors: tuple[str, ...]
    numeric: tuple[str, ...]
    groups: tuple[str, ...]

    def with_factors(self, named: Iterable[str]) -> Columns:
        """Return the columns where some columns of groups count as factors.

        Raises
        ------
        ArgumentError
            If they are none.
        """
        named = [named] if isinstance(named, str) else list(named)
        for name in named:
            if name not in self.groups and name not in self.factors:
                known = (*self.factors, *self.groups)
                raise ArgumentError(
                    f"factors: {name!r} is no categorical column of this model's formula"
                    f"{nearest(str(name), known)}"
                )
        factors = tuple(dict.fromkeys((*self.factors, *named)))
        return Columns(factors, tuple(n for n in self.numeric if n not in factors), self.groups)


def components(model: Any) -> dict[str, Component]:
    """Return the linear predictors of a ``bambi.Model``, the parent's first."""
    found = {name: Component(name, own) for name, own in model.conditional_parameters.items()}
    parent = model.family.likelihood.parent
    return {parent: found.pop(parent), **found} if parent in found else found


def is_group(term: Any) -> bool:
    """Whether a term of Bambi's is group-specific."""
    return hasattr(term.term, "factor")


def is_hsgp(term: Any) -> bool:
    """Whether a term of Bambi's is a Gaussian process, whose columns are not its basis."""
    return hasattr(term, "hsgp") or hasattr(term, "hsgp_attributes")


def is_offset(term: Any) -> bool:
    """Whether a term of Bambi's is an offset."""
    return getattr(term, "kind", "") == "offset"


def label(term: Any) -> str:
    """Return what a term or a parameter is called in draws."""
    return getattr(term, "label", None) or getattr(term, "alias", None) or term.name


def used_rows(model: Any) -> pd.DataFrame:
    """Return the rows and columns that a model was fitted to."""
    read = set(model.response_term.term.var_names).union(
        *(
            term.term.var_names
            for one in components(model).values()
            for term in one.own.terms.values()
        )
    )
    data = model.data
    return data[[name for name in data.columns if name in read]].dropna().reset_index(drop=True)


def read_columns(model: Any) -> Columns:
    """Return the columns that a model's linear predictors read."""
    known = model.data.columns
    factors: dict[str, None] = {}
    numeric: dict[str, None] = {}
    groups: dict[str, None] = {}
    for component in components(model).values():
        for term in component.own.terms.values():
            parts = [term.term.expr, term.term.factor] if is_group(term) else [term.term]
            for part in getattr(parts[0], "components", ()):
                names = _in_order(part, known)
                alone = part.kind == "categoric" and len(names) == 1
                for name in names:
                    into = factors if alone or not _is_number(model.data[name]) else numeric
                    into.setdefault(name)
            for part in parts[1:]:
                for piece in part.components:
                    groups.update(dict.fromkeys(_in_order(piece, known)))
    return Columns(
        tuple(factors), tuple(name for name in numeric if name not in factors), tuple(groups)
    )


def group_columns(term: Any, known: Iterable[str]) -> tuple[str, ...]:
    """Return the columns right of the bar of a group-specific term."""
    names = [name for part in term.term.factor.components for name in _in_order(part, known)]
    return tuple(dict.fromkeys(names))


def _in_order(part: Any, known: Iterable[str]) -> list[str]:
    """Return the columns that a component of a term reads."""
    return [name for name in known if name in part.var_names]


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def matrix(values: Any, size: int) -> Array:
    """Return a term's columns at some rows as numbers, shape (C, K)."""
    values = np.asarray(values, dtype=float)
    values = values.reshape(-1, 1) if values.ndim < 2 else values
    return np.broadcast_to(values, (size, values.shape[1]))


def expression(term: Any, frame: pd.DataFrame) -> Array:
    """Return the columns left of the bar of a group-specific term, shape (C, K)."""
    return matrix(term.term.expr.eval_new_data(frame), len(frame))


def group_index(term: Any, frame: pd.DataFrame) -> Array:
    """Return the group of each row among those of a group-specific term, shape (C,)."""
    size = max(MOST_NUMBERS // max(len(term.term.groups), 1), 1)
    parts = [
        np.asarray(term.term.factor.eval_new_data(frame.iloc[start : start + size])).argmax(axis=1)
        for start in range(0, len(frame), size)
    ]
    return np.concatenate(parts)
