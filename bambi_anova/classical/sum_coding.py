"""Rows added up, and their design matrix in sum coding with nested units.

Letters: M rows added up, P coefficients, C cells, J units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.classical.study import Study, Term
from bambi_anova.design.design import Unit, nested
from bambi_anova.errors import NotApplicableError, listing

Array = np.ndarray
Name = tuple[str, str]

INTERCEPT = "Intercept"


@dataclass(frozen=True)
class Table:
    """Rows that share factors and units, added up.

    Attributes
    ----------
    frame : pandas.DataFrame
        M rows: the code of each factor and, by name, of each unit term; ``successes``, ``trials``.
    design : ndarray, shape (M, P)
    names : list of (term, level)
        P of them; levels of an interaction are joined by colons.
    """

    frame: pd.DataFrame
    design: Array
    names: list[Name]


def own_units(study: Study) -> tuple[Unit, ...]:
    """Return the finest unit terms that are not crossed with a factor: one of nested ones."""
    plain: dict[Term, Unit] = {}
    for unit in study.units:
        kept = plain.get(unit.own)
        if kept is None or unit.size < kept.size:
            plain[unit.own] = unit
    return tuple(
        unit
        for unit in plain.values()
        if not any(nested(other, unit) and other.size > unit.size for other in plain.values())
    )


def make_table(study: Study, units: tuple[Unit, ...]) -> Table:
    """Add rows up over what the model does not tell apart, and code them.

    Parameters
    ----------
    study : Study
    units : tuple of Unit
        Unit terms to give fixed effects that sum to zero in each of their between-unit cells.
    """
    keys = {**study.codes, **{unit.name: unit.codes for unit in (*study.tops, *units)}}
    frame = pd.DataFrame({**keys, "successes": study.values, "trials": study.trials})
    frame = frame.groupby(list(keys), sort=True, as_index=False).sum()
    frame = frame[frame["trials"] > 0].reset_index(drop=True)
    codes = {name: frame[name].to_numpy() for name in study.levels}
    fixed = list(_fixed_blocks(study, codes))
    nested = [
        (block[frame[unit.name].to_numpy()], names)
        for unit in units
        for block, names in _unit_blocks(study, unit)
    ]
    design = np.hstack([block for block, _ in (*fixed, *nested)])
    return Table(frame, design, [name for _, names in (*fixed, *nested) for name in names])


def _fixed_blocks(study: Study, codes: Mapping[str, Array]) -> Iterator[tuple[Array, list[Name]]]:
    """Yield the columns of the intercept and of each term at some levels, with their names."""
    size = len(next(iter(codes.values())))
    yield np.ones((size, 1)), [(INTERCEPT, "")]
    for term in study.terms:
        codings = [_sum_coding(len(study.levels[name]))[codes[name]] for name in term]
        levels = product(*(study.levels[name][:-1] for name in term))
        names = [(":".join(term), ":".join(map(str, level))) for level in levels]
        yield reduce(_products, codings), names


def _unit_blocks(study: Study, unit: Unit) -> Iterator[tuple[Array, list[Name]]]:
    """Yield, for each between-unit cell, columns of shape (J, units there - 1)."""
    cells = study.cells_of(unit.constant, unit.first)
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        coding = np.zeros((unit.size, len(members) - 1))
        coding[members] = _sum_coding(len(members))
        yield coding, [(unit.name, study.labels[unit.name][member]) for member in members[:-1]]


def _sum_coding(size: int) -> Array:
    """Return the sum-to-zero coding, shape (size, size - 1): minus one at the last level."""
    return np.vstack([np.eye(size - 1), -np.ones((1, size - 1))])


def _products(one: Array, other: Array) -> Array:
    return (one[:, :, None] * other[:, None, :]).reshape(len(one), -1)


def require_rank(table: Table, study: Study) -> None:
    """Raise if some coefficients cannot be told apart."""
    columns = table.design.shape[1]
    rank = np.linalg.matrix_rank(table.design)
    if rank == columns:
        return
    codes = tuple(table.frame[name].to_numpy() for name in study.levels)
    present = set(np.ravel_multi_index(codes, study.shape))
    empty = [name for cell, name in enumerate(study.cell_names) if cell not in present]
    cause = f"cells without data: {listing(empty)}" if empty else "units that repeat each other"
    raise NotApplicableError(
        f"logistic ANOVA does not apply: only {rank} of its {columns} coefficients can be told "
        f"apart ({cause}); leave terms or the fixed units out, or use model.fit()"
    )


def cell_rows(study: Study, units: tuple[Unit, ...]) -> list[Array]:
    """Return design rows for each of the C cells, whose average is the cell's mean.

    One row a cell, or with fixed units one for each unit of its between-unit cell (of each
    combination, if units cross), whether or not the unit was observed in just that cell.  On the
    link scale the units' effects cancel; on the response scale their probabilities are averaged.
    """
    grid = np.indices(study.shape).reshape(len(study.shape), -1)
    codes = dict(zip(study.levels, grid, strict=True))
    common = np.hstack([block for block, _ in _fixed_blocks(study, codes)])
    found = []
    for cell, row in enumerate(common):
        rows = row[None]
        for unit in units:
            belongs = np.ones(unit.size, dtype=bool)
            for name in unit.constant:
                belongs &= study.codes[name][unit.first] == codes[name][cell]
            coding = np.hstack([block for block, _ in _unit_blocks(study, unit)])[belongs]
            repeated = np.repeat(rows, len(coding), axis=0)
            rows = np.hstack([repeated, np.tile(coding, (len(rows), 1))])
        found.append(rows)
    return found
