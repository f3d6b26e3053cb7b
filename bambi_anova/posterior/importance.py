"""What importance-weighted draws are worth, quantity by quantity.

Quick fits draw points of the hyperparameters, several draws at each, weigh them and resample.
The draws that come of one point depend on each other, copies of one draw most of all; points are
independent.  So Monte Carlo errors add up points, not draws, and effective sample sizes are
what they imply.  That the errors themselves can be believed, the Pareto k says: the tail shape
of weight times distance from the mean (Vehtari et al. 2024, arXiv:1507.02646, section 2.5).

Letters: H chains, D draws, N = H D, K quantities, G points, R draws a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse, special

Array = np.ndarray

#: Values below which a fifth of them is no tail to fit.
FEWEST = 25
#: How many values the prior of a tail's shape counts for.
PRIOR_SIZE = 10
#: Columns whose tails are fitted at a time.
STRETCH = 64


@dataclass(frozen=True)
class Weighting:
    """Where resampled draws come from.

    Attributes
    ----------
    point : ndarray of int, shape (H, D)
        The point of the hyperparameters that each draw comes of.
    proposal : ndarray of int, shape (H, D)
        The proposed draw that it is a copy of.
    log_weight : ndarray, shape (H, D)
        Log importance ratio of that proposed draw, before smoothing, a constant apart.
    pareto_k : float
        Of all proposed draws' ratios.
    effective : float
        Effective points.
    proposed : int
        How many draws were proposed.
    """

    point: Array
    proposal: Array
    log_weight: Array
    pareto_k: float
    effective: float
    proposed: int


@dataclass(frozen=True)
class LogEvidence:
    """The log marginal likelihood of the data.

    Attributes
    ----------
    value : float
    mcse : float
        Monte Carlo error of ``value``.
    pareto_k : float
        Tail shape of the importance weights that it is the log mean of.
    """

    value: float
    mcse: float
    pareto_k: float

    @classmethod
    def of_weights(cls, log_weight: Array, constant: float, pareto_k: float) -> LogEvidence:
        """Return the log mean of the weights at G points, R draws each.

        Parameters
        ----------
        log_weight : ndarray, shape (G, R)
            Log of the joint density over the proposals', before smoothing.
        constant : float
            What ``log_weight`` leaves out.
        pareto_k : float

        Examples
        --------
        >>> found = LogEvidence.of_weights(np.log([[1.0, 3.0], [2.0, 2.0]]), 0.5, 0.1)
        >>> round(float(found.value - np.log(2)), 6), found.mcse
        (0.5, 0.0)
        """
        largest = log_weight.max()
        by_point = np.exp(log_weight - largest).mean(axis=1)
        mean, size = by_point.mean(), len(by_point)
        error = by_point.std() / np.sqrt(max(size - 1, 1)) / mean
        return cls(float(np.log(mean) + largest + constant), float(error), pareto_k)


def monte_carlo(values: Array, weighting: Weighting) -> dict[str, Array]:
    """Return Monte Carlo errors, effective sample sizes and Pareto k, each of shape (K,).

    Parameters
    ----------
    values : ndarray, shape (H, D, K)
    weighting : Weighting

    Returns
    -------
    dict
        ``mcse_mean``, ``mcse_sd``, ``ess_bulk`` (of the normal scores of the ranks), ``ess_tail``
        (the lesser of those for the 5% and 95% quantiles), ``pareto_k`` and ``pareto_k_sd``.
    """
    from scipy import stats  # heavy

    flat = values.reshape(-1, values.shape[-1])
    size = len(flat)
    points = _Points(weighting)
    sd = flat.std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mcse_sd = points.error((flat - flat.mean(axis=0)) ** 2) / (2 * sd)
    tails = [points.effective(1.0 * (flat <= q)) for q in np.quantile(flat, [0.05, 0.95], axis=0)]
    scores = special.ndtri((stats.rankdata(flat, axis=0) - 0.375) / (size + 0.25))
    return {
        "mcse_mean": points.error(flat),
        "mcse_sd": mcse_sd,
        "ess_bulk": points.effective(scores),
        "ess_tail": np.minimum(*tails),
        "pareto_k": pareto_k(flat, weighting),
        "pareto_k_sd": pareto_k(flat, weighting, power=2),
    }


def effective_shares(holds: Array, weighting: Weighting) -> Array:
    """Return effective sample sizes of shares of draws, shape (K,).

    Parameters
    ----------
    holds : ndarray of bool, shape (H, D, K)
        One that is the same in every draw has their number.
    weighting : Weighting
    """
    flat = holds.reshape(-1, holds.shape[-1]).astype(float)
    return np.nan_to_num(_Points(weighting).effective(flat), nan=len(flat))


class _Points:
    """Sums over the draws of each point; draws of different points are independent."""

    def __init__(self, weighting: Weighting) -> None:
        self._size = weighting.point.size
        _, point = np.unique(weighting.point.ravel(), return_inverse=True)
        self._gather = sparse.csr_array((np.ones(self._size), (point, np.arange(self._size))))

    def error(self, values: Array) -> Array:
        """Return the Monte Carlo errors of the means of values (N, K), shape (K,)."""
        sums = self._gather @ (values - values.mean(axis=0))
        return np.sqrt((sums**2).sum(axis=0)) / self._size

    def effective(self, values: Array) -> Array:
        """Return effective sample sizes, NaN for constants, shape (K,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.minimum(values.var(axis=0) / self.error(values) ** 2, self._size)


def pareto_k(flat: Array, weighting: Weighting, power: int = 1) -> Array:
    """Return the tail shape of weight times distance from the mean, for values (N, K).

    With a ``power`` of 2, of weight times squared distance, on which the sd rests.
    """
    _, first = np.unique(weighting.proposal.ravel(), return_index=True)
    log_weight = weighting.log_weight.ravel()[first]
    weight = np.exp(log_weight - log_weight.max())
    distance = np.abs(flat[first] - flat.mean(axis=0)) ** power
    return tail_shapes(weight[:, None] * distance, "right")


def tail_shapes(values: Array, tail: str) -> Array:
    """Return the Pareto k of a tail of each column, -inf for a constant one.

    Parameters
    ----------
    values : ndarray, shape (N, K)
    tail : {"left", "right", "both"}

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> k = tail_shapes(rng.standard_t(df=[[1, 30]], size=(4000, 2)), "both")
    >>> (k > 0.7).tolist()
    [True, False]
    """
    if len(values) < FEWEST:  # nothing is known of a tail of so few
        return np.where(np.ptp(values, axis=0) == 0, -np.inf, np.inf)
    if tail != "both":
        return _right_tails(values if tail == "right" else -values)
    left, right = _right_tails(-values), _right_tails(values)
    ended = np.isneginf(left) | np.isneginf(right)
    return np.where(ended, -np.inf, np.where(np.isnan(left), left, np.fmax(left, right)))


def _right_tails(values: Array) -> Array:
    """Return the Pareto k of the right tail of each column, -inf where all of it is equal.

    How many values are the tail: Vehtari et al. 2024, section 2.4.
    """
    size = len(values)
    count = int(3 * size**0.5) if size > 225 else size // 5
    first = size - count - 1
    rows = np.partition(np.ascontiguousarray(values.T), first, axis=1)[:, first:]
    rows.sort(axis=1)
    found = np.full(len(rows), -np.inf)
    open_ended = np.flatnonzero(~(np.abs(rows[:, -1] - rows[:, 1]) < np.finfo(float).tiny))
    # In stretches of columns: the profile of each is a matrix.
    for start in range(0, len(open_ended), STRETCH):
        own = open_ended[start : start + STRETCH]
        found[own] = _pareto_shapes(rows[own, 1:] - rows[own, :1])
    return found


def _pareto_shapes(excess: Array) -> Array:
    """Return the shapes of generalized Pareto distributions of sorted excesses (K, M).

    The empirical Bayes estimate of Zhang & Stephens (2009, doi:10.1198/tech.2009.08017), with the
    weak prior of Vehtari et al.; NaN where a quarter of the excesses is the least one.
    """
    size = excess.shape[1]
    grid = 30 + int(size**0.5)
    quartile = excess[:, int(size / 4 + 0.5) - 1]
    steps = 1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    with np.errstate(divide="ignore", invalid="ignore"):
        b = steps / (3 * quartile[:, None]) + 1 / excess[:, -1:]  # (K, grid)
        k = np.log1p(-b[:, :, None] * excess[:, None]).mean(axis=2)
        profile = size * (np.log(-b / k) - k - 1)
        weights = np.exp(profile - profile.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        weights[weights < 10 * np.finfo(float).eps] = 0.0
        b = (b * weights).sum(axis=1) / weights.sum(axis=1)
        k = np.log1p(-b[:, None] * excess).mean(axis=1)
    shape = (size * k + PRIOR_SIZE * 0.5) / (size + PRIOR_SIZE)
    return np.where(quartile > excess[:, 0], np.where(np.isnan(shape), np.inf, shape), np.nan)
