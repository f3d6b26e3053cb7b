"""What a design is: factors, units, terms and cells, and how it prints.

Letters: N rows, J levels of one unit term, C cells of the full factorial grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.data.rows import Covariate, Rows
from bambi_anova.errors import listing
from bambi_anova.formula.algebra import UNSTRUCTURED, Term
from bambi_anova.formula.parse import Formula, term_name
from bambi_anova.tables.sections import columns, sections

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
    by_cell : bool
        Whether its effects are read off those of the units in single cells (see ``Joint``), so
        that it has no sd of its own in the model.
    """

    variables: Term
    own: Term
    codes: Array
    first: Array
    constant: tuple[str, ...]
    by_cell: bool = False

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
        The coarsest unit terms within which the term does not vary; several if units cross, or
        if it holds margins that vary between other units (``W`` in ``A/W``); "residual" for
        what varies within all units.
    units : int
        How many units judge the term: the size of its smallest stratum.
    df : int
        Degrees of freedom of the term and of the margins that it holds.
    """

    name: str
    factors: Term
    covariate: str | None
    strata: tuple[str, ...]
    units: int
    df: int


@dataclass(frozen=True)
class Cell:
    """A combination of levels of factors that vary within units.

    Attributes
    ----------
    factors : tuple of str
    level : int
        Its number in the C order of their levels.
    label : str
        Its levels, joined by colons.
    """

    factors: Term
    level: int
    label: str

    @property
    def name(self) -> str:
        """The cell as text, such as ``"task[x]"``."""
        return f"{term_name(self.factors)}[{self.label}]"


@dataclass(frozen=True)
class Slope:
    """What varies by unit beside its own effect: a covariate's slope, or its effect in one cell."""

    covariate: str | None
    unit: Unit
    cell: Cell | None = None

    @property
    def of(self) -> str:
        """What it belongs to: the covariate or the cell."""
        return str(self.covariate) if self.cell is None else self.cell.name

    @property
    def name(self) -> str:
        """The term as text, such as ``"dose|participant"``."""
        return f"{self.of}|{self.unit.name}"


@dataclass(frozen=True)
class Joint:
    """Effects of each unit that are normal together, with sds of their own.

    Attributes
    ----------
    name : str
        What varies by which unit, such as ``"dose|participant"`` or ``"task|participant"``.
    unit : Unit
    members : tuple of str
        The effects: the names of unit terms and slopes.
    kind : {"diagonal", "unstructured"}
        Whether they are independent, or have correlations.
    factors : tuple of str
        Of the cells among them.
    """

    name: str
    unit: Unit
    members: tuple[str, ...]
    kind: str
    factors: Term = ()

    @property
    def correlated(self) -> bool:
        """Whether there are correlations to estimate."""
        return self.kind == UNSTRUCTURED and len(self.members) > 1


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
    joints : tuple of Joint
        Which of the units' effects and slopes vary together.
    """

    formula: Formula
    rows: Rows
    factors: tuple[Factor, ...]
    terms: tuple[FixedTerm, ...]
    units: tuple[Unit, ...]
    slopes: tuple[Slope, ...]
    dropped: tuple[DroppedUnit, ...]
    joints: tuple[Joint, ...] = ()

    @property
    def levels(self) -> dict[str, tuple]:
        """The levels of each factor, by its name."""
        return {factor.name: factor.levels for factor in self.factors}

    @property
    def covariates(self) -> dict[str, Covariate]:
        """The covariates that its terms and slopes read; the rows may hold others'."""
        own = {term.covariate for term in self.terms} | {s.covariate for s in self.slopes}
        return {name: known for name, known in self.rows.covariates.items() if name in own}

    @property
    def factor_terms(self) -> list[FixedTerm]:
        """The fixed terms that are made of factors alone."""
        return [term for term in self.terms if term.factors and not term.covariate]

    @property
    def without_residual(self) -> bool:
        """Whether sds of cells take the place of the residual, which is held next to zero."""
        return any(unit.name == RESIDUAL for unit in self.dropped)

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
        rows = self.rows.response.total(self.cell_codes, size=len(frame))
        return frame.assign(rows=np.rint(rows).astype(int))

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


def nested(fine: Unit, coarse: Unit) -> bool:
    """Whether each of the fine units lies within one of the coarse units."""
    return fine.is_constant(coarse.codes)


def describe_design(design: Design) -> str:
    """Return the printout of a design.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> print(ba.Model("yield ~ variety + Error(block/variety)", oats).design)
    Factors    variety  Golden.rain, Marvellous, Victory  within block
    Units      block          6 units
               block:variety  18 units
    Terms      variety  df 2  stratum block:variety, judged by 18 units
    Cells      variety: 3 cells of 24 rows; none empty
    """
    covariates = design.covariates.values()
    return sections(
        ("Factors", _factors(design)),
        ("Covariates", [f"{c.name}: mean {_plain(c)}, sd {c.sd:.4g}" for c in covariates]),
        ("Units", _units(design)),
        ("Dropped", [f"{unit.name}: {unit.reason}" for unit in design.dropped]),
        ("Terms", _terms(design)),
        ("Cells", _cells(design)),
    )


def _plain(covariate: Covariate) -> str:
    """Write the mean: what is left of a centred covariate's is rounding."""
    mean = covariate.mean if abs(covariate.mean) > 1e-12 * covariate.sd else 0
    return f"{mean:.4g}"


def _factors(design: Design) -> list[str]:
    rows = []
    for factor in design.factors:
        place = [f"between {listing(factor.between)}"] if factor.between else []
        place += [f"within {listing(factor.within)}"] if factor.within else []
        rows.append((factor.name, listing(factor.levels, 8), "; ".join(place)))
    return columns(rows)


def _units(design: Design) -> list[str]:
    rows = [(unit.name, f"{unit.size} units") for unit in design.units]
    for slope in design.slopes:
        if slope.cell is None:
            together = [one for one in design.joints if slope.name in one.members]
            free = not any(one.correlated for one in together)
            how = "independent of other effects" if free else f"correlated, {together[0].name}"
            rows.append((slope.name, f"{slope.unit.size} slopes, {how}"))
    for one in design.joints:
        if one.factors:
            how = "with correlations" if one.correlated else "independent"
            rows.append((one.name, f"an effect of each unit in each cell, {how} ({one.kind})"))
    return columns(rows)


def _terms(design: Design) -> list[str]:
    return columns(_term_row(term) for term in design.terms)


def _term_row(term: FixedTerm) -> Sequence[str]:
    what = "rows" if term.strata == (RESIDUAL,) else "units"
    stratum = f"stratum {' and '.join(term.strata)}"
    return term.name, f"df {term.df}", f"{stratum}, judged by {term.units} {what}"


def _cells(design: Design) -> list[str]:
    counts = design.cells["rows"]
    if not design.factors:
        return [f"one cell of {counts.iloc[0]} rows"]
    names = " x ".join(factor.name for factor in design.factors)
    empty = design.empty_cells
    spread = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()}-{counts.max()}"
    text = f"{names}: {len(counts)} cells of {spread} rows; "
    return [text + (f"{len(empty)} empty: {listing(empty)}" if empty else "none empty")]
