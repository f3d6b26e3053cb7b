"""Coded rows -> design: cells, units, and the stratum in which each term is judged.

Letters: N rows, J levels of one unit term, C cells of the full factorial grid.
"""

from __future__ import annotations

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
    Slope,
    Unit,
    nested,
)
from bambi_anova.errors import DataError, FormulaError, listing
from bambi_anova.families.base import Family
from bambi_anova.formula.algebra import Term
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
    units, dropped = _units(predictor, rows, family)
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
    terms = tuple(_fixed_term(term, rows, units) for term in predictor.terms)
    slopes = tuple(Slope(name, read_unit(unit, rows)) for name, unit in predictor.slopes)
    return Design(formula, rows, factors, terms, units, slopes, dropped)


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
    predictor: Predictor, rows: Rows, family: Family
) -> tuple[tuple[Unit, ...], tuple[DroppedUnit, ...]]:
    """Keep the unit terms that the data can tell from each other and from the residual."""
    kept: list[Unit] = []
    dropped: list[DroppedUnit] = []
    single = one_draw(rows, family)
    for variables in sorted(predictor.units, key=len):  # of two names the shorter stays
        unit = read_unit(variables, rows)
        if not unit.own:
            raise FormulaError(
                f"unit term {unit.name!r} is made of fixed factors only, so nothing tells its "
                "effects from theirs; name the units that carry these levels"
            )
        twin = next((other for other in kept if _same(unit, other)), None)
        if twin is not None:
            dropped.append(DroppedUnit(unit.name, f"its units are those of {twin.name!r}"))
        elif single and unit.size == rows.size:
            what = "the residual" if family.residual else "the chance in a single yes or no"
            dropped.append(
                DroppedUnit(unit.name, f"with one row a unit it cannot be told from {what}")
            )
        else:
            kept.append(unit)
    kept.sort(key=lambda unit: predictor.units.index(unit.variables))
    return tuple(kept), tuple(dropped)


def _extends(unit: Unit, other: Unit) -> bool:
    """Whether one term is the other crossed with fixed factors."""
    return unit.own == other.own and set(other.variables) < set(unit.variables)


def _same(unit: Unit, other: Unit) -> bool:
    return unit.size == other.size and nested(unit, other)


def _fixed_term(variables: Term, rows: Rows, units: tuple[Unit, ...]) -> FixedTerm:
    factors = tuple(name for name in variables if name in rows.factors)
    covariates = [name for name in variables if name in rows.covariates]
    if len(covariates) > 1:
        raise FormulaError(
            f"term {term_name(variables)!r} multiplies covariates; add their product to the data "
            "frame as a column and name that"
        )
    covariate = covariates[0] if covariates else None
    holding = [
        unit
        for unit in units
        if set(factors) <= set(unit.constant)
        and (covariate is None or unit.is_constant(rows.covariates[covariate].values))
    ]
    strata = [
        unit
        for unit in holding
        if not any(nested(unit, other) for other in holding if other is not unit)
    ]
    return FixedTerm(
        name=term_name(variables),
        factors=factors,
        covariate=covariate,
        strata=tuple(unit.name for unit in strata) or (RESIDUAL,),
        units=min((unit.size for unit in strata), default=rows.size),
        df=int(np.prod([len(rows.factors[name].levels) - 1 for name in factors], dtype=int)),
    )
