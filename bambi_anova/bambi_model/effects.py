"""Effects as Bambi priors: callables that Bambi's ``Prior(dist=...)`` puts into a PyMC model.

All three distributions below are exactly iid N(0, sigma) effects, deflected or not; they differ
in the coordinates that the sampler sees.

- *Identified*: iid effects over J levels, deflected, are Q z with Q an orthonormal basis of the
  sum-to-zero space and z ~ N(0, sigma).  Sampling z removes every direction that the likelihood
  leaves free.
- *Informed scale*: with about I units of Fisher information on each coordinate the posterior of
  an effect given sigma has sd near s = sigma / sqrt(1 + I sigma^2).  Sampling effect / s is
  non-centred where sigma is small and centred where the data decide, with no funnel in between
  (Papaspiliopoulos, Roberts & Skold 2007, doi:10.1214/088342307000000014).
- *Anchored units*: the mean of the unit effects in a cell trades off with the fixed effects of
  that cell.  The sampler moves their sum, which the data do identify.

Letters: L levels of a term, K its degrees of freedom, J units, G groups of units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class ZeroSumEffects:
    """Deflected iid effects of a fixed term.

    Attributes
    ----------
    basis : ndarray, shape (L, K)
    information : float
        Rough Fisher information on each of the K coordinates.
    """

    basis: Array
    information: float

    def __call__(self, name: str, sigma, dims=None):
        """Add the effects to the PyMC model in context and return them."""
        import pymc as pm
        import pytensor.tensor as pt

        spread = pt.sqrt(1 + self.information * sigma**2)
        z = pm.Normal(f"{name}_offset", 0, spread, shape=self.basis.shape[1])
        return pm.Deterministic(name, pt.dot(self.basis, z * (sigma / spread)), dims=dims)


@dataclass(frozen=True)
class Anchor:
    """A fixed effect whose sum with the units' group mean the data identify.

    Attributes
    ----------
    variable : str
        Its name in the PyMC model.
    index : ndarray of int, shape (G,), or None
        The level of each group of units; ``None`` for a scalar.
    """

    variable: str
    index: Array | None


@dataclass(frozen=True)
class Children:
    """A finer unit term whose mean in each unit the data see as the unit's own effect.

    Attributes
    ----------
    variable : str
        The name of its effects in the PyMC model.
    parents : ndarray of int, one for each finer unit
        The unit that it lies in.
    """

    variable: str
    parents: Array


@dataclass(frozen=True)
class UnitEffects:
    """Iid effects of the units of one unit term.

    Attributes
    ----------
    groups : ndarray of int, shape (J,)
        The group of each unit: its combination of the anchors' factors, or its coarser unit.
    information : ndarray, shape (G,)
        Rough Fisher information on a unit's effect, in each group.
    estimates : ndarray, shape (J,)
        Rough estimates of the effects about their group's mean.
    anchors : tuple of Anchor
    location : ndarray, shape (G,)
        Where the anchored sums lie, roughly; the mixing of the two forms is about this point.
    children : tuple of Children
        Finer unit terms, which are in the PyMC model already.
    """

    groups: Array
    information: Array
    estimates: Array
    anchors: tuple[Anchor, ...] = ()
    location: Array | float = 0.0
    children: tuple[Children, ...] = ()

    def __call__(self, name: str, sigma, dims=None):
        """Add the effects to the PyMC model in context and return them."""
        import pymc as pm

        spread = (1 + self.information * sigma**2) ** 0.5
        shared = self._children_means()
        effects = self._group_means(name, sigma, spread, shared)[self.groups]
        if len(self.groups) > len(self.sizes):
            effects = effects + self._deviations(name, sigma, spread, shared)
        return pm.Deterministic(name, effects, dims=dims)

    @property
    def sizes(self) -> Array:
        """Units in each group, shape (G,)."""
        return np.bincount(self.groups)

    def _children_means(self):
        """Return the mean of the finer effects in each unit, shape (J,), or zero."""
        import pymc as pm

        model, total = pm.modelcontext(None), 0.0
        for child in self.children:
            sums = _sum_by(child.parents, model[child.variable], len(self.groups))
            total = total + sums / np.bincount(child.parents)
        return total

    def _group_means(self, name: str, sigma, spread, shared):
        """Add the mean effect of each group, N(0, sigma / sqrt(size)); shape (G,)."""
        import pymc as pm

        label, sizes = f"{name}_mean_offset", self.sizes
        if not self.anchors:
            return pm.Normal(label, 0, 1, shape=len(sizes)) * (sigma / np.sqrt(sizes))
        level = self._level()
        if self.children:
            level = level + _sum_by(self.groups, shared, len(sizes)) / sizes
        # With weight 1 the sampler moves mean + level ("centred"), with weight 0 the mean alone.
        shift = (1 - 1 / spread**2) * (level - self.location)
        scale = sigma / spread / np.sqrt(sizes)
        return pm.Normal(label, shift / scale, spread, shape=len(sizes)) * scale - shift

    def _deviations(self, name: str, sigma, spread, shared):
        """Add effects that sum to zero in each group, from J - G coordinates; shape (J,)."""
        import pymc as pm

        coordinates = _GroupBasis(self.groups)
        spread = spread[self.groups[coordinates.free]]
        # Given sigma the data pull an effect to about this point, less what the finer units
        # take; sampling about it leaves coordinates that hardly depend on sigma.
        target = coordinates.of(self.estimates)
        if self.children:
            target = target - coordinates.of(shared)
        pull = (1 - 1 / spread**2) * target
        scale = sigma / spread
        w = pm.Normal(f"{name}_offset", -pull / scale, spread, shape=len(coordinates.free))
        return coordinates.effects(w * scale + pull)

    def _level(self):
        """Return the fixed part of each group, shape (G,) or ()."""
        import pymc as pm

        model = pm.modelcontext(None)
        level = 0
        for anchor in self.anchors:
            variable = model[anchor.variable]
            level = level + (variable if anchor.index is None else variable[anchor.index])
        return level


class _GroupBasis:
    """Orthonormal coordinates of the arrays that sum to zero in each group of units.

    The last unit of a group takes what the others leave; each of the others gives up the same
    part, so that the map costs O(J) and needs no matrix.
    """

    def __init__(self, groups: Array) -> None:
        sizes = np.bincount(groups)
        self.groups = groups
        self.root = np.sqrt(sizes)
        self.last = np.zeros(len(sizes), dtype=int)
        self.last[groups] = np.arange(len(groups))
        self.free = np.setdiff1d(np.arange(len(groups)), self.last)

    def of(self, values):
        """Return the coordinates of the deviations of some values, shape (J - G,)."""
        sums = _sum_by(self.groups, values, len(self.root))
        values = values - (sums / self.root**2)[self.groups]
        common = -values[self.last] / (1 + self.root)
        return values[self.free] + common[self.groups[self.free]]

    def effects(self, coordinates):
        """Return the effects of some coordinates, shape (J,)."""
        import pytensor.tensor as pt

        groups = self.groups[self.free]
        sums = _sum_by(groups, coordinates, len(self.root))
        common = sums / (self.root + self.root**2)
        effects = pt.zeros(len(self.groups))[self.free]
        effects = pt.set_subtensor(effects, coordinates - common[groups])
        return pt.set_subtensor(effects[self.last], -sums / self.root)


def _sum_by(groups: Array, values, size: int):
    """Return the sum of some values in each group, for arrays and tensors alike."""
    import pytensor.tensor as pt

    if isinstance(values, np.ndarray):
        return np.bincount(groups, values, minlength=size)
    return pt.inc_subtensor(pt.zeros(size)[groups], values)
