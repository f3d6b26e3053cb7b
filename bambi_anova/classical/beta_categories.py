"""Posterior of Kruschke's model of subjects in categories, by nested quadrature.

    successes[i] ~ Binomial(theta[i], trials[i])                      subject i of category c
    theta[i]     ~ Beta(omega[c] (kappa[c] - 2) + 1, (1 - omega[c]) (kappa[c] - 2) + 1)
    omega[c]     ~ Beta(omega0 (kappa0 - 2) + 1, (1 - omega0) (kappa0 - 2) + 1)
    omega0       ~ Beta(1, 1);   kappa[c] - 2, kappa0 - 2 ~ Gamma(shape, rate)

(Doing Bayesian Data Analysis, 2nd ed., section 9.5.)  The thetas are integrated out in closed
form (beta-binomial), kappa[c] and then omega[c] on a grid of each category, which leaves two
dimensions, omega0 and kappa0.  Draws from the grids are independent: no chains.

Modes are placed on the scale phi = arcsin(sqrt(omega)), on which a Beta distribution of
concentration kappa has an sd of about 1 / (2 sqrt(kappa)) everywhere, and concentrations on
that of t = log(kappa - 2).  A Gamma prior of small shape has most of its mass at kappa = 2; what
lies below the grid of t, where the likelihood is flat, is one node at its lower end.

Letters: K categories, S subjects of one category, P nodes of phi, T nodes of t, D draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

#: Lower end of the grid of t: the likelihood does not change below.
LOWEST = -16.0
#: Prior mass above the grid of t.
ABOVE = 1e-12
#: Log likelihood below its maximum that the grid of a category has to reach.
DEPTH = 35.0
#: Nodes of phi and of t: while looking for the region of a category, in it, and of category 0.
LOOK, FINE, OVERALL = (50, 40), (160, 100), (240, 100)
ROUNDS = 8


@dataclass(frozen=True)
class CategoryDraws:
    """Draws of the posterior.

    Attributes
    ----------
    omega0, kappa0 : ndarray, shape (D,)
    omega, kappa : ndarray, shape (D, K)
    grid_error : float
        How far the log evidence moves if every second node is left out: what the grids lose is
        far smaller.
    """

    omega0: Array
    kappa0: Array
    omega: Array
    kappa: Array
    grid_error: float


@dataclass(frozen=True)
class _Grid:
    """Nodes with log weights: of phi those of d omega, of t those of the prior of kappa."""

    phi: Array
    t: Array
    log_area: Array
    log_prior: Array

    @property
    def omega(self) -> Array:
        return np.sin(self.phi) ** 2


@dataclass(frozen=True)
class _Category:
    """Grid of one category: log prior of kappa times likelihood, and its integral over kappa."""

    grid: _Grid
    joint: Array
    marginal: Array


def draw_categories(
    successes: Sequence[Array],
    trials: Sequence[Array],
    shape: float,
    rate: float,
    draws: int,
    rng: np.random.Generator,
) -> CategoryDraws:
    """Draw from the posterior.

    Parameters
    ----------
    successes, trials : sequence of ndarray of int, K of them, each of shape (S,)
    shape, rate : float
        Of the Gamma prior of each concentration less two.
    draws : int
        D of them, independent.
    rng : numpy.random.Generator

    Examples
    --------
    >>> few = draw_categories(
    ...     [np.array([1, 2]), np.array([8])], [np.array([10, 10]), np.array([10])],
    ...     0.01, 0.01, 1000, np.random.default_rng(1),
    ... )
    >>> few.omega.shape, bool(few.grid_error < 0.01)
    ((1000, 2), True)
    """
    prior = (shape, rate)
    categories = [_category(k, n, prior) for k, n in zip(successes, trials, strict=True)]
    top = _make_grid((0.0, np.pi / 2), _range(prior), OVERALL, prior)
    overall = _overall(top, categories)
    flat = overall.ravel()
    weights = np.exp(flat - flat.max())
    # Half of a grid at every level at once; the halves are coarser than what is used.
    halves = [_every_second(category) for category in categories]
    error = abs(_log_sum(_overall(top, halves).ravel()) - _log_sum(flat))
    chosen = rng.choice(len(flat), draws, p=weights / weights.sum())
    place, height = np.unravel_index(chosen, overall.shape)
    omega0 = np.sin(_jitter(top.phi, place, rng)) ** 2
    pairs = [
        _draw_category(category, top.omega[place], np.exp(top.t[height]), rng)
        for category in categories
    ]
    return CategoryDraws(
        omega0=omega0,
        kappa0=2 + np.exp(_jitter(top.t, height, rng)),
        omega=np.stack([omega for omega, _ in pairs], axis=1),
        kappa=np.stack([own for _, own in pairs], axis=1),
        grid_error=float(error),
    )


def _range(prior: tuple[float, float]) -> tuple[float, float]:
    from scipy.special import gammainccinv

    shape, rate = prior
    return LOWEST, float(np.log(gammainccinv(shape, ABOVE) / rate))


def _make_grid(
    phi: tuple[float, float], t: tuple[float, float], size: tuple[int, int], prior: tuple
) -> _Grid:
    """Return midpoints of a box; one that reaches down to the lowest t has a node for the rest."""
    from scipy.special import gammainc, gammaln

    shape, rate = prior
    nodes, step = _midpoints(phi, size[0])
    heights, rise = _midpoints(t, size[1])
    log_prior = shape * (np.log(rate) + heights) - rate * np.exp(heights)
    log_prior += np.log(rise) - gammaln(shape)
    if t[0] <= LOWEST:
        with np.errstate(divide="ignore"):  # a prior without mass there
            below = np.log(gammainc(shape, rate * np.exp(LOWEST)))
        heights = np.concatenate([[LOWEST], heights])
        log_prior = np.concatenate([[below], log_prior])
    return _Grid(nodes, heights, np.log(np.sin(2 * nodes) * step), log_prior)


def _midpoints(bounds: tuple[float, float], size: int) -> tuple[Array, float]:
    step = (bounds[1] - bounds[0]) / size
    return bounds[0] + step * (np.arange(size) + 0.5), step


def _category(successes: Array, trials: Array, prior: tuple[float, float]) -> _Category:
    """Find where the likelihood of a category is, and put a fine grid there."""
    pairs, counts = np.unique(np.stack([successes, trials], axis=1), axis=0, return_counts=True)
    phi, t = (0.0, np.pi / 2), _range(prior)
    for _ in range(ROUNDS):
        grid = _make_grid(phi, t, LOOK, prior)
        joint = grid.log_prior + _log_likelihood(grid, pairs, counts)
        inside = joint > joint.max() - DEPTH
        nearer = (
            _around(grid.phi, inside.any(axis=1), phi),
            _around(grid.t, inside.any(axis=0), t),
        )
        done = all(
            new[1] - new[0] > 0.7 * (old[1] - old[0])
            for new, old in zip(nearer, (phi, t), strict=True)
        )
        phi, t = nearer
        if done:
            break
    grid = _make_grid(phi, t, FINE, prior)
    joint = grid.log_prior + _log_likelihood(grid, pairs, counts)
    return _Category(grid, joint, _log_sum(joint, axis=1))


def _around(nodes: Array, inside: Array, bounds: tuple[float, float]) -> tuple[float, float]:
    """Return the bounds of some nodes and one more on each side."""
    found = np.flatnonzero(inside)
    low, high = found[0] - 1, found[-1] + 1
    return (
        float(nodes[low]) if low >= 0 else bounds[0],
        float(nodes[high]) if high < len(nodes) else bounds[1],
    )


def _log_likelihood(grid: _Grid, pairs: Array, counts: Array) -> Array:
    """Return the beta-binomial log likelihood at the nodes, shape (P, T), without constants."""
    from scipy.special import gammaln

    excess = np.exp(grid.t)
    alpha = grid.omega[:, None] * excess + 1
    beta = (1 - grid.omega)[:, None] * excess + 1
    total = counts.sum() * (gammaln(excess + 2) - gammaln(alpha) - gammaln(beta))
    for (successes, trials), count in zip(pairs, counts, strict=True):
        own = gammaln(alpha + successes) + gammaln(beta + trials - successes)
        total += count * (own - gammaln(excess + 2 + trials))
    return total


def _overall(top: _Grid, categories: Sequence[_Category]) -> Array:
    """Return the log posterior mass of the nodes of omega0 and kappa0, shape (P, T)."""
    excess = np.exp(top.t)
    total = top.log_area[:, None] + top.log_prior
    for category in categories:
        for column, own in enumerate(excess):
            logs = _log_modes(category, top.omega, np.full(len(top.omega), own))
            total[:, column] += _log_sum(logs, axis=1)
    return total


def _log_modes(category: _Category, omega0: Array, excess: Array) -> Array:
    """Return the log mass of a category's omega given omega0 and kappa0 - 2, shape (D, P)."""
    from scipy.special import betaln

    alpha, beta = omega0 * excess, (1 - omega0) * excess
    omega = category.grid.omega
    density = np.outer(alpha, np.log(omega)) + np.outer(beta, np.log1p(-omega))
    mass = category.grid.log_area + category.marginal
    return density - betaln(alpha + 1, beta + 1)[:, None] + mass


