"""Text -> one object that knows what a formula says; the text is not read again.

A *variable* is a column's name or the text of an expression; a *term* is a tuple of variables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from bambi_anova.errors import FormulaError
from bambi_anova.formula.algebra import (
    COMPOUND,
    Algebra,
    Bar,
    Intercept,
    Offset,
    Stratum,
    Term,
)
from bambi_anova.formula.expression import Expression, column
from bambi_anova.formula.tokens import Words, scan
from bambi_anova.formula.variables import Variables, read_variable

PROPORTION = ("p", "prop", "proportion")
_UNSUPPORTED_RESPONSES = {"weighted", "censored", "truncated", "constrained", "c", "counts"}
#: The predictor that a formula of one predictor is about.
PARENT = "mu"


@dataclass(frozen=True)
class Response:
    """The left-hand side.

    Attributes
    ----------
    text : str
        As it was written.
    outcome : Expression
        The outcome, or the successes of ``p(successes, trials)``.
    trials : Expression or None
    success : str or None
        The level of ``y[level]``.
    """

    text: str
    outcome: Expression
    trials: Expression | None = None
    success: str | None = None

    @property
    def variable(self) -> str:
        """The text as the name of an array: the groups of a DataTree keep "/" for themselves."""
        return self.text.replace("/", "\N{DIVISION SLASH}")


@dataclass(frozen=True)
class Predictor:
    """The right-hand side of one linear predictor.

    Attributes
    ----------
    terms : tuple of Term
        Common terms in order: factors, covariates and their interactions.
    units : tuple of Term
        Unit terms (error strata), coarsest first within each ``Error()``.
    bars : tuple of Bar
        Effects of units that vary together: ``(x|s)``, ``(A|s)``.
    structured : tuple of (tuple of Term, str)
        Unit terms of one ``Error()`` whose covariance is not compound symmetric, and that.
    offsets : tuple of Expression
        What stands inside ``offset()``.
    """

    terms: tuple[Term, ...]
    units: tuple[Term, ...] = ()
    bars: tuple[Bar, ...] = ()
    structured: tuple[tuple[tuple[Term, ...], str], ...] = ()
    offsets: tuple[Expression, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable of terms, units and slopes."""
        terms = [*self.terms, *self.units]
        terms += [term for bar in self.bars for term in (*bar.slopes, bar.unit)]
        return tuple(dict.fromkeys(name for term in terms for name in term))


@dataclass(frozen=True)
class Formula:
    """What a formula says, before any data are seen.

    Attributes
    ----------
    text : str
        As it was written, for messages.
    response : Response
    predictors : mapping of str to Predictor
        By the likelihood's parameter that each gives; the first is the parent.
    variables : mapping of str to Expression
        By name: every variable of terms, units and slopes.
    categorical : frozenset of str
        Variables marked as factors by ``C()``.
    """

    text: str
    response: Response
    predictors: Mapping[str, Predictor]
    variables: Mapping[str, Expression]
    categorical: frozenset[str]
    end_of_terms: int = field(default=0, repr=False, compare=False)

    @property
    def parent(self) -> Predictor:
        """The predictor that the tables are about."""
        return next(iter(self.predictors.values()))

    def only(self, name: str) -> Formula:
        """Return the formula of one predictor alone."""
        return replace(self, predictors={name: self.predictors[name]})

    @cached_property
    def predicting(self) -> tuple[Expression, ...]:
        """Everything on the right-hand sides."""
        offsets = [own for predictor in self.predictors.values() for own in predictor.offsets]
        return (*self.variables.values(), *offsets)

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """Everything that is evaluated on the data: the response's parts first."""
        trials = () if self.response.trials is None else (self.response.trials,)
        return (self.response.outcome, *trials, *self.predicting)

    def columns(self, known: Collection) -> list[str]:
        """Return those of the known columns that the formula names, in their order."""
        read = {name for own in self.expressions for name in (own.text, *own.names)}
        return [name for name in known if name in read]

    def with_term(self, term: str) -> str:
        """Write one more term into the formula, in front of the first unit term.

        Examples
        --------
        >>> parse_formula("p(k, n) ~ A * B + Error(s/B)").with_term("scale(n)")
        'p(k, n) ~ A * B + scale(n) + Error(s/B)'
        >>> parse_formula("p(k, n) ~ A").with_term("scale(n)")
        'p(k, n) ~ A + scale(n)'
        """
        return f"{self.text[: self.end_of_terms]} + {term}{self.text[self.end_of_terms :]}"

    def with_units(self, unit: Term, factors: Term, written: str) -> str:
        """Write anew which effects units have, in the place of what says it now.

        Examples
        --------
        >>> formula = parse_formula("y ~ A * B + Error(s/A) + (1|item); sigma ~ A")
        >>> formula.with_units(("s",), ("A",), "Error(s/A, cov='unstructured')")
        "y ~ A * B + (1|item) + Error(s/A, cov='unstructured'); sigma ~ A"
        """
        main, *further = scan(self.text).split(";")
        left, right = _sides(main, main)
        kept = [
            piece.text
            for piece in right.split("+")
            if not any(set(own) - set(factors) == set(unit) for own in _units_of(piece))
        ]
        whole = f"{left.text} ~ {' + '.join([*kept, written])}"
        return "; ".join([whole, *(one.text for one in further)])


