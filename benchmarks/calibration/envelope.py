"""Ranks that should be uniform, and the envelope that their distribution should stay in.

The ranks' empirical distribution function is judged by an envelope that 95% of uniform samples
stay inside everywhere (Säilynoja, Bürkner & Vehtari 2022, doi:10.1007/s11222-022-10090-6).

Letters: S simulations, K quantities, L draws that a rank is taken among.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import stats

Array = np.ndarray

#: L; ranks are 0 to 99, so that the middle 50 and 90 of them are intervals of 50% and 90%.
DRAWS = 99
LEVEL = 0.95
#: Samples of uniform ranks that set the envelope.
NULL_SAMPLES = 20_000


def envelope_p(ranked: Array, draws: int = DRAWS) -> Array:
    """Return the share of uniform samples of ranks that stray at least as far as these.

    Parameters
    ----------
    ranked : ndarray of int, shape (S, K)
        Ranks from 0 to L.
    draws : int
        L.

    Returns
    -------
    ndarray, shape (K,)
        Below 0.05 where the ranks leave the envelope that holds 95% of uniform samples.
    """
    ranked = np.asarray(ranked)
    null = _null(len(ranked), draws)
    below = np.searchsorted(null, _least_tail(ranked.T, draws) * (1 + 1e-9), side="right")
    return (1 + below) / (1 + len(null))


def outside_envelope(ranked: Array, draws: int = DRAWS, level: float = LEVEL) -> Array:
    """Tell which columns of ranks leave the simultaneous envelope, shape (K,)."""
    return envelope_p(ranked, draws) < 1 - level


@lru_cache
def _null(simulations: int, draws: int) -> Array:
    """Return the sorted statistic of many samples of uniform ranks."""
    rng = np.random.default_rng(0)
    pieces = [
        _least_tail(rng.integers(0, draws + 1, (1000, simulations)), draws)
        for _ in range(NULL_SAMPLES // 1000)
    ]
    return np.sort(np.concatenate(pieces))


def _least_tail(samples: Array, draws: int) -> Array:
    """Return the least two-sided binomial tail of each sample's ECDF, over all its steps.

    Under uniform ranks the number of ranks below i is binomial with probability i / (L + 1).
    """
    simulations = samples.shape[1]
    shifted = samples + (draws + 1) * np.arange(len(samples))[:, None]
    histogram = np.bincount(shifted.ravel(), minlength=len(samples) * (draws + 1))
    below = histogram.reshape(len(samples), -1).cumsum(axis=1)[:, :-1]
    return _tails(simulations, draws)[np.arange(draws), below].min(axis=1)


@lru_cache
def _tails(simulations: int, draws: int) -> Array:
    """Return two-sided tails of each step's count, shape (L, S + 1)."""
    chance = np.arange(1, draws + 1)[:, None] / (draws + 1)
    count = np.arange(simulations + 1)
    lower = stats.binom.cdf(count, simulations, chance)
    upper = stats.binom.sf(count - 1, simulations, chance)
    return 2 * np.minimum(lower, upper)
