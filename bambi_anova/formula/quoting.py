"""A formula that names columns with blanks or signs without backticks -> what it meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bambi_anova.errors import FormulaError
from bambi_anova.formula.parse import Formula, parse_formula
from bambi_anova.formula.tokens import scan


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
        meant = in_backticks(text, columns) if isinstance(text, str) else text
        if meant == text or _unknown(meant, columns):
            raise
        raise FormulaError(f"{error}. {_advice(meant)}") from None
    if _unknown(text, columns):
        meant = in_backticks(text, columns)
        if meant != text and not _unknown(meant, columns):
            raise FormulaError(f"{text!r} names no columns of the data. {_advice(meant)}")
    return parsed


def in_backticks(text: str, names: Iterable[object]) -> str:
    """Put the names that need them in backticks, wherever a text holds them.

    Examples
    --------
    >>> in_backticks("y ~ trial type * `other one`", ["trial type", "other one", "y"])
    'y ~ `trial type` * `other one`'
    """
    needing = [str(name) for name in names if _needs_backticks(str(name))]
    if not needing:
        return text
    longest_first = "|".join(re.escape(name) for name in sorted(needing, key=len, reverse=True))
    pattern = rf"`[^`]*`|'[^']*'|\"[^\"]*\"|(?<![\w.])(?P<name>{longest_first})(?![\w.])"
    return re.sub(pattern, lambda found: f"`{found[0]}`" if found["name"] else found[0], text)


def _needs_backticks(name: str) -> bool:
    """Whether a name is more than one word, and can be found and quoted in a text."""
    if "`" in name or name != name.strip() or not name:
        return False
    try:
        tokens = scan(name).tokens
    except FormulaError:
        return True
    return len(tokens) > 1 or tokens[0].kind not in ("name", "number")


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
