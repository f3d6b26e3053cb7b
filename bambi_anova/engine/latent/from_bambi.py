"""bambi.Model -> a latent Gaussian model, and draws of it under Bambi's names.

Whatever Bambi builds of common and group-specific terms, splines, Gaussian processes (HSGP) and
offsets is a linear predictor in coordinates that are normal given the rest, if their priors are.
Coefficients with other priors join the hyperparameters, as do standard deviations and further
parameters of the likelihood.  The likelihood is that of our families where they have it, of rows
that share every predictor merged, and otherwise made of Bambi's own distribution.

The PyMC model that Bambi builds stays the definition: ``density.check`` compares both.

Letters: N rows of data, M rows of the likelihood, J groups, E columns of a group-specific term,
H hyperparameters, G columns; C chains, D draws a chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import bambi as bmb
import numpy as np
from bambi.model_components import ConstantComponent
from bambi.terms import CommonTerm, GroupSpecificTerm, HSGPTerm, OffsetTerm
from bambi.utils import get_aliased_name
from scipy import sparse

from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.coordinates import Common, Grouped, assemble
from bambi_anova.engine.latent.covariance import Variance
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.hyperparameters import Hyperparameter, make_hyperparameter
from bambi_anova.engine.latent.model import LatentModel, Predictor
from bambi_anova.engine.latent.rows_of_bambi import Rows, response_of, rows_of
from bambi_anova.engine.threads import one_at_a_time
from bambi_anova.errors import NotLatentGaussianError, UnsupportedError
from bambi_anova.families.likelihood import Auxiliary, Derivatives, Likelihood
from bambi_anova.priors.distributions import Prior, is_normal, normal_of

Array = np.ndarray

#: Coefficients with priors that are not normal, each of which is explored as a scale is.
MOST_COEFFICIENTS = 12
#: What no sd falls below, so that coordinates can be divided by it.
LEAST_SD = 1e-200
#: Where a variable's numbers stand.
CORE, VALUE, EFFECTS = "core", "value", "effects"
#: A coordinate that no row has a part in, where there would be none.
NOTHING = ""


@dataclass(frozen=True)
class Variable:
    """A variable of Bambi's posterior, and where its numbers stand among the draws.

    Attributes
    ----------
    name : str
    dims : tuple of str
    shape : tuple of int
        Beside chain and draw.
    pieces : tuple of (str, slice, array or key)
        Stacked along the first of its axes: core coordinates, hyperparameters by their number, or
        the effects of a term by its key.
    offset : str
        The free variable that Bambi samples in its place, divided by ``sd``; empty if there is
        none.
    sd : callable, optional
        From hyperparameters (H, G) to what that is multiplied by, shape (size, G).
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    pieces: tuple[tuple[str, Any], ...]
    offset: str = ""
    sd: Callable[[Array], Array] | None = None

    def read(self, model: LatentModel, latent: LatentDraws) -> Array:
        """Return its draws, shape (C, D, ...)."""
        found = []
        for kind, place in self.pieces:
            if kind == CORE or (kind == EFFECTS and place not in latent.effects):
                if kind == EFFECTS:
                    (term,) = (one for one in model.core.terms if one.key == place)
                    place = slice(term.start, term.stop)
                found.append(latent.core[place])
            else:
                found.append(latent.values[place] if kind == VALUE else latent.effects[place])
        stacked = np.concatenate(found)
        return np.moveaxis(stacked, 0, -1).reshape(*latent.sample_shape, *self.shape)


@dataclass(frozen=True)
class Contribution:
    """What a Gaussian process adds to each row, which Bambi's posterior holds too."""

    name: str
    dims: tuple[str, ...]
    weights: str
    basis: Array


@dataclass(frozen=True)
class Centring:
    """An intercept that Bambi reports for predictors as they are, not for centred ones.

    Attributes
    ----------
    intercept : str
    means : mapping of str to ndarray
        Of the columns of each common term.
    """

    intercept: str
    means: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class BambiLatent:
    """A Bambi model as a latent Gaussian model.

    Attributes
    ----------
    source : bambi.Model
    model : LatentModel
    variables : tuple of Variable
    contributions : tuple of Contribution
    centrings : tuple of Centring
    rows : Rows
        How its rows were merged.
    priors : tuple of Prior
        Of the hyperparameters.
    """

    source: bmb.Model
    model: LatentModel
    variables: tuple[Variable, ...]
    contributions: tuple[Contribution, ...]
    centrings: tuple[Centring, ...]
    rows: Rows
    priors: tuple[Prior, ...]

    @cached_property
    def row_by_row(self) -> BambiLatent:
        """The same with a row of the likelihood for each row of the data."""
        return self if not self.rows.merged else read_bambi(self.source, merge=False)

    def named(self, latent: LatentDraws) -> dict[str, Array]:
        """Return draws by the names of Bambi's variables, with predictors centred."""
        return {one.name: one.read(self.model, latent) for one in self.variables}


