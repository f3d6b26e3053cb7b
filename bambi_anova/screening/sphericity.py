"""Do a unit's cells go together as compound symmetry has it?  Greenhouse and Geisser's epsilon.

With S the covariance of units' means in the cells of their within factors, and C an orthonormal
basis of the d contrasts of a term, M = C' S C and

    epsilon = (tr M)^2 / (d tr M^2),

which is one where every contrast has the same variance, as under compound symmetry, and 1 / d at
worst (Greenhouse & Geisser 1959, doi:10.1007/BF02289823).  S is pooled within the cells of the
between factors, with v degrees of freedom.  Few units alone make the estimate smaller than one:
under sphericity v d (1 / epsilon - 1) / 2 is about chi-squared with d (d + 1) / 2 - 1 degrees of
freedom (John 1972, doi:10.1093/biomet/59.1.169).

Letters: J units, L cells within each, d contrasts of a term.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bambi_anova.design.design import Design, Unit, nested
from bambi_anova.design.margins import margin_basis, row_levels
from bambi_anova.errors import AnovaWarning, SphericityWarning
from bambi_anova.formula.algebra import UNSTRUCTURED, Term
from bambi_anova.formula.expression import quote
from bambi_anova.formula.parse import term_name
from bambi_anova.specification import Specification

Array = np.ndarray

#: Where the usual advice is to correct degrees of freedom by the estimate itself.
WELL_BELOW_ONE = 0.75
#: Standard normal deviates that sphericity hardly ever makes.
CLEAR = 3.5
#: Degrees of freedom of the covariance that say something of it, and that each contrast takes.
LEAST_DF, DF_PER_CONTRAST = 8, 2
#: Rows of a cell over those of another beyond which their means differ in variance by themselves.
UNEQUAL = 1.5


def epsilon(covariance: Array, basis: Array) -> Array:
    """Return epsilon of covariances (..., L, L) in the contrasts of a basis (L, d).

    Examples
    --------
    >>> contrasts = np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -2.0]]) / np.sqrt([2, 6])
    >>> epsilon(np.eye(3) + 5.0, contrasts).round(12).item()  # compound symmetry
    1.0
    >>> epsilon(np.diag([1.0, 0.0, 0.0]), contrasts).round(12).item()
    0.5
    """
    m = basis.T @ covariance @ basis
    return np.trace(m, axis1=-2, axis2=-1) ** 2 / (basis.shape[1] * (m**2).sum(axis=(-2, -1)))


def parts_within(design: Design, factors: Term) -> dict[Term, Array]:
    """Return what of the fixed terms varies within units in some factors, where it can fail.

    Returns
    -------
    dict of Term to ndarray, each of shape (L, d)
        The basis of its contrasts, of which there are two or more.
    """
    levels = {name: len(design.levels[name]) for name in factors}
    found = {}
    for term in design.factor_terms:
        part = tuple(name for name in factors if name in term.factors)
        basis = margin_basis(part, factors, levels) if part else np.ones((1, 1))
        if basis.shape[1] > 1:
            found[part] = basis
    return found


@dataclass(frozen=True)
class UnitCells:
    """The means of units that were observed in all cells.

    Attributes
    ----------
    covariance : ndarray, shape (L, L)
        Pooled within the cells of the between factors.
    df : int
        Its degrees of freedom.
    rows : float
        Rows of a cell of a unit: their harmonic mean.
    units : int
        J.
    equal : bool
        Whether cells have about as many rows each.
    """

    covariance: Array
    df: int
    rows: float
    units: int
    equal: bool


def unit_cells(design: Design, unit: Unit, factors: Sequence[str]) -> UnitCells | None:
    """Return what the means of units say; nothing if there are too few units with all cells."""
    levels = [len(design.levels[name]) for name in factors]
    size = int(np.prod(levels))
    place = unit.codes * size + row_levels(factors, design)
    response = design.rows.response
    count = np.bincount(place, response.counts, unit.size * size).reshape(-1, size)
    total = np.bincount(place, response.counts * response.values, unit.size * size)
    complete = (count > 0).all(axis=1)
    if not complete.any():
        return None
    count = count[complete]
    means = total.reshape(-1, size)[complete] / count
    between = [name for name in design.levels if name in unit.constant]
    group = row_levels(between, design)[unit.first][complete] if between else np.zeros(len(means))
    _, group = np.unique(group, return_inverse=True)
    df = len(means) - int(group.max()) - 1
    if df < 1:
        return None
    own = np.stack([np.bincount(group, column) for column in means.T], axis=1)
    residual = means - (own / np.bincount(group)[:, None])[group]
    per_cell = count.mean(axis=0)
    return UnitCells(
        residual.T @ residual / df,
        df,
        float(1 / (1 / count).mean()),
        len(means),
        bool(per_cell.max() <= UNEQUAL * per_cell.min()),
    )


def deviate(estimate: float, contrasts: int, df: int) -> float:
    """Return about how many standard normal deviates an estimate lies below one.

    By Wilson and Hilferty's cube root of the chi-squared of John's test.

    Examples
    --------
    >>> round(deviate(0.5, 3, 30), 1)
    5.3
    """
    free = contrasts * (contrasts + 1) / 2 - 1
    statistic = df * contrasts * (1 / estimate - 1) / 2
    spread = 2 / (9 * free)
    return float(((statistic / free) ** (1 / 3) - (1 - spread)) / spread**0.5)


def warn_of_sphericity(model: Specification) -> Iterator[AnovaWarning]:
    """Yield a warning for units whose cells clearly are not compound symmetric."""
    design = model.design
    if not model.family.normal:
        return
    together = {joint.unit.name for joint in design.joints}
    plain = [one for one in design.units if one.own == one.variables]
    for unit in plain:
        sloped = any(slope.unit.name == unit.name for slope in design.slopes)
        coarser = any(other is not unit and nested(other, unit) for other in plain)
        if unit.name in together or sloped or coarser or _moved(unit, design):
            continue
        factors = tuple(
            name
            for name in design.levels
            if name not in unit.constant and name not in unit.variables
        )
        parts = parts_within(design, factors)
        found = unit_cells(design, unit, factors) if parts else None
        if found is None or not found.equal or not found.covariance.any():
            continue
        judged = {
            part: float(epsilon(found.covariance, basis))
            for part, basis in parts.items()
            if found.df >= max(LEAST_DF, DF_PER_CONTRAST * basis.shape[1])
        }
        far = {
            part: own
            for part, own in judged.items()
            if own < WELL_BELOW_ONE and deviate(own, parts[part].shape[1], found.df) > CLEAR
        }
        if far:
            yield _warning(model, unit, factors, far, found.units)


def _moved(unit: Unit, design: Design) -> bool:
    """Whether a covariate varies within units, so that their means differ by it as well."""
    return any(
        not np.array_equal(own.values, own.values[unit.first][unit.codes])
        for own in design.rows.covariates.values()
    )


def _warning(
    model: Specification, unit: Unit, factors: Term, far: dict[Term, float], units: int
) -> SphericityWarning:
    part = min(far, key=lambda one: far[one])
    inside = "*".join(map(quote, factors))
    inside = f"({inside})" if len(factors) > 1 else inside
    whole = f"Error({'/'.join(map(quote, unit.variables))}/{inside}, cov={UNSTRUCTURED!r})"
    text = model.formula.with_units(unit.variables, factors, whole)
    return SphericityWarning(
        f"Greenhouse and Geisser's epsilon of {term_name(part)!r} within {unit.name!r} is "
        f"{far[part]:.2f} in these data (1 under compound symmetry, which the formula takes for "
        f"granted; far less than chance makes of {units} units). Some differences between levels "
        "then look more certain than they are, and others less; let each level have an sd, and "
        f"each two a correlation: {text!r}"
    )
