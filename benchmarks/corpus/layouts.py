"""Which rows a design of the corpus has: units, factors between and within them, copies.

Factors are given as text, such as ``"A2 B3"``: factor ``A`` with levels ``a1``, ``a2`` and ``B``
with ``b1``, ``b2``, ``b3``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd

import bambi_anova as ba


def levels(text: str) -> dict[str, list[str]]:
    """Read factors with their numbers of levels.

    Examples
    --------
    >>> levels("A2 B3")
    {'A': ['a1', 'a2'], 'B': ['b1', 'b2', 'b3']}
    """
    return {
        word[0]: [f"{word[0].lower()}{level + 1}" for level in range(int(word[1:]))]
        for word in text.split()
    }


def cells(text: str) -> pd.DataFrame:
    """Return the crossing of factors given as text, one row a cell; one row for no factors."""
    factors = levels(text)
    return pd.DataFrame(list(product(*factors.values())), columns=list(factors))


def assign(names: list[str], column: str, text: str, unequal: bool = False) -> pd.DataFrame:
    """Give units the cells of their between factors in turn, or later cells more units."""
    grid = cells(text)
    weights = np.arange(1, len(grid) + 1) if unequal else np.ones(len(grid), dtype=int)
    turns = np.resize(np.repeat(np.arange(len(grid)), weights), len(names))
    return pd.concat(
        [pd.DataFrame({column: names}), grid.iloc[turns].reset_index(drop=True)], axis=1
    )


def numbered(letter: str, size: int) -> list[str]:
    """Return names of units that sort by their numbers."""
    return [f"{letter}{number:03d}" for number in range(1, size + 1)]


def thin(frame: pd.DataFrame, keys: list[str], share: float, rng) -> pd.DataFrame:
    """Leave out a share of the combinations of some columns."""
    groups = frame.groupby(keys, sort=False).ngroup().to_numpy()
    kept = rng.random(groups.max() + 1) >= share
    return frame[kept[groups]].reset_index(drop=True)


@dataclass(frozen=True)
class Split:
    """Units with factors between them and within them.

    Attributes
    ----------
    units : int
    between, within : str
        Factors with their numbers of levels, such as ``"A2 B3"``.
    copies : int
        Rows of a unit in each of its cells.
    unequal : bool
        Groups of 1 : 2 : 3 : ... units instead of equal ones.
    missing : float
        Share of unit-by-cell combinations without rows.
    empty : str
        Query for cells without any rows.
    """

    units: int
    between: str = ""
    within: str = ""
    copies: int = 1
    unequal: bool = False
    missing: float = 0.0
    empty: str = ""

    @property
    def factors(self) -> dict[str, list[str]]:
        """All factors with their levels."""
        return levels(f"{self.between} {self.within}")

    def rows(self, rng) -> pd.DataFrame:
        """Return the rows without response."""
        units = assign(numbered("s", self.units), "s", self.between, self.unequal)
        frame = units.merge(cells(self.within), how="cross")
        if self.missing:
            frame = thin(frame, ["s", *levels(self.within)], self.missing, rng)
        if self.empty:
            frame = frame[~frame.eval(self.empty)]
        return frame.loc[frame.index.repeat(self.copies)].reset_index(drop=True)


@dataclass(frozen=True)
class Crossed:
    """Every unit of one kind with every one of another; a factor lies between either, or within.

    Attributes
    ----------
    first, second : int
        Units of each kind.
    by_first, by_second, within : str
    copies : int
        Rows of a pair in each of its cells.
    missing : float
        Share of pairs without rows.
    names : (str, str)
        Of the columns of units.
    """

    first: int
    second: int
    by_first: str = ""
    by_second: str = ""
    within: str = ""
    copies: int = 1
    missing: float = 0.0
    names: tuple[str, str] = ("s", "item")

    @property
    def factors(self) -> dict[str, list[str]]:
        """All factors with their levels."""
        return levels(f"{self.by_first} {self.by_second} {self.within}")

    def rows(self, rng) -> pd.DataFrame:
        """Return the rows without response."""
        one, other = self.names
        first = assign(numbered(one, self.first), one, self.by_first)
        labels = numbered("i" if other == "item" else other, self.second)
        second = assign(labels, other, self.by_second)
        frame = first.merge(second, how="cross").merge(cells(self.within), how="cross")
        if self.missing:
            frame = thin(frame, list(self.names), self.missing, rng)
        return frame.loc[frame.index.repeat(self.copies)].reset_index(drop=True)


#: Plots within blocks; the names of plots come back in every block.
Nested = partial(Crossed, names=("block", "plot"))


@dataclass(frozen=True)
class Shipped:
    """A data set of the package, with its own response."""

    name: str

    def rows(self, rng) -> pd.DataFrame:
        """Return the data set."""
        return ba.load_data(self.name)
