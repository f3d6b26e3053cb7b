"""A formula that names columns with blanks or signs without backticks -> what it meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bambi_anova.errors import DataError, FormulaError
from bambi_anova.formula.expression import quote
from bambi_anova.formula.parse import Formula, parse_formula


def parse_for(text: str, columns: Iterable[object]) -> Formula:
    """Read a formula about a data frame of some columns.

    Raises
    ------
    FormulaError
        If it cannot be read; where names need backticks, with the formula to write.

    Examples
    --------
    >>> parse_for("reaction time ~ trial type", ["reaction time", "trial type"])
    Traceback (most recent call last):
    bambi_anova.errors.FormulaError: ... Names with blanks or signs stand in backticks: write
    `reaction time` ~ `trial type`
    """
    columns = list(columns)
    try:
        parsed = parse_formula(text)
    except FormulaError as error:
        meant = quoted(text, columns) if isinstance(text, str) else text
        if meant == text or _unknown(meant, columns):
            raise
        raise FormulaError(f"{error}. {_advice(meant)}") from None
    if _unknown(text, columns):
        meant = quoted(text, columns)
        if meant != text and not _unknown(meant, columns):
            raise FormulaError(f"{text!r} names no columns of the data. {_advice(meant)}")
    return parsed


def quoted(text: str, columns: Iterable[object]) -> str:
    """Put the columns that need them in backticks, wherever a formula names them.

    Examples
    --------
    >>> quoted("y ~ trial type * `other one`", ["trial type", "other one", "y"])
    'y ~ `trial type` * `other one`'
    """
    names = [str(name) for name in columns if _needs_quotes(str(name))]
    if not names:
        return text
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    pattern = rf"`[^`]*`|'[^']*'|\"[^\"]*\"|(?<![\w.])(?P<name>{longest_first})(?![\w.])"
    return re.sub(pattern, lambda m: quote(m["name"]) if m["name"] else m[0], text)


def _needs_quotes(name: str) -> bool:
    try:
        return quote(name) != name and re.fullmatch(r"[\w.]+", name) is None
    except DataError:  # no formula can name it
        return False


def _unknown(text: str, columns: list) -> bool:
    """Whether a formula cannot be read, or reads a name that is no column."""
    try:
        parsed = parse_formula(text)
    except FormulaError:
        return True
    return any(
        name not in columns
        for own in parsed.expressions
        if own.text not in columns
        for name in own.names
    )


def _advice(meant: str) -> str:
    return f"Names with blanks or signs stand in backticks: write {meant}"
