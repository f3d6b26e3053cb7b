"""A tidy table -> one that a reader of a journal understands: rounded text, marks, notes.

Letters: K rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.posterior.populations import POPULATION_NAMES
from bambi_anova.posterior.trust import MIN_ESS, PROMISE
from bambi_anova.present.wording import TIMES, joined, minus
from bambi_anova.tables import columns
from bambi_anova.tables.rounding import decimals, interval, number, percentage, row_decimals

UNTRUSTED = "\N{DAGGER}"
UNSUPPORTED = "\N{DOUBLE DAGGER}"
#: What a trusted quantity's Monte Carlo error is at most, in sds: an effective size of 400.
WORST_ERROR = MIN_ESS**-0.5

#: How diagnostics are written.
_DIAGNOSTICS: dict[str, Callable[[float], str]] = {
    "mcse_mean": "{:.2g}".format,
    "mcse_sd": "{:.2g}".format,
    "ess_bulk": lambda value: number(value, 0),
    "ess_tail": lambda value: number(value, 0),
    "r_hat": lambda value: number(value, 3),
    "pareto_k": lambda value: number(value, 2),
}
#: What is no label: summaries, and what marks and heads say better than a column would.
_NO_LABELS = {columns.ESTIMATE, columns.SHARE, columns.ERROR, columns.DIAGNOSTIC, columns.JUDGEMENT}
#: Columns that the notes say once, where all rows agree.
_SAID_ONCE = ("population", "scale", "of", "share_of", "comp_val")
_INTERVALS = {"hdi": "highest-density interval", "eti": "equal-tailed interval"}


@dataclass(frozen=True)
class Column:
    """A column of texts: its label, its K texts, what it stands under and to which side."""

    label: str
    cells: tuple[str, ...]
    spanner: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class JournalTable:
    """A table of texts, ready to be set.

    Attributes
    ----------
    title : str
    columns : tuple of Column
        Labels first.
    groups : tuple of str
        The heading that each of the K rows stands under; empty if there are none.
    notes : tuple of str
        What stands below: population and scale, marks, abbreviations.
    """

    title: str
    columns: tuple[Column, ...]
    groups: tuple[str, ...]
    notes: tuple[str, ...]

    def only(self, names: Sequence[str]) -> JournalTable:
        """Return the table with some of its columns, named by their label or what is above it.

        Raises
        ------
        ArgumentError
            If there is no such column.

        Examples
        --------
        >>> table = JournalTable("", (Column("Mean", ("1",)), Column("SD", ("2",))), (), ())
        >>> [column.label for column in table.only(["SD"]).columns]
        ['SD']
        """
        known = {name for column in self.columns for name in (column.label, column.spanner)} - {""}
        for name in names:
            if name not in known:
                raise ArgumentError(f"columns: {name!r} is not one{nearest(str(name), known)}")
        chosen = [c for c in self.columns if c.label in names or c.spanner in names]
        return replace(self, columns=tuple(chosen))


def journal_table(
    table: pd.DataFrame, title: str = "", notes: Sequence[str] = (), diagnostics: bool = False
) -> JournalTable:
    """Set a table of a result as text.

    Parameters
    ----------
    table : pandas.DataFrame
        K rows with ``mean``, ``sd``, ``mcse_mean`` and ``trusted``.
    title : str
    notes : sequence of str
        Further notes, put first.
    diagnostics : bool
        Keep Monte Carlo errors, effective sample sizes, R-hat and Pareto k.

    Returns
    -------
    JournalTable

    Raises
    ------
    ArgumentError
        If the table has none of these columns.

    Examples
    --------
    >>> table = pd.DataFrame({"contrast": ["x - y"], "mean": [0.4172], "sd": [0.0391]})
    >>> table = table.assign(hdi95_lb=0.3401, hdi95_ub=0.4911, mcse_mean=0.0012, trusted=True)
    >>> [column.cells for column in journal_table(table).columns[1:]]
    [('0.42',), ('0.04',), ('[0.34, 0.49]',)]
    """
    missing = {"mean", "sd", "mcse_mean", "trusted"} - set(table.columns)
    if missing or not len(table):
        what = f"has no column {sorted(missing)[0]!r}" if missing else "is empty"
        raise ArgumentError(f"table: expected a table of a result, such as contrasts(); it {what}")
    table = table.reset_index(drop=True)
    labels = list(_labels(table))
    groups: tuple[str, ...] = ()
    if "term" in table and "share" not in table:
        terms = [_term(name) for name in table["term"]]
        groups = tuple(terms) if len(set(terms)) > 1 else ()
        labels = [column for column in labels if column.label != _title("term")]
        title = title if groups else f"{title} of {terms[0]}" if title else terms[0]
    shown = (*_marked(labels, table), *_numbers(table, diagnostics))
    return JournalTable(title, shown, groups, (*notes, *_notes(table, shown)))


def _labels(table: pd.DataFrame) -> Iterator[Column]:
    """Return what the rows are about: texts, and numbers that are not summaries."""
    for name, values in table.items():
        if columns.kind_of(str(name)) in _NO_LABELS or name == "kind":
            continue
        if name in _SAID_ONCE and _constant(values):
            continue
        numeric = pd.api.types.is_numeric_dtype(values)
        texts = [f"{value:g}" if numeric else _text(str(name), value) for value in values]
        yield Column(_title(str(name)), tuple(texts), numeric=numeric)


def _text(name: str, value: object) -> str:
    if name in ("term", "stratum"):
        return _term(value)
    if name == "level":
        return str(value).replace(":", f" {TIMES} ")
    return minus(value) if name == "contrast" else str(value)


def _term(name: object) -> str:
    return joined(str(name).split(":"))


def _marked(labels: list[Column], table: pd.DataFrame) -> list[Column]:
    """Put the marks behind the first label of doubtful rows."""
    supported = table.get("supported", pd.Series(True, index=table.index))
    marks = [
        ("" if good else UNTRUSTED) + ("" if backed else UNSUPPORTED)
        for good, backed in zip(table["trusted"], supported, strict=True)
    ]
    first, *rest = labels or [Column("", ("",) * len(table), numeric=False)]
    cells = tuple(f"{cell}{mark}" for cell, mark in zip(first.cells, marks, strict=True))
    return [replace(first, cells=cells), *rest]


def _numbers(table: pd.DataFrame, diagnostics: bool) -> Iterator[Column]:
    """Return the summaries: mean, sd, interval and shares, then sigmas and shares of variance."""
    places = row_decimals(table)
    anova = "share" in table
    spanner = "SD of the effects" if anova else ""
    if not anova and table["mean"].isna().any():  # of some there is no posterior mean
        yield Column("Median", _each(number, table["median"], places), spanner)
    else:
        yield Column("Mean", _each(number, table["mean"], places), spanner)
    if not anova:
        yield Column("SD", _each(number, table["sd"], places))
    yield from _intervals(table, "", places, spanner)
    for name in () if anova else map(str, table.columns):
        if columns.kind_of(name) == columns.SHARE:
            yield Column(_title(name), _each(percentage, table[name], table["ess_bulk"]))
    for name, scale in (("sigma", 1), ("share", 100)):
        if name in table:
            head = _title(name)
            sds = scale * table[f"{name}_sd"]
            own = np.array([decimals(WORST_ERROR * sd, sd) for sd in sds])
            yield Column("Mean", _each(number, scale * table[name], own), head)
            yield from _intervals(table, f"{name}_", own, head, scale)
    for name, write in _DIAGNOSTICS.items() if diagnostics else ():
        if name in table and table[name].notna().any():
            yield Column(_title(name), _each(write, table[name]))


def _title(name: str) -> str:
    """Return what a column is called in print; users' own columns keep their names."""
    known = columns.COLUMNS.get(name)
    return known.title or name if known else name


