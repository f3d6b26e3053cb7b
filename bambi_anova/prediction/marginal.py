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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from scipy import linalg, sparse, special
from scipy.sparse import csgraph

from bambi_anova.errors import UnsupportedError
from bambi_anova.families.likelihood import Likelihood
from bambi_anova.prediction.predictors import Predictor
from bambi_anova.prediction.rows import Pieces
from bambi_anova.specification import Specification

Array = np.ndarray

#: Quadrature nodes a dimension, and points of a Sobol sequence where there are more dimensions.
NODES = {1: 25, 2: 13, 3: 9}
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
    terms : ndarray of int, shape (D,)
        The unit term of each effect.
    """

    pieces: Array
    design: Array
    terms: Array


def group_log_likelihoods(predictor: Predictor, pieces: Pieces, model: Specification) -> Array:
    """Return the log-likelihood of each group at each draw, shape (G, K)."""
    rows, family, links = pieces.rows, model.family, (model.link,)
    eta = predictor.fixed_at(rows.first).T + rows.offsets[:, None]
    integrated = []
    for term in predictor.units:
        gone = _gone(term.codes, pieces.inside)[term.codes[rows.first]]
        eta[~gone] += term.at(rows.first[~gone]).T
        integrated.append(gone)
    aux = {name: values[:, 0] for name, values in predictor.auxiliary.items()}
    by_piece = np.repeat(pieces.constant[:, None], eta.shape[1], axis=1)
    alone = ~np.any(integrated, axis=0) if integrated else np.ones(len(eta), dtype=bool)
    whole = np.flatnonzero(alone)
    if len(whole):
        by_piece[whole] += family.likelihood(links, rows.some(whole)).log(eta[whole], aux)
    sigmas = [term.sigma for term in predictor.units]
    for component in _components(predictor, pieces, integrated):
        which = component.pieces
        likelihood = family.likelihood(links, rows.some(which))
        spread = np.array([sigmas[term] for term in component.terms])
        # The component's value stands at its first piece; only sums over groups are used.
        by_piece[which[0]] += integrate(likelihood, eta[which], aux, component.design, spread)
    entries = (np.ones(len(eta)), (pieces.group, np.arange(len(eta))))
    gather = sparse.csr_array(entries, shape=(pieces.groups, len(eta)))
    return gather @ by_piece


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
    blocks, terms = [], []
    for index, (term, gone) in enumerate(zip(predictor.units, integrated, strict=True)):
        which = np.flatnonzero(gone)
        entries = (term.values[rows[which]], (which, term.codes[rows[which]]))
        blocks.append(sparse.csr_array(entries, shape=(size, term.effects.shape[1])))
        terms.append(np.full(term.effects.shape[1], index))
    if not any(gone.any() for gone in integrated):
        return
    columns = sparse.csr_array(sparse.hstack(blocks, format="csr"))
    term_of = np.concatenate(terms)
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
            yield Component(which, own[:, used].toarray(), term_of[used])


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
    aux : mapping of str to ndarray, each of shape (K,)
    design : ndarray, shape (R, D)
    sigmas : ndarray, shape (D, K)
        Standard deviations of the effects.

    Returns
    -------
    ndarray, shape (K,)
    """
    maps = _maps(design, sigmas)
    mode, lower = _mode(likelihood, base, aux, maps)
    log_det = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
    if likelihood.quadratic:
        return _height(likelihood, base, aux, maps, mode) - log_det
    if maps.shape[2] > MOST:
        raise UnsupportedError(
            f"by: {maps.shape[2]} effects would have to be integrated over at once, expected at "
            f"most {MOST}; leave out smaller units, or rows"
        )
    points, log_weights = nodes(maps.shape[2])
    terms = np.empty((len(points), len(mode)))
    inverse = np.linalg.inv(lower).transpose(0, 2, 1)
    for index, point in enumerate(points):
        z = mode + inverse @ point
        terms[index] = _height(likelihood, base, aux, maps, z) + log_weights[index]
    return special.logsumexp(terms, axis=0) - log_det


