"""Latent coordinates from columns and groups: the parts of a latent Gaussian model.

Whoever reads a model says which coordinates it has, with what prior, and what each row multiplies
them by.  Here they are sorted into unit blocks and core, and stacked.

Letters: M rows, K predictors a row, J groups of a term, P coordinates of a common term, B blocks,
D coordinates a block; see ``model``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from bambi_anova.engine.latent.covariance import Diagonal, Variance
from bambi_anova.engine.latent.model import BlockTerm, Core, CoreTerm, Predictor, UnitBlocks

Array = np.ndarray

#: A block is solved densely, and its coordinates are drawn together.
LARGEST_BLOCK = 16


@dataclass(frozen=True)
class Common:
    """Coordinates with columns of their own.

    Attributes
    ----------
    key : str
    predictor : str
        The predictor that they are a part of.
    columns : ndarray, shape (M, P)
    means : ndarray, shape (P,)
        Prior means.
    variances : tuple of Variance, length P
    sd : callable, optional
        Where sds are no sums of squared scales: from the scales (H, G) to them, shape (P, G).
    """

    key: str
    predictor: str
    columns: Array
    means: Array
    variances: tuple[Variance, ...]
    sd: Callable[[Array], Array] | None = None


@dataclass(frozen=True)
class PartlyGiven:
    """Independent coordinates, of which some have sds by a function of the scales.

    Attributes
    ----------
    others : Diagonal
        Of all of them, as if those sds were one.
    given : tuple of slice and callable
        Which coordinates, and from scales (H, G) to their sds.
    """

    others: Diagonal
    given: tuple[tuple[slice, Callable[[Array], Array]], ...]

    def sd(self, values: Array) -> Array:
        """Return the sds at scales of shape (H, G), shape (D, G)."""
        found = self.others.sd(values)
        for where, sd in self.given:
            found[where] = sd(values)
        return found

    def variances(self) -> list[Variance]:
        """Return the variance of each coordinate; of those by a function, one."""
        return self.others.variances()


@dataclass(frozen=True)
class Grouped:
    """One coordinate for each of J groups, iid normal about zero.

    Attributes
    ----------
    key : str
    predictor : str
    codes : ndarray of int, shape (M,)
        The group of each row.
    values : ndarray, shape (M,)
        What each row multiplies its group's coordinate by.
    size : int
        J; groups may have no row.
    variance : Variance
    """

    key: str
    predictor: str
    codes: Array
    values: Array
    size: int
    variance: Variance

    def homes(self, holder: Grouped) -> Array | None:
        """Return the holder's group that each of the J lies in; ``None`` if they cross them."""
        if holder is self:
            return np.arange(self.size)
        homes = np.zeros(self.size, dtype=int)
        homes[self.codes] = holder.codes
        return homes if (homes[self.codes] == holder.codes).all() else None

    def columns(self, index: Array, width: int) -> sparse.csr_array:
        """Return the columns of rows whose groups stand at some places, shape (M, width)."""
        rows = np.arange(len(self.codes))
        return sparse.csr_array((self.values, (rows, index[self.codes])), shape=(len(rows), width))


@dataclass(frozen=True)
class Parts:
    """What a latent model is made of.

    Attributes
    ----------
    predictors : dict of str to Predictor
    core : Core
    blocks : UnitBlocks
    """

    predictors: dict[str, Predictor]
    core: Core
    blocks: UnitBlocks


