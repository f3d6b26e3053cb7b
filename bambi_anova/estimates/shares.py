"""Shares of draws in which something holds, with Monte Carlo errors and verdicts.

A share is the mean of an indicator, so its error is that of a mean: from the indicator's own
effective sample size in chains, from the settings that draws come of in importance-weighted fits.
No share is known better than to one draw in the effective sample of what it is about: an indicator
that is the same in every draw has no error of its own to estimate.  Where chains disagree about a
quantity, what they say of its shares is not trusted either.

Letters: H chains, D draws, K quantities.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.posterior.importance import Weighting, monte_carlo, tail_shapes
from bambi_anova.posterior.trust import MAX_PARETO_K, MAX_R_HAT, MAX_SHARE_ERROR, Sampling

Array = np.ndarray

#: Draws below which a fifth of their weights, the most that a tail is fitted to, tells nothing.
MIN_SIDE = 100


def shares(holds: Array, sampling: Sampling, about: pd.DataFrame) -> pd.DataFrame:
    """Return how often something holds.

    Parameters
    ----------
    holds : ndarray of bool, shape (H, D, K)
    sampling : Sampling
    about : pandas.DataFrame
        Diagnostics of the quantities that the indicators are about, a row each, or several of
        one indicator; with columns ``sd``, ``ess_bulk``, ``ess_tail`` and ``r_hat``.

    Returns
    -------
    pandas.DataFrame
        K rows with columns ``share``, ``mcse`` and ``trusted``.

    Examples
    --------
    >>> from bambi_anova.posterior.summary import diagnose
    >>> draws = np.random.default_rng(1).normal(size=(4, 1000, 1))
    >>> table = shares(draws < 0, Sampling("nuts", divergences=0, seconds=1.0), diagnose(draws))
    >>> bool(abs(table["share"][0] - 0.5) < 3 * table["mcse"][0]), bool(table["trusted"][0])
    (True, True)
    """
    draws = holds.astype(float)
    share = draws.mean(axis=(0, 1))
    moving = (share > 0) & (share < 1)
    error, good = _least_error(about, sampling)
    if len(about) != len(share):
        error, good = np.repeat(error.max(), len(share)), np.repeat(good.all(), len(share))
    if moving.any():
        own, settled = _error_of_means(draws[..., moving], sampling)
        error[moving] = np.fmax(error[moving], own)
        good[moving] &= settled & np.isfinite(own)
    good &= (error <= MAX_SHARE_ERROR) & (sampling.divergences == 0) & (not sampling.missed)
    if sampling.weighting is not None:
        good &= sampling.weighting.pareto_k <= MAX_PARETO_K
    return pd.DataFrame({"share": share, "mcse": error, "trusted": good})


def _least_error(about: pd.DataFrame, sampling: Sampling) -> tuple[Array, Array]:
    """Return the error of one effective draw of each quantity, and whether its chains agree."""
    moving = about["sd"].to_numpy() != 0
    effective = about[["ess_bulk", "ess_tail"]].min(axis=1, skipna=False).fillna(0.0).to_numpy()
    agree = (about["r_hat"] <= MAX_R_HAT).to_numpy() | (sampling.weighting is not None)
    return np.where(moving, 1 / (effective + 2), 0.0), agree | ~moving


def _error_of_means(draws: Array, sampling: Sampling) -> tuple[Array, Array]:
    """Return Monte Carlo errors, and whether chains or weights allow to believe them."""
    from arviz_stats.base import array_stats

    if sampling.weighting is not None:
        found = monte_carlo(draws, sampling.weighting)
        return found["mcse_mean"], _weights_settle(draws, sampling.weighting)
    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(invalid="ignore", divide="ignore"):  # chains in which nothing changes
        error = array_stats.mcse(draws, **axes, method="mean")
        r_hat = array_stats.rhat(draws, **axes, method="split")
    return error, ~(r_hat > MAX_R_HAT)


def _weights_settle(draws: Array, weighting: Weighting) -> Array:
    """Whether the weights have a mean on either side of each event; shape (K,).

    An indicator is bounded, so only the weights have a tail.  Sides with too few draws to tell are
    left to the Monte Carlo error and to the weights as a whole.
    """
    _, first = np.unique(weighting.proposal.ravel(), return_index=True)
    log_weight = weighting.log_weight.ravel()[first]
    weight = np.exp(log_weight - log_weight.max())
    inside = draws.reshape(-1, draws.shape[-1])[first] > 0.5
    good = np.ones(draws.shape[-1], dtype=bool)
    for column, within in enumerate(inside.T):
        for side in (within, ~within):
            if side.sum() >= MIN_SIDE:
                k = tail_shapes(weight[side][:, None], "right")
                good[column] &= bool(k[0] <= MAX_PARETO_K)
    return good
