"""Likelihoods of groups of rows, with the effects of units that are left out with them integrated.

A unit whose rows all go has no data left: its effects follow N(0, sigma), and what its rows are
worth to the rest of the data is their likelihood averaged over that distribution.  Units that
keep some rows stay at the effects that they were drawn with.

Effects that touch the same rows are integrated together: by Laplace's approximation where it is
exact (gaussian rows), by adaptive Gauss-Hermite quadrature in up to three dimensions (Pinheiro &
Bates 1995, doi:10.1080/10618600.1995.10474663), and beyond by a Sobol sequence about the mode.

Letters: K draws, T pieces, G groups, R pieces and D effects of one component, r dimensions of
their predictors, Q nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import product

import numpy as np
from scipy import linalg, sparse, special
from scipy.sparse import csgraph

from bambi_anova.engine.threads import on_all_cores
from bambi_anova.errors import UnsupportedError
from bambi_anova.families.likelihood import Likelihood
from bambi_anova.prediction.predictors import Predictor
from bambi_anova.prediction.rows import Pieces
from bambi_anova.specification import Specification

Array = np.ndarray

#: Quadrature nodes a dimension, and points of a Sobol sequence where there are more dimensions.
NODES = {1: 25, 2: 13, 3: 9}
#: Fewer of them that may do, how far from all of them they may be, and at how many draws to look.
FEWER = (3, 5, 7)
NEAR = 1e-4
LOOKS = 20
#: Row likelihoods that are held at a time, about.
STRETCH = 60_000
SOBOL = 10
#: The sequence is spread a little wider than the curvature at the mode, which bounds its weights.
WIDER = 1.15
#: Dimensions in which that can be relied upon.
MOST = 16
MAX_STEPS = 60
TOLERANCE = 1e-7


@dataclass(frozen=True)
class Component:
    """Pieces that share effects which are integrated out.

    Attributes
    ----------
    pieces : ndarray of int, shape (R,)
    design : ndarray, shape (R, D)
    terms, units : ndarray of int, shape (D,)
        The unit term of each effect, and its unit.
    """

    pieces: Array
    design: Array
    terms: Array
    units: Array

    def spread(self, predictor: Predictor) -> Array:
        """Return the sds of the effects (D, K), or if some vary together a factor (D, D, K)."""
        own = [predictor.units[term] for term in self.terms]
        if not any(len(one.parts) > 1 for one in own):
            return np.array([one.sigma for one in own])
        factor = np.zeros((len(own), len(own), len(own[0].sigma)))
        names = [(one.name, unit) for one, unit in zip(own, self.units, strict=True)]
        for d, (one, unit) in enumerate(zip(own, self.units, strict=True)):
            for name, part in one.parts.items():
                factor[d, names.index((name, unit))] = part
        return factor


def group_log_likelihoods(predictor: Predictor, pieces: Pieces, model: Specification) -> Array:
    """Return the log-likelihood of each group at each draw, shape (G, K)."""
    rows, family, links = pieces.rows, model.family.of_mean, (model.link,)
    _require_known_spread(predictor, pieces)
    eta = predictor.fixed_at(rows.first).T + rows.offsets[:, None]
    integrated = []
    for term in predictor.units:
        gone = _gone(term.codes, pieces.inside)[term.codes[rows.first]]
        eta[~gone] += term.at(rows.first[~gone]).T
        integrated.append(gone)
    aux = predictor.columns_at(rows.first)
    by_piece = np.repeat(pieces.constant[:, None], eta.shape[1], axis=1)
    alone = ~np.any(integrated, axis=0) if integrated else np.ones(len(eta), dtype=bool)
    whole = np.flatnonzero(alone)
    if len(whole):
        by_piece[whole] += family.likelihood(links, rows.some(whole)).log(
            eta[whole], _in_rows(aux, whole)
        )
    for component in _components(predictor, pieces, integrated):
        which = component.pieces
        likelihood = family.likelihood(links, rows.some(which))
        spread = component.spread(predictor)
        # The component's value stands at its first piece; only sums over groups are used.
        by_piece[which[0]] += integrate(
            likelihood, eta[which], _in_rows(aux, which), component.design, spread
        )
    entries = (np.ones(len(eta)), (pieces.group, np.arange(len(eta))))
    gather = sparse.csr_array(entries, shape=(pieces.groups, len(eta)))
    return gather @ by_piece


def _require_known_spread(predictor: Predictor, pieces: Pieces) -> None:
    """Refuse to leave out all rows of a unit whose further parameter has an effect of its own."""
    for name, own in predictor.further.items():
        for term in own.units:
            if _gone(term.codes, pieces.inside).any():
                raise UnsupportedError(
                    f"by: units of {term.name!r} would be left out whole, and their effects on "
                    f"{name} cannot be integrated out here; leave out smaller units, or rows"
                )


def _in_rows(aux: Mapping[str, Array], which: Array) -> dict[str, Array]:
    """Return further parameters, of shape (K,) or by row (R, K), in some rows."""
    return {name: own if own.ndim == 1 else own[which] for name, own in aux.items()}


def _gone(codes: Array, inside: Array) -> Array:
    """Tell which units lose all their rows when one of their rows is left out."""
    first = np.zeros(codes.max() + 1, dtype=inside.dtype)
    first[codes] = inside
    stays = np.zeros(len(first), dtype=bool)
    stays[codes[inside != first[codes]]] = True
    return ~stays


def _components(
    predictor: Predictor, pieces: Pieces, integrated: list[Array]
) -> Iterator[Component]:
    """Split the pieces into those that share integrated effects."""
    rows, size = pieces.rows.first, len(pieces.group)
    blocks, terms, numbers = [], [], []
    for index, (term, gone) in enumerate(zip(predictor.units, integrated, strict=True)):
        which = np.flatnonzero(gone)
        entries = (term.values[rows[which]], (which, term.codes[rows[which]]))
        blocks.append(sparse.csr_array(entries, shape=(size, term.effects.shape[1])))
        terms.append(np.full(term.effects.shape[1], index))
        numbers.append(np.arange(term.effects.shape[1]))
    if not any(gone.any() for gone in integrated):
        return
    columns = sparse.csr_array(sparse.hstack(blocks, format="csr"))
    term_of, unit_of = np.concatenate(terms), np.concatenate(numbers)
    touching = sparse.csr_array(
        (np.ones(columns.nnz), columns.indices, columns.indptr), shape=columns.shape
    )
    graph = sparse.block_array([[None, touching], [touching.T, None]], format="csr")
    _, label = csgraph.connected_components(graph, directed=False)
    order = np.argsort(label[:size], kind="stable")
    for which in np.split(order, np.flatnonzero(np.diff(label[:size][order])) + 1):
        own = columns[which]
        used = np.unique(own.indices)
        if len(used):
            yield Component(which, own[:, used].toarray(), term_of[used], unit_of[used])


def integrate(
    likelihood: Likelihood, base: Array, aux: Mapping[str, Array], design: Array, sigmas: Array
) -> Array:
    """Return the log of the likelihood's mean over normal effects.

    Parameters
    ----------
    likelihood : Likelihood
        Of R rows.
    base : ndarray, shape (R, K)
        Linear predictor without the effects.
    aux : mapping of str to ndarray, each of shape (K,) or (R, K)
    design : ndarray, shape (R, D)
    sigmas : ndarray, shape (D, K) or (D, D, K)
        Standard deviations of the effects, or a factor of their covariance.

    Returns
    -------
    ndarray, shape (K,)
    """
    count, step = base.shape[1], max(64, STRETCH // len(base))
    design, rows = np.unique(design, axis=0, return_inverse=True)

    def of(draws: slice, points: int | None) -> Array:
        own = {name: value[..., draws] for name, value in aux.items()}
        maps = _maps(design, sigmas[..., draws])
        return _Integrand(likelihood, base[:, draws], own, maps, rows).integral(points)

    look = slice(None, None, max(1, count // LOOKS))
    points = None if likelihood.quadratic or count <= LOOKS else _enough(partial(of, look))
    pieces = [slice(start, start + step) for start in range(0, count, step)]
    return np.concatenate(on_all_cores(lambda piece: of(piece, points), pieces))


def _enough(at: Callable[[int | None], Array]) -> int | None:
    """Return how many nodes a dimension do as well as all, or ``None`` for all."""
    best = at(None)
    return next((few for few in FEWER if np.abs(at(few) - best).max() < NEAR), None)


def _maps(design: Array, sigmas: Array) -> Array:
    """Return maps from standard normal coordinates to predictors, shape (K, R, r)."""
    rank = int(np.linalg.matrix_rank(design))
    if rank == design.shape[1]:
        return _times(design, sigmas)
    # More effects than predictors that they can move apart: integrate over those predictors.
    _, _, pivots = linalg.qr(design.T, mode="economic", pivoting=True)
    basis = design[np.sort(pivots[:rank])]
    half = _times(basis, sigmas)
    covariance = half @ half.transpose(0, 2, 1)
    diagonal = np.einsum("krr->kr", covariance)
    diagonal *= 1 + 1e-12  # a view: rounding must not cost a small effect its sign
    return (design @ np.linalg.pinv(basis)) @ np.linalg.cholesky(covariance)


def _times(design: Array, sigmas: Array) -> Array:
    """Return a design of effects times their sds, or times the factor; shape (K, R, D)."""
    if sigmas.ndim == 2:
        return design * sigmas.T[:, None, :]
    return np.einsum("rd,dek->kre", design, sigmas)


@dataclass(frozen=True)
class _Integrand:
    """A likelihood of rows times the density of effects, in standard normal coordinates z.

    Attributes
    ----------
    likelihood : Likelihood
        Of R rows.
    base : ndarray, shape (R, K)
    aux : mapping of str to ndarray, each of shape (K,)
    maps : ndarray, shape (K, S, r)
        From coordinates to S distinct predictors.
    rows : ndarray of int, shape (R,)
        Which of them each row has.
    """

    likelihood: Likelihood
    base: Array
    aux: Mapping[str, Array]
    maps: Array
    rows: Array

    def integral(self, count: int | None) -> Array:
        """Integrate with some number of nodes a dimension, or with all."""
        mode, lower = self.mode()
        log_det = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        if self.likelihood.quadratic:
            return self.height(mode) - log_det
        size = self.maps.shape[2]
        if size > MOST:
            raise UnsupportedError(
                f"by: {size} effects would have to be integrated over at once, expected at "
                f"most {MOST}; leave out smaller units, or rows"
            )
        points, log_weights = nodes(size, count)
        terms = np.empty((len(points), len(mode)))
        inverse = np.linalg.inv(lower).transpose(0, 2, 1)
        for index, point in enumerate(points):
            terms[index] = self.height(mode + inverse @ point) + log_weights[index]
        return special.logsumexp(terms, axis=0) - log_det

    def _eta(self, z: Array) -> Array:
        return self.base + (self.maps @ z[..., None])[..., 0].T[self.rows]

    @cached_property
    def _sums(self) -> sparse.csr_array:
        """Sums over the rows of each predictor, shape (S, R)."""
        entries = (np.ones(len(self.rows)), (self.rows, np.arange(len(self.rows))))
        return sparse.csr_array(entries, shape=(self.maps.shape[1], len(self.rows)))

    def height(self, z: Array) -> Array:
        """Return the log of likelihood times exp(-z'z / 2), shape (K,)."""
        log = self.likelihood.log(self._eta(z), self.aux)
        return log.sum(axis=0) - (z**2).sum(axis=1) / 2

    def mode(self) -> tuple[Array, Array]:
        """Return the modes, shape (K, r), and Cholesky factors of the curvature there."""
        z = np.zeros((self.maps.shape[0], self.maps.shape[2]))
        height = self.height(z)
        for _ in range(MAX_STEPS):
            slope, precision = self._expand(z)
            step = np.linalg.solve(precision, slope[..., None])[..., 0]
            part = np.ones((len(z), 1))
            for _ in range(30):
                trial = z + part * step
                new = self.height(trial)
                worse = ~(new >= height - 1e-9 * (1 + np.abs(height)))
                if not worse.any():
                    break
                part[worse] /= 2
            z, height = trial, new
            if self.likelihood.quadratic or np.abs(part * step).max() < TOLERANCE:
                break
        return z, np.linalg.cholesky(self._expand(z)[1])

    def _expand(self, z: Array) -> tuple[Array, Array]:
        """Return slope (K, r) and curvature (K, r, r) of the log of the integrand."""
        found = self.likelihood.derivatives(self._eta(z), self.aux)
        across = self.maps.transpose(0, 2, 1)
        slope = (across @ (self._sums @ found.slope).T[..., None])[..., 0] - z
        weights = (self._sums @ found.curvature).T[..., None]
        return slope, across @ (weights * self.maps) + np.eye(z.shape[1])


@lru_cache(maxsize=32)
def nodes(dimensions: int, count: int | None = None) -> tuple[Array, Array]:
    """Return nodes (Q, r) for integrals against a standard normal, and log weights to add.

    There are ``count`` in each dimension, where they are few, or as many as ``NODES`` says.
    The weights belong to the integrand divided by exp(-x'x / 2), which cancels there.
    """
    from scipy import stats

    if dimensions in NODES:
        points, weights = special.roots_hermitenorm(count or NODES[dimensions])
        grid = np.array(list(product(points, repeat=dimensions)))
        log_weights = np.array(list(product(np.log(weights), repeat=dimensions))).sum(axis=1)
        log_weights -= dimensions * np.log(2 * np.pi) / 2
        return grid, log_weights + (grid**2).sum(axis=1) / 2
    sobol = stats.qmc.Sobol(dimensions, seed=1).random_base2(SOBOL)
    grid = WIDER * special.ndtri(np.clip(sobol, 1e-12, 1 - 1e-12))
    log_weights = dimensions * np.log(WIDER) + (grid**2).sum(axis=1) / (2 * WIDER**2)
    return grid, log_weights - SOBOL * np.log(2)
