"""Text -> response, fixed terms, unit terms, slopes and offsets; no data involved.

The algebra of terms (``*``, ``:``, ``/``, ``-``, ``**``, brackets, ``(1|s)``) is parsed by
formulae and expanded here by R's rules: formulae's own expansion tells ``A:B`` from ``B:A``
and takes ``A*B`` apart on the right of ``a/b/``.  Function calls are lifted out of the text first
and put back afterwards, because formulae renders a call without its inner brackets:
``Error(s/(A*B))`` would come back as ``Error(s / A * B)``, another design.

A *term* is a tuple of variables; a *variable* is a column's name or the text of a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bambi_anova.errors import FormulaError

Term = tuple[str, ...]

_CALL = re.compile(r"[A-Za-z_][\w.]*(?=\()")
_PLACEHOLDER = "call__{}__"
_LEVEL = re.compile(r"^(?P<name>.+?)\[(?P<level>.+)\]$", re.DOTALL)
_PROPORTION = {"p", "prop", "proportion"}
_UNSUPPORTED_RESPONSES = {"weighted", "censored", "truncated", "constrained", "c", "counts"}


@dataclass(frozen=True)
class Response:
    """The left-hand side: a column or expression, with trials or a success level if given."""

    text: str
    expression: str
    trials: str | None = None
    success: str | None = None


@dataclass(frozen=True)
class Formula:
    """What a formula says, before any data are seen.

    Attributes
    ----------
    text : str
        The formula as it was written.
    response : Response
        The left-hand side.
    terms : tuple of Term
        Common terms in order: factors, covariates and their interactions.
    units : tuple of Term
        Unit terms (error strata), coarsest first within each ``Error()``.
    slopes : tuple of (str, Term)
        Numeric slopes that vary by unit: ``(x|s)`` gives ``("x", ("s",))``.
    offsets : tuple of str
        Expressions inside ``offset()``.
    categorical : frozenset of str
        Columns marked as factors by ``C()``.
    """

    text: str
    response: Response
    terms: tuple[Term, ...]
    units: tuple[Term, ...]
    slopes: tuple[tuple[str, Term], ...]
    offsets: tuple[str, ...]
    categorical: frozenset[str]


def parse_formula(text: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        ``response ~ terms``, with error strata as ``Error(s/(A*B))`` or ``(1|s) + (1|s:A)``.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        If the text cannot be read, has no response or removes the intercept.

    Examples
    --------
    >>> f = parse_formula("p(errors, markers) ~ condition * type + Error(person/type)")
    >>> f.terms
    (('condition',), ('type',), ('condition', 'type'))
    >>> f.units
    (('person',), ('person', 'type'))
    """
    if not isinstance(text, str):
        raise FormulaError(f"formula: expected text such as 'y ~ A * B + Error(s)', got {text!r}")
    left, right = _split_sides(text)
    algebra, calls = _lift_calls(right, text)
    expanded = _expand(algebra, text)
    if _NO_INTERCEPT in expanded:
        raise FormulaError(
            f"{text!r} removes the intercept; deflections need a grand mean: drop '0 +' or '- 1'"
        )

    terms: list[Term] = []
    units: list[Term] = []
    offsets: list[str] = []
    categorical: set[str] = set()

    def restore(name: str) -> str:
        return _variable(calls.get(name, name), categorical)

    common = [term for term in expanded if not isinstance(term, _Bar) and term]
    for names in common:
        heads = {_head(calls[name]) for name in names if name in calls}
        if heads & {"Error", "offset"}:
            if len(names) > 1:
                raise FormulaError(
                    f"{text!r}: Error() and offset() can only be added with '+', "
                    "not crossed with other terms"
                )
            inner = _inside(calls[names[0]])
            if "Error" in heads:
                units += _strata(inner, text, categorical)
            else:
                offsets.append(inner)
        else:
            terms.append(tuple(dict.fromkeys(restore(name) for name in names)))
    _require_kept(calls, common, text)

    slopes = []
    for bar in expanded:
        if not isinstance(bar, _Bar):
            continue
        unit = tuple(restore(name) for name in bar.unit)
        if not bar.slope:
            units.append(unit)
        elif len(bar.slope) > 1:
            raise FormulaError(
                f"{text!r}: the slope '{':'.join(bar.slope)}' of a unit must be one numeric "
                "column; for factors write the unit-by-factor term, (1|s:A:B) or Error(s/(A*B))"
            )
        else:
            slopes.append((restore(bar.slope[0]), unit))
    return Formula(
        text=text,
        response=_response(left, text),
        terms=tuple(_unique(terms)),
        units=tuple(_unique(units)),
        slopes=tuple(dict.fromkeys(slopes)),
        offsets=tuple(offsets),
        categorical=frozenset(categorical),
    )


