"""Collapsed rows -> the data frame that Bambi sees, and the left-hand side of its formula.

Letters: M collapsed rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.data.rows import Rows
from bambi_anova.design.design import Cell, Design, Slope, Unit
from bambi_anova.families.base import Family
from bambi_anova.families.sufficient import Collapsed
from bambi_anova.formula.expression import quote
from bambi_anova.names import effects_labels


@dataclass(frozen=True)
class BambiFrame:
    """Bambi's data and response, with the column of offsets if there is one."""

    data: pd.DataFrame
    response: str
    offset: str | None


def make_frame(
    design: Design, collapsed: Collapsed, family: Family, further: Sequence[Design] = ()
) -> BambiFrame:
    """Return the M rows that stand for the data, of a design and those of further predictors.

    Predictor columns keep the user's names and values, so that Bambi's ``predict`` takes new
    data as the user writes them.  A response column is renamed where a predictor reads it too.
    """
    rows = design.rows
    named = design.formula.columns(rows.data.columns)
    data = rows.data[named].iloc[collapsed.first].reset_index(drop=True)
    for name, coded in {**rows.factors, **rows.groupings}.items():
        codes = coded.codes[collapsed.first]
        data[name] = _ordered(codes, coded.levels)
    designs = (design, *further)
    for unit in [unit for own in designs for unit in (*own.units, *(s.unit for s in own.slopes))]:
        if not is_complete(unit, design):
            codes = unit.codes[collapsed.first]
            data[unit.name] = _ordered(codes, effects_labels(unit, design))
    offset = None
    if collapsed.offset is not None:
        offset = _free("log_exposure" if family.response.counts else "offset", data)
        data[offset] = collapsed.offset
    return BambiFrame(data, _add_response(data, design, collapsed, family), offset)


def _ordered(codes: np.ndarray, levels: Sequence) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(levels), ordered=True)


def is_complete(unit: Unit, design: Design) -> bool:
    """Whether every combination of the unit's variables occurs, as Bambi's ``a:b`` assumes."""
    coded = {**design.rows.factors, **design.rows.groupings}
    levels = [len(coded[name].levels) for name in unit.variables]
    return unit.size == int(np.prod(levels, dtype=np.int64))


def _add_response(data: pd.DataFrame, design: Design, collapsed: Collapsed, family: Family) -> str:
    """Add the response columns; return the left-hand side."""
    response = design.formula.response
    read = {name for own in design.rows.covariates.values() for name in own.columns}
    predictors = {*design.rows.factors, *design.rows.groupings}

    def add(name: str, values: np.ndarray | pd.Categorical) -> str:
        own = name.isidentifier()
        column = name if own else "response"
        if column in predictors or column in read or (column in data and not own):
            column = _free(f"{column}_total", data)
        data[column] = values
        return quote(column)

    if family.response.binary and not collapsed.merged:
        return add(str(response.outcome), collapsed.values.astype(int))
    if collapsed.trials is not None:
        successes = add(str(response.outcome), collapsed.values.astype(int))
        trials = str(response.trials)
        trials = trials if trials in data else _free("trials", data)
        return f"p({successes}, {add(trials, collapsed.trials.astype(int))})"
    if family.response.ordered:
        return add(str(response.outcome), pd.Categorical(collapsed.values, ordered=True))
    whole = family.response.counts
    return add(str(response.outcome), collapsed.values.astype(int) if whole else collapsed.values)


def centred_call(name: str, rows: Rows) -> str:
    """Write a covariate for Bambi: a function of ours of the columns that it reads.

    Bambi sees no expression of the user's, and centres new rows where ours are centred.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats").assign(acre=range(1, 73))
    >>> centred_call("np.log(acre)", ba.Model("yield ~ np.log(acre)", oats).design.rows)
    'centred_np_log_acre(acre)'
    """
    return f"{_functions(rows)[name]}({', '.join(map(quote, rows.covariates[name].columns))})"


def cell_call(slope: Slope, design: Design) -> str:
    """Write for Bambi whether rows lie in a cell: a function of ours of its factors' columns.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> formula = "yield ~ nitrogen + Error(block/nitrogen, cov='unstructured')"
    >>> design = ba.Model(formula, ba.load_data("oats")).design
    >>> cell_call(design.slopes[1], design)
    'in_cell_1(nitrogen)'
    """
    assert slope.cell is not None  # for the type checker
    return f"{_cell_name(slope, design)}({', '.join(map(quote, slope.cell.factors))})"


def _cell_name(slope: Slope, design: Design) -> str:
    return f"in_cell_{[own.name for own in design.slopes].index(slope.name)}"


def cell_functions(design: Design) -> dict[str, Callable[..., np.ndarray]]:
    """Return the functions that ``cell_call`` writes, by their names."""

    def function(cell: Cell) -> Callable[..., np.ndarray]:
        places = [
            {str(level): k for k, level in enumerate(design.levels[name])} for name in cell.factors
        ]

        def inside(*columns: pd.Series) -> np.ndarray:
            codes = [[p[str(v)] for v in own] for p, own in zip(places, columns, strict=True)]
            level = np.ravel_multi_index(tuple(map(np.array, codes)), tuple(map(len, places)))
            return (level == cell.level).astype(float)

        return inside

    return {
        _cell_name(slope, design): function(slope.cell)
        for slope in design.slopes
        if slope.cell is not None
    }


def centring(rows: Rows) -> dict[str, Callable[..., np.ndarray]]:
    """Return the functions that ``centred_call`` writes, by their names."""

    def function(name: str) -> Callable[..., np.ndarray]:
        def centred(*columns: pd.Series) -> np.ndarray:
            frame = dict(zip(rows.covariates[name].columns, columns, strict=True))
            return rows.centred(name, pd.DataFrame(frame))

        return centred

    return {called: function(name) for name, called in _functions(rows).items()}


def _functions(rows: Rows) -> dict[str, str]:
    """Name a function for each covariate."""
    found: dict[str, str] = {}
    for name in rows.covariates:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        found[name] = _free(f"centred_{plain}", found.values())
    return found


def _free(name: str, data: Collection) -> str:
    """Return the name, with underscores added until nothing has it."""
    while name in data:
        name += "_"
    return name
