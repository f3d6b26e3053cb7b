"""Replicated data: draws of each family's response, given the linear predictor.

A row may hold several rows of the data, as after the exact collapse: a binomial row then adds up
trials, a Poisson row counts and exposures, and a gaussian row is the mean of its n observations.
Rows of other families are single observations.

Letters: K draws, T rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.design.sufficient import Collapsed, collapse_rows
from bambi_anova.families.base import Family, Link

Array = np.ndarray
Auxiliary = Mapping[str, Array]


@dataclass(frozen=True)
class ReplicateRows:
    """T rows at which data are replicated.

    Attributes
    ----------
    row : ndarray of int, shape (T,)
        A row of the data with the predictors of each.
    observed : ndarray, shape (T,)
        Successes, counts, means or values.
    factor, size : ndarray, shape (T,)
        The mean response of some rows is the sum of ``factor`` times response over the sum of
        ``size``: of trials, exposures or observations.
    n : ndarray, shape (T,)
        How many rows of the data it holds.
    offset : ndarray, shape (T,)
    """

    row: Array
    observed: Array
    factor: Array
    size: Array
    n: Array
    offset: Array


def replicate(
    family: Family,
    link: Link,
    eta: Array,
    auxiliary: Auxiliary,
    rows: ReplicateRows,
    rng: np.random.Generator,
) -> Array:
    """Draw one set of data for each draw of the parameters.

    Parameters
    ----------
    family : Family
    link : Link
    eta : ndarray, shape (K, T)
        Linear predictor, with the offset.
    auxiliary : mapping of str to ndarray, each of shape (K, 1)
    rows : ReplicateRows
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (K, T)
    """
    with np.errstate(over="ignore"):  # priors may reach as far as floating point does
        mean = link.inverse(eta)
    return _SAMPLERS[family.name](mean, auxiliary, rows, rng)


def _gaussian(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    return rng.normal(mean, aux["sigma"] / np.sqrt(rows.n))


def _student(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    return mean + aux["sigma"] * rng.standard_t(np.broadcast_to(aux["nu"], mean.shape))


def _binomial(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    trials = np.broadcast_to(rows.size.astype(np.int64), mean.shape)
    return rng.binomial(trials, mean).astype(float)


def _poisson(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    # NumPy draws counts as 64-bit integers; beyond that a normal is the same to every digit.
    small = rng.poisson(np.minimum(mean, 1e17)).astype(float)
    return np.where(mean < 1e17, small, mean)


def _negativebinomial(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    alpha = np.broadcast_to(aux["alpha"], mean.shape)
    return _poisson(rng.gamma(alpha) * (mean / alpha), aux, rows, rng)


def _gamma(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    alpha = np.broadcast_to(aux["alpha"], mean.shape)
    return rng.gamma(alpha) * (mean / alpha)


def _beta(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    tiny = np.finfo(float).tiny
    successes = np.maximum(mean * aux["kappa"], tiny)
    return rng.beta(successes, np.maximum((1 - mean) * aux["kappa"], tiny))


def _betabinomial(mean: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    return _binomial(_beta(mean, aux, rows, rng), aux, rows, rng)


def _betabinomial_mode(mode: Array, aux: Auxiliary, rows: ReplicateRows, rng) -> Array:
    excess = aux["kappa_minus_2"]
    share = rng.beta(mode * excess + 1, (1 - mode) * excess + 1)
    return _binomial(share, aux, rows, rng)


_Sampler = Callable[[Array, Auxiliary, ReplicateRows, np.random.Generator], Array]

_SAMPLERS: dict[str, _Sampler] = {
    "gaussian": _gaussian,
    "t": _student,
    "bernoulli": _binomial,
    "binomial": _binomial,
    "poisson": _poisson,
    "negativebinomial": _negativebinomial,
    "gamma": _gamma,
    "beta": _beta,
    "betabinomial": _betabinomial,
    "betabinomial_mode": _betabinomial_mode,
}


def replicate_rows(design: Design, family: Family, collapsed: Collapsed) -> ReplicateRows:
    """Return the rows to replicate data at: the sufficient ones, where they can be replicated.

    Sufficient rows with a frequency weight share their response, which no replicates do; in their
    place stand the rows of the data.
    """
    if collapsed.merged and family.collapse == "weights":
        collapsed = collapse_rows(design, family, collapse=False)
    ones = np.ones(len(collapsed.first))
    offset = 0 * ones if collapsed.offset is None else collapsed.offset
    if collapsed.trials is not None:
        factor, size = ones, collapsed.trials
    elif family.response == "count":
        factor, size = ones, np.exp(offset)
    else:
        factor = size = collapsed.n
    return ReplicateRows(collapsed.first, collapsed.values, factor, size, collapsed.n, offset)
