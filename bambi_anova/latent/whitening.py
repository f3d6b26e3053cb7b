"""Coordinates in which the posterior of a latent Gaussian model is close to standard normal.

At the mode of the hyperparameters the rows' log-likelihoods are replaced by quadratics.  Given
any hyperparameters u, the coordinates v = x / sd(u) then have a normal posterior with precision
H(u) = I + S A' W A S = L L' and mean L^-T m, where m = L^-1 b.  The sampler moves

    z = L' v - m,    so that    v = L^-T (m + z),

whose posterior given u is exactly N(0, I) if the log-likelihood is quadratic, whatever u is: no
funnels, no correlations.  Otherwise it nearly is, and the log density holds the difference.  W is
held at the mode, up to the power of a further parameter (the residual sigma) that it follows
anyway.  The hyperparameters are scaled by the curvature of their own marginal posterior.

Letters: M rows, P core coordinates, E entities, D coordinates an entity, Q = P + E D,
H hyperparameters, N = H + P + the units in the leaves, G points, K nodes of a prior's table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import interpolate

from bambi_anova.latent.arrow import Curvature, factor, forward
from bambi_anova.latent.explore import Peak, find_peaks
from bambi_anova.latent.landscape import Landscape
from bambi_anova.latent.model import LatentModel
from bambi_anova.latent.program import Program, Recorder
from bambi_anova.latent.scales import Scale

Array = np.ndarray

#: Prior densities are tabulated this far below and above the mode of the hyperparameters: 16 and
#: 9 powers of ten of a scale.
REACH = (-37.0, 21.0)
STEP = 0.01
#: Entities that the kernel takes side by side, at the most.
MOST_LANES = 64
#: Points drawn from the prior to start climbing from.
STARTS = 64


@dataclass(frozen=True)
class Kind:
    """A likelihood that the kernel has.

    Attributes
    ----------
    number : int
        Its branch in ``kernel_rows.row``.
    parameters : tuple of str
        Names of its further parameters, two at the most.
    power : float
        The curvature of its rows goes about with this power of the first of them.
    """

    number: int
    parameters: tuple[str, ...] = ()
    power: float = 0.0


KINDS = {
    ("gaussian", "identity"): Kind(0, ("sigma",), -2.0),
    ("bernoulli", "logit"): Kind(1),
    ("binomial", "logit"): Kind(1),
    ("bernoulli", "probit"): Kind(2),
    ("binomial", "probit"): Kind(2),
    ("bernoulli", "cloglog"): Kind(3),
    ("binomial", "cloglog"): Kind(3),
    ("poisson", "log"): Kind(4),
    ("negativebinomial", "log"): Kind(5, ("alpha",)),
    ("gamma", "log"): Kind(6, ("alpha",), 1.0),
    ("t", "identity"): Kind(7, ("sigma", "nu"), -2.0),
    ("beta", "logit"): Kind(8, ("kappa",), 1.0),
}


@dataclass(frozen=True)
class Whitening:
    """The map from the sampler's coordinates to natural ones.

    Attributes
    ----------
    model : LatentModel
    kind : Kind
    centre : ndarray, shape (H,)
    turn : ndarray, shape (H, H)
        Lower triangular; u = centre + turn @ (the first H coordinates).
    power, reference : float
        The curvature goes with this power of (further parameter / reference).
    followed : int
        Which scale that parameter is.
    order : ndarray of int, shape (D,)
        Slots of an entity, those that touch the fewest others first: eliminated in this order
        they leave the most zeros.
    core, border, leaf : ndarray, shapes (P, P, 1), (E, D, P, 1) and (E, D, D, 1)
        The parts of A' W A, slots in order.
    pull, leaf_pull : ndarray, shapes (P, 1) and (E, D, 1)
        A' times the working response, W (eta - origin) + slope.
    """

    model: LatentModel
    kind: Kind
    centre: Array
    turn: Array
    power: float
    reference: float
    followed: int
    order: Array
    core: Array
    border: Array
    leaf: Array
    pull: Array
    leaf_pull: Array

    @property
    def size(self) -> int:
        """N."""
        return len(self.centre) + len(self.standing)

    @cached_property
    def standing(self) -> Array:
        """Which of the Q coordinates, with slots in order, stand for an effect."""
        leaves = np.flatnonzero(self.model.occupied[:, self.order])
        return np.concatenate([np.arange(len(self.core)), len(self.core) + leaves])

    def natural(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return u (H, G), core (P, G) and leaf (E, D, G) at points (N, G)."""
        h, (p, e, d), points = len(self.centre), self._sizes, theta.shape[1]
        u = self.centre[:, None] + self.turn @ theta[:h]
        noise = np.zeros((p + e * d, points))
        noise[self.standing] = theta[h:]
        values = self.model.values(u)
        core_sd, leaf_sd = self.model.spreads(values)
        leaf_sd = leaf_sd[self.order]
        weight = np.ones(points)
        if self.power:
            weight = (values[self.followed] / self.reference) ** self.power
        arrow = factor(
            self.core * (core_sd[:, None] * core_sd * weight) + np.eye(p)[..., None],
            self.border * (leaf_sd[:, None] * core_sd * weight),
            self.leaf * (leaf_sd[:, None] * leaf_sd * weight) + np.eye(d)[..., None],
        )
        inner = forward(arrow.leaf, self.leaf_pull * (leaf_sd * weight))
        rest = self.pull * core_sd * weight - np.einsum("edpg,edg->pg", arrow.border, inner)
        mean = (arrow.core_inverse @ rest.T[:, :, None])[:, :, 0].T
        core = arrow.core_noise(mean + noise[:p])
        leaf = arrow.leaves_given(core, inner + noise[p:].reshape(e, d, points)) * leaf_sd
        return u, self.model.core_mean + core_sd * core, leaf[:, np.argsort(self.order)]

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """P, E and D."""
        return len(self.core), self.model.entities, self.model.slots


