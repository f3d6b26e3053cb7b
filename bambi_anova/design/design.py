"""Coded rows -> design: cells, units, and the stratum in which each term is judged.

Letters: N rows, J levels of one unit term, C cells of the full factorial grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.data.rows import Rows
from bambi_anova.design.describe import describe_design
from bambi_anova.errors import FormulaError
from bambi_anova.families.base import Family
from bambi_anova.formula.algebra import Term
from bambi_anova.formula.parse import Formula, term_name

Array = np.ndarray

#: Name of the stratum of terms that no unit term judges.
RESIDUAL = "residual"


@dataclass(frozen=True)
class Factor:
    """A fixed factor and the units that it lies between or within."""

    name: str
    levels: tuple
    between: tuple[str, ...]
    within: tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """A unit term: the levels of one error stratum.

    Attributes
    ----------
    variables : Term
        The variables whose combinations are the units.
    own : Term
        Those of them that are not fixed factors.
    codes : ndarray of int, shape (N,)
        Each row's unit.
    first : ndarray of int, shape (J,)
        The first row of each unit.
    constant : tuple of str
        Fixed factors that do not vary within any unit.
    """

    variables: Term
    own: Term
    codes: Array
    first: Array
    constant: tuple[str, ...]

    @property
    def name(self) -> str:
        """The term as text, such as ``"participant:trial_type"``."""
        return term_name(self.variables)

    @property
    def size(self) -> int:
        """The number of units J."""
        return len(self.first)

    def is_constant(self, values: Array) -> bool:
        """Whether some values of the N rows do not vary within any unit."""
        return bool(np.all(values == values[self.first][self.codes]))


@dataclass(frozen=True)
class FixedTerm:
    """A common term: factors, perhaps with one covariate whose slope they change.

    Attributes
    ----------
    factors : tuple of str
    covariate : str or None
    strata : tuple of str
        The coarsest unit terms within which the term does not vary; several if units cross,
        ``("residual",)`` if there is none.
    units : int
        How many units judge the term: the size of its smallest stratum.
    df : int
        Degrees of freedom of the term.
    """

    name: str
    factors: Term
    covariate: str | None
    strata: tuple[str, ...]
    units: int
    df: int


@dataclass(frozen=True)
class Slope:
    """A numeric slope that varies by unit."""

    covariate: str
    unit: Unit

    @property
    def name(self) -> str:
        """The term as text, such as ``"dose|participant"``."""
        return f"{self.covariate}|{self.unit.name}"


@dataclass(frozen=True)
class DroppedUnit:
    """A unit term that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, repr=False)
class Design:
    """The design behind a formula and its data.

    Attributes
    ----------
    formula : Formula
    rows : Rows
    factors : tuple of Factor
        Fixed factors in order of appearance: the axes of the grid of cells.
    terms : tuple of FixedTerm
    units : tuple of Unit
        Unit terms that are in the model.
    slopes : tuple of Slope
    dropped : tuple of DroppedUnit
    """

    formula: Formula
    rows: Rows
    factors: tuple[Factor, ...]
    terms: tuple[FixedTerm, ...]
    units: tuple[Unit, ...]
    slopes: tuple[Slope, ...]
    dropped: tuple[DroppedUnit, ...]

    @property
    def levels(self) -> dict[str, tuple]:
        """The levels of each factor, by its name."""
        return {factor.name: factor.levels for factor in self.factors}

    @property
    def factor_terms(self) -> list[FixedTerm]:
        """The fixed terms that are made of factors alone."""
        return [term for term in self.terms if term.factors and not term.covariate]

    @property
    def shape(self) -> tuple[int, ...]:
        """Levels of each factor: the shape of the grid of cells."""
        return tuple(len(factor.levels) for factor in self.factors)

    @cached_property
    def grid(self) -> Array:
        """Level of each factor in each cell, shape (factors, C); one cell without factors."""
        if not self.factors:
            return np.zeros((0, 1), dtype=np.int64)
        return np.indices(self.shape).reshape(len(self.factors), -1)

    @cached_property
    def cell_codes(self) -> Array:
        """Each row's cell, in the grid's C order; shape (N,)."""
        codes = np.zeros(len(self.rows.data), dtype=np.int64)
        for factor in self.factors:
            codes = codes * len(factor.levels) + self.rows.factors[factor.name].codes
        return codes

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row a cell of the full grid: the factors' levels and the number of ``rows``."""
        frame = pd.DataFrame(
            list(product(*(factor.levels for factor in self.factors))),
            columns=[factor.name for factor in self.factors],
            index=range(int(np.prod(self.shape, dtype=int))),
        )
        return frame.assign(rows=np.bincount(self.cell_codes, minlength=len(frame)))

    @property
    def empty_cells(self) -> list[str]:
        """Names of the cells without data, such as ``"A:x"``."""
        empty = self.cells.loc[self.cells["rows"] == 0].drop(columns="rows")
        return [":".join(map(str, levels)) for levels in empty.itertuples(index=False)]

    def factor(self, name: str) -> Factor:
        """Return a fixed factor by its name."""
        return next(factor for factor in self.factors if factor.name == name)

    def unit(self, name: str) -> Unit:
        """Return a unit term by its name."""
        return next(unit for unit in self.units if unit.name == name)

    def coarser(self, unit: Unit) -> tuple[Unit, ...]:
        """Return the other unit terms whose units hold the given ones whole."""
        return tuple(other for other in self.units if other is not unit and nested(unit, other))

    def __str__(self) -> str:
        return describe_design(self)

    __repr__ = __str__


