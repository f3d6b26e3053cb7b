"""Text -> tokens, and the bracket that closes each opening one.

Nothing after this module looks at the characters of a formula again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bambi_anova.errors import FormulaError

#: Characters of a formula, and brackets inside each other, beyond which it is refused.
LONGEST = 10_000
DEEPEST = 40

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
    | (?P<quoted>`[^`]+`)
    | (?P<string>'[^'\\]*'|"[^"\\]*")
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
    | (?P<bracket>[()\[\]{}])
    | (?P<operator>\*\*|[=!<>]=|[-+*/:|<>=~,;])""",
    re.VERBOSE,
)
_PAIRS = {"(": ")", "{": "}", "[": "]"}
_ADVICE = {
    "^": "; write (A + B)**2, x**2",
    "%": "; write A:B",
    ".": "; name each column, one with a dot in backticks: `a.b`",
    "$": "; name the columns of the data frame alone",
    "\\": "; compute the column in the data frame",
}


@dataclass(frozen=True)
class Token:
    """One word of a formula: its kind, and where it stands."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def operand(self) -> bool:
        """Whether it can only begin a variable."""
        return self.kind in ("quoted", "string", "number", "name") or self.text in ("(", "{")


@dataclass(frozen=True)
class Words:
    """Some tokens in a row.

    Attributes
    ----------
    whole : str
        The text of the whole formula.
    tokens : tuple of Token
    closing : dict of int to int
        From the start of an opening bracket to that of the closing one.
    """

    whole: str
    tokens: tuple[Token, ...]
    closing: dict[int, int]

    @property
    def text(self) -> str:
        """The tokens as they are written."""
        return self.whole[self.tokens[0].start : self.tokens[-1].end] if self.tokens else ""

    @property
    def compact(self) -> str:
        """The tokens without blanks: 'log( x )' is the same variable as 'log(x)'."""
        if any(token.kind in ("string", "quoted") for token in self.tokens):
            return self.text
        return "".join(token.text for token in self.tokens)

    def part(self, start: int, stop: int | None = None) -> Words:
        """Return some of the tokens."""
        return replace(self, tokens=self.tokens[start:stop])

    def position(self, opening: int) -> int:
        """Return the position of the bracket that closes the one at a position."""
        start = self.closing[self.tokens[opening].start]
        return next(i for i in range(opening, len(self.tokens)) if self.tokens[i].start == start)

    def split(self, mark: str) -> list[Words]:
        """Split at a mark that stands in no bracket."""
        parts, position, begin = [], 0, 0
        while position < len(self.tokens):
            token = self.tokens[position]
            if token.text in _PAIRS:
                position = self.position(position)
            elif token.text == mark:
                parts.append(self.part(begin, position))
                begin = position + 1
            position += 1
        return [*parts, self.part(begin)]

    def error(self, problem: str) -> FormulaError:
        """Return an error that shows the formula."""
        shown = self.whole if len(self.whole) <= 300 else f"{self.whole[:300]}..."
        return FormulaError(f"{shown!r}{problem}")


def scan(text: str) -> Words:
    """Read the tokens of a formula.

    Raises
    ------
    FormulaError
        If the text is too long, a bracket or quote is not closed, or a character has no meaning.
    """
    if len(text) > LONGEST:
        raise FormulaError(
            f"formula: expected at most {LONGEST} characters, found {len(text)}. Name fewer terms, "
            "or gather columns that belong together into one factor of the data frame"
        )
    tokens: list[Token] = []
    position = 0
    blank = Words(text, (), {})
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise blank.error(_unreadable(text[position]))
        kind = match.lastgroup
        assert kind is not None  # for the type checker: every alternative is named
        if kind != "blank":
            tokens.append(Token(kind, match.group(), position, match.end()))
        position = match.end()
    return Words(text, tuple(tokens), _closing(tokens, blank))


def _unreadable(char: str) -> str:
    if char in "'\"`":
        return f": the quote {char} is never closed, or there is a backslash in it or nothing"
    return f": {char!r} has no meaning here{_ADVICE.get(char, '')}"


def _closing(tokens: list[Token], blank: Words) -> dict[int, int]:
    closing: dict[int, int] = {}
    stack: list[Token] = []
    for token in tokens:
        if token.text in _PAIRS:
            stack.append(token)
            if len(stack) > DEEPEST:
                raise blank.error(f": more than {DEEPEST} brackets stand inside each other")
        elif token.kind == "bracket":
            if not stack or _PAIRS[stack[-1].text] != token.text:
                raise blank.error(f": the bracket {token.text!r} was never opened")
            closing[stack.pop().start] = token.start
    if stack:
        raise blank.error(": a bracket is never closed")
    return closing