def whiten(model: LatentModel, rng: np.random.Generator) -> Whitening:
    """Find the mode of a model's hyperparameters and whiten there."""
    landscape = Landscape(model)
    if not model.scales:
        return whiten_at(landscape, Peak(np.zeros(0), 0.0, np.zeros((0, 0))))
    peaks = find_peaks(landscape.log_marginal, landscape.prior_draws(rng, STARTS))
    return whiten_at(landscape, peaks[0])


def whiten_at(landscape: Landscape, peak: Peak) -> Whitening:
    """Whiten at a mode of the hyperparameters' marginal posterior."""
    model = landscape.model
    modes = landscape.find_modes(peak.u[:, None])
    values = model.values(modes.u)
    derivatives = model.likelihood.derivatives(modes.eta, model.likelihood_parameters(values))
    origin = model.offset + model.core_columns @ model.core_mean
    working = derivatives.curvature * (modes.eta - origin) + derivatives.slope
    core, border, leaf = Curvature(model).entries(derivatives.curvature)
    order = np.argsort((leaf != 0).any(axis=0).sum(axis=1)[:, 0], kind="stable")
    pull = model.columns.T @ working
    p = model.core_size
    kind = KINDS[model.likelihood.key]
    followed = model.auxiliary[kind.parameters[0]] if kind.power else None
    power = kind.power if isinstance(followed, int) else 0.0
    return Whitening(
        model=model,
        kind=kind,
        centre=peak.u,
        turn=np.linalg.cholesky(np.linalg.inv(peak.precision)),
        power=power,
        reference=float(values[followed, 0]) if power else 1.0,
        followed=followed if power else -1,
        order=order,
        core=core,
        border=border[:, order],
        leaf=leaf[:, order][:, :, order],
        pull=pull[:p],
        leaf_pull=pull[p:].reshape(model.entities, model.slots, 1)[:, order],
    )