def _maps(design: Array, sigmas: Array) -> Array:
    """Return maps from standard normal coordinates to predictors, shape (K, R, r)."""
    rank = int(np.linalg.matrix_rank(design))
    if rank == design.shape[1]:
        return design * sigmas.T[:, None, :]
    # More effects than predictors that they can move apart: integrate over those predictors.
    _, _, pivots = linalg.qr(design.T, mode="economic", pivoting=True)
    basis = design[np.sort(pivots[:rank])]
    covariance = np.einsum("rd,dk,sd->krs", basis, sigmas**2, basis)
    diagonal = np.einsum("krr->kr", covariance)
    diagonal *= 1 + 1e-12  # a view: rounding must not cost a small effect its sign
    return (design @ np.linalg.pinv(basis)) @ np.linalg.cholesky(covariance)


def _height(likelihood: Likelihood, base: Array, aux, maps: Array, z: Array) -> Array:
    """Return the log of likelihood times exp(-z'z / 2), shape (K,)."""
    eta = base + np.einsum("krs,ks->rk", maps, z)
    return likelihood.log(eta, aux).sum(axis=0) - (z**2).sum(axis=1) / 2


def _mode(likelihood: Likelihood, base: Array, aux, maps: Array) -> tuple[Array, Array]:
    """Return the modes, shape (K, r), and Cholesky factors of the curvature there."""
    z = np.zeros((maps.shape[0], maps.shape[2]))
    height = _height(likelihood, base, aux, maps, z)
    for _ in range(MAX_STEPS):
        slope, precision = _expand(likelihood, base, aux, maps, z)
        step = np.linalg.solve(precision, slope[..., None])[..., 0]
        part = np.ones((len(z), 1))
        for _ in range(30):
            trial = z + part * step
            new = _height(likelihood, base, aux, maps, trial)
            worse = ~(new >= height - 1e-9 * (1 + np.abs(height)))
            if not worse.any():
                break
            part[worse] /= 2
        z, height = trial, new
        if likelihood.quadratic or np.abs(part * step).max() < TOLERANCE:
            break
    return z, np.linalg.cholesky(_expand(likelihood, base, aux, maps, z)[1])


def _expand(likelihood: Likelihood, base: Array, aux, maps: Array, z: Array):
    """Return slope (K, r) and curvature (K, r, r) of the log of the integrand."""
    found = likelihood.derivatives(base + np.einsum("krs,ks->rk", maps, z), aux)
    slope = np.einsum("krs,rk->ks", maps, found.slope) - z
    scaled = maps * found.curvature.T[..., None]
    return slope, np.einsum("krs,krt->kst", scaled, maps) + np.eye(z.shape[1])


@lru_cache(maxsize=8)
def nodes(dimensions: int) -> tuple[Array, Array]:
    """Return nodes (Q, r) for integrals against a standard normal, and log weights to add.

    The weights belong to the integrand divided by exp(-x'x / 2), which cancels there.
    """
    from scipy import stats

    if dimensions in NODES:
        points, weights = special.roots_hermitenorm(NODES[dimensions])
        grid = np.array(list(product(points, repeat=dimensions)))
        log_weights = np.array(list(product(np.log(weights), repeat=dimensions))).sum(axis=1)
        log_weights -= dimensions * np.log(2 * np.pi) / 2
        return grid, log_weights + (grid**2).sum(axis=1) / 2
    sobol = stats.qmc.Sobol(dimensions, seed=1).random_base2(SOBOL)
    grid = WIDER * special.ndtri(np.clip(sobol, 1e-12, 1 - 1e-12))
    log_weights = dimensions * np.log(WIDER) + (grid**2).sum(axis=1) / (2 * WIDER**2)
    return grid, log_weights - SOBOL * np.log(2)
