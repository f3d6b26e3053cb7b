"""Specification -> a latent Gaussian model.

Letters: M rows, J units, Q latent coordinates; see ``model``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
from scipy import sparse

from bambi_anova.design.design import Design, FixedTerm, Slope, Unit, nested
from bambi_anova.design.margins import row_levels, slope_values
from bambi_anova.engine.latent.coordinates import cost_of, places_within
from bambi_anova.engine.latent.covariance import (
    Correlated,
    Diagonal,
    Together,
    Variance,
    partial_shape,
)
from bambi_anova.engine.latent.model import (
    BlockTerm,
    Core,
    CoreTerm,
    Correlation,
    LatentModel,
    Predictor,
    UnitBlocks,
)
from bambi_anova.engine.latent.scales import Scale, make_scale, partial_scale
from bambi_anova.errors import UnsupportedError
from bambi_anova.families.base import Combination
from bambi_anova.families.sufficient import Collapsed
from bambi_anova.priors.distributions import Prior, is_normal, normal_of
from bambi_anova.priors.ordered import OrderedNormals
from bambi_anova.specification import OVERPARAMETERIZED, Coordinates, Specification

Array = np.ndarray


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
    return _build(specification, [])


def by_levels(specification: Specification) -> LatentModel:
    """Return the latent Gaussian model in an effect of every level that was observed.

    The posterior is the same (see ``design.margins``).  Its equations are larger, but hardly any
    row has a part in any of their entries, and the effects of one term may stand in the blocks.
    """
    options = replace(specification.options, parameterization=OVERPARAMETERIZED)
    family, predictors = specification.family, specification.predictors
    free = Specification(family, predictors, specification.priors, options)
    return _build(
        free, [_level_term(term, free.design) for term in free.design.terms if term.factors]
    )


def _level_term(term: FixedTerm, design: Design) -> _UnitTerm:
    """Return the levels of a factor term as if they were units."""
    _, first, codes = np.unique(
        row_levels(term.factors, design), return_index=True, return_inverse=True
    )
    unit = Unit(term.factors, (), codes, first, ())
    values = slope_values(Slope(term.covariate, unit), design) if term.covariate else None
    return _UnitTerm(term.name, unit, np.ones(len(codes)) if values is None else values)


def _build(specification: Specification, levels: Sequence[_UnitTerm]) -> LatentModel:
    """Return the latent model, with some terms in effects of their levels."""
    priors, collapsed, parts = specification.priors, specification.collapsed, specification.parts
    place, sets = _merge(collapsed)
    rows = collapsed.first[place]
    priors_of = {
        part.parent.key(name): prior for part in parts for name, prior in part.priors.sigmas.items()
    }
    scale_of = {name: index for index, name in enumerate(priors_of)}
    units = [*levels, *(term for k in range(len(parts)) for term in _unit_terms(parts[k], k))]
    own = {term.key for term in levels}
    fixed = [
        (k, part, one)
        for k, part in enumerate(parts)
        for one in part.coordinates
        if one.home not in own
    ]
    scales = [make_scale(name, prior) for name, prior in priors_of.items()]
    correlations = _add_correlations(scales, specification)
    together = {key for one in correlations for key in one.keys}
    core = _CoreBuilder(rows, scale_of)
    holder = _choose_holder(units, sum(one.basis.shape[1] for _, _, one in fixed), together)
    blocks = _BlocksBuilder(rows, scale_of, holder)
    for k, part, coordinates in fixed:
        core.add_fixed(coordinates, part, k)
    for term in units:
        if term.key in together and not blocks.holds(term):
            raise UnsupportedError(
                f"effects of {term.unit.name!r} have correlations, and its units cross others that "
                "have some: the quick fits know those of one of them; use "
                "inference_method='nuts', or independent effects of one, such as "
                f"(x||{term.unit.name})"
            )
        (blocks if blocks.holds(term) else core).add_units(term)
    auxiliary, held = {}, {}
    family, links = specification.family, specification.links
    likelihood = family.likelihood(links, collapsed, sets)
    joint = family.form(links).joint
    flat_below = {one.name: one.flat_below for one in family.auxiliary}
    for name, prior in priors.auxiliary.items():
        if name in family.thresholds:
            core.add_parameter(name, *normal_of(prior))
        elif isinstance(prior, Prior):
            auxiliary[name] = len(scales)
            scales.append(make_scale(name, prior, flat_below.get(name)))
        else:
            held[name] = float(prior)
    offset = collapsed.offsets[place, None]
    predictors = {}
    for k, name in enumerate(specification.predictors):
        columns = sparse.hstack([core.columns(k), blocks.columns(k)], format="csr")
        predictors[name] = Predictor(0 * offset if k else offset, sparse.csr_array(columns))
    placed = blocks.build(correlations)
    if joint is not None:
        parent, data = predictors[specification.parent.name], likelihood.data
        if joint.expanded is not None:
            which, data = joint.expanded(data)
            parent = Predictor(parent.offset[which], parent.columns[which])
            placed = replace(placed, of_row=placed.of_row[which])
        predictors = {
            name: _combined(parent, own, core) for name, own in joint.predictors(data).items()
        }
        likelihood = joint.likelihood(data, likelihood.auxiliary)
    return LatentModel(
        likelihood=likelihood,
        predictors=predictors,
        core=core.build(),
        blocks=placed,
        scales=tuple(scales),
        auxiliary=auxiliary,
        held=held,
        log_constant=_row_constant(specification) + sum(scale.log_constant for scale in scales),
        correlations=tuple(correlations),
    )


def _add_correlations(scales: list[Scale], specification: Specification) -> list[Correlation]:
    """Add the partial correlations of effects that vary together to the scales."""
    found = []
    for joint in specification.design.joints:
        if not joint.correlated:
            continue
        eta, size = specification.priors.correlations[joint.name].args["eta"], len(joint.members)
        found.append(Correlation(joint.name, joint.members, len(scales)))
        for i in range(size):
            for j in range(i):
                name = f"{joint.name}_partial_{i}_{j}"
                scales.append(partial_scale(name, partial_shape(eta, size, j)))
    return found


def _merge(collapsed: Collapsed) -> tuple[Array, Array]:
    """Return a collapsed row that stands for each of the M rows, and the row of each of them."""
    if collapsed.alike is None:
        rows = np.arange(len(collapsed.first))
        return rows, rows
    _, place, sets = np.unique(collapsed.alike, return_index=True, return_inverse=True)
    return place, sets


def _row_constant(specification: Specification) -> float:
    """Return what the likelihood of the sufficient rows leaves out of that of the data."""
    family, rows = specification.family, specification.design.rows
    values, trials = rows.response.values, rows.response.trials
    constants = family.constants(values, np.ones(len(values)) if trials is None else trials)
    merged = family.collapse.constant(rows.response, rows.offset, specification.collapsed)
    return float(rows.response.counts @ constants + merged.sum()) - _log_order(specification)


def _log_order(specification: Specification) -> float:
    """Return the log of the prior probability that thresholds come in order."""
    names, own = specification.family.thresholds, specification.priors.auxiliary
    if not names or not specification.family.in_order:
        return 0.0
    return OrderedNormals.of([own[name] for name in names]).log_probability


def _combined(parent: Predictor, own: Combination, core: _CoreBuilder) -> Predictor:
    """Return a predictor that is linear in the first one and in parameters of the core."""
    columns = parent.columns.multiply(own.of_parent[:, None]).tolil()
    for name, factors in own.of_auxiliary.items():
        columns[:, [core.place(name)]] = factors[:, None]
    offset = own.offset[:, None] + own.of_parent[:, None] * parent.offset
    return Predictor(offset, sparse.csr_array(columns))


@dataclass(frozen=True)
class _UnitTerm:
    """A unit term, or a slope that varies by unit, of one of the predictors.

    ``values`` are what the effects are multiplied by in each row of the data.
    """

    key: str
    unit: Unit
    values: Array
    predictor: int = 0


def _unit_terms(part: Specification, predictor: int) -> list[_UnitTerm]:
    key, design = part.parent.key, part.design
    ones = np.ones(len(design.rows.data))
    terms = [
        _UnitTerm(key(unit.name), unit, ones, predictor)
        for unit in design.units
        if not unit.by_cell
    ]
    return terms + [
        _UnitTerm(key(s.name), s.unit, slope_values(s, design), predictor) for s in design.slopes
    ]


def _choose_holder(
    terms: Sequence[_UnitTerm], fixed: int, together: Collection[str]
) -> Unit | None:
    """Choose the units whose blocks make the equations cheapest to solve.

    Effects that vary together must lie within the blocks.
    """
    units = [term.unit for term in terms]
    correlated = [term.unit for term in terms if term.key in together]

    def cost(holder: Unit) -> tuple[int, bool, int]:
        outside = sum(not nested(unit, holder) for unit in correlated)
        inside = [unit for unit in units if nested(unit, holder)]
        core = fixed + sum(unit.size for unit in units if not nested(unit, holder))
        block = sum(_most_within(unit, holder) for unit in inside)
        return outside, *cost_of(core, holder.size, block)

    return min(units, key=cost, default=None)


def _most_within(unit: Unit, holder: Unit) -> int:
    return int(np.bincount(holder.codes[unit.first]).max())


def _covariate(design: Design, name: str, rows: Array) -> Array:
    """Return a centred covariate in some rows, shape (M, 1)."""
    covariate = design.rows.covariates[name]
    return (covariate.values[rows] - covariate.mean)[:, None]


class _CoreBuilder:
    """Collects the coordinates outside of the blocks, and their columns."""

    def __init__(self, rows: Array, scale_of: Mapping[str, int]) -> None:
        self.rows, self.scale_of = rows, scale_of
        self.terms: list[CoreTerm] = []
        self.means: list[float] = []
        self.variances: list[Variance] = []
        self._parts: list[tuple[int, sparse.csr_array]] = []

    def build(self) -> Core:
        """Return the core."""
        covariance = Diagonal.of(self.variances, len(self.scale_of))
        return Core(tuple(self.terms), np.array(self.means)[:, None], covariance)

    def columns(self, predictor: int) -> sparse.csr_array:
        """Return the core's part of a predictor's A, shape (M, P)."""
        parts = [own if k == predictor else sparse.csr_array(own.shape) for k, own in self._parts]
        return sparse.hstack(parts, format="csr")

    def add_fixed(self, own: Coordinates, part: Specification, predictor: int) -> None:
        """Add coordinates of the intercept, a slope or a factor term of a predictor."""
        key, design = part.parent.key, part.design
        mean, number = (0.0, 0.0) if own.prior is None else _normal(key(own.home), own.prior)
        term = next((term for term in design.terms if term.name == own.home), None)
        factors = () if term is None else term.factors
        columns = own.basis[row_levels(factors, design)[self.rows]]
        if term is not None and term.covariate:
            columns = columns * _covariate(design, term.covariate, self.rows)
        shares = tuple((self.scale_of[key(name)], k) for name, k in own.variances.items())
        basis = own.basis if factors else None
        self._add(key(own.home), columns, (number, shares), mean, basis, predictor)

    def add_parameter(self, name: str, mean: float, sd: float) -> None:
        """Add a further parameter of the likelihood, which only some predictors hold."""
        self._add(name, np.zeros((len(self.rows), 1)), (sd**2, ()), mean)

    def place(self, key: str) -> int:
        """Return where the only coordinate of a term stands."""
        return next(term.start for term in self.terms if term.key == key)

    def add_units(self, term: _UnitTerm) -> None:
        """Add the effects of units that cross the blocks, or hold several of them."""
        size = len(self.rows)
        entries = (term.values[self.rows], (np.arange(size), term.unit.codes[self.rows]))
        columns = sparse.csr_array(entries, shape=(size, term.unit.size))
        variance = 0.0, ((self.scale_of[term.key], 1.0),)
        self._add(term.key, columns, variance, predictor=term.predictor)

    def _add(
        self,
        key: str,
        columns: Array | sparse.csr_array,
        variance: Variance,
        mean: float = 0.0,
        basis: Array | None = None,
        predictor: int = 0,
    ) -> None:
        start, width = len(self.means), columns.shape[1]
        self.terms.append(CoreTerm(key, start, start + width, basis))
        self.means += [mean] * width
        self.variances += [variance] * width
        self._parts.append((predictor, sparse.csr_array(columns)))


class _BlocksBuilder:
    """Collects the coordinates of the unit blocks, one for each unit of a holder."""

    def __init__(self, rows: Array, scale_of: Mapping[str, int], holder: Unit | None) -> None:
        self.rows, self.scale_of, self.holder = rows, scale_of, holder
        self.size = 0
        self.variances: list[Variance] = []
        self._placed: list[tuple[_UnitTerm, Array, Array]] = []
        self._starts: dict[str, int] = {}
        self._widths: dict[str, int] = {}

    @property
    def count(self) -> int:
        """B."""
        return 1 if self.holder is None else self.holder.size

    def holds(self, term: _UnitTerm) -> bool:
        """Whether a term's units lie within the blocks."""
        return self.holder is not None and nested(term.unit, self.holder)

    def add_units(self, term: _UnitTerm) -> None:
        """Add the effects of units within the blocks."""
        assert self.holder is not None  # for the type checker
        block = self.holder.codes[term.unit.first]
        place, most = places_within(block)
        self._placed.append((term, block, place + self.size))
        self._starts[term.key], self._widths[term.key] = self.size, most
        self.size += most
        self.variances += [(0.0, ((self.scale_of[term.key], 1.0),))] * most

    def build(self, correlations: Sequence[Correlation]) -> UnitBlocks:
        """Return the blocks."""
        size = max(self.size, 1)
        diagonal = Diagonal.of(self.variances or [(1.0, ())], len(self.scale_of))
        together = [own for one in correlations for own in self._together(one)]
        no_row = np.zeros(len(self.rows), dtype=int)
        return UnitBlocks(
            count=self.count,
            size=size,
            of_row=no_row if self.holder is None else self.holder.codes[self.rows],
            terms=tuple(BlockTerm(term.key, index) for term, index in self._indexed()),
            covariance=Correlated(diagonal, tuple(together)) if together else diagonal,
        )

    def _together(self, correlation: Correlation) -> list[Together]:
        """Return where the effects stand that vary together: of each unit that a block may hold."""
        width = self._widths[correlation.keys[0]]
        starts = [self._starts[key] for key in correlation.keys]
        return [
            Together(tuple(start + n for start in starts), correlation.partial)
            for n in range(width)
        ]

    def columns(self, predictor: int) -> sparse.csr_array:
        """Return the blocks' part of a predictor's A, shape (M, B D)."""
        rows = len(self.rows)
        shape = (rows, self.count * max(self.size, 1))
        total = sparse.csr_array(shape)
        for term, index in self._indexed():
            if term.predictor != predictor:
                continue
            entries = (term.values[self.rows], (np.arange(rows), index[term.unit.codes[self.rows]]))
            total = total + sparse.csr_array(entries, shape=shape)
        return total

    def _indexed(self) -> list[tuple[_UnitTerm, Array]]:
        """Return each term with its units' places among the coordinates of all blocks."""
        return [(term, block * self.size + place) for term, block, place in self._placed]


def _normal(name: str, prior: Prior) -> tuple[float, float]:
    """Return mean and variance of a normal prior."""
    if not is_normal(prior):
        raise UnsupportedError(
            f"priors[{name!r}]: the quick fits need a Normal prior here, got {prior}; "
            "use inference_method='nuts'"
        )
    mean, sd = normal_of(prior)
    return mean, sd**2
