"""Design -> sufficient rows; see ``families.sufficient``.

Letters: N rows of data, M rows after the collapse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.families.base import Family
from bambi_anova.families.sufficient import Collapsed, unmerged

Array = np.ndarray


def collapse_rows(
    design: Design, family: Family, collapse: bool = True, further: Sequence[Design] = ()
) -> Collapsed:
    """Collapse the rows of a design.

    Parameters
    ----------
    design : Design
    family : Family
    collapse : bool
        With ``False`` every row stays by itself.
    further : sequence of Design
        Those of further predictors, about the same rows.
    """
    response, offset = design.rows.response, design.rows.offset
    if not collapse:
        return unmerged(response, offset)
    return family.collapse(_predictors([design, *further]), response, offset)


def _predictors(designs: Sequence[Design]) -> list[Array]:
    keys = [designs[0].cell_codes]  # of the factors of all predictors
    for design in designs:
        keys += [unit.codes for unit in design.units]
        keys += [slope.unit.codes for slope in design.slopes]
    return [*keys, *(covariate.values for covariate in designs[0].rows.covariates.values())]