def term_name(term: Term) -> str:
    """Return the name of a term, its variables joined by colons.

    Examples
    --------
    >>> term_name(("condition", "type"))
    'condition:type'
    """
    return ":".join(term)


def quote(name: str) -> str:
    """Write a column's name so that formulae reads it as one variable.

    Examples
    --------
    >>> quote("dose"), quote("dose (mg)")
    ('dose', '`dose (mg)`')
    """
    return name if re.fullmatch(r"[A-Za-z]\w*", name) else f"`{name}`"


def is_call(text: str) -> bool:
    """Tell one call, such as ``log(x)``, from arithmetic with calls.

    Examples
    --------
    >>> is_call("log(x)"), is_call("log(x) - log(y)"), is_call("x - 1")
    (True, False, False)
    """
    match = _CALL.match(text)
    return match is not None and _closing(text, match.end(), text) == len(text) - 1


def _split_sides(text: str) -> tuple[str, str]:
    bare = re.sub(r"""`[^`]*`|'[^']*'|"[^"]*\"""", lambda quoted: "_" * len(quoted[0]), text)
    at = bare.find("~")
    sides = text[:at], text[at + 1 :]
    if bare.count("~") != 1 or not sides[0].strip() or not sides[1].strip():
        raise FormulaError(
            f"formula {text!r}: expected one '~' with a response on its left and terms on its right"
        )
    return sides[0].strip(), sides[1].strip()


def _lift_calls(text: str, whole: str) -> tuple[str, dict[str, str]]:
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
        match = _CALL.match(text, position)
        if char == "`":
            end = _closing(text, position, whole)
            out.append(text[position : end + 1])
        elif match:
            end = _closing(text, match.end(), whole)
            lift(text[position : end + 1])
        elif char == "{":
            end = _closing(text, position, whole)
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


def _closing(text: str, start: int, whole: str) -> int:
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
class _Bar:
    """``(slope|unit)``; the empty term is the intercept."""

    slope: Term
    unit: Term


#: What ``0`` and ``- 1`` leave behind.
_NO_INTERCEPT: Term = ("",)


def _expand(algebra: str, whole: str) -> list[Term | _Bar]:
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
            return [()] if node.value else [_NO_INTERCEPT]
        raise FormulaError(f"{whole!r}: {node.value!r} is a number where a column was expected")
    if kind not in ("Binary", "Unary"):
        raise FormulaError(f"{whole!r} cannot be read: expected columns, brackets and operators")
    operator = node.operator.lexeme
    left = _walk(node.left, whole) if kind == "Binary" else []
    if operator == "**":
        return _power(left, getattr(node.right, "value", None), whole)
    right = _walk(node.right, whole)
    if operator == "+":
        return _unique([*left, *right])
    if operator == "-" and (kind == "Binary" or right == [()]):
        gone = {_key(term) for term in right}
        kept = [term for term in left if _key(term) not in gone]
        return [*kept, _NO_INTERCEPT] if () in right else kept
    if operator == "|":
        slopes = [term for term in left if term and term != _NO_INTERCEPT]
        _require_columns([*slopes, *right], whole)
        slopes = slopes if _NO_INTERCEPT in left else [(), *slopes]
        if slopes:
            return [_Bar(slope, unit) for unit in right for slope in slopes]
    if operator == ":":
        return _cross(left, right, whole)
    if operator == "*":
        return _unique([*left, *right, *_cross(left, right, whole)])
    if operator == "/":
        inside = tuple(name for term in left for name in term)
        return _unique([*left, *_cross([inside], right, whole)])
    raise FormulaError(f"{whole!r}: {operator!r} has no meaning here")