@latent_model.register
def _(source: bmb.Model) -> LatentModel:
    return read_bambi(source).model


def read_bambi(source: bmb.Model, merge: bool = True) -> BambiLatent:
    """Return a Bambi model as a latent Gaussian one.

    Parameters
    ----------
    source : bambi.Model
        It is built if it is not yet.
    merge : bool
        Whether rows that share every predictor become one.

    Raises
    ------
    NotLatentGaussianError
        If a part of it has no place in such a model, naming the part and the reason.
    """
    if not source.built:
        source.build()
    if source.potentials:
        names = [one[0] for one in source.potentials]
        raise NotLatentGaussianError(
            f"potentials of {', '.join(map(str, names))}: they may be any function of the "
            "parameters, which is not known to be normal; fit it by Bambi's own samplers"
        )
    return _Reader(source, merge).read()


# -- Reading -----------------------------------------------------------------------------------


class _Reader:
    """Collects what a Bambi model is made of."""

    def __init__(self, source: bmb.Model, merge: bool) -> None:
        self.source, self.merge = source, merge
        self.response = response_of(source)
        self.pymc = source.backend.model
        self.scales: list[Hyperparameter] = []
        self.priors: list[Prior] = []
        self.common: list[Common] = []
        self.grouped: list[Grouped] = []
        self.variables: list[Variable] = []
        self.contributions: list[Contribution] = []
        self.centrings: list[Centring] = []
        self.shifts: dict[str, tuple[str, Array]] = {}
        self.coefficients: dict[str, int] = {}
        self.auxiliary: dict[str, int] = {}
        self.held: dict[str, float] = {}
        self.thresholds: tuple[str, tuple[Prior, ...]] | None = None
        self._waiting: list[tuple[str, str, tuple[int, ...], str]] = []
        parent = source.family.likelihood.parent
        components = dict(source.backend.distributional_components)
        self.components = {parent: components.pop(parent), **components}
        self.size = source.response_term.shape[0]

    def read(self) -> BambiLatent:
        """Return the latent model."""
        offsets = {name: self._component(name) for name in self.components}
        for component in self.source.backend.constant_components.values():
            self._constant(component.component)
        self._refuse_many()
        columns: list[Common | Grouped] = [*self.common, *self.grouped]
        rows = rows_of(
            self.source, self.response, offsets, columns, self.shifts, self.thresholds, self.merge
        )
        first = rows.first
        self._add_thresholds(rows)
        parts = assemble(
            rows.offsets,
            [replace(one, columns=one.columns[first]) for one in self.common],
            [replace(g, codes=g.codes[first], values=g.values[first]) for g in self.grouped],
            len(self.scales),
        )
        place = {term.key: term.start for term in parts.core.terms}
        predictors, likelihood = self._shifted(rows, parts.predictors, place)
        model = LatentModel(
            likelihood=likelihood,
            predictors=predictors,
            core=parts.core,
            blocks=parts.blocks,
            scales=tuple(self.scales),  # type: ignore[arg-type]
            auxiliary=self.auxiliary | self.coefficients,
            held=self.held,
            log_constant=rows.log_constant + sum(one.log_constant for one in self.scales),
        )
        order = {str(name): k for k, name in enumerate(self.pymc.named_vars)}
        variables = sorted(self._variables(place, rows), key=lambda one: order.get(one.name, -1))
        return BambiLatent(
            self.source,
            model,
            tuple(variables),
            tuple(self.contributions),
            tuple(self.centrings),
            rows,
            tuple(self.priors),
        )

    def _add_thresholds(self, rows: Rows) -> None:
        """Add coordinates that no term has: thresholds, and one where there would be none."""
        for name, prior in rows.thresholds.items():
            mean, sd = normal_of(prior)
            self._add_without_rows(name, mean, sd)
        if not self.common:  # the engine needs a core
            self._add_without_rows(NOTHING, 0.0, 1.0)

    def _add_without_rows(self, key: str, mean: float, sd: float) -> None:
        columns = np.zeros((self.size, 1))
        self.common.append(Common(key, "", columns, np.array([mean]), ((sd**2, ()),)))

    def _shifted(
        self, rows: Rows, predictors: Mapping[str, Predictor], place: Mapping[str, int]
    ) -> tuple[Mapping[str, Predictor], Likelihood]:
        """Return the likelihood's predictors, and the likelihood with coefficients in it."""
        shifts = {
            key: {predictor: column[rows.first]} for key, (predictor, column) in self.shifts.items()
        }
        if rows.joint is not None:
            ((name, parent),) = predictors.items()
            predictors = {to: _combined(parent, own, place) for to, own in rows.joint.items()}
            shifts = {
                key: {to: own.of_parent * shift[name] for to, own in rows.joint.items()}
                for key, shift in shifts.items()
            }
        if not shifts:
            return predictors, rows.likelihood
        none = np.zeros(len(rows.first))
        stacked = {
            key: np.concatenate([shift.get(name, none) for name in predictors])[:, None]
            for key, shift in shifts.items()
        }
        return predictors, Shifted(rows.likelihood, stacked).likelihood()

    @property
    def _names(self) -> list[str]:
        return [one.name for one in self.scales]

    def _variables(self, place: Mapping[str, int], rows: Rows) -> list[Variable]:
        """Return the variables, with those whose place among the core is known only now."""
        found = list(self.variables)
        for name, key, shape, offset in self._waiting:
            start, size = place[key], int(np.prod(shape))
            own = next((one.sd for one in self.common if one.key == key), None)
            found.append(
                Variable(
                    name,
                    self._dims(name),
                    shape,
                    ((CORE, slice(start, start + size)),),
                    offset,
                    own,
                )
            )
        if rows.thresholds:
            assert self.thresholds is not None  # for the type checker
            name, start = self.thresholds[0], place[next(iter(rows.thresholds))]
            size = len(rows.thresholds)
            found.append(
                Variable(name, self._dims(name), (size,), ((CORE, slice(start, start + size)),))
            )
        return found

    def _dims(self, name: str) -> tuple[str, ...]:
        return tuple(self.pymc.named_vars_to_dims.get(name, ()))

    def _refuse_many(self) -> None:
        if len(self.shifts) > MOST_COEFFICIENTS:
            labels = [self.scales[place].name for place in self.coefficients.values()]
            names = dict.fromkeys(label.split("[")[0] for label in labels)
            raise NotLatentGaussianError(
                f"{', '.join(names)}: {len(self.shifts)} coefficients have priors that are not "
                f"normal, and a quick fit explores at most {MOST_COEFFICIENTS} of them beside the "
                "standard deviations; give some a Normal prior"
            )

    # -- Components ----------------------------------------------------------------------------

    def _component(self, name: str) -> Array:
        """Read the terms of one linear predictor; return its offset, shape (N,)."""
        backend = self.components[name]
        offset = np.zeros(self.size)
        own = backend.component
        centred = backend.has_intercept and self.source.center_predictors
        means: dict[str, Array] = {}
        for term in own.terms.values():
            if isinstance(term, OffsetTerm):
                offset = offset + np.asarray(term.data, dtype=float).squeeze()
            elif isinstance(term, HSGPTerm):
                self._process(name, term)
            elif isinstance(term, GroupSpecificTerm):
                self._group(name, term)
            elif isinstance(term, CommonTerm):
                self._coefficients(name, term, centred, means)
            else:
                raise NotLatentGaussianError(
                    f"{get_aliased_name(term)}: a {type(term).__name__} is not known here"
                )
        if means:
            self.centrings.append(Centring(get_aliased_name(own.intercept_term), means))
        return offset

    def _coefficients(
        self, predictor: str, term: CommonTerm, centred: bool, means: dict[str, Array]
    ) -> None:
        """Read the intercept or a common term."""
        name = get_aliased_name(term)
        is_intercept = term.kind == "intercept"
        columns = np.asarray(term.data, dtype=float).reshape(self.size, -1)
        if not is_intercept and centred:
            means[name] = columns.mean(axis=0)
            columns = columns - means[name]
        priors = _priors(name, term.prior, columns.shape[1])
        shape = tuple(len(self.pymc.coords[dim]) for dim in self._dims(name))
        if is_normal(priors[0]):
            moments = [normal_of(one) for one in priors]
            for mean, sd in moments:
                _require_finite(name, mean, sd)
            self.common.append(
                Common(
                    _inner(name),
                    predictor,
                    columns,
                    np.array([mean for mean, _ in moments]),
                    tuple((sd**2, ()) for _, sd in moments),
                )
            )
            self._waiting.append((name, _inner(name), shape, ""))
            return
        keys = [name] if len(priors) == 1 else [f"{name}[{k}]" for k in range(len(priors))]
        places = []
        for key, prior, column in zip(keys, priors, columns.T, strict=True):
            places.append(self._add_scale(key, prior, positive=False))
            self.shifts[_inner(key)] = (predictor, column)
            self.coefficients[_inner(key)] = places[-1]
        self.variables.append(Variable(name, self._dims(name), shape, ((VALUE, np.array(places)),)))

    def _group(self, predictor: str, term: GroupSpecificTerm) -> None:
        """Read a group-specific term: E coordinates for each of J groups."""
        name = get_aliased_name(term)
        prior = term.prior
        values = np.asarray(term.predictor, dtype=float).reshape(self.size, -1)
        if prior.name != "Normal" or prior.dist is not None:
            raise NotLatentGaussianError(
                f"{name}: effects of groups need a Normal prior, got {prior}; fit it by Bambi's "
                "own samplers"
            )
        free = {str(variable.name) for variable in self.pymc.free_RVs}
        offset = f"{name}_offset" if f"{name}_offset" in free else ""
        self._refuse_group(name, prior, bool(offset))
        alias = term.hyperprior_alias.get("sigma", "sigma")
        label = f"{name}_{alias}"
        given = prior.args["sigma"]
        if _is_prior(given):
            priors = _priors(label, given, values.shape[1], nested=True)
            keys = [label] if len(priors) == 1 else [f"{label}[{k}]" for k in range(len(priors))]
            places = [
                self._add_scale(key, one, positive=True)
                for key, one in zip(keys, priors, strict=True)
            ]
            shape = tuple(len(self.pymc.coords[dim]) for dim in self._dims(label))
            self.variables.append(
                Variable(label, self._dims(label), shape, ((VALUE, np.array(places)),))
            )
            variances: list[Variance] = [(0.0, ((place, 1.0),)) for place in places]
        else:
            sds = np.broadcast_to(np.asarray(given, dtype=float), values.shape[1])
            variances = [(float(sd) ** 2, ()) for sd in sds]
            places = []
        size = len(term.groups)
        # The block's effects are found by the name of the scale that governs them.
        names = self._names
        keys = [names[k] for k in places] or [f"{name}[{k}]" for k in range(values.shape[1])]
        for key, column, variance in zip(keys, values.T, variances, strict=True):
            self.grouped.append(
                Grouped(key, predictor, np.asarray(term.group_index), column, size, variance)
            )
        dims = self._dims(name)
        factor = [dim for dim in dims if dim.endswith("__factor_dim")]
        inner = [dim for dim in dims if dim not in factor]
        shape = tuple(len(self.pymc.coords[dim]) for dim in (*inner, *factor))

        def sd(values: Array) -> Array:
            return np.repeat(values[places], size, axis=0)

        self.variables.append(
            Variable(
                name,
                (*inner, *factor),
                shape,
                tuple((EFFECTS, key) for key in keys),
                offset,
                sd if offset else None,
            )
        )

    def _refuse_group(self, name: str, prior: bmb.Prior, noncentred: bool) -> None:
        unknown = set(prior.args) - {"mu", "sigma"}
        mean = prior.args.get("mu", 0.0)
        if unknown or "sigma" not in prior.args:
            raise NotLatentGaussianError(
                f"{name}: expected a Normal prior by mu and sigma, got {prior}"
            )
        if _is_prior(mean):
            raise NotLatentGaussianError(
                f"{name}: its mean has a prior of its own ({mean}); a common effect says the same, "
                "in a form that is known here"
            )
        # Bambi's non-centred form does not look at the mean.
        if not noncentred and np.any(np.asarray(mean) != 0):
            raise NotLatentGaussianError(
                f"{name}: effects of groups need a prior mean of 0, got {mean}; a common effect "
                "or an offset says the same"
            )

    def _process(self, predictor: str, term: HSGPTerm) -> None:
        """Read a Gaussian process: weights of a basis, whose sds are a spectral density."""
        name = get_aliased_name(term)
        weights = f"{name}_weights"
        places: dict[str, Array] = {}
        for parameter, prior in term.prior.items():
            label = f"{name}_{parameter}"
            if not _is_prior(prior):
                continue
            if label not in self.pymc.named_vars:
                raise NotLatentGaussianError(f"{label}: it is not in the PyMC model")
            dims = self._dims(label)
            shape = tuple(len(self.pymc.coords[dim]) for dim in dims)
            size = int(np.prod(shape))
            priors = _priors(label, prior, size)
            keys = [label] if size == 1 else [f"{label}[{k}]" for k in range(size)]
            found = [
                self._add_scale(key, one, positive=True)
                for key, one in zip(keys, priors, strict=True)
            ]
            places[label] = np.array(found)
            self.variables.append(Variable(label, dims, shape, ((VALUE, np.array(found)),)))
        basis, sd = _spectral(self.pymc, term, places)
        size = basis.shape[1]
        self.common.append(
            Common(weights, predictor, basis, np.zeros(size), ((1.0, ()),) * size, sd)
        )
        shape = tuple(len(self.pymc.coords[dim]) for dim in self._dims(weights))
        free = {str(variable.name) for variable in self.pymc.free_RVs}
        raw = f"{weights}_raw"
        self._waiting.append((weights, weights, shape, raw if raw in free else ""))
        self.contributions.append(Contribution(name, self._dims(name), weights, basis))

    def _constant(self, component: ConstantComponent) -> None:
        """Read a parameter of the likelihood that is the same for all rows."""
        name, prior = get_aliased_name(component), component.prior
        if not _is_prior(prior):
            self.held[component.name] = float(prior)
            return
        dims = self._dims(name)
        if dims:
            size = len(self.pymc.coords[dims[0]])
            args = {k: v for k, v in prior.args.items() if k != "transform"}
            plain = bmb.Prior(prior.name, dist=prior.dist, **args)
            priors = _priors(name, plain, size)
            if not is_normal(priors[0]):
                raise NotLatentGaussianError(f"{name}: thresholds need a Normal prior, got {plain}")
            self.thresholds = name, tuple(priors)
            return
        (own,) = _priors(name, prior, 1)
        self.auxiliary[component.name] = self._add_scale(name, own, positive=True)
        self.variables.append(
            Variable(name, (), (), ((VALUE, np.array([self.auxiliary[component.name]])),))
        )

    def _add_scale(self, name: str, prior: Prior, positive: bool) -> int:
        try:
            made = make_hyperparameter(name, prior, positive)
        except UnsupportedError as error:
            text = str(error).replace("inference_method='nuts'", "Bambi's own samplers")
            raise NotLatentGaussianError(text) from None
        self.scales.append(made)
        self.priors.append(prior)
        return len(self.scales) - 1