def _each(write: Callable[..., str], *values) -> tuple[str, ...]:
    return tuple(write(*row) for row in zip(*values, strict=True))


def _intervals(
    table: pd.DataFrame, prefix: str, places: np.ndarray, spanner: str, scale: float = 1
) -> Iterator[Column]:
    for name in table.columns:
        found = columns.bound(str(name))
        if found and (found["of"], found["side"]) == (prefix, "lb"):
            lower, upper = scale * table[name], scale * table[f"{str(name)[:-3]}_ub"]
            label = f"{found['prob']}% {found['kind'].upper()}"
            yield Column(label, _each(interval, lower, upper, places), spanner)


def _constant(values: pd.Series) -> bool:
    return bool((values == values.iloc[0]).all())


def _notes(table: pd.DataFrame, shown: Sequence[Column]) -> Iterator[str]:
    for name in _SAID_ONCE:
        if name in table and _constant(table[name]):
            value = table[name].iloc[0]
            text = f"{value:g}" if name == "comp_val" else POPULATION_NAMES.get(value, value)
            yield f"{_title(name)}: {text}."
    for kind, words in _INTERVALS.items():
        if any(column.label.endswith(f"% {kind.upper()}") for column in shown):
            yield f"{kind.upper()}: {words}."
    if any(column.label == _title("pd") for column in shown):
        yield "P(direction): posterior probability of the sign of the mean."
    if any("ROPE" in column.label for column in shown):
        yield "ROPE: region of practical equivalence."
    if not table["trusted"].all():
        yield f"{UNTRUSTED} Not trusted: the draws do not settle it to within {PROMISE:g} sd."
    if "supported" in table and not table["supported"].all():
        yield f"{UNSUPPORTED} Needs cells without data: rests in part on the prior alone."