def _cross(left: list, right: list, whole: str) -> list[Term]:
    _require_columns([*left, *right], whole)
    return _unique([tuple(dict.fromkeys((*a, *b))) for a in left for b in right])


def _power(terms: list, exponent: object, whole: str) -> list[Term]:
    if not isinstance(exponent, int) or not 0 < exponent < 10:
        raise FormulaError(f"{whole!r}: expected a whole number from 1 to 9 after '**'")
    result = terms
    for _ in range(1, exponent):
        result = _unique([*result, *_cross(result, terms, whole)])
    return result


def _require_columns(terms: list, whole: str) -> None:
    if any(isinstance(term, _Bar) or term in ((), _NO_INTERCEPT) for term in terms):
        raise FormulaError(f"{whole!r}: numbers and (1|s) can only be added with '+'")


def _key(term: Term | _Bar) -> tuple:
    """Tell terms apart whatever the order of their variables."""
    if isinstance(term, _Bar):
        return frozenset(term.slope), frozenset(term.unit)
    return (frozenset(term),)


def _require_kept(calls: dict[str, str], common: list[Term], whole: str) -> None:
    """Refuse '- Error(s)' and '- offset(x)', which subtract what was never added."""
    kept = {name for term in common for name in term}
    for name, call in calls.items():
        if _head(call) in {"Error", "offset"} and name not in kept:
            raise FormulaError(f"{whole!r}: {call} can only be added with '+'")


def _strata(inner: str, whole: str, categorical: set[str]) -> list[Term]:
    """Expand the inside of one ``Error()`` into unit terms."""
    algebra, calls = _lift_calls(inner, whole)
    expanded = _expand(algebra, whole) if algebra else []
    terms = [term for term in expanded if not isinstance(term, _Bar)]
    if not terms or len(terms) < len(expanded) or {(), _NO_INTERCEPT} & set(terms):
        raise FormulaError(f"{whole!r}: expected units inside Error(), such as Error(s/A)")
    return [tuple(_variable(calls.get(name, name), categorical) for name in t) for t in terms]


def _variable(text: str, categorical: set[str]) -> str:
    """Turn ``C(x)`` into the factor ``x``; leave every other variable as it is."""
    if _head(text) != "C":
        return text
    name = _inside(text).strip("` ")
    if not re.fullmatch(r"[^(),]+", name):
        raise FormulaError(
            f"{text!r}: C() takes one column; set levels with pandas.Categorical instead"
        )
    categorical.add(name)
    return name


def _head(call: str) -> str | None:
    match = _CALL.match(call)
    return match.group() if match else None


def _inside(call: str) -> str:
    return call[call.index("(") + 1 : -1].strip()


def _response(text: str, whole: str) -> Response:
    head = _head(text)
    if head in _UNSUPPORTED_RESPONSES:
        raise FormulaError(f"{whole!r}: a {head}() response is not supported; use y or p(k, n)")
    if head in _PROPORTION:
        parts = [part.strip() for part in _inside(text).split(",")]
        if len(parts) != 2 or not all(parts):
            raise FormulaError(f"{whole!r}: expected p(successes, trials), got {text!r}")
        return Response(text, parts[0].strip("`"), trials=parts[1].strip("`"))
    match = _LEVEL.match(text)
    if match and head is None:
        level = match["level"].strip().strip("'\"")
        return Response(text, match["name"].strip("` "), success=level)
    return Response(text, text.strip("`"))


def _unique(terms: list) -> list:
    """Drop terms that name the same variables in another order; keep the first."""
    seen: dict[tuple, Term | _Bar] = {}
    for term in terms:
        seen.setdefault(_key(term), term)
    return list(seen.values())