def _inner(name: str) -> str:
    """Return the key of a common effect, which no parameter of a likelihood can have."""
    return f"common {name}"


def _is_prior(value: object) -> bool:
    return isinstance(value, bmb.Prior)


def _priors(name: str, prior: Any, size: int, nested: bool = False) -> list[Prior]:
    """Return the priors of a variable's numbers, one for each of them."""
    if not _is_prior(prior):
        raise NotLatentGaussianError(f"{name}: expected a prior, got {prior!r}")
    if prior.dist is not None or prior.name == "Horseshoe":
        raise NotLatentGaussianError(
            f"{name}: the prior {prior.name} is a function of its own, which cannot be looked "
            "into; use a named distribution, or Bambi's own samplers"
        )
    if any(_is_prior(value) for value in prior.args.values()):
        raise NotLatentGaussianError(
            f"{name}: the prior {prior} has parameters with priors of their own; give them numbers"
        )
    try:
        args = {
            key: np.broadcast_to(np.asarray(value, dtype=float).squeeze(), size)
            for key, value in prior.args.items()
            if value is not None
        }
    except (TypeError, ValueError):
        raise NotLatentGaussianError(
            f"{name}: the prior {prior} has parameters that are no numbers, or not {size}"
        ) from None
    return [
        Prior(prior.name, {key: float(own[k]) for key, own in args.items()}) for k in range(size)
    ]


