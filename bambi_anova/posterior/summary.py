"""Draws + labels -> tidy tables.

Letters: H chains, D draws, K quantities.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.posterior.importance import (
    Weighting,
    effective_shares,
    monte_carlo,
    tail_shapes,
)
from bambi_anova.tables.columns import DIAGNOSTICS, FOR_VERDICTS
from bambi_anova.tables.interval import DEFAULT, Interval

Array = np.ndarray

#: Shares of a normal below one sd under and above its mean.
ONE_SD = (0.15865525, 0.84134475)


def summarise(
    draws: Array,
    interval: Interval = DEFAULT,
    weighting: Weighting | None = None,
    null: float = 0.0,
) -> pd.DataFrame:
    """Summarise draws by ArviZ.

    Parameters
    ----------
    draws : ndarray, shape (H, D, K)
    interval : Interval
    weighting : Weighting, optional
        Where importance-weighted draws come from: their Monte Carlo errors follow from it.
    null : float
        The value that means "no difference", for ``pd``.

    Returns
    -------
    pandas.DataFrame
        K rows with columns ``mean``, ``median``, ``sd``, interval bounds named as ArviZ names
        them (such as ``hdi95_lb``), ``pd`` (probability of direction: the larger of the
        probabilities to be above and below ``null``),
        and the columns of ``diagnose``.

    Examples
    --------
    >>> table = summarise(np.random.default_rng(1).normal(size=(4, 500, 2)))
    >>> table.columns[:5].tolist()
    ['mean', 'median', 'sd', 'hdi95_lb', 'hdi95_ub']
    """
    table = diagnose(draws, weighting, interval)
    known = np.isfinite(draws).all(axis=(0, 1))
    above, below = (draws > null).mean(axis=(0, 1)), (draws < null).mean(axis=(0, 1))
    columns = {
        "mean": table["mean"],
        "median": np.median(draws, axis=(0, 1)),
        "sd": table["sd"],
        **table[list(interval.bounds)],
        "pd": np.where(known, np.maximum(above, below), np.nan),
    }
    return pd.DataFrame(columns).join(table[[*DIAGNOSTICS, *FOR_VERDICTS]])


def diagnose(
    draws: Array, weighting: Weighting | None = None, interval: Interval = DEFAULT
) -> pd.DataFrame:
    """Return what is known of the draws' accuracy.

    Parameters
    ----------
    draws : ndarray, shape (H, D, K)
        Columns with values that are not finite have no diagnostics.
    weighting : Weighting, optional
    interval : Interval

    Returns
    -------
    pandas.DataFrame
        K rows with columns ``mean``, ``sd``, interval bounds, ``mcse_mean``, ``ess_bulk``,
        ``ess_tail``, ``r_hat`` (of chains only), ``mcse_sd``, ``mcse_bounds`` (the larger of the
        bounds' Monte Carlo errors), ``pareto_k`` (tail shape of the draws or of their weights,
        whichever is heavier) and ``pareto_k_sd`` (of squared distances from the mean).

    Examples
    --------
    >>> table = diagnose(np.random.default_rng(1).normal(size=(4, 500, 1)))
    >>> bool(table["r_hat"][0] < 1.01)
    True
    """
    known = np.isfinite(draws).all(axis=(0, 1))
    own = draws[..., known]
    with np.errstate(invalid="ignore", over="ignore"):
        columns = {"mean": draws.mean(axis=(0, 1)), "sd": draws.std(axis=(0, 1))}
    size = draws.shape[0] * draws.shape[1]
    columns["sd"] *= np.sqrt(size / (size - 1)) if size > 1 else np.nan
    # Rounding leaves a constant quantity an sd of some 1e-17.
    columns["sd"][known] *= np.ptp(own, axis=(0, 1)) > 0
    names = (*interval.bounds, *DIAGNOSTICS, *FOR_VERDICTS)
    worth = {name: np.full(draws.shape[-1], np.nan) for name in names}
    if known.any():
        with np.errstate(over="ignore", invalid="ignore"):  # of quantities without a variance
            found = _chain_worth(own) if weighting is None else monte_carlo(own, weighting)
            found |= _heavier_tails(own.reshape(size, -1), found)
            found |= _bounds(own, weighting, interval)
        for name, values in found.items():
            worth[name][known] = values
    return pd.DataFrame(columns | worth)


def _chain_worth(draws: Array) -> dict[str, Array]:
    """Return Monte Carlo errors, effective sample sizes and R-hat of Markov chains."""
    from arviz_stats.base import array_stats

    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(invalid="ignore", divide="ignore"):  # quantities that are constant
        tails = [array_stats.ess(draws, **axes, method="quantile", prob=p) for p in (0.05, 0.95)]
        return {
            "mcse_mean": array_stats.mcse(draws, **axes, method="mean"),
            "mcse_sd": array_stats.mcse(draws, **axes, method="sd"),
            "ess_bulk": array_stats.ess(draws, **axes, method="bulk"),
            # Chains that swing from side to side are no reason to believe in more tail than drawn.
            "ess_tail": np.minimum(np.minimum(*tails), draws[..., 0].size),
            "r_hat": array_stats.rhat(draws, **axes, method="rank"),
        }


def _heavier_tails(flat: Array, found: dict[str, Array]) -> dict[str, Array]:
    """Return tail shapes of values (N, K) or of their weights, whichever is heavier."""
    squares = (flat - flat.mean(axis=0)) ** 2
    own = {"pareto_k": tail_shapes(flat, "both"), "pareto_k_sd": tail_shapes(squares, "right")}
    return {name: np.maximum(k, found.get(name, -np.inf)) for name, k in own.items()}


def _bounds(draws: Array, weighting: Weighting | None, interval: Interval) -> dict[str, Array]:
    """Return the bounds of intervals, and the larger of their Monte Carlo errors.

    A bound is taken for the quantile that it is among the draws.  The draws that lie around it, as
    far as its share of them is unsure (Vehtari et al. 2021, doi:10.1214/20-BA1221, section 4.4),
    say how far it may be off.
    """
    from arviz_stats.base import array_stats
    from scipy import special

    bounds = getattr(array_stats, interval.kind)(draws, interval.prob, axis=(0, 1))
    ordered = np.sort(draws.reshape(-1, draws.shape[-1]), axis=0)
    size, errors = len(ordered), []
    for bound in bounds.T:
        below = draws <= bound
        if weighting is None:
            axes = {"chain_axis": 0, "draw_axis": 1}
            effective = array_stats.ess(below.astype(float), **axes, method="mean")
        else:
            effective = effective_shares(below, weighting)
        share = below.mean(axis=(0, 1))
        a, b = effective * share + 1, effective * (1 - share) + 1
        ends = [special.betaincinv(a, b, p) * size - 1 for p in ONE_SD]
        places = np.floor(ends[0]), np.ceil(ends[1])
        around = [np.nan_to_num(place).clip(0, size - 1).astype(int)[None] for place in places]
        low, high = (np.take_along_axis(ordered, place, axis=0)[0] for place in around)
        errors.append(np.where(np.isnan(effective), np.nan, (high - low) / 2))
    lower, upper = interval.bounds
    return {lower: bounds[:, 0], upper: bounds[:, 1], "mcse_bounds": np.maximum(*errors)}