def _units_of(piece: Words) -> list[Term]:
    """Return the units of ``Error()`` or of a bar; nothing for other terms."""
    texts = [token.text for token in piece.tokens]
    if texts[0] not in ("Error", "("):
        return []
    items = Algebra(piece, Variables()).items()
    return [item.unit for item in items if isinstance(item, Stratum | Bar)]


def parse_formula(text: str) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        ``response ~ terms``, with error strata as ``Error(s/(A*B))`` or ``(1|s) + (1|s:A)``.
        Formulas of further parameters follow behind semicolons: ``y ~ A; sigma ~ A``.

    Raises
    ------
    FormulaError
        If the text cannot be read, has no response or removes the intercept.

    Examples
    --------
    >>> f = parse_formula("p(errors, markers) ~ condition * type + Error(person/type)").parent
    >>> f.terms
    (('condition',), ('type',), ('condition', 'type'))
    >>> f.units
    (('person',), ('person', 'type'))
    >>> parse_formula("rt ~ A * B; sigma ~ A").predictors["sigma"].terms
    (('A',),)
    """
    if not isinstance(text, str):
        raise FormulaError(f"formula: expected text such as 'y ~ A * B + Error(s)', got {text!r}")
    words = scan(text)
    main, *further = words.split(";")
    left, right = _sides(main, words)
    variables = Variables()
    predictors = {PARENT: _predictor(right, variables, words)}
    for one in further:
        name, terms = _sides(one, words)
        if len(name.tokens) != 1 or name.tokens[0].kind != "name":
            raise words.error(
                f": expected a parameter such as sigma in front of '~', got {name.text!r}"
            )
        if name.text in predictors:
            raise words.error(f": there are two formulas for {name.text!r}")
        predictors[name.text] = _predictor(terms, variables, words)
    used = dict.fromkeys(name for own in predictors.values() for name in own.variables)
    return Formula(
        text=text,
        response=_response(left),
        predictors=predictors,
        variables={name: variables.found[name] for name in used},
        categorical=frozenset(variables.categorical & set(used)),
        end_of_terms=_end_of_terms(right),
    )


def _sides(formula: Words, whole: Words) -> tuple[Words, Words]:
    """Return what stands left and right of the only '~'."""
    sides = formula.split("~")
    if len(sides) != 2 or not all(side.tokens for side in sides):
        raise whole.error(": expected one '~' with a response on its left and terms on its right")
    return sides[0], sides[1]


def term_name(term: Term) -> str:
    """Return the name of a term, its variables joined by colons.

    Examples
    --------
    >>> term_name(("condition", "type"))
    'condition:type'
    """
    return ":".join(term)


def _predictor(right: Words, variables: Variables, whole: Words) -> Predictor:
    items = Algebra(right, variables).items()
    if Intercept(False) in items:
        raise whole.error(
            " removes the intercept; deflections need a grand mean: drop '0 +' or '- 1'"
        )
    bars = [item for item in items if isinstance(item, Bar)]
    strata = [item for item in items if isinstance(item, Stratum)]
    units: dict[frozenset, Term] = {}
    for unit in [*(own.unit for own in strata), *(bar.unit for bar in bars if bar.intercept)]:
        units.setdefault(frozenset(unit), unit)
    structured: dict[tuple[str, str], list[Term]] = {}
    for own in strata:
        if own.covariance != COMPOUND:
            structured.setdefault((own.text, own.covariance), []).append(own.unit)
    return Predictor(
        terms=tuple(item for item in items if isinstance(item, tuple)),
        units=tuple(units.values()),
        bars=tuple(bar for bar in bars if bar.slopes),
        structured=tuple((tuple(own), kind) for (_, kind), own in structured.items()),
        offsets=tuple(item.expression for item in items if isinstance(item, Offset)),
    )


def _end_of_terms(right: Words) -> int:
    """Return where the text of the common terms ends: in front of ``+ Error()`` or ``+ (1|s)``."""
    end = right.tokens[-1].end
    terms = right.split("+")
    for before, term in pairwise(terms):
        texts = [token.text for token in term.tokens]
        if before.tokens and (texts[:2] == ["Error", "("] or texts[:3] == ["(", "1", "|"]):
            return before.tokens[-1].end
    return end


def _response(words: Words) -> Response:
    tokens, text = words.tokens, words.text
    head = tokens[0].text if len(tokens) > 1 and tokens[1].text == "(" else None
    if head in _UNSUPPORTED_RESPONSES:
        raise words.error(f": a {head}() response is not supported; use y or p(k, n)")
    if head in PROPORTION:
        parts = words.part(2, -1).split(",")
        if len(parts) != 2 or not all(part.tokens for part in parts):
            raise words.error(f": expected p(successes, trials), got {text!r}")
        successes, trials = (read_variable(part, part.text) for part in parts)
        return Response(text, successes, trials)
    if head is None and tokens[-1].text == "]" and len(tokens) > 2 and tokens[1].text == "[":
        level = words.part(2, -1).text.strip("'\"")
        return Response(text, read_variable(words.part(0, 1)), success=level)
    kinds = {token.kind for token in tokens}
    if "name" in kinds and kinds <= {"name", "number"}:  # 'reaction time' is one column
        return Response(text, column(text))
    return Response(text, read_variable(words, text))
