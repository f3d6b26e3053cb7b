"""Coded rows -> design: cells, units, and the stratum in which each term is judged.

Letters: N rows, J levels of one unit term, C cells of the full factorial grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from bambi_anova.data.rows import Rows
from bambi_anova.design.design import (
    RESIDUAL,
    Design,
    DroppedUnit,
    Factor,
    FixedTerm,
    Unit,
    nested,
)
from bambi_anova.design.joints import Together, holds_residual, make_joints, read_together
from bambi_anova.design.margins import find_margins
from bambi_anova.errors import DataError, FormulaError, listing
from bambi_anova.families.base import Family
from bambi_anova.formula.algebra import COMPOUND, DIAGONAL, Term
from bambi_anova.formula.parse import Formula, Predictor, term_name

#: Cells of the grid beyond which no table could hold their draws.
MOST_CELLS = 100_000


def build_design(formula: Formula, rows: Rows, family: Family) -> Design:
    """Find the cells, the units and the stratum of each term.

    Parameters
    ----------
    formula : Formula
    rows : Rows
    family : Family
        Decides whether a unit term with one row a unit is the residual.

    Raises
    ------
    FormulaError
        If a unit term is made of fixed factors only, or a term has two covariates.
    DataError
        If the factors have too many combinations of levels.

    Notes
    -----
    Each term belongs to the stratum of the coarsest unit within which it does not vary, as in
    the error strata of Nelder (1965, doi:10.1098/rspa.1965.0012).
    """
    predictor = formula.parent
    _require_few_cells(rows)
    together = read_together(predictor, rows)
    units, dropped = _units(predictor, rows, family, together)
    own_units = [unit for unit in units if not any(_extends(unit, other) for other in units)]
    factors = tuple(
        Factor(
            name,
            coded.levels,
            between=tuple(unit.name for unit in own_units if name in unit.constant),
            within=tuple(unit.name for unit in own_units if name not in unit.constant),
        )
        for name, coded in rows.factors.items()
    )
    terms = _fixed_terms(predictor.terms, rows, units)
    joints, slopes = make_joints(together, units, rows, read_unit)
    return Design(formula, rows, factors, terms, units, slopes, dropped, joints)


def one_draw(rows: Rows, family: Family) -> bool:
    """Whether a unit term with one row a unit cannot be told from the chance in that row."""
    trials = rows.response.trials
    single = family.response.ordered or (trials is not None and bool(np.all(trials <= 1)))
    return bool(family.residual) or single


def _require_few_cells(rows: Rows) -> None:
    cells = prod(len(factor.levels) for factor in rows.factors.values())
    if cells > MOST_CELLS:
        levels = (f"{name!r} ({len(factor.levels)})" for name, factor in rows.factors.items())
        raise DataError(
            f"the factors have {cells} combinations of levels, expected {MOST_CELLS} at most: "
            f"{listing(levels, 12)}. Name factors of many levels as units, such as Error(s) or "
            "(1|s), or leave some out"
        )


def read_unit(variables: Term, rows: Rows) -> Unit:
    """Return the units of a unit term, whether or not the data can tell them from the residual."""
    codes, first = rows.codes(variables)
    own = tuple(name for name in variables if name not in rows.factors)
    unit = Unit(variables, own, codes, first, constant=())
    constant = [name for name, factor in rows.factors.items() if unit.is_constant(factor.codes)]
    return replace(unit, constant=tuple(constant))


def _units(
    predictor: Predictor, rows: Rows, family: Family, together: Sequence[Together]
) -> tuple[tuple[Unit, ...], tuple[DroppedUnit, ...]]:
    """Keep the unit terms that the data can tell from each other and from the residual."""
    kept: list[Unit] = []
    dropped: list[DroppedUnit] = []
    single = one_draw(rows, family)
    cells = holds_residual(together, rows, family, single)
    if cells is not None:
        names = f"{term_name(cells.unit)}:{term_name(cells.factors)}"
        dropped.append(
            DroppedUnit(
                RESIDUAL, f"with one row each of {names!r} the sds of the cells take its place"
            )
        )
    known = {frozenset(term): term for term in predictor.units}
    by_cell = set()
    for one in together:
        # A unit beside independent cells may have an effect of its own.
        apart = one.kind == DIAGONAL and not one.intercept and frozenset(one.unit) in known
        for term in one.unit_terms:
            known.setdefault(frozenset(term), term)
            if one.kind != COMPOUND and not (apart and term == one.unit):
                by_cell.add(frozenset(term))
    terms = list(known.values())
    for variables in sorted(terms, key=len):  # of two names the shorter stays
        unit = read_unit(variables, rows)
        if not unit.own:
            raise FormulaError(
                f"unit term {unit.name!r} is made of fixed factors only, so nothing tells its "
                "effects from theirs; name the units that carry these levels"
            )
        twin = next((other for other in kept if _same(unit, other)), None)
        if frozenset(variables) in by_cell:
            kept.append(replace(unit, by_cell=True))
        elif twin is not None:
            dropped.append(DroppedUnit(unit.name, f"its units are those of {twin.name!r}"))
        elif single and unit.size == rows.size:
            what = "the residual" if family.residual else "the chance in a single yes or no"
            dropped.append(
                DroppedUnit(unit.name, f"with one row a unit it cannot be told from {what}")
            )
        else:
            kept.append(unit)
    kept.sort(key=lambda unit: terms.index(unit.variables))
    return tuple(kept), tuple(dropped)


def _extends(unit: Unit, other: Unit) -> bool:
    """Whether one term is the other crossed with fixed factors."""
    return unit.own == other.own and set(other.variables) < set(unit.variables)


def _same(unit: Unit, other: Unit) -> bool:
    return unit.size == other.size and nested(unit, other)


def _fixed_terms(
    variables: Sequence[Term], rows: Rows, units: tuple[Unit, ...]
) -> tuple[FixedTerm, ...]:
    """Give each term its strata and degrees of freedom: those of all margins that it holds."""
    named = {term_name(term): _read_term(term, rows) for term in variables}
    levels = {name: len(factor.levels) for name, factor in rows.factors.items()}
    held: dict[str, list[Term]] = {name: [] for name in named}
    for covariate in dict.fromkeys(covariate for _, covariate in named.values()):
        own = {name: factors for name, (factors, of) in named.items() if of == covariate}
        common = next((name for name, factors in own.items() if not factors), None)
        varying = {name: factors for name, factors in own.items() if factors}
        with_common = covariate is None or common is not None
        for margin in find_margins(varying, levels, common=with_common) if varying else []:
            if margin.home is not None:
                held[margin.home].append(margin.factors)
        if common is not None:
            held[common].append(())
    found = []
    for name, (factors, covariate) in named.items():
        strata = [strata_of(own, covariate, rows, units) for own in held[name]]
        # The term's own stratum stands first, those of what it holds besides behind it.
        sizes = dict(pair for own in reversed(strata) for pair in own)
        found.append(
            FixedTerm(
                name=name,
                factors=factors,
                covariate=covariate,
                strata=tuple(sizes),
                units=min(sizes.values()),
                df=sum(prod(levels[factor] - 1 for factor in own) for own in held[name]),
            )
        )
    return tuple(found)


def _read_term(variables: Term, rows: Rows) -> tuple[Term, str | None]:
    """Return the factors of a term, and its covariate if it has one."""
    covariates = [name for name in variables if name in rows.covariates]
    if len(covariates) > 1:
        raise FormulaError(
            f"term {term_name(variables)!r} multiplies covariates; add their product to the data "
            "frame as a column and name that"
        )
    factors = tuple(name for name in variables if name in rows.factors)
    return factors, covariates[0] if covariates else None


def strata_of(
    factors: Term, covariate: str | None, rows: Rows, units: tuple[Unit, ...]
) -> list[tuple[str, int]]:
    """Return name and number of the coarsest units within which a margin does not vary.

    Parameters
    ----------
    factors : tuple of str
    covariate : str, optional
    rows : Rows
    units : tuple of Unit
    """
    holding = [
        unit
        for unit in units
        if set(factors) <= set(unit.constant)
        and (covariate is None or unit.is_constant(rows.covariates[covariate].values))
    ]
    coarsest = [
        unit
        for unit in holding
        if not any(nested(unit, other) for other in holding if other is not unit)
    ]
    return [(unit.name, unit.size) for unit in coarsest] or [(RESIDUAL, rows.size)]
