"""Posteriors by sums over a grid, exact also where there are several modes.

For designs of one factor between units or rows, ``y ~ A`` or ``y ~ A + Error(s)``: there, given
the scales, a cell's rows depend on the cell's mean alone.  The model is Kruschke's in his own
words, a0 ~ N(M, S), mean of cell c ~ N(a0, sigma_A), summed over a grid of a0, of the mean, of
sigma_A and of the further scales, and points of the grid are drawn in proportion to their masses:
moments are right, quantiles as coarse as the grid.  Nothing of the package's engine is used.

Letters: C cells, K points of the further scales, M of a cell's mean, N of a0, D draws.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy import special, stats

import bambi_anova as ba
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.trust import Sampling
from bambi_anova.priors.distributions import distribution, normal_of
from bambi_anova.result import Result

Array = np.ndarray

CHAINS = 4
#: Points of a cell's mean, and of each scale on its logarithm.
MEANS = 900
SCALES = 50
#: Points over which a unit's effect is summed, in its sds.
UNITS = np.linspace(-7, 7, 141)


@dataclass(frozen=True)
class Grid:
    """Points of further scales, equally spaced on their logarithms.

    Attributes
    ----------
    values : dict of str to ndarray, each of shape (K,)
    log_prior : ndarray, shape (K,)
        Of the logarithms.
    """

    values: dict[str, Array]
    log_prior: Array


def sample(model: ba.Model, data: pd.DataFrame, draws: int, rng: np.random.Generator) -> Result:
    """Draw from the posterior of a model of one factor between units.

    Parameters
    ----------
    model : bambi_anova.Model
        Of family gaussian, t (without units) or binomial (with units of one row).
    data : pandas.DataFrame
    draws : int
        A chain.
    rng : numpy.random.Generator
    """
    design, priors = model.design, model.priors
    (factor,) = design.factors
    cell = np.unique(data[factor.name], return_inverse=True)[1]
    grid = scale_grid(model, data)
    means, log_cells = LIKELIHOODS[model.family.name](model, data, cell, grid)  # (M,), (C, K, M)
    spread = log_grid(priors.sigmas[factor.name], *_reach(model, data))
    size = CHAINS * draws

    def of_centres(sigma: float, points: Array) -> tuple[Array, Array]:
        """Return the logs of the means' prior (N, M), and of a0 with its cells' rows (K, N)."""
        centres, log_kernel = _kernel(means, sigma)
        log_centre = stats.norm.logpdf(centres, *normal_of(priors.intercept))
        log_centre += np.log(centres[1] - centres[0])
        return log_kernel, _log_products(log_cells[:, points], log_kernel) + log_centre

    log_masses = []
    for sigma, log_prior in zip(spread.values["x"], spread.log_prior, strict=True):
        _, log_sum = of_centres(sigma, np.arange(len(grid.log_prior)))
        log_masses.append(special.logsumexp(log_sum, axis=1) + log_prior + grid.log_prior)
    mass = np.exp(np.array(log_masses) - np.max(log_masses))
    chosen = rng.choice(mass.size, size, p=(mass / mass.sum()).ravel())
    of_sigma, of_grid = np.divmod(chosen, mass.shape[1])
    cells = np.empty((size, len(log_cells)))
    for place in np.unique(of_sigma):
        own = np.flatnonzero(of_sigma == place)
        points, back = np.unique(of_grid[own], return_inverse=True)
        log_kernel, log_sum = of_centres(spread.values["x"][place], points)
        centre = _choose(log_sum[back], rng)
        for c, log_cell in enumerate(log_cells):
            at = _choose(log_cell[of_grid[own]] + log_kernel[centre], rng)
            cells[own, c] = means[at]
    sigmas = {factor.name: spread.values["x"][of_sigma]}
    scales = {name: values[of_grid] for name, values in grid.values.items()}
    units = {}
    for unit in design.units:
        sigmas[unit.name] = scales.pop(unit.name)
        units[unit.name] = _unit_effects(model, data, cell, cells, sigmas[unit.name], scales, rng)
    held = {name: np.full(size, v) for name, v in priors.auxiliary.items() if name not in scales}
    shape = (CHAINS, draws)
    found = Draws(
        cells.reshape(*shape, -1),
        {name: values.reshape(*shape, -1) for name, values in units.items()},
        {name: values.reshape(shape) for name, values in sigmas.items()},
        {name: values.reshape(shape) for name, values in (scales | held).items()},
    )
    return Result(model, None, found, Sampling("quadrature", 0, 0.0))


def _reach(model: ba.Model, data: pd.DataFrame) -> tuple[float, float]:
    """Return the least and the largest scale that matter."""
    sd = 1.0 if model.family.name == "binomial" else float(np.std(data["y"]))
    return 0.003 * sd, 30 * sd


def log_grid(prior, low: float, high: float, size: int = SCALES) -> Grid:
    """Return a grid of one scale, called x, between two values."""
    u, step = np.linspace(np.log(low), np.log(high), size, retstep=True)
    with np.errstate(divide="ignore"):
        log_prior = distribution(prior).log_density(np.exp(u)) + u + np.log(step)
    return Grid({"x": np.exp(u)}, log_prior)


def scale_grid(model: ba.Model, data: pd.DataFrame) -> Grid:
    """Return the grid of the scales beside the factor's."""
    low, high = _reach(model, data)
    further = {
        unit.name: (model.priors.sigmas[unit.name], low, high) for unit in model.design.units
    }
    ends = {"sigma": (8 * low, high / 8), "nu": (0.2, 150.0)}
    for name, prior in model.priors.auxiliary.items():
        if not isinstance(prior, float | int):
            further[name] = (prior, *ends[name])
    size = SCALES * (1 if len(further) > 1 else 2)
    parts = {name: log_grid(*own, size=size) for name, own in further.items()}
    points = list(product(*(range(size) for _ in parts)))
    index = np.array(points).T
    values = {n: p.values["x"][i] for (n, p), i in zip(parts.items(), index, strict=True)}
    logs = [p.log_prior[i] for p, i in zip(parts.values(), index, strict=True)]
    return Grid(values, np.sum(logs, axis=0))


