"""Effects as Bambi priors: callables that Bambi's ``Prior(dist=...)`` puts into a PyMC model.

The distributions below have the cell means, and the effects of units, of exactly iid N(0, sigma)
effects; they differ in the coordinates that the sampler sees.

- *Identified*: the zero-sum coordinates of every margin of every term (``design.margins``), which
  leave no direction that the likelihood leaves free.
- *Informed scale*: with about I units of Fisher information on each coordinate the posterior of
  an effect given sigma has sd near s = sigma / sqrt(1 + I sigma^2).  Sampling effect / s is
  non-centred where sigma is small and centred where the data decide, with no funnel in between
  (Papaspiliopoulos, Roberts & Skold 2007, doi:10.1214/088342307000000014).
- *Anchored units*: the mean of the unit effects in a cell trades off with the fixed effects of
  that cell.  The sampler moves their sum, which the data do identify.

Letters: L levels of a term, K its degrees of freedom, J units, G groups of units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Scale:
    """The standard deviation of a term: made once, by whichever effects need it first.

    Attributes
    ----------
    make : callable
        From its name and the prior's parameters to the variable.
    args : mapping of str to float
        The prior's parameters.
    """

    make: Callable[..., Any]
    args: Mapping[str, float]

    def __call__(self, name: str, dims=None, **args: Any):
        """Return the variable of that name in the PyMC model in context."""
        import pymc as pm

        model = pm.modelcontext(None)
        return model[name] if name in model.named_vars else self.make(name, **self.args)


@dataclass(frozen=True)
class Variance:
    """A variance that adds up from those of several terms.

    Attributes
    ----------
    factors : mapping of str to float
        What the square of each standard deviation is multiplied by, by its variable.
    scales : mapping of str to Scale
    """

    factors: Mapping[str, float]
    scales: Mapping[str, Scale]

    def __call__(self):
        """Return the variance in the PyMC model in context."""
        return sum(k * self.scales[name](name) ** 2 for name, k in self.factors.items())


@dataclass(frozen=True)
class CommonEffect:
    """An intercept or a common slope, with what the factor terms share of it."""

    variance: Variance

    def __call__(self, name: str, mu=0.0, sigma=1.0, tau=None, dims=None):
        """Add it to the PyMC model in context and return it."""
        import pymc as pm

        own = sigma**2 if tau is None else 1 / tau
        return pm.Normal(name, mu, (own + self.variance()) ** 0.5, dims=dims)


@dataclass(frozen=True)
class MarginEffects:
    """The effects of a fixed term, from the zero-sum coordinates of its margins.

    Attributes
    ----------
    bases : mapping of str to ndarray, each of shape (L, K)
        By the margin.
    variances : mapping of str to Variance
        Of the K coordinates of each margin.
    information : float
        Rough Fisher information on each coordinate.
    """

    bases: Mapping[str, Array]
    variances: Mapping[str, Variance]
    information: float

    def __call__(self, name: str, sigma, dims=None):
        """Add the effects to the PyMC model in context and return them."""
        import pymc as pm
        import pytensor.tensor as pt

        effects = 0.0
        for margin, basis in self.bases.items():
            variance = self.variances[margin]()
            spread = pt.sqrt(1 + self.information * variance)
            label = f"{name}_offset" if len(self.bases) == 1 else f"{name}_{margin}_offset"
            z = pm.Normal(label, 0, spread, shape=basis.shape[1])
            effects = effects + pt.dot(basis, z * (pt.sqrt(variance) / spread))
        return _added(name, effects, dims)


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
        spread = (1 + self.information * sigma**2) ** 0.5
        shared = self._children_means()
        effects = self._group_means(name, sigma, spread, shared)[self.groups]
        if len(self.groups) > len(self.sizes):
            effects = effects + self._deviations(name, sigma, spread, shared)
        return _added(name, effects, dims)

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


@dataclass(frozen=True)
class JointEffects:
    """One of the effects of units that vary together; whichever comes first makes all of them.

    Attributes
    ----------
    joint : str
        What they are called together.
    members : tuple of str, length K
        The variables of all of them.
    scales : mapping of str to Scale
        Their standard deviations, by their variables.
    eta : float
        Of the LKJ prior of their correlations, which is made of independent partial correlations
        (``engine.latent.covariance``).
    units : int
        J.
    names : tuple of str
        Of the variable of the correlations and of its two dimensions.
    labels : tuple of str, length K
        Of these.
    """

    joint: str
    members: tuple[str, ...]
    scales: Mapping[str, Scale]
    eta: float
    units: int
    names: tuple[str, str, str]
    labels: tuple[str, ...]

    def __call__(self, name: str, sigma, dims=None):
        """Add the effects to the PyMC model in context and return those of this name."""
        import pymc as pm

        model, whole = pm.modelcontext(None), f"{self.joint}_joint_offset"
        if whole not in model.named_vars:
            self._make(model, whole)
        return pm.Deterministic(name, model[whole][:, self.members.index(name)], dims=dims)

    def _make(self, model, whole: str) -> None:
        """Add all of them, shape (J, K)."""
        import pymc as pm
        import pytensor.tensor as pt

        size = len(self.members)
        lower = self._correlation_factor()
        name, *dims = self.names
        model.add_coords(dict.fromkeys(dims, self.labels))
        pm.Deterministic(name, pt.dot(lower, lower.T), dims=dims)
        sd = pt.stack([scale(own) for own, scale in self.scales.items()])
        z = pm.Normal(f"{self.joint}_offset", 0, 1, shape=(self.units, size))
        pm.Deterministic(whole, pt.dot(z, (sd[:, None] * lower).T))

    def _correlation_factor(self):
        """Add the partial correlations; return L, whose product L L' is the correlation matrix."""
        import pymc as pm
        import pytensor.tensor as pt

        size = len(self.members)
        b = [self.eta + (size - 2 - j) / 2 for i in range(size) for j in range(i)]
        halves = pm.Beta(f"{self.joint}_partial_offset", b, b, shape=len(b))
        partial, rows = iter(2 * halves[n] - 1 for n in range(len(b))), []
        for i in range(size):
            row, left = [], pt.constant(1.0)
            for _ in range(i):
                row.append(next(partial) * pt.sqrt(left))
                left = left - row[-1] ** 2
            rows.append(pt.stack([*row, pt.sqrt(left), *[pt.constant(0.0)] * (size - i - 1)]))
        return pt.stack(rows)


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


def _added(name: str, effects, dims):
    """Add effects to the PyMC model in context; with a dimension a column where Bambi has such."""
    import pymc as pm

    if dims is not None and not isinstance(dims, str) and len(dims) > 1:
        coords = pm.modelcontext(None).coords
        effects = effects.reshape([len(coords[dim]) for dim in dims])
    return pm.Deterministic(name, effects, dims=dims)
