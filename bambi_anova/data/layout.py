"""A design given without a formula -> a formula and long data.

Letters: N rows of long data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bambi_anova.data.frames import open_frame
from bambi_anova.errors import ArgumentError, DataError, listing, nearest
from bambi_anova.formula.expression import quote

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame


def design_to_formula(
    data: IntoFrame,
    dv: str,
    unit: str,
    between: str | Sequence[str] = (),
    within: str | Sequence[str] | Mapping[str, Any] = (),
) -> tuple[str, pd.DataFrame]:
    """Return the full factorial formula of a design, and its data in long form.

    See ``Model.from_design``.

    Raises
    ------
    DataError
        If a column is missing, or a unit has two levels of a between factor.
    ArgumentError
        If neither ``between`` nor ``within`` names a factor, or one is named twice.
    """
    source = open_frame(data)
    data = source.take(source.columns)
    between_names = _names(between)
    _require_columns(data, [unit, *between_names])
    if isinstance(within, Mapping):
        data, within_names = _to_long(data, dv, unit, within)
    else:
        within_names = _names(within)
        _require_columns(data, within_names)
    factors = [*between_names, *within_names]
    if not factors:
        raise ArgumentError("between, within: expected at least one factor")
    for name in factors:
        if factors.count(name) > 1 or name == unit:
            raise ArgumentError(f"{name!r} is named twice among unit, between and within")
    for name in between_names:
        _require_between(data, unit, name)
    strata = quote(unit)
    if within_names:
        crossed = " * ".join(map(quote, within_names))
        strata += f"/({crossed})" if len(within_names) > 1 else f"/{crossed}"
    # A factor that is numeric in the data is a factor all the same: it was named as one.
    fixed = " * ".join(_as_factor(data, name) for name in factors)
    left = quote(dv) if dv in data.columns else dv
    return f"{left} ~ {fixed} + Error({strata})", data


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _as_factor(data: pd.DataFrame, name: str) -> str:
    numeric = pd.api.types.is_numeric_dtype(data[name])
    if numeric and not pd.api.types.is_bool_dtype(data[name]):
        return f"C({quote(name)})"
    return quote(name)


def _require_columns(data: pd.DataFrame, names: Sequence[str]) -> None:
    for name in names:
        if name not in data.columns:
            raise DataError(f"data: there is no column {name!r}{nearest(name, map(str, data))}")


def _require_between(data: pd.DataFrame, unit: str, factor: str) -> None:
    counts = data.groupby(unit, observed=True)[factor].nunique()
    mixed = counts.index[counts > 1]
    if len(mixed):
        seen = data.loc[data[unit] == mixed[0], factor].unique()
        raise DataError(
            f"between={factor!r}: {len(mixed)} of {len(counts)} levels of {unit!r} appear in more "
            f"than one level of it: {listing(mixed, 5)} (the first in {listing(seen)}). If units "
            f"in different groups share a label, make the labels unique; if {factor!r} varies "
            "within units, name it in within"
        )


def _to_long(
    data: pd.DataFrame, dv: str, unit: str, within: Mapping[str, Any]
) -> tuple[pd.DataFrame, list[str]]:
    """Melt wide data; the levels keep the order in which the columns were given."""
    cells = _wide_cells(within)
    _require_columns(data, list(cells))
    repeated = data[unit][data[unit].duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"unit={unit!r}: wide data need one row a unit; {listing(repeated, 5)} have several"
        )
    if dv in data.columns:
        raise ArgumentError(f"dv={dv!r} is a column already; name the response of wide data anew")
    factors = list(next(iter(cells.values())))
    for factor in factors:
        if factor in data.columns or factor == dv:
            raise ArgumentError(f"within: factor {factor!r} is a column already; name it otherwise")
    parts = []
    for column, levels in cells.items():
        part = data.drop(columns=list(cells))
        parts.append(part.assign(**levels, **{dv: data[column]}))
    long = pd.concat(parts, ignore_index=True)
    for factor in factors:
        order = list(dict.fromkeys(levels[factor] for levels in cells.values()))
        long[factor] = pd.Categorical(long[factor], categories=order, ordered=True)
    return long, factors


def _wide_cells(within: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Read ``{factor: [columns]}`` or ``{column: {factor: level}}`` as the latter."""
    if not within:
        raise ArgumentError("within: expected columns for wide data, got an empty mapping")
    if all(isinstance(value, Mapping) for value in within.values()):
        cells = {column: dict(levels) for column, levels in within.items()}
        factors = list(next(iter(cells.values())))
        if any(set(levels) != set(factors) for levels in cells.values()):
            found = sorted({factor for levels in cells.values() for factor in levels})
            raise ArgumentError(f"within: every column needs the same factors, got {found}")
        cells = {c: {name: levels[name] for name in factors} for c, levels in cells.items()}
        if len({tuple(levels.values()) for levels in cells.values()}) < len(cells):
            raise ArgumentError("within: two columns have the same levels")
        return cells
    if len(within) == 1:
        ((factor, columns),) = within.items()
        if not isinstance(columns, str):
            return {column: {factor: column} for column in columns}
    raise ArgumentError(
        "within: expected {factor: [columns]} for one factor or {column: {factor: level, ...}} "
        f"for several, got {within!r}"
    )
