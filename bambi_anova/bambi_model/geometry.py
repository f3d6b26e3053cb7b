"""Where the effects lie and how strongly the data speak about them, roughly.

The numbers choose between centred and non-centred sampling (see ``groups``); ``families.geometry``
says what a response knows.

Letters: N rows, J units or groups.
"""

from __future__ import annotations

import numpy as np

from bambi_anova.design.design import RESIDUAL, Design, FixedTerm, Unit
from bambi_anova.families.base import Family

Array = np.ndarray


def total_information(design: Design, family: Family) -> float:
    """Return the Fisher information of all rows about a shift of the linear predictor."""
    return family.response.geometry.information(design.rows.response, _groups(design))


def term_information(term: FixedTerm, design: Design, family: Family, levels: int) -> float:
    """Return the information on each coordinate of a fixed term's effects.

    A term that is judged between units is known no better than its units' scatter allows.
    """
    total = total_information(design, family)
    if term.strata[0] == RESIDUAL or term.covariate:
        return total / levels
    unit = design.unit(term.strata[0])
    return unit.size / (levels * _scatter(unit, design, family, unit.size / total))


def unit_information(unit: Unit, design: Design, family: Family) -> Array:
    """Return the Fisher information of each unit's own rows, shape (J,)."""
    geometry = family.response.geometry
    return geometry.group_information(design.rows.response, unit.codes, _groups(design))


def link_means(codes: Array, design: Design, family: Family) -> Array:
    """Return the mean response of some groups of rows on the link scale, shape (J,)."""
    rows = design.rows
    return family.response.geometry.link_means(rows.response, rows.offset, codes)


def _groups(design: Design) -> list[Array]:
    return [design.cell_codes, *(unit.codes for unit in design.units)]


def _scatter(unit: Unit, design: Design, family: Family, noise: float) -> float:
    """Return the variance of the units' means about their cells, and not below their noise."""
    means = link_means(unit.codes, design, family)
    cells = design.rows.codes(unit.constant)[0][unit.first]
    sizes = np.bincount(cells)
    residual = means - (np.bincount(cells, means) / sizes)[cells]
    freedom = max(unit.size - len(sizes), 1)
    return max(float(residual @ residual) / freedom, noise)