def _draw_category(
    category: _Category, omega0: Array, excess: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw a category's omega and kappa given omega0 and kappa0 - 2, each of shape (D,)."""
    grid = category.grid
    place = _choose(_log_modes(category, omega0, excess), rng)
    height = _choose(category.joint[place], rng)
    omega = np.sin(_jitter(grid.phi, place, rng)) ** 2
    return omega, 2 + np.exp(_jitter(grid.t, height, rng))


def _choose(logs: Array, rng: np.random.Generator) -> Array:
    """Choose a column for each row by its log weights."""
    sums = np.cumsum(np.exp(logs - logs.max(axis=1, keepdims=True)), axis=1)
    return np.sum(sums < rng.random((len(logs), 1)) * sums[:, -1:], axis=1)


def _jitter(nodes: Array, chosen: Array, rng: np.random.Generator) -> Array:
    """Spread draws of nodes over their cells; the node for the rest below is half a cell off."""
    step = nodes[-1] - nodes[-2]
    spread = np.where((chosen == 0) & (nodes[0] <= LOWEST), 0.0, step)
    return nodes[chosen] + spread * (rng.random(len(chosen)) - 0.5)


def _every_second(category: _Category) -> _Category:
    grid = category.grid
    half = _Grid(grid.phi[::2], grid.t, grid.log_area[::2] + np.log(2), grid.log_prior)
    odd = np.arange(len(grid.t)) % 2 == 1
    odd[0] |= len(grid.t) % 2 == 1  # the node for the rest below
    joint = category.joint[::2][:, odd] + np.log(2)
    if len(grid.t) % 2 == 1:
        joint[:, 0] -= np.log(2)
    return _Category(half, joint, _log_sum(joint, axis=1))


def _log_sum(logs: Array, axis: int | None = None) -> Array:
    """Return the log of the sum of exponentials."""
    top = logs.max(axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(logs - top), axis=axis))
    return total + (top.item() if axis is None else top.squeeze(axis))
