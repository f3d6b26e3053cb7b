"""The algebra of terms: text -> lifted calls -> formulae's tree -> terms, by R's rules.

Function calls are lifted out of the text first and put back afterwards, because formulae renders
a call without its inner brackets: ``Error(s/(A*B))`` would come back as ``Error(s / A * B)``,
another design.  formulae scans and parses what is left; the tree is expanded here, since formulae
tells ``A:B`` from ``B:A`` and takes ``s/t/(A*B)`` apart otherwise than R does.

A *term* is a tuple of variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bambi_anova.errors import FormulaError

Term = tuple[str, ...]

#: The name of a called function, in front of its bracket.
CALL = re.compile(r"[A-Za-z_][\w.]*(?=\()")
_PLACEHOLDER = "call__{}__"


def lift_calls(text: str, whole: str) -> tuple[str, dict[str, str]]:
    """Replace every outermost call by a placeholder; return the text and the calls."""
    placeholders: dict[str, str] = {}
    out: list[str] = []
    position = 0

    def lift(call: str) -> None:
        # The same call twice is the same variable: 'C(x)*A - C(x):A' must cancel.
        call = "".join(call.split()) if not set(call) & set("'\"`") else call
        out.append(f" {placeholders.setdefault(call, _PLACEHOLDER.format(len(placeholders)))} ")

    while position < len(text):
        char = text[position]
        match = CALL.match(text, position)
        if char == "`":
            end = closing(text, position, whole)
            out.append(text[position : end + 1])
        elif match:
            end = closing(text, match.end(), whole)
            lift(text[position : end + 1])
        elif char == "{":
            end = closing(text, position, whole)
            lift(f"I({text[position + 1 : end]})")
        elif char in "^%.":
            advice = {
                "^": "write (A + B)**2",
                "%": "write A:B",
                ".": "name each column, one with a dot in backticks: `a.b`",
            }[char]
            raise FormulaError(f"{whole!r}: {char!r} has no meaning here; {advice}")
        else:
            word = re.compile(r"[A-Za-z_]\w*|\d+(\.\d+)?").match(text, position)
            end = word.end() - 1 if word else position
            out.append(text[position : end + 1])
        position = end + 1
    algebra = "".join(out).strip()
    _require_operators(algebra, whole)
    return algebra, {name: call for call, name in placeholders.items()}


def _require_operators(algebra: str, whole: str) -> None:
    """Refuse 'A B': formulae would drop what follows the first operand in silence."""
    bare = re.sub(r"`[^`]*`", "quoted", algebra)
    match = re.search(r"[\w)]\s+[\w(]|\)[\w(]|\w\(", bare)
    if match:
        raise FormulaError(f"{whole!r}: an operator (+, *, :, /) is missing near {match[0]!r}")


def closing(text: str, start: int, whole: str) -> int:
    """Return the index of the bracket or quote that closes the one at ``start``."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    stack: list[str] = []
    position = start
    while position < len(text):
        char = text[position]
        if char in "'\"`":
            position = text.find(char, position + 1)
            if position < 0:
                raise FormulaError(f"{whole!r}: the quote {char} is never closed")
        elif char in pairs:
            stack.append(pairs[char])
        elif stack and char == stack[-1]:
            stack.pop()
        if not stack:
            return position
        position += 1
    raise FormulaError(f"{whole!r}: a bracket is never closed")


@dataclass(frozen=True)
class Bar:
    """``(slope|unit)``; the empty term is the intercept."""

    slope: Term
    unit: Term


#: What ``0`` and ``- 1`` leave behind.
NO_INTERCEPT: Term = ("",)


def expand(algebra: str, whole: str) -> list[Term | Bar]:
    """Parse the algebra of terms with formulae and expand it by R's rules."""
    from formulae.parser import Parser
    from formulae.scanner import Scanner

    try:
        parser = Parser(Scanner(f"y ~ {algebra}").scan(add_intercept=False))
        tree = parser.parse().right
    except Exception as error:  # formulae has no base class for its parse errors
        raise FormulaError(
            f"formula {whole!r} cannot be read: {error}. "
            "Expected e.g. 'y ~ A * B + Error(s/B)' or 'y ~ A * B + (1|s) + (1|s:B)'"
        ) from error
    if not parser.at_end():  # formulae would drop the rest in silence
        raise FormulaError(
            f"{whole!r}: {parser.peek().lexeme!r} has no meaning here; check the brackets, "
            "and write random intercepts as (1|s)"
        )
    return _walk(tree, whole)


def _walk(node, whole: str) -> list:
    """Return the terms of a node of formulae's tree."""
    kind = type(node).__name__
    if kind == "Grouping":
        return _walk(node.expression, whole)
    if kind == "Variable" and node.level is None:
        return [(node.name.lexeme,)]
    if kind == "QuotedName":
        return [(node.expression.lexeme[1:-1],)]
    if kind == "Literal" and node.lexeme is None:
        if node.value in (0, 1):
            return [()] if node.value else [NO_INTERCEPT]
        raise FormulaError(f"{whole!r}: {node.value!r} is a number where a column was expected")
    if kind not in ("Binary", "Unary"):
        raise FormulaError(f"{whole!r} cannot be read: expected columns, brackets and operators")
    operator = node.operator.lexeme
    left = _walk(node.left, whole) if kind == "Binary" else []
    if operator == "**":
        return _power(left, getattr(node.right, "value", None), whole)
    right = _walk(node.right, whole)
    if operator == "+":
        return unique([*left, *right])
    if operator == "-" and (kind == "Binary" or right == [()]):
        gone = {_key(term) for term in right}
        kept = [term for term in left if _key(term) not in gone]
        return [*kept, NO_INTERCEPT] if () in right else kept
    if operator == "|":
        slopes = [term for term in left if term and term != NO_INTERCEPT]
        _require_columns([*slopes, *right], whole)
        slopes = slopes if NO_INTERCEPT in left else [(), *slopes]
        if slopes:
            return [Bar(slope, unit) for unit in right for slope in slopes]
    if operator == ":":
        return _cross(left, right, whole)
    if operator == "*":
        return unique([*left, *right, *_cross(left, right, whole)])
    if operator == "/":
        inside = tuple(name for term in left for name in term)
        return unique([*left, *_cross([inside], right, whole)])
    raise FormulaError(f"{whole!r}: {operator!r} has no meaning here")


def _cross(left: list, right: list, whole: str) -> list[Term]:
    _require_columns([*left, *right], whole)
    return unique([tuple(dict.fromkeys((*a, *b))) for a in left for b in right])


def _power(terms: list, exponent: object, whole: str) -> list[Term]:
    if not isinstance(exponent, int) or not 0 < exponent < 10:
        raise FormulaError(f"{whole!r}: expected a whole number from 1 to 9 after '**'")
    result = terms
    for _ in range(1, exponent):
        result = unique([*result, *_cross(result, terms, whole)])
    return result


def _require_columns(terms: list, whole: str) -> None:
    if any(isinstance(term, Bar) or term in ((), NO_INTERCEPT) for term in terms):
        raise FormulaError(f"{whole!r}: numbers and (1|s) can only be added with '+'")


def _key(term: Term | Bar) -> tuple:
    """Tell terms apart whatever the order of their variables."""
    if isinstance(term, Bar):
        return frozenset(term.slope), frozenset(term.unit)
    return (frozenset(term),)


def unique(terms: list) -> list:
    """Drop terms that name the same variables in another order; keep the first."""
    seen: dict[tuple, Term | Bar] = {}
    for term in terms:
        seen.setdefault(_key(term), term)
    return list(seen.values())
