"""Who belongs in each cell: the units of a study, with the effects that were never observed.

Every unit of a between-cell counts in every within-cell, as in Kruschke's split-plot script, also
where it was not observed: means that left such a unit out would compare different units.  Its
effects there are *unseen* levels of their unit terms, of which only the prior given the sd is
known.  The same holds for what is nested: a block that has no plot of a treatment counts with
unseen plots, as many as other blocks have.

Units are told apart by the smallest unit term that names them: by ``subject`` in
``Error(subject/task)``, by ``group:subject`` where nothing smaller is named.

Letters: N rows, C cells, J levels of a unit term, M its unseen levels, U unit terms that nest in
each other, F the finest of their units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from bambi_anova.design.design import Design, Unit
from bambi_anova.formula.algebra import Term

Array = np.ndarray


@dataclass(frozen=True)
class Lacking:
    """Units that were not observed at some factors' levels in a cell.

    Attributes
    ----------
    variables : tuple of str
        What tells the units apart.
    first : ndarray of int
        The first row of each of them.
    factors : tuple of str
    cell : int
    """

    variables: Term
    first: Array
    factors: Term
    cell: int

    def names(self, design: Design) -> list[str]:
        """Name them with the levels, such as ``"P07:y"``."""
        levels = design.cells.loc[[self.cell], list(self.factors)].to_numpy()[0]
        units = design.rows.labels(self.variables, self.first).to_numpy()
        return [":".join(map(str, (*unit, *levels))) for unit in units]


@dataclass(frozen=True)
class NestedUnits:
    """Units that nest in each other: of the finest of them, those that belong in each cell.

    Attributes
    ----------
    units : tuple of Unit
        U unit terms.
    members : tuple of ndarray of int, one a cell, each of shape (F_c, U)
        For the finest units that belong in a cell, their level of each unit term; its unseen
        levels are J, ..., J + M - 1.
    unseen : tuple of int
        M of each unit term.
    lacking : tuple of Lacking
    """

    units: tuple[Unit, ...]
    members: tuple[Array, ...]
    unseen: tuple[int, ...]
    lacking: tuple[Lacking, ...]

    def shares(self, column: int) -> Array:
        """Return each level's share of the finest units of each cell, shape (J + M, C)."""
        levels = self.units[column].size + self.unseen[column]
        shares = np.zeros((levels, len(self.members)))
        for cell, members in enumerate(self.members):
            np.add.at(shares[:, cell], members[:, column], 1 / max(len(members), 1))
        return shares


@dataclass
class _Kind:
    """One kind of unit, such as blocks or plots; further ones are made up as they are needed."""

    variables: Term
    codes: Array
    first: Array
    constant: frozenset[str]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.first)

    @property
    def observed(self) -> int:
        return len(self.first)

    def matching(self, design: Design, cell: int) -> Array:
        """Return the observed units whose between-cell it is."""
        good = np.ones(self.observed, dtype=bool)
        for factor, level in zip(design.factors, design.grid[:, cell], strict=True):
            if factor.name in self.constant:
                good &= design.rows.factors[factor.name].codes[self.first] == level
        return np.flatnonzero(good)

    def made_up(self, number: int) -> Array:
        """Return the numbers of new units."""
        self.size += number
        return np.arange(self.size - number, self.size)

    def within(self, other: _Kind) -> bool:
        """Whether each unit of this kind lies within one of the other."""
        return bool(np.all(other.codes == other.codes[self.first][self.codes]))


def nested_units(design: Design) -> tuple[NestedUnits, ...]:
    """Split the unit terms into such as nest in each other, and find who belongs in each cell.

    A finest unit belongs in a cell if the factors that are constant within it have the cell's
    levels.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> design = ba.Model("yield ~ nitrogen + Error(block/nitrogen)", oats).design
    >>> (blocks,) = nested_units(design)
    >>> blocks.members[0].tolist(), blocks.unseen
    ([[0, 0], [1, 4], [2, 8], [3, 12], [4, 16], [5, 20]], (0, 0))
    """
    kinds = {own: _kind(design, own) for own in dict.fromkeys(unit.own for unit in design.units)}
    # Nesting is read from the data: plots may nest in blocks without being named after them.
    finest = [
        kind
        for kind in kinds.values()
        if not any(o.within(kind) and not kind.within(o) for o in kinds.values())
    ]
    found = []
    placed: set[str] = set()
    for kind in finest:
        units = [u for u in design.units if u.name not in placed and kind.within(kinds[u.own])]
        if units:
            placed |= {unit.name for unit in units}
            found.append(_members(design, kind, units, kinds))
    return tuple(found)


