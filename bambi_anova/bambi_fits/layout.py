"""A ``bambi.Model`` -> the factors, units and cells that the tables are about.

They are a ``Design`` as of our own models, without terms: the units of a group-specific term are
the levels of its columns, and a unit is told from others by those of them that are no factors.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.bambi_fits.terms import Component, group_columns
from bambi_anova.data.rows import Rows, coded_column
from bambi_anova.design.build import read_unit
from bambi_anova.design.design import Design, Factor
from bambi_anova.errors import ArgumentError
from bambi_anova.families.values import ResponseValues
from bambi_anova.formula.parse import parse_formula


def read_layout(
    model: Any, data: pd.DataFrame, factors: Iterable[str], groups: Iterable[tuple[str, ...]]
) -> Design:
    """Return factors and units.

    Parameters
    ----------
    model : bambi.Model
    data : pandas.DataFrame
        The rows that it was fitted to.
    factors : iterable of str
        The columns that are the axes of the grid of cells.
    groups : iterable of tuple of str
        The columns of the group-specific terms whose groups are units.
    """
    groups = list(dict.fromkeys(groups))
    coded = {name: coded_column(data[name], name, least=1) for name in factors}
    others = dict.fromkeys(name for group in groups for name in group if name not in coded)
    groupings = {name: coded_column(data[name], name, least=1) for name in others}
    rows = Rows(
        data,
        _response(model, len(data)),
        coded,
        {**coded, **groupings},
        covariates={},
        offset=None,
    )
    return Design(
        parse_formula("response ~ 1"),
        rows,
        tuple(Factor(name, own.levels, (), ()) for name, own in coded.items()),
        terms=(),
        units=tuple(read_unit(group, rows) for group in groups),
        slopes=(),
        dropped=(),
    )


def _response(model: Any, size: int) -> ResponseValues:
    """Return the response, as far as tables ask: its values, and its trials."""
    term = model.response_term
    values = np.asarray(term.term.data, dtype=float).reshape(size, -1)
    trials = values[:, 1] if _counts_trials(term) else None
    return ResponseValues(label_of(model), values[:, 0], trials)


def _counts_trials(term: Any) -> bool:
    kind = getattr(term.term, "kind", "") == "proportion"
    return kind or any(getattr(one, "kind", "") == "proportion" for one in term.term.components)


def label_of(model: Any) -> str:
    """Return the left-hand side of a model's formula."""
    return str(model.response_term.name)


def require_groups(component: Component, known: Iterable[str]) -> None:
    """Refuse groups that are made of no column.

    Raises
    ------
    ArgumentError
    """
    for term in component.groups:
        if not group_columns(term, known):
            raise ArgumentError(
                f"model: the groups of {term.name!r} are made of no column of its data; give "
                "the data a column of them"
            )