def _require_finite(name: str, mean: float, sd: float) -> None:
    if not (np.isfinite(mean) and np.isfinite(sd) and sd > 0):
        raise NotLatentGaussianError(
            f"{name}: the prior Normal({mean:g}, {sd:g}) is improper or a constant"
        )


def _spectral(
    model: Any, term: HSGPTerm, places: Mapping[str, Array]
) -> tuple[Array, Callable[[Array], Array]]:
    """Return a process's basis (N, P), and from hyperparameters to the sds of its weights.

    Weights stand as Bambi's variable holds them: by basis function, then by level.
    """
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode
    from pytensor.graph.replace import vectorize_graph

    data = (
        term.data_centered / term.maximum_distance if term.scale_predictors else term.data_centered
    )
    if term.by_levels is None:
        phi, psd = term.hsgp.prior_linearized(data)
        basis = phi.eval()
    else:
        found, densities = [], []
        for level in term.by_levels:
            own, density = term.hsgp[level].prior_linearized(data)
            found.append(own.eval())
            densities.append(density)
        basis = np.stack(found, axis=-1) * (term.by[:, None, None] == np.arange(len(found)))
        basis = basis.reshape(len(basis), -1)
        psd = pt.stack(densities, axis=1)
    inputs, many = {}, []
    shapes = [
        tuple(len(model.coords[dim]) for dim in model.named_vars_to_dims.get(label, ()))
        for label in places
    ]
    for label in places:
        variable = model[label]
        batch = pt.tensor(shape=(None,) * (variable.ndim + 1), dtype="float64")
        inputs[variable] = batch
        many.append(batch)
    flat = psd.ravel()
    output = vectorize_graph(flat, inputs) if inputs else flat
    function = one_at_a_time(pytensor.function(many, output, mode=Mode("py", "fast_compile")))

    def sd(values: Array) -> Array:
        given = [
            values[place].T.reshape(values.shape[1], *shape)
            for place, shape in zip(places.values(), shapes, strict=True)
        ]
        with np.errstate(all="ignore"):
            found = np.asarray(function(*given))
        found = np.broadcast_to(found, (values.shape[1], basis.shape[1]))
        return np.maximum(found.T, LEAST_SD)

    return basis, sd