def build_design(formula: Formula, rows: Rows, family: Family) -> Design:
    """Find the cells, the units and the stratum of each term.

    Parameters
    ----------
    formula : Formula
    rows : Rows
    family : Family
        Decides whether a unit term with one row a unit is the residual.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        If a unit term is made of fixed factors only, or a term has two covariates.

    Notes
    -----
    Each term belongs to the stratum of the coarsest unit within which it does not vary, as in
    the error strata of Nelder (1965, doi:10.1098/rspa.1965.0012).
    """
    units, dropped = _units(formula, rows, family)
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
    terms = tuple(_fixed_term(term, rows, units) for term in formula.parent.terms)
    slopes = tuple(Slope(name, _unit(unit, rows)) for name, unit in formula.parent.slopes)
    return Design(formula, rows, factors, terms, units, slopes, dropped)


def one_draw(rows: Rows, family: Family) -> bool:
    """Whether a unit term with one row a unit cannot be told from the chance in that row."""
    trials = rows.response.trials
    return family.residual or (trials is not None and bool(np.all(trials <= 1)))


def nested(fine: Unit, coarse: Unit) -> bool:
    """Whether each of the fine units lies within one of the coarse units."""
    return fine.is_constant(coarse.codes)


def _unit(variables: Term, rows: Rows) -> Unit:
    codes, first = rows.codes(variables)
    unit = Unit(
        variables,
        own=tuple(name for name in variables if name not in rows.factors),
        codes=codes,
        first=first,
        constant=(),
    )
    constant = tuple(
        name for name, factor in rows.factors.items() if unit.is_constant(factor.codes)
    )
    return Unit(unit.variables, unit.own, codes, first, constant)


def _units(
    formula: Formula, rows: Rows, family: Family
) -> tuple[tuple[Unit, ...], tuple[DroppedUnit, ...]]:
    """Keep the unit terms that the data can tell from each other and from the residual."""
    kept: list[Unit] = []
    dropped: list[DroppedUnit] = []
    single = one_draw(rows, family)
    for variables in sorted(formula.parent.units, key=len):  # of two names the shorter stays
        unit = _unit(variables, rows)
        if not unit.own:
            raise FormulaError(
                f"unit term {unit.name!r} is made of fixed factors only, so nothing tells its "
                "effects from theirs; name the units that carry these levels"
            )
        twin = next((other for other in kept if _same(unit, other)), None)
        if twin is not None:
            dropped.append(DroppedUnit(unit.name, f"its units are those of {twin.name!r}"))
        elif single and unit.size == len(rows.data):
            what = "the residual" if family.residual else "the chance in a single yes or no"
            dropped.append(
                DroppedUnit(unit.name, f"with one row a unit it cannot be told from {what}")
            )
        else:
            kept.append(unit)
    kept.sort(key=lambda unit: formula.parent.units.index(unit.variables))
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
        units=min((unit.size for unit in strata), default=len(rows.data)),
        df=int(np.prod([len(rows.factors[name].levels) - 1 for name in factors], dtype=int)),
    )