def _kind(design: Design, own: Term) -> _Kind:
    terms = [unit.variables for unit in design.units if unit.own == own]
    shared = tuple(v for v in terms[0] if all(v in term for term in terms))
    codes, first = design.rows.codes(shared)
    constant = {
        name
        for name, factor in design.rows.factors.items()
        if np.all(factor.codes == factor.codes[first][codes])
    }
    return _Kind(shared, codes, first, frozenset(constant))


def _members(
    design: Design, finest: _Kind, units: list[Unit], kinds: dict[Term, _Kind]
) -> NestedUnits:
    others = {id(kinds[unit.own]): kinds[unit.own] for unit in units}
    coarser = [kind for kind in others.values() if kind is not finest]
    chain = [*sorted(coarser, key=lambda kind: kind.observed), finest]
    axes = [i for i, factor in enumerate(design.factors) if factor.name in finest.constant]
    _, cell_of, of_cell = np.unique(_codes(design, axes), return_index=True, return_inverse=True)
    lacking: list[Lacking] = []
    bearers = [_bearers(design, chain, int(cell), lacking) for cell in cell_of]
    columns, unseen = [], []
    for unit in units:
        kind = kinds[unit.own]
        place = next(column for column, own in enumerate(chain) if own is kind)
        of_kind = [bearers[between][:, place] for between in of_cell]
        levels, number = _levels(design, unit, kind, of_kind, lacking)
        columns.append(levels)
        unseen.append(number)
    members = tuple(np.stack(own, axis=-1) for own in zip(*columns, strict=True))
    return NestedUnits(tuple(units), members, tuple(unseen), tuple(lacking))


def _codes(design: Design, axes: list[int]) -> Array:
    """Number the combinations of some factors' levels in the cells, shape (C,)."""
    shape = tuple(design.shape[axis] for axis in axes)
    none = np.zeros(design.grid.shape[1], dtype=np.int64)
    return np.ravel_multi_index(tuple(design.grid[axes]), shape) if axes else none


def _bearers(design: Design, chain: list[_Kind], cell: int, lacking: list[Lacking]) -> Array:
    """Return the units of each kind that stand in a between-cell, a row a finest unit."""
    finest = chain[-1]
    if not all(fine.within(coarse) for coarse, fine in pairwise(chain)):
        # Within subjects and within items: of these, those that were observed.
        own = finest.matching(design, cell)
        return np.stack([*(kind.codes[finest.first[own]] for kind in chain[:-1]), own], axis=-1)
    rows = chain[0].matching(design, cell)[:, None]
    for coarse, fine in pairwise(chain):
        own = fine.matching(design, cell)
        parents = coarse.codes[fine.first[own]]
        childless = ~np.isin(rows[:, -1], parents)
        each = max(round(len(own) / max(len(np.unique(parents)), 1)), 1)
        new = np.repeat(rows[childless], each, axis=0)
        _note(design, coarse, rows[childless, -1], fine.constant - coarse.constant, cell, lacking)
        # Units are in order in every column of these rows, those made up behind the others.
        observed = rows[np.searchsorted(rows[:, -1], parents)]
        finer = np.concatenate([own, fine.made_up(len(new))])
        rows = np.column_stack([np.vstack([observed, new]), finer])
    return rows


def _levels(
    design: Design, unit: Unit, kind: _Kind, bearers: list[Array], lacking: list[Lacking]
) -> tuple[list[Array], int]:
    """Return the level of a unit term of each unit in each cell, and how many are unseen."""
    axes = [i for i, factor in enumerate(design.factors) if factor.name in unit.variables]
    at_cells = _codes(design, axes)
    table = np.full((at_cells.max() + 1, kind.size), -1)
    table[at_cells[design.cell_codes], kind.codes] = unit.codes
    names = {design.factors[axis].name for axis in axes}
    levels, size = [], unit.size
    for cell, own in enumerate(bearers):
        row = table[at_cells[cell]]
        new = np.unique(own[row[own] < 0])
        row[new] = np.arange(size, size + len(new))
        size += len(new)
        _note(design, kind, new, names - kind.constant, cell, lacking)
        levels.append(row[own])
    return levels, size - unit.size


def _note(
    design: Design,
    kind: _Kind,
    units: Array,
    factors: frozenset[str] | set[str],
    cell: int,
    lacking: list[Lacking],
) -> None:
    """Note the observed ones of the units that were not observed at the factors' levels."""
    units = units[units < kind.observed]
    if len(units):
        part = tuple(factor.name for factor in design.factors if factor.name in factors)
        lacking.append(Lacking(kind.variables, kind.first[units], part, cell))