def _combined(parent: Predictor, own: Any, place: Mapping[str, int]) -> Predictor:
    """Return a predictor that is linear in the first one and in parameters of the core."""
    columns = parent.columns.multiply(own.of_parent[:, None]).tolil()
    for name, factors in own.of_auxiliary.items():
        columns[:, [place[name]]] = factors[:, None]
    offset = own.offset[:, None] + own.of_parent[:, None] * parent.offset
    return Predictor(offset, sparse.csr_array(columns))


# -- Coefficients among the hyperparameters ----------------------------------------------------


@dataclass(frozen=True)
class Shifted:
    """A likelihood whose predictors some hyperparameters add to.

    Attributes
    ----------
    inner : Likelihood
    columns : mapping of str to ndarray, each of shape (K M, 1)
        What each of them is multiplied by.
    """

    inner: Likelihood
    columns: Mapping[str, Array]

    def likelihood(self) -> Likelihood:
        """Return it as a likelihood."""
        return replace(
            self.inner,
            log=self.log,
            derivatives=self.derivatives,
            compiled=None,
            quadratic=False,
        )

    def _split(self, eta: Array, aux: Auxiliary) -> tuple[Array, Auxiliary]:
        for name, column in self.columns.items():
            eta = eta + column * aux[name]
        return eta, {name: value for name, value in aux.items() if name not in self.columns}

    def log(self, eta: Array, aux: Auxiliary) -> Array:
        """Return the log-likelihood of each row, shape (M, G)."""
        return self.inner.log(*self._split(eta, aux))

    def derivatives(self, eta: Array, aux: Auxiliary) -> Derivatives:
        """Return its derivatives in the predictors."""
        return self.inner.derivatives(*self._split(eta, aux))


def flat_values(latent: LatentDraws) -> Array:
    """Return the hyperparameters of all draws, shape (H, C D); there may be none."""
    return latent.values.reshape(len(latent.values), latent.core[:1].size or latent.values[:1].size)


def latent_coordinates(model: LatentModel, latent: LatentDraws) -> Array:
    """Return the latent coordinates of all draws, shape (Q, C D)."""
    count = latent.core.shape[1] * latent.core.shape[2]
    blocks = model.blocks
    x = np.zeros((model.size, count))
    x[: model.core.size] = latent.core.reshape(model.core.size, count)
    for term in blocks.terms:
        x[model.core.size + term.index] = latent.effects[term.key].reshape(-1, count)
    return x


__all__: Sequence[str] = ("BambiLatent", "latent_coordinates", "read_bambi")