def pack(whitening: Whitening) -> Array:
    """Return all that the compiled log density needs, as one buffer.

    First come sizes and where each array begins, as whole numbers; then the arrays, whole numbers
    and reals side by side.  ``kernel.log_density`` says what they are.
    """
    w, model = whitening, whitening.model
    h, p, e = len(w.centre), model.core_size, model.entities
    table, table_start = _tabulate(model.scales, w.centre)
    program = record(w)
    data = model.likelihood.data
    limits = [[scale.lower, scale.upper] for scale in model.scales]
    hyper = [np.array(limits).reshape(h, 2), table_start[:, None], np.full((h, 1), STEP)]
    origin = model.offset + model.core_columns @ model.core_mean
    # Addresses of the coordinates as the model counts them.
    slots = np.arange(e * model.slots).reshape(e, -1)[:, np.argsort(w.order)].ravel()
    addresses = program.x[np.concatenate([np.arange(p), p + slots])]
    arrays = [
        _own(w),
        np.hstack([*hyper, w.centre[:, None], w.turn]),
        table,
        program.noise[w.standing],
        np.array(
            [
                program.groups,
                program.own_memory,
                program.group_memory,
                program.own_constants,
                program.group_constants,
            ]
        ),
        program.before,
        program.eliminate,
        program.core,
        program.substitute,
        program.constants,
        np.stack([origin, data.y, data.trials, data.n, data.within]),
        model.columns.indptr.astype(np.int64),
        addresses[model.columns.indices],
        model.columns.data,
    ]
    return _join([h, table.shape[1], len(origin)], arrays)


def record(w: Whitening) -> Program:
    """Write the map down for the kernel."""
    model = w.model
    p, e, d = w._sizes
    core = np.zeros((p + 1, p + 1))
    core[:p, :p], core[p, :p] = w.core[..., 0], w.pull[:, 0]
    sds = [*zip(model.core_scale.tolist(), model.core_sd[:, 0].tolist(), strict=True)]
    sds += [(scale, 1.0) for scale in model.leaf_scale[w.order].tolist()]
    blocks = np.concatenate([w.border[..., 0], w.leaf_pull, w.leaf[..., 0]], axis=2)
    return Recorder(len(w.centre), sds, core, blocks, _lanes(e)).record()


def _lanes(entities: int) -> int:
    """Return how many entities to take side by side: what fits the innermost cache, in fours."""
    groups = -(-entities // MOST_LANES)
    return -(-entities // (4 * groups)) * 4


def _own(w: Whitening) -> Array:
    """Return what ``kernel.log_density`` calls ``own``."""
    further = [w.model.auxiliary[name] for name in w.kind.parameters]
    further += [0.0] * (2 - len(further))
    pairs = [(float(f), 0.0) if isinstance(f, int) else (-1.0, f) for f in further]
    return np.array([w.kind.number, w.power, w.reference, *pairs[0], *pairs[1]])


def _join(sizes: list[int], arrays: list[Array]) -> Array:
    flat = [np.ascontiguousarray(array).ravel() for array in arrays]
    head = 4 + len(flat)
    ends = head + np.cumsum([len(array) for array in flat])
    buffer = np.empty(ends[-1])
    whole = buffer.view(np.int64)
    whole[:4] = [len(buffer), *sizes]
    whole[4:head] = [head, *ends[:-1]]
    for array, end in zip(flat, ends, strict=True):
        (whole if array.dtype.kind == "i" else buffer)[end - len(array) : end] = array
    return buffer


def _tabulate(scales: tuple[Scale, ...], centre: Array) -> tuple[Array, Array]:
    """Return log prior densities as cubic pieces (H, K, 4), and where the tables start.

    Beyond the first and the last node they go on as straight lines.
    """
    nodes = np.arange(*REACH, STEP)
    table = np.zeros((len(scales), len(nodes) + 1, 4))
    for scale, middle, pieces in zip(scales, centre, table, strict=True):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            y = scale.log_density(middle + nodes)
        y = np.maximum(np.nan_to_num(y, nan=-1e12, posinf=-1e12, neginf=-1e12), -1e12)
        spline = interpolate.CubicSpline(nodes, y)
        pieces[1:-1] = spline.c[::-1].T * STEP ** np.arange(4)
        for at, node in ((0, nodes[0]), (-1, nodes[-1])):
            pieces[at, :2] = spline(node), STEP * spline(node, 1)
        pieces[0, 0] -= pieces[0, 1]
    return table, centre + nodes[0] - STEP
