"""The variables of a formula, gathered while it is read: each is read once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bambi_anova.formula.expression import Expression, column, read_expression
from bambi_anova.formula.tokens import Token, Words


@dataclass
class Variables:
    """Expressions by their names, and the names of those that ``C()`` marks as factors."""

    found: dict[str, Expression] = field(default_factory=dict)
    categorical: set[str] = field(default_factory=set)

    def read(self, words: Words) -> str:
        """Read a column, a call or an expression in braces; return its name."""
        head = words.tokens[0]
        if head.kind == "name" and head.text == "C" and len(words.tokens) > 1:
            expression = self._of_factor(words)
            self.categorical.add(expression.text)
            return self._add(words, expression)
        return self._add(words, read_variable(words))

    def _of_factor(self, words: Words) -> Expression:
        inside = words.part(2, -1)
        if not inside.tokens or any(token.text in ("(", ",") for token in inside.tokens):
            raise words.error(
                f": {words.compact}: C() takes one column; set levels with pandas.Categorical"
            )
        return read_variable(inside)

    def _add(self, words: Words, expression: Expression) -> str:
        known = self.found.setdefault(expression.text, expression)
        if known.is_column != expression.is_column:
            raise words.error(
                f": {expression.text!r} is a column and an expression; rename the column"
            )
        return known.text


def read_variable(words: Words, text: str | None = None) -> Expression:
    """Read a column, whose name may hold dots, or an expression; braces are ``I()``."""
    if len(words.tokens) == 1 and words.tokens[0].kind in ("name", "quoted"):
        return column(words.tokens[0].text.strip("`"))
    if words.tokens[0].text == "{" and words.position(0) == len(words.tokens) - 1:
        words, inside = _identity(words)
        text = inside if text is None else text
    return read_expression(words, text)


def _identity(words: Words) -> tuple[Words, str]:
    """Return braces as a call of ``I()``, and its text."""
    inside = words.part(1, -1)
    first, last = words.tokens[0], words.tokens[-1]
    opening = (Token("name", "I", first.start, first.start), replace(first, text="("))
    tokens = (*opening, *inside.tokens, replace(last, text=")"))
    return replace(words, tokens=tokens), f"I({inside.compact})"
