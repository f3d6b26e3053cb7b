"""A contrast written out, such as ``"(a + b)/2 - c"`` -> weights of levels.

The text is read by the tokens of formulas and never run.  Levels that are no plain names stand in
backticks or quotes, or as the tables print them; a number by itself is a level of that name, a
number beside ``*`` or ``/`` a weight.

Letters: J levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bambi_anova.errors import ArgumentError, FormulaError, nearest
from bambi_anova.estimates.contrast_families import Levels
from bambi_anova.formula.quoting import in_backticks
from bambi_anova.formula.tokens import Token, Words, scan

Array = np.ndarray


@dataclass(frozen=True)
class _Value:
    """What a part of the text is worth: a number, or weights of levels; its level if it is bare."""

    number: float = 1.0
    weights: Array | None = None
    bare: Token | None = None


def text_weights(text: str, levels: Levels) -> Array:
    """Return the weights that a text gives the levels, shape (J,).

    Raises
    ------
    ArgumentError
        If it cannot be read, or names what is no level.

    Examples
    --------
    >>> text_weights("(a + b)/2 - c", Levels("A", ("a", "b", "c"))).tolist()
    [0.5, 0.5, -1.0]
    >>> text_weights("Golden rain - 0.5", Levels("A", ("Golden rain", 0.5))).tolist()
    [1.0, -1.0]
    """
    try:
        # Only levels that no formula could name otherwise are looked for in the text itself.
        words = scan(in_backticks(text, levels.labels))
        return _Reader(text, words, levels).read()
    except FormulaError as error:
        raise _refused(text, str(error)) from None


class _Reader:
    """Read the words from left to right; operators bind as in arithmetic."""

    def __init__(self, text: str, words: Words, levels: Levels) -> None:
        self.text, self.words, self.levels, self.at = text, words, levels, 0

    def read(self) -> Array:
        """Return the weights that all words add up to."""
        found = self._sum()
        if self.at < len(self.words.tokens):
            raise self._unexpected()
        return self._weights(found)

    def _take(self, *marks: str) -> str | None:
        token = self._next()
        if token is None or token.text not in marks:
            return None
        self.at += 1
        return token.text

    def _next(self) -> Token | None:
        return self.words.tokens[self.at] if self.at < len(self.words.tokens) else None

    def _sum(self) -> _Value:
        sign = self._take("-", "+")
        found = self._product()
        if sign is None and not self._next_is("+", "-"):
            return found
        # A number that is added is a level: a contrast holds no constant.
        weights = self._weights(found) * (-1.0 if sign == "-" else 1.0)
        while operator := self._take("+", "-"):
            weights = weights + self._weights(self._product()) * (1.0 if operator == "+" else -1.0)
        return _Value(1.0, weights)

    def _next_is(self, *marks: str) -> bool:
        token = self._next()
        return token is not None and token.text in marks

    def _product(self) -> _Value:
        found = self._operand()
        while operator := self._take("*", "/"):
            other = self._operand()
            if operator == "*" and found.weights is None:
                found, other = other, found
            if other.weights is not None:
                what = "multiplied with" if operator == "*" else "divided by"
                raise _refused(
                    self.text,
                    f"a level is {what} a level; levels are added and subtracted, and weighted by "
                    "numbers",
                )
            if operator == "/" and other.number == 0:
                raise _refused(self.text, "it divides by zero")
            scale = other.number if operator == "*" else 1 / other.number
            if found.weights is None:
                found = _Value(found.number * scale)
            else:
                found = _Value(1.0, found.weights * scale)
        return found

    def _operand(self) -> _Value:
        token = self._next()
        if token is None:
            raise _refused(self.text, "it ends where a level was expected")
        if token.text == "(":
            self.at += 1
            found = self._sum()
            if self._take(")") is None:
                raise self._unexpected()
            return found
        if token.kind not in ("number", "name", "quoted", "string"):
            raise self._unexpected()
        self.at += 1
        if token.kind == "number":
            return _Value(float(token.text), None, token)
        name = token.text if token.kind == "name" else token.text[1:-1]
        return _Value(1.0, self._level(name))

    def _weights(self, found: _Value) -> Array:
        """Return weights; a number that stands by itself is a level."""
        if found.weights is not None:
            return found.weights
        if found.bare is None:
            raise _refused(
                self.text, "a number stands by itself; levels that are numbers stand in backticks"
            )
        return self._level(found.bare.text, found.number)

    def _level(self, name: str, number: float | None = None) -> Array:
        labels = self.levels.labels
        if name not in labels and number is not None:  # 0 for 0.0
            same = [i for i, value in enumerate(self.levels.values) if value == number]
            if same:
                return np.eye(len(labels))[same[0]]
        if name not in labels:
            raise _refused(
                self.text, f"{name!r} is not a level of {self.levels.name!r}{nearest(name, labels)}"
            )
        return np.eye(len(labels))[labels.index(name)]

    def _unexpected(self) -> ArgumentError:
        token = self._next()
        found = "its end" if token is None else repr(token.text)
        return _refused(
            self.text,
            f"cannot be read at {found}; levels that are no plain names stand in backticks",
        )


def _refused(text: str, problem: str) -> ArgumentError:
    return ArgumentError(
        f"contrast {text!r}: {problem}. Expected a family such as 'pairwise', or levels with "
        "weights such as 'a - b' or '(a + b)/2 - c'"
    )