def assemble(
    offsets: Mapping[str, Array],
    common: Sequence[Common],
    grouped: Sequence[Grouped],
    scales: int,
) -> Parts:
    """Sort coordinates into blocks and core, and stack them.

    Parameters
    ----------
    offsets : mapping of str to ndarray, each of shape (M,)
        Of the K predictors, by name.
    common : sequence of Common
    grouped : sequence of Grouped
    scales : int
        The number of scales that variances may depend on.
    """
    rows = len(next(iter(offsets.values())))
    holder = _choose_holder(grouped, sum(one.columns.shape[1] for one in common))
    homes = {g.key: None if holder is None else g.homes(holder) for g in grouped}
    inside = [g for g in grouped if homes[g.key] is not None]
    placed = [(g, own) for g in inside if (own := homes[g.key]) is not None]
    blocks, places = _blocks(holder, placed, rows, scales)
    terms: list[CoreTerm] = []
    means: list[float] = []
    variances: list[Variance] = []
    columns: dict[str, list[sparse.csr_array]] = {name: [] for name in offsets}

    def add(key: str, predictor: str, own: sparse.csr_array, mean: Array, var: Sequence) -> None:
        start = len(means)
        terms.append(CoreTerm(key, start, start + own.shape[1]))
        means.extend(mean.tolist())
        variances.extend(var)
        for name, parts in columns.items():
            parts.append(own if name == predictor else sparse.csr_array(own.shape))

    given: list[tuple[slice, Callable[[Array], Array]]] = []
    for one in common:
        if one.sd is not None:
            given.append((slice(len(means), len(means) + len(one.means)), one.sd))
        add(one.key, one.predictor, sparse.csr_array(one.columns), one.means, one.variances)
    for group in grouped:
        if homes[group.key] is None:
            index = np.arange(group.size)
            columns_of = group.columns(index, group.size)
            add(
                group.key,
                group.predictor,
                columns_of,
                np.zeros(group.size),
                [group.variance] * group.size,
            )
    covariance: Any = Diagonal.of(variances, scales)
    if given:
        covariance = PartlyGiven(covariance, tuple(given))
    core = Core(tuple(terms), np.array(means, dtype=float)[:, None], covariance)
    width = blocks.count * blocks.size
    predictors = {}
    for name, offset in offsets.items():
        in_blocks = sparse.csr_array((rows, width))
        for group in inside:
            if group.predictor == name:
                in_blocks = in_blocks + group.columns(places[group.key], width)
        stacked = sparse.hstack([*columns[name], in_blocks], format="csr")
        predictors[name] = Predictor(offset[:, None], sparse.csr_array(stacked))
    return Parts(predictors, core, blocks)


def _choose_holder(grouped: Sequence[Grouped], common: int) -> Grouped | None:
    """Choose the groups whose blocks make the equations cheapest to solve."""

    def cost(holder: Grouped) -> tuple[bool, int]:
        core, block = common, 0
        for group in grouped:
            homes = group.homes(holder)
            if homes is None:
                core += group.size
            else:
                block += int(np.bincount(homes).max())
        return cost_of(core, holder.size, block)

    return min(grouped, key=cost, default=None)


def cost_of(core: int, blocks: int, size: int) -> tuple[bool, int]:
    """Return what tells cheap equations from dear ones: P, B and D -> whether D is too large, cost.

    Examples
    --------
    >>> cost_of(2, 100, 3) < cost_of(300, 1, 3) < cost_of(2, 1, 20)
    True
    """
    return size > LARGEST_BLOCK, core**3 + blocks * size * (size + core) ** 2


def places_within(homes: Array) -> tuple[Array, int]:
    """Return the place of each group among those of its home, and the most that one home has.

    Examples
    --------
    >>> place, most = places_within(np.array([0, 1, 0, 1, 1]))
    >>> place.tolist(), most
    ([0, 0, 1, 1, 2], 3)
    """
    order, counts = np.argsort(homes, kind="stable"), np.bincount(homes)
    place = np.empty(len(homes), dtype=int)
    place[order] = np.arange(len(homes)) - (np.cumsum(counts) - counts)[homes[order]]
    return place, int(counts.max())


def _blocks(
    holder: Grouped | None, inside: Sequence[tuple[Grouped, Array]], rows: int, scales: int
) -> tuple[UnitBlocks, dict[str, Array]]:
    """Return the blocks, and where each term's coordinates stand among those of all blocks."""
    placed: list[tuple[Grouped, Array, Array]] = []
    variances: list[Variance] = []
    size = 0
    for group, homes in inside:
        place, most = places_within(homes)
        placed.append((group, homes, place + size))
        size += most
        variances += [group.variance] * most
    size = max(size, 1)
    places = {group.key: homes * size + place for group, homes, place in placed}
    blocks = UnitBlocks(
        count=1 if holder is None else holder.size,
        size=size,
        of_row=np.zeros(rows, dtype=int) if holder is None else holder.codes,
        terms=tuple(BlockTerm(key, index) for key, index in places.items()),
        covariance=Diagonal.of(variances or [(1.0, ())], scales),
    )
    return blocks, places
