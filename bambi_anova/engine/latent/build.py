"""Specification -> a latent Gaussian model.

Letters: M rows, J units, Q latent coordinates; see ``model``.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from scipy import sparse

from bambi_anova.design.design import Design, FixedTerm, Slope, Unit, nested
from bambi_anova.design.margins import effects_basis, row_levels
from bambi_anova.design.sufficient import Collapsed
from bambi_anova.engine.latent.model import CoreBlock, LatentModel, LeafBlock
from bambi_anova.engine.latent.scales import make_scale
from bambi_anova.errors import UnsupportedError
from bambi_anova.families.likelihoods import make_likelihood
from bambi_anova.names import INTERCEPT
from bambi_anova.priors.defaults import Prior, Priors
from bambi_anova.specification import Specification

Array = np.ndarray

#: An entity's block is solved densely, and its coordinates are drawn together.
LARGEST_BLOCK = 16


@singledispatch
def latent_model(source: object) -> LatentModel:
    """Return the latent Gaussian model of a source, by its type.

    Raises
    ------
    UnsupportedError
        If nothing is known of that type; if the family, or the kind of a prior, has no place in
        such a model.
    """
    known = [kind.__name__ for kind in latent_model.registry if kind is not object]
    raise UnsupportedError(
        f"source is a {type(source).__name__}, of which no latent Gaussian model can be made; "
        f"expected a {' or a '.join(known)}, such as Model(formula, data)"
    )


@latent_model.register
def _(specification: Specification) -> LatentModel:
    design, priors, collapsed = specification.design, specification.priors, specification.collapsed
    place, sets = _merge(collapsed)
    rows = collapsed.first[place]
    builder = _Builder(design, rows, priors)
    entity = _choose_entity(design)
    builder.add_fixed(specification.overparameterized)
    builder.add_units(entity)
    auxiliary: dict[str, int | float] = {}
    scales = [make_scale(name, prior) for name, prior in priors.sigmas.items()]
    for name, prior in priors.auxiliary.items():
        if isinstance(prior, Prior):
            auxiliary[name] = len(scales)
            scales.append(make_scale(name, prior))
        else:
            auxiliary[name] = float(prior)
    return LatentModel(
        likelihood=make_likelihood(specification.family, specification.link, collapsed, sets),
        offset=_offset(collapsed)[place, None],
        columns=builder.columns(),
        entity=np.zeros(len(rows), dtype=int) if entity is None else entity.codes[rows],
        entities=builder.entities,
        slots=builder.slots,
        core=tuple(builder.core),
        leaves=tuple(builder.leaves),
        core_mean=np.array(builder.means)[:, None],
        core_sd=np.array(builder.sds)[:, None],
        core_scale=np.array(builder.core_scale, dtype=int),
        leaf_scale=np.array(builder.leaf_scale, dtype=int),
        scales=tuple(scales),
        auxiliary=auxiliary,
    )


def _merge(collapsed: Collapsed) -> tuple[Array, Array]:
    """Return a collapsed row that stands for each of the M rows, and the row of each of them."""
    if collapsed.alike is None:
        rows = np.arange(len(collapsed.first))
        return rows, rows
    _, place, sets = np.unique(collapsed.alike, return_index=True, return_inverse=True)
    return place, sets


def _offset(collapsed: Collapsed) -> Array:
    return np.zeros(len(collapsed.first)) if collapsed.offset is None else collapsed.offset


def _own_units(design: Design) -> list[tuple[str, Unit, Slope | None]]:
    """List unit terms and varying slopes: key, unit, slope."""
    terms: list[tuple[str, Unit, Slope | None]] = [(u.name, u, None) for u in design.units]
    return [*terms, *((slope.name, slope.unit, slope) for slope in design.slopes)]


def _choose_entity(design: Design) -> Unit | None:
    """Choose the units whose blocks make the equations cheapest to solve."""
    units = [unit for _, unit, _ in _own_units(design)]
    fixed = 1 + sum(term.df for term in design.terms)

    def cost(entity: Unit) -> tuple[bool, int]:
        inside = [unit for unit in units if nested(unit, entity)]
        core = fixed + sum(unit.size for unit in units if not nested(unit, entity))
        block = sum(_most_within(unit, entity) for unit in inside)
        return block > LARGEST_BLOCK, core**3 + entity.size * block * (block + core) ** 2

    return min(units, key=cost, default=None)


def _most_within(unit: Unit, entity: Unit) -> int:
    return int(np.bincount(entity.codes[unit.first]).max())


class _Builder:
    """Collects blocks and columns, the core's first."""

    def __init__(self, design: Design, rows: Array, priors: Priors) -> None:
        self.design = design
        self.priors = priors
        self.rows = rows
        self.core: list[CoreBlock] = []
        self.leaves: list[LeafBlock] = []
        self.means: list[float] = []
        self.sds: list[float] = []
        self.core_scale: list[int] = []
        self.leaf_scale: list[int] = []
        self.entities, self.slots = 1, 0
        self._scale_of = {name: index for index, name in enumerate(priors.sigmas)}
        self._core_parts: list[sparse.csr_array] = []
        self._leaf_entries: list[tuple[Array, Array]] = []

    def columns(self) -> sparse.csr_array:
        """Return A, shape (M, Q)."""
        size = len(self.rows)
        parts = list(self._core_parts)
        for positions, values in self._leaf_entries:
            entries = (values, (np.arange(size), positions))
            parts.append(sparse.csr_array(entries, shape=(size, self.entities * self.slots)))
        core = sparse.hstack(parts[: len(self._core_parts)], format="csr")
        width = (size, self.entities * self.slots)
        leaves = sum(parts[len(self._core_parts) :], sparse.csr_array(width))
        return sparse.csr_array(sparse.hstack([core, leaves], format="csr"))

    def add_fixed(self, overparameterized: bool) -> None:
        """Add the intercept, slopes and factor terms."""
        mean, sd = _normal(INTERCEPT, self.priors.intercept)
        self._add_core(INTERCEPT, np.ones((len(self.rows), 1)), mean, sd)
        for term in self.design.terms:
            if term.factors:
                self._add_term(term, overparameterized)
            elif term.covariate:
                mean, sd = _normal(term.covariate, self.priors.covariates[term.covariate])
                self._add_core(term.covariate, self._covariate(term.covariate), mean, sd)

    def add_units(self, entity: Unit | None) -> None:
        """Add unit effects and varying slopes: those within the entities as leaves."""
        for key, unit, slope in _own_units(self.design):
            values = np.ones((len(self.rows), 1))
            if slope is not None:
                values = self._covariate(slope.covariate)
            if entity is not None and nested(unit, entity):
                self._add_leaves(key, unit, entity, values[:, 0])
            else:
                size = len(self.rows)
                entries = (values[:, 0], (np.arange(size), unit.codes[self.rows]))
                columns = sparse.csr_array(entries, shape=(size, unit.size))
                self._add_core(key, columns, scale=self._scale_of[key])
        if entity is None:
            # One entity with one coordinate that touches no row: no special cases elsewhere.
            self.slots, self.leaf_scale = 1, [-1]
        else:
            self._place_leaves(entity)

    def _add_term(self, term: FixedTerm, overparameterized: bool) -> None:
        basis = effects_basis(term.factors, self.design, overparameterized)
        columns = basis[row_levels(term.factors, self.design)[self.rows]]
        if term.covariate:
            columns = columns * self._covariate(term.covariate)
        self._add_core(term.name, columns, scale=self._scale_of[term.name], basis=basis)

    def _add_core(
        self,
        key: str,
        columns: Array | sparse.csr_array,
        mean: float = 0.0,
        sd: float = 1.0,
        scale: int = -1,
        basis: Array | None = None,
    ) -> None:
        start, width = len(self.means), columns.shape[1]
        self.core.append(CoreBlock(key, start, start + width, basis))
        self.means += [mean] * width
        self.sds += [sd] * width
        self.core_scale += [scale] * width
        self._core_parts.append(sparse.csr_array(columns))

    def _add_leaves(self, key: str, unit: Unit, entity: Unit, values: Array) -> None:
        holder = entity.codes[unit.first]
        order = np.argsort(holder, kind="stable")
        starts = np.cumsum(np.bincount(holder)) - np.bincount(holder)
        slot = np.empty(unit.size, dtype=int)
        slot[order] = np.arange(unit.size) - starts[holder[order]]
        # Positions are final once the number of slots is known; keep (entity, slot) till then.
        self.leaves.append(LeafBlock(key, np.stack([holder, slot + self.slots])))
        self._leaf_entries.append((unit.codes[self.rows], values))
        most = _most_within(unit, entity)
        self.slots += most
        self.leaf_scale += [self._scale_of[key]] * most

    def _place_leaves(self, entity: Unit) -> None:
        self.entities = entity.size
        placed = [
            LeafBlock(block.key, block.index[0] * self.slots + block.index[1])
            for block in self.leaves
        ]
        self._leaf_entries = [
            (block.index[codes], values)
            for block, (codes, values) in zip(placed, self._leaf_entries, strict=True)
        ]
        self.leaves = placed

    def _covariate(self, name: str) -> Array:
        covariate = self.design.rows.covariates[name]
        return (covariate.values[self.rows] - covariate.mean)[:, None]


def _normal(name: str, prior: Prior) -> tuple[float, float]:
    """Return mean and sd of a normal prior."""
    args = dict(prior.args)
    if prior.name != "Normal":
        raise UnsupportedError(
            f"priors[{name!r}]: the quick fits need a Normal prior here, got {prior}; "
            "use inference_method='nuts'"
        )
    sd = args.get("sigma", 1.0) if "tau" not in args else args["tau"] ** -0.5
    return float(args.get("mu", 0.0)), float(sd)
