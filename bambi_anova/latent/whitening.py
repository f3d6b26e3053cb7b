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
    core, border, leaf : ndarray, shapes (P, P, 1), (E, D, P, 1) and (E, D, D, 1)
        The parts of A' W A.
    pull : ndarray, shape (Q, 1)
        A' times the working response, W (eta - origin) + slope.
    """

    model: LatentModel
    kind: Kind
    centre: Array
    turn: Array
    power: float
    reference: float
    followed: int
    core: Array
    border: Array
    leaf: Array
    pull: Array

    @property
    def size(self) -> int:
        """N."""
        return len(self.centre) + len(self.standing)

    @cached_property
    def standing(self) -> Array:
        """Which of the Q coordinates stand for an effect, in their order."""
        model = self.model
        leaves = np.flatnonzero(model.occupied)
        return np.concatenate([np.arange(model.core_size), model.core_size + leaves])

    def natural(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return u (H, G), core (P, G) and leaf (E, D, G) at points (N, G)."""
        h, p, model = len(self.centre), self.model.core_size, self.model
        u = self.centre[:, None] + self.turn @ theta[:h]
        noise = np.zeros((len(self.pull), theta.shape[1]))
        noise[self.standing] = theta[h:]
        values = model.values(u)
        core_sd, leaf_sd = model.spreads(values)
        weight = np.ones(theta.shape[1])
        if self.power:
            weight = (values[self.followed] / self.reference) ** self.power
        core = self.core * (core_sd[:, None] * core_sd * weight) + np.eye(p)[..., None]
        leaf = self.leaf * (leaf_sd[:, None] * leaf_sd * weight)
        arrow = factor(
            core,
            self.border * (leaf_sd[:, None] * core_sd * weight),
            leaf + np.eye(model.slots)[..., None],
        )
        by_entity = (model.entities, model.slots, theta.shape[1])
        pull = np.broadcast_to(self.pull[p:], noise[p:].shape).reshape(by_entity)
        inner = forward(arrow.leaf, pull * (leaf_sd * weight))
        rest = self.pull[:p] * core_sd * weight
        rest = rest - np.einsum("edpg,edg->pg", arrow.border, inner)
        mean = (arrow.core_inverse @ rest.T[:, :, None])[:, :, 0].T
        core = arrow.core_noise(mean + noise[:p])
        leaf = arrow.leaves_given(core, inner + noise[p:].reshape(by_entity))
        return u, model.core_mean + core_sd * core, leaf * leaf_sd


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
        core=core,
        border=border,
        leaf=leaf,
        pull=model.columns.T @ working,
    )


def pack(whitening: Whitening) -> Array:
    """Return all that the compiled log density needs, as one buffer.

    First come sizes and where each array begins, as whole numbers; then the arrays, whole numbers
    and reals side by side.  ``kernel.log_density`` says what they are.
    """
    w, model = whitening, whitening.model
    h, p, (e, slots) = len(w.centre), model.core_size, w.leaf.shape[:2]
    lanes = _lanes(e)
    groups = -(-e // lanes)
    table, table_start = _tabulate(model.scales, w.centre)
    pull = w.pull[p:].reshape(e, slots, 1)
    blocks = np.zeros((groups * lanes, slots, p + 1 + slots))
    blocks[:e] = np.concatenate([w.border[..., 0], pull, w.leaf[..., 0]], axis=2)
    blocks = blocks.reshape(groups, lanes, slots, -1).transpose(0, 2, 3, 1)
    standing = np.full((groups * lanes, slots), -1)
    standing.ravel()[w.standing[p:] - p] = h + p + np.arange(len(w.standing) - p)
    place = standing.reshape(groups, lanes, slots).transpose(0, 2, 1)
    position = np.arange(groups * slots * lanes).reshape(groups, slots, lanes).transpose(0, 2, 1)
    position = p + position.reshape(-1, slots)[:e].ravel()
    core = np.zeros((p + 1, p + 1))
    core[:p, :p], core[p, :p] = w.core[..., 0], w.pull[:p, 0]
    columns = np.zeros((3, p + 1 + slots))
    columns[0] = np.concatenate([model.core_scale, [-1], model.leaf_scale])
    columns[1], columns[1, :p] = 1, model.core_sd[:, 0]
    columns[2, :p] = model.core_mean[:, 0]
    data = model.likelihood.data
    hyper = np.column_stack(
        [
            [scale.lower for scale in model.scales],
            [scale.upper for scale in model.scales],
            table_start,
            np.full(h, STEP),
            w.centre,
            w.turn,
        ]
    )
    arrays = [
        _own(w),
        hyper,
        table,
        columns,
        place,
        blocks,
        core,
        np.stack([model.offset, data.y, data.trials, data.n, data.within]),
        model.columns.indptr.astype(np.int64),
        np.concatenate([np.arange(p), position])[model.columns.indices],
        model.columns.data,
    ]
    sizes = [h, table.shape[1], p, groups * slots, p + 1 + slots, lanes, len(model.offset)]
    return _join(sizes, arrays)


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
    head = 8 + len(flat)
    ends = head + np.cumsum([len(array) for array in flat])
    buffer = np.empty(ends[-1])
    whole = buffer.view(np.int64)
    whole[:8] = [len(buffer), *sizes]
    whole[8:head] = [head, *ends[:-1]]
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