def _kernel(means: Array, sigma: float) -> tuple[Array, Array]:
    """Return points of a0 and the log prior of a cell's mean given them, over the means' grid."""
    step = means[1] - means[0]
    gap = max(step, sigma / 4)
    centres = np.arange(means[0] - 6 * sigma, means[-1] + 6 * sigma + gap, gap)
    if sigma < 1.5 * step:  # narrower than what a cell's rows say: one of the points
        centres = means
        return centres, np.where(np.eye(len(means), dtype=bool), 0.0, -np.inf)
    log = stats.norm.logpdf(means, centres[:, None], sigma) + np.log(step)
    return centres, log


def _log_products(log_cells: Array, log_kernel: Array) -> Array:
    """Return the log of the product over cells of the sums over means, shape (K, N)."""
    total = 0.0
    kernel = np.exp(log_kernel).T
    for log_cell in log_cells:
        top = log_cell.max(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            total = total + np.log(np.exp(log_cell - top) @ kernel) + top
    return total


def _choose(log_weights: Array, rng: np.random.Generator) -> Array:
    """Choose a column of each row in proportion to its weight."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    heap = np.cumsum(weights, axis=1)
    mark = rng.uniform(size=(len(heap), 1)) * heap[:, -1:]
    return (heap < mark).sum(axis=1)


# -- What a cell's rows say of its mean, (M,) and (C, K, M) -------------------------------------


def _grid_of_means(low: float, high: float) -> Array:
    return np.linspace(low, high, MEANS)


def _of_student(
    model: ba.Model, data: pd.DataFrame, cell: Array, grid: Grid
) -> tuple[Array, Array]:
    y = data["y"].to_numpy()
    margin = 0.2 * np.ptp(y)
    means = _grid_of_means(y.min() - margin, y.max() + margin)
    sigma = grid.values["sigma"][:, None]
    nu = grid.values.get("nu", np.array([model.priors.auxiliary["nu"]]))[:, None]
    log = np.zeros((cell.max() + 1, len(sigma), MEANS))
    for value, c in zip(y, cell, strict=True):
        log[c] += stats.t.logpdf(value, nu, means, sigma)
    return means, log


def _of_gaussian(
    model: ba.Model, data: pd.DataFrame, cell: Array, grid: Grid
) -> tuple[Array, Array]:
    y, (unit,) = data["y"].to_numpy(), model.design.units
    margin = 1.5 * np.ptp(y)
    means = _grid_of_means(y.min() - margin, y.max() + margin)
    sigma, sd = grid.values["sigma"][:, None], grid.values[unit.name][:, None]
    log = np.zeros((cell.max() + 1, len(sigma), MEANS))
    for j in range(unit.size):
        own = y[unit.codes == j]
        n, mean = len(own), own.mean()
        within = ((own - mean) ** 2).sum()
        c = cell[unit.codes == j][0]
        log[c] += stats.norm.logpdf(mean, means, np.sqrt(sd**2 + sigma**2 / n))
        log[c] += -(n - 1) * np.log(sigma) - within / (2 * sigma**2)
    return means, log


def _of_binomial(
    model: ba.Model, data: pd.DataFrame, cell: Array, grid: Grid
) -> tuple[Array, Array]:
    (unit,) = model.design.units
    means = _grid_of_means(-12.0, 12.0)
    log = np.zeros((cell.max() + 1, len(grid.log_prior), MEANS))
    weights = stats.norm.pdf(UNITS)
    weights /= weights.sum()
    for k, sd in enumerate(grid.values[unit.name]):
        eta = means[:, None] + sd * UNITS
        up, down = special.log_expit(eta), special.log_expit(-eta)
        for successes, trials, c in zip(*_counts(data), cell, strict=True):
            log[c, k] += special.logsumexp(
                successes * up + (trials - successes) * down, axis=1, b=weights
            )
    return means, log


LIKELIHOODS: dict[str, Callable[[ba.Model, pd.DataFrame, Array, Grid], tuple[Array, Array]]] = {
    "t": _of_student,
    "gaussian": _of_gaussian,
    "binomial": _of_binomial,
}


def _counts(data: pd.DataFrame) -> tuple[Array, Array]:
    return data["k"].to_numpy(), data["n"].to_numpy()


def _unit_effects(
    model: ba.Model,
    data: pd.DataFrame,
    cell: Array,
    cells: Array,
    sd: Array,
    scales: dict[str, Array],
    rng: np.random.Generator,
) -> Array:
    """Draw the units' effects given all else, shape (D, J)."""
    (unit,) = model.design.units
    effects = np.empty((len(sd), unit.size))
    for j in range(unit.size):
        own = np.flatnonzero(unit.codes == j)
        mean = cells[:, cell[own[0]]]
        if model.family.name == "gaussian":
            y = data["y"].to_numpy()[own]
            precision = 1 / sd**2 + len(own) / scales["sigma"] ** 2
            centre = (y.sum() - len(own) * mean) / scales["sigma"] ** 2 / precision
            effects[:, j] = rng.normal(centre, precision**-0.5)
        else:
            successes, trials = (part[own].sum() for part in _counts(data))
            eta = mean[:, None] + sd[:, None] * UNITS
            log = successes * special.log_expit(eta)
            log += (trials - successes) * special.log_expit(-eta)
            at = _choose(log + stats.norm.logpdf(UNITS), rng)
            effects[:, j] = sd * (UNITS[at] + rng.uniform(-0.05, 0.05, len(sd)))
    return effects
