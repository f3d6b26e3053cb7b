"""Partitions of the rows of the data: by row, by cell, by unit.

Letters: N rows of data, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.design.design import Design, Unit
from bambi_anova.errors import ArgumentError, nearest

Array = np.ndarray

#: Dimension of what is grouped, in arrays; the names cannot be those of columns.
DIMENSIONS = {"row": "__obs__", "cell": "__cell__"}
UNIT_DIMENSION = "__unit__"


@dataclass(frozen=True)
class Grouping:
    """A partition of the rows of the data.

    Attributes
    ----------
    name : str
        "row", "cell" or a unit term.
    codes : ndarray of int, shape (N,)
        The group of each row.
    labels : pandas.DataFrame
        G rows that say which group is which.
    kind : str
        "row", "cell" or "unit"; a unit term may be named "row".
    """

    name: str
    codes: Array
    labels: pd.DataFrame
    kind: str = "unit"

    @property
    def dimension(self) -> str:
        """The name of its dimension in arrays."""
        return DIMENSIONS.get(self.kind, UNIT_DIMENSION)


def grouping(design: Design, by: str) -> Grouping:
    """Partition the rows of the data by cell, by unit or not at all.

    Parameters
    ----------
    design : Design
    by : str
        "row", "cell", a unit term, or "unit" for the unit term with the fewest units.

    Raises
    ------
    ArgumentError
        If there is no such grouping.
    """
    rows = design.rows
    if by in ("row", "cell") and by in [unit.name for unit in design.units]:
        raise ArgumentError(
            f"by={by!r}: is the name of a unit term too; rename that column to tell them apart"
        )
    if by == "row":
        rows.require_single("by='row'")
        labels = pd.DataFrame({"row": rows.data.index})
        return Grouping("row", np.arange(len(labels)), labels, "row")
    if by == "cell":
        observed = design.cells["rows"].to_numpy() > 0
        codes = (np.cumsum(observed) - 1)[design.cell_codes]
        labels = design.cells[observed].drop(columns="rows").reset_index(drop=True)
        return Grouping("cell", codes, labels, "cell")
    unit = _unit(design, by)
    names = [*unit.variables, *(name for name in unit.constant if name not in unit.variables)]
    return Grouping(unit.name, unit.codes, rows.labels(names, unit.first))


def _unit(design: Design, by: str) -> Unit:
    if by == "unit":
        if not design.units:
            raise ArgumentError("by='unit': this model has no unit terms; use 'row' or 'cell'")
        return min(design.units, key=lambda unit: unit.size)
    known = [unit.name for unit in design.units]
    if by not in known:
        raise ArgumentError(
            f"by={by!r}: expected 'row', 'cell', 'unit' or a unit term"
            f"{nearest(str(by), ['row', 'cell', 'unit', *known])}"
        )
    return design.unit(by)
