"""Design -> sufficient rows; see ``families.sufficient``.

Letters: N rows of data, M rows after the collapse.
"""

from __future__ import annotations

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.families.base import Family
from bambi_anova.families.sufficient import Collapsed, unmerged

Array = np.ndarray


def collapse_rows(design: Design, family: Family, collapse: bool = True) -> Collapsed:
    """Collapse the rows of a design.

    Parameters
    ----------
    design : Design
    family : Family
    collapse : bool
        With ``False`` every row stays by itself.
    """
    response, offset = design.rows.response, design.rows.offset
    if not collapse:
        return unmerged(response, offset)
    return family.collapse(_predictors(design), response, offset)


def _predictors(design: Design) -> list[Array]:
    rows = design.rows
    keys = [design.cell_codes, *(unit.codes for unit in design.units)]
    keys += [slope.unit.codes for slope in design.slopes]
    return [*keys, *(covariate.values for covariate in rows.covariates.values())]
