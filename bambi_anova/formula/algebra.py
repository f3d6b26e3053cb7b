"""The algebra of terms: tokens -> terms, unit terms and offsets, expanded by R's rules.

A *term* is a tuple of variables' names.  Terms that name the same variables in another order are
one term, written as the first of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from bambi_anova.errors import FormulaError, nearest
from bambi_anova.formula.expression import Expression
from bambi_anova.formula.tokens import Token, Words
from bambi_anova.formula.variables import Variables, read_variable

Term = tuple[str, ...]

#: Kinds of the covariance of a unit's effects.
COMPOUND, DIAGONAL, UNSTRUCTURED = COVARIANCES = ("compound", "diagonal", "unstructured")
#: Terms beyond which a formula is refused: ten factors with all of their interactions.
MOST_TERMS = 1023
_EXAMPLE = "Expected e.g. 'y ~ A * B + Error(s/B)' or 'y ~ A * B + (1|s) + (1|s:B)'"


@dataclass(frozen=True)
class Intercept:
    """``1``; not kept by ``0`` and ``- 1``."""

    kept: bool


@dataclass(frozen=True)
class Stratum:
    """A unit term of ``Error()``, and the covariance that those of this ``Error()`` have."""

    unit: Term
    text: str
    covariance: str = COMPOUND


@dataclass(frozen=True)
class Bar:
    """``(slopes|unit)``: effects of one unit that vary together.

    Attributes
    ----------
    unit : Term
    slopes : tuple of Term
        What the effects belong to: covariates and terms of factors.
    intercept : bool
        Whether the unit has an effect of its own beside them.
    covariance : str
    """

    unit: Term
    slopes: tuple[Term, ...] = ()
    intercept: bool = True
    covariance: str = UNSTRUCTURED


@dataclass(frozen=True)
class Offset:
    """``offset(expression)``."""

    expression: Expression
    text: str


Item = Term | Intercept | Stratum | Bar | Offset
#: Items by what tells them apart.
Items = dict[Hashable, Item]


def _key(item: Item) -> Hashable:
    """Tell items apart whatever the order of their variables."""
    if isinstance(item, tuple):
        return frozenset(item)
    if isinstance(item, Stratum):
        return Stratum, frozenset(item.unit)
    if isinstance(item, Bar):
        return Bar, item.slopes, item.intercept, item.covariance, frozenset(item.unit)
    return item


def _text(item: Item) -> str:
    return item.text if isinstance(item, (Stratum, Offset)) else "(1|s)"


def _parts(bar: Bar) -> list[Bar]:
    """Return one bar for each of the effects of another: those of ``||`` are independent."""
    alone = [Bar(bar.unit, (slope,), False, DIAGONAL) for slope in bar.slopes]
    return [Bar(bar.unit), *alone] if bar.intercept else alone


class Algebra:
    """Read some words from left to right; operators bind as in R.

    Parameters
    ----------
    words : Words
    variables : Variables
        Where the variables go that stand in the words.
    """

    def __init__(self, words: Words, variables: Variables) -> None:
        self.words, self.variables, self.at = words, variables, 0

    def items(self) -> list[Item]:
        """Return everything that the words add up.

        Raises
        ------
        FormulaError
        """
        found = self._sum()
        token = self._next
        if token is not None and token.operand:
            before = self.words.tokens[self.at - 1]
            near = self.words.whole[before.start : token.end]
            raise self._error(f": an operator (+, *, :, /) is missing near {near!r}")
        if token is not None:
            raise self._error(
                f": {token.text!r} has no meaning here; check the brackets, and write random "
                "intercepts as (1|s)"
            )
        return list(found.values())

    # Tokens

    @property
    def _next(self) -> Token | None:
        return self.words.tokens[self.at] if self.at < len(self.words.tokens) else None

    def _take(self, *marks: str) -> str | None:
        """Step over the next token if it is one of these."""
        if self._next is None or self._next.text not in marks:
            return None
        self.at += 1
        return self.words.tokens[self.at - 1].text

    def _take_to(self, closing: int) -> Words:
        """Step over the words up to a closing bracket, and return them."""
        start, self.at = self.at, closing + 1
        return self.words.part(start, self.at)

    def _error(self, problem: str) -> FormulaError:
        return self.words.error(problem)

    # Operators, the loosest first

    def _sum(self) -> Items:
        found: Items = {}
        sign = self._take("+", "-")
        if sign == "-" and (self._next is None or self._next.text != "1"):
            raise self._error(": '-' has no meaning here")
        while True:
            right = self._product()
            if sign == "-":
                self._subtract(found, right)
            else:
                self._add(found, right.values())
            sign = self._take("+", "-")
            if sign is None:
                return found
            if self._take("+", "-") == "-":
                sign = "+" if sign == "-" else "-"

    def _subtract(self, found: Items, right: Items) -> None:
        for key, item in right.items():
            if not isinstance(item, (tuple, Intercept)):
                raise self._error(f": {_text(item)} can only be added with '+'")
            found.pop(key, None)
        if Intercept(True) in right:
            found[Intercept(False)] = Intercept(False)

    def _product(self) -> Items:
        left = self._interaction()
        while operator := self._take("*", "/"):
            right = self._interaction()
            if operator == "*":
                crossed = self._cross(left, right)
                self._add(left, right.values())
            else:
                inside = dict.fromkeys(name for term in self._terms(left) for name in term)
                crossed = self._cross({None: tuple(inside)}, right)
            self._add(left, crossed.values())
        return left

    def _interaction(self) -> Items:
        left = self._power()
        while self._take(":"):
            left = self._cross(left, self._power())
        return left

    def _power(self) -> Items:
        left = self._operand()
        while self._take("**"):
            power = self._take(*"123456789")
            if power is None:
                raise self._error(": expected a whole number from 1 to 9 after '**'")
            once = dict(left)
            for _ in range(1, int(power)):
                self._add(left, self._cross(left, once).values())
        return left

    def _operand(self) -> Items:
        token = self._next
        if token is None or not token.operand or token.kind == "string":
            found = "nothing" if token is None else repr(token.text)
            raise self._error(f" cannot be read: expected a column, found {found}. {_EXAMPLE}")
        if token.text == "(":
            return self._bracket(self._take_to(self.words.position(self.at)).part(1, -1))
        if token.text == "{":
            return self._variable(self._take_to(self.words.position(self.at)))
        if token.kind == "name" and self.words.whole[token.end : token.end + 1] == "(":
            return self._call(self._take_to(self.words.position(self.at + 1)))
        if token.kind == "number":
            self.at += 1
            if token.text not in ("0", "1"):
                raise self._error(f": {token.text} is a number where a column was expected")
            return {Intercept(token.text == "1"): Intercept(token.text == "1")}
        return self._variable(self._take_to(self.at))

    # Operands

    def _bracket(self, inside: Words) -> Items:
        """Read what stands in brackets: a sum, or slopes and the units by which they vary."""
        sides = inside.split("|")
        if len(sides) == 1:
            return self._of(inside)
        apart = len(sides) == 3 and not sides[1].tokens
        if len(sides) > 2 and not apart:
            raise self._error(": '|' has no meaning here; write random intercepts as (1|s)")
        units, covariance = self._with_covariance(sides[-1], UNSTRUCTURED)
        left, right = self._of(sides[0]), self._of(units)
        intercept = not left.pop(Intercept(False), None)
        left.pop(Intercept(True), None)
        slopes = tuple(self._terms(left))
        if not slopes and not intercept:
            raise self._error(": '|' has no meaning here without a slope; write (1|s)")
        bars = [Bar(unit, slopes, intercept, covariance) for unit in self._terms(right)]
        if apart:
            bars = [part for bar in bars for part in _parts(bar)]
        found: Items = {}
        self._add(found, bars)
        return found

    def _with_covariance(self, words: Words, default: str) -> tuple[Words, str]:
        """Split units from the ``cov="..."`` behind them."""
        units, *options = words.split(",")
        if not options:
            return units, default
        (option,) = options if len(options) == 1 else (Words(words.whole, (), {}),)
        texts = [token.text for token in option.tokens]
        if len(texts) != 3 or texts[:2] != ["cov", "="] or option.tokens[2].kind != "string":
            raise self._error(
                f": expected cov={UNSTRUCTURED!r} or the like behind the units, found "
                f"{words.text!r}"
            )
        covariance = texts[2][1:-1]
        if covariance not in COVARIANCES:
            raise self._error(f": there is no cov={covariance!r}{nearest(covariance, COVARIANCES)}")
        return units, covariance

    def _call(self, words: Words) -> Items:
        head, inside = words.tokens[0].text, words.part(2, -1)
        found: Items = {}
        if head == "Error":
            expected = ": expected units inside Error(), such as Error(s/A)"
            inside, covariance = self._with_covariance(inside, COMPOUND)
            units = self._of(inside) if inside.tokens else {}
            if not units or not all(isinstance(item, tuple) for item in units.values()):
                raise self._error(expected)
            strata = (Stratum(unit, words.text, covariance) for unit in self._terms(units))
            self._add(found, strata)
        elif head == "offset":
            if not inside.tokens:
                raise self._error(": expected a column or an expression inside offset()")
            found[words.compact] = Offset(read_variable(inside, inside.compact), words.compact)
        else:
            return self._variable(words)
        return found

    def _variable(self, words: Words) -> Items:
        name = self.variables.read(words)
        return {frozenset({name}): (name,)}

    def _of(self, words: Words) -> Items:
        inner = Algebra(words, self.variables)
        return {_key(item): item for item in inner.items()}

    # Terms

    def _terms(self, items: Items) -> list[Term]:
        """Return the items, all of which must be terms."""
        terms = [item for item in items.values() if isinstance(item, tuple)]
        for item in items.values():
            if isinstance(item, (Stratum, Offset)):
                raise self._error(
                    f": {item.text} can only be added with '+', not crossed with other terms"
                )
            if not isinstance(item, tuple):
                raise self._error(": numbers and (1|s) can only be added with '+'")
        return terms

    def _cross(self, left: Items, right: Items) -> Items:
        terms, others = self._terms(left), self._terms(right)
        self._require_few(len(terms) * len(others) // 8)  # of which many may be the same
        found: Items = {}
        self._add(found, (tuple(dict.fromkeys((*a, *b))) for a in terms for b in others))
        return found

    def _add(self, found: Items, more: Iterable[Item]) -> None:
        """Add items in place; of equal ones the first stays."""
        for item in more:
            found.setdefault(_key(item), item)
        self._require_few(len(found))

    def _require_few(self, count: int) -> None:
        if count > MOST_TERMS:
            raise self._error(
                f": makes more than {MOST_TERMS} terms. Name the interactions that the question is "
                "about: (A + B + C)**2 makes those of two factors"
            )
