"""Which effects of a unit vary together: brackets and ``Error(cov=...)`` -> ``Joint``.

``Error(s/A)`` gives every unit an effect, and every unit in every cell another one of a common
sd: compound symmetry.  ``Error(s/A, cov="unstructured")`` and lme4's ``(A|s)`` give each unit one
effect in each cell of its within factors, of which every cell has an sd and every two a
correlation; with ``cov="diagonal"`` there are no correlations.  The same holds for a unit's own
effect and slopes, ``(x|s)``, whose bars ``(x||s)`` keep independent.  Cells are those of the full
grid of the within factors: a unit's effect where it was not observed belongs to its vector too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product

from bambi_anova.data.rows import Rows
from bambi_anova.design.design import Cell, Joint, Slope, Unit
from bambi_anova.errors import FormulaError, listing
from bambi_anova.families.base import Family
from bambi_anova.formula.algebra import COMPOUND, DIAGONAL, Bar, Term
from bambi_anova.formula.parse import Predictor, term_name

#: Effects of one unit beyond which their covariance is not to be estimated: 66 correlations.
MOST_TOGETHER = 12


@dataclass(frozen=True)
class Together:
    """What one bracket says varies together.

    Attributes
    ----------
    unit : Term
    factors : tuple of str
        Of the cells; none where the unit has an effect of its own instead.
    covariates : tuple of str
    intercept : bool
        Whether that effect is among them.
    kind : str
    """

    unit: Term
    factors: Term
    covariates: Term
    intercept: bool
    kind: str

    @property
    def unit_terms(self) -> tuple[Term, ...]:
        """Return the unit terms whose effects are read off those in the cells."""
        if not self.factors:
            return ()
        parts = chain(*(combinations(self.factors, k) for k in range(1, len(self.factors) + 1)))
        return (self.unit, *((*self.unit, *part) for part in parts))

    @property
    def name(self) -> str:
        """What varies by which unit, such as ``"dose|participant"``."""
        of = [term_name(self.factors)] if self.factors else []
        return f"{' + '.join([*of, *self.covariates])}|{term_name(self.unit)}"


def read_together(predictor: Predictor, rows: Rows) -> list[Together]:
    """Find out which effects vary together.

    Raises
    ------
    FormulaError
        If a bracket holds what is no cell and no slope, or two say something about one unit.
    """
    found = [own for terms, kind in predictor.structured for own in _of_error(terms, kind, rows)]
    found += [_of_bar(bar, rows) for bar in predictor.bars]
    _require_apart(found)
    return found


def _of_error(terms: Sequence[Term], kind: str, rows: Rows) -> Iterator[Together]:
    """Yield the cells of every kind of unit in one ``Error()``."""
    by_own: dict[Term, list[Term]] = {}
    for term in terms:
        by_own.setdefault(tuple(v for v in term if v not in rows.factors), []).append(term)
    told = False
    for own, of_unit in by_own.items():
        unit: Term = tuple(v for v in of_unit[0] if all(v in term for term in of_unit))
        inside = [tuple(v for v in term if v not in unit) for term in of_unit]
        factors = max(inside, key=len)
        if not own or not factors:
            continue
        _require_cells(factors, inside, f"Error({term_name(unit)}/...)", unit)
        told = True
        yield Together(unit, factors, (), True, kind)
    if not told:
        name = term_name(terms[0])
        raise FormulaError(
            f"cov={kind!r}: expected factors that vary within units, such as "
            f"Error({name}/A, cov={kind!r}); Error({name}) has one effect a unit, whose sd is all"
        )


def _of_bar(bar: Bar, rows: Rows) -> Together:
    """Tell the cells from the slopes."""
    text = f"({' + '.join(map(term_name, bar.slopes))}|{term_name(bar.unit)})"
    covariates: list[str] = []
    inside: list[Term] = []
    for term in bar.slopes:
        numeric = [name for name in term if name in rows.covariates]
        if numeric and len(term) > 1:
            raise FormulaError(
                f"{text}: the slope {term_name(term)!r} of a unit must be one numeric column; "
                "compute the product in the data frame"
            )
        if numeric:
            covariates.append(term[0])
        else:
            inside.append(term)
    factors = max(inside, key=len, default=())
    if inside:
        _require_cells(factors, inside, text, bar.unit)
    if bar.covariance == COMPOUND and covariates:
        raise FormulaError(
            f"{text}: cov={COMPOUND!r} is about effects in cells; slopes are independent of each "
            f"other with cov={DIAGONAL!r}, or as ({' + '.join(covariates)}||{term_name(bar.unit)})"
        )
    return Together(bar.unit, factors, tuple(covariates), bar.intercept, bar.covariance)


def _require_cells(factors: Term, inside: Sequence[Term], text: str, unit: Term) -> None:
    outside = {name for term in inside for name in term} - set(factors)
    if outside:
        names = sorted({*factors, *outside})
        raise FormulaError(
            f"{text}: effects that vary together are those of cells, which need one term of all "
            f"factors: write ({' * '.join(names)}|{term_name(unit)}) or "
            f"Error({term_name(unit)}/({' * '.join(names)}), cov=...)"
        )


def _require_apart(found: Sequence[Together]) -> None:
    """Refuse two brackets about the same effects."""
    seen: dict[tuple[frozenset, str], str] = {}
    for one in found:
        own = ["1"] if one.intercept or (one.factors and one.kind != DIAGONAL) else []
        own += ["cells"] if one.factors else []
        for effect in [*own, *one.covariates]:
            key = frozenset(one.unit), effect
            if key in seen:
                raise FormulaError(
                    f"({seen[key]}) and ({one.name}) are both about the effects of "
                    f"{term_name(one.unit)!r}; name all that varies together in one bracket, and "
                    "what is independent with ||, such as (x + z|s), (x + z||s) or (A + x|s)"
                )
            seen[key] = one.name


def make_joints(
    together: Sequence[Together],
    units: Sequence[Unit],
    rows: Rows,
    read_unit: Callable[[Term, Rows], Unit],
) -> tuple[tuple[Joint, ...], tuple[Slope, ...]]:
    """Return the effects that vary together, and the slopes and cells among them."""
    joints: list[Joint] = []
    slopes: list[Slope] = []
    for one in together:
        known = (u for u in units if frozenset(u.variables) == frozenset(one.unit))
        unit = next(known, None) or read_unit(one.unit, rows)
        _require_varying(one, unit, rows)
        cells = [] if one.kind == COMPOUND else _cells(one.factors, rows)
        own = [Slope(None, unit, cell) for cell in cells]
        own += [Slope(name, unit) for name in one.covariates]
        slopes += own
        members = [slope.name for slope in own]
        if one.intercept and not one.factors:
            members = [*(u.name for u in units if _same(u, unit)), *members]
        if len(members) > MOST_TOGETHER:
            raise FormulaError(
                f"({one.name}): {len(members)} effects of each unit would have "
                f"{len(members) * (len(members) - 1) // 2} correlations, expected at most "
                f"{MOST_TOGETHER} effects; use cov={COMPOUND!r}, or fewer factors"
            )
        if one.kind != COMPOUND and (one.factors or one.kind != DIAGONAL) and len(members) > 1:
            joints.append(Joint(one.name, unit, tuple(members), one.kind, one.factors))
    return tuple(joints), tuple(slopes)


def _same(one: Unit, other: Unit) -> bool:
    return one.size == other.size and one.is_constant(other.codes)


def _require_varying(one: Together, unit: Unit, rows: Rows) -> None:
    between = [name for name in one.factors if unit.is_constant(rows.factors[name].codes)]
    if between:
        raise FormulaError(
            f"({one.name}): {listing(map(repr, between))} does not vary within any "
            f"{term_name(unit.own)!r}, so that each has one cell, and nothing tells how cells go "
            "together; name factors that vary within units"
        )


def _cells(factors: Term, rows: Rows) -> list[Cell]:
    labels = [rows.factors[name].labels for name in factors]
    return [
        Cell(factors, level, ":".join(own)) for level, own in enumerate(product(*labels)) if factors
    ]


def holds_residual(
    together: Sequence[Together], rows: Rows, family: Family, single: bool
) -> Together | None:
    """Return what takes the place of the residual: cells of units with one row each.

    Raises
    ------
    FormulaError
        If only the chance in that row could tell them apart, as of single yes or no.
    """
    for one in together:
        if not one.factors or one.kind == COMPOUND or not single:
            continue
        if len(rows.codes((*one.unit, *one.factors))[1]) < rows.size:
            continue
        if not family.normal:
            raise FormulaError(
                f"({one.name}) with cov={one.kind!r}: with one row a unit and cell nothing tells "
                f"the effects there from chance in family {family.name!r}; use "
                f"cov={COMPOUND!r}, as in Error({term_name(one.unit)}/{term_name(one.factors)})"
            )
        return one
    return None
