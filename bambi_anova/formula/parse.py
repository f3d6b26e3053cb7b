"""Text -> response, fixed terms, unit terms, slopes and offsets; no data involved.

The algebra of terms is expanded in ``algebra``; here its parts get their meaning.

A *term* is a tuple of variables; a *variable* is a column's name or the text of a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bambi_anova.errors import FormulaError
from bambi_anova.formula.algebra import (
    CALL,
    NO_INTERCEPT,
    Bar,
    Term,
    closing,
    expand,
    lift_calls,
    unique,
)

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

    @property
    def variable(self) -> str:
        """The text as the name of an array: the groups of a DataTree keep "/" for themselves."""
        return self.text.replace("/", "\N{DIVISION SLASH}")


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
    algebra, calls = lift_calls(right, text)
    expanded = expand(algebra, text)
    if NO_INTERCEPT in expanded:
        raise FormulaError(
            f"{text!r} removes the intercept; deflections need a grand mean: drop '0 +' or '- 1'"
        )

    terms: list[Term] = []
    units: list[Term] = []
    offsets: list[str] = []
    categorical: set[str] = set()

    def restore(name: str) -> str:
        return _variable(calls.get(name, name), categorical)

    common = [term for term in expanded if not isinstance(term, Bar) and term]
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
        if not isinstance(bar, Bar):
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
        terms=tuple(unique(terms)),
        units=tuple(unique(units)),
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
    match = CALL.match(text)
    return match is not None and closing(text, match.end(), text) == len(text) - 1


def _split_sides(text: str) -> tuple[str, str]:
    bare = re.sub(r"""`[^`]*`|'[^']*'|"[^"]*\"""", lambda quoted: "_" * len(quoted[0]), text)
    at = bare.find("~")
    sides = text[:at], text[at + 1 :]
    if bare.count("~") != 1 or not sides[0].strip() or not sides[1].strip():
        raise FormulaError(
            f"formula {text!r}: expected one '~' with a response on its left and terms on its right"
        )
    return sides[0].strip(), sides[1].strip()


def _require_kept(calls: dict[str, str], common: list[Term], whole: str) -> None:
    """Refuse '- Error(s)' and '- offset(x)', which subtract what was never added."""
    kept = {name for term in common for name in term}
    for name, call in calls.items():
        if _head(call) in {"Error", "offset"} and name not in kept:
            raise FormulaError(f"{whole!r}: {call} can only be added with '+'")


def _strata(inner: str, whole: str, categorical: set[str]) -> list[Term]:
    """Expand the inside of one ``Error()`` into unit terms."""
    algebra, calls = lift_calls(inner, whole)
    expanded = expand(algebra, whole) if algebra else []
    terms = [term for term in expanded if not isinstance(term, Bar)]
    if not terms or len(terms) < len(expanded) or {(), NO_INTERCEPT} & set(terms):
        raise FormulaError(f"{whole!r}: expected units inside Error(), such as Error(s/A)")
    return [tuple(_variable(calls.get(name, name), categorical) for name in t) for t in terms]


def _variable(text: str, categorical: set[str]) -> str:
    """Turn ``C(x)`` into the factor ``x``; leave every other variable as it is."""
    if _head(text) != "C":
        return text
    inside = _inside(text)
    name = inside.strip("` ")
    if not re.fullmatch(r"`[^`]+`|[^(),]+", inside):
        raise FormulaError(
            f"{text!r}: C() takes one column; set levels with pandas.Categorical instead"
        )
    categorical.add(name)
    return name


def _head(call: str) -> str | None:
    match = CALL.match(call)
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
