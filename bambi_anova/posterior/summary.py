"""Draws + labels -> tidy tables.

Letters: H chains, D draws, K quantities.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.posterior.importance import Weighting, monte_carlo, tail_shapes
from bambi_anova.tables.columns import DIAGNOSTICS, FOR_VERDICTS
from bambi_anova.tables.interval import DEFAULT, Interval

Array = np.ndarray


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
        ``mcse_mean``, ``ess_bulk``, ``ess_tail``, ``r_hat``, ``mcse_sd`` and ``pareto_k`` (tail
        shape of the draws or of their weights, whichever is heavier).

    Examples
    --------
    >>> table = summarise(np.random.default_rng(1).normal(size=(4, 500, 2)))
    >>> table.columns[:5].tolist()
    ['mean', 'median', 'sd', 'hdi95_lb', 'hdi95_ub']
    """
    from arviz_stats.base import array_stats

    table = diagnose(draws, weighting)
    bounds = np.full((draws.shape[-1], 2), np.nan)
    known = np.isfinite(draws).all(axis=(0, 1))
    if known.any():
        bounds_of = getattr(array_stats, interval.kind)
        bounds[known] = bounds_of(draws[..., known], interval.prob, axis=(0, 1))
    above, below = (draws > null).mean(axis=(0, 1)), (draws < null).mean(axis=(0, 1))
    lower, upper = interval.bounds
    columns = {
        "mean": table["mean"],
        "median": np.median(draws, axis=(0, 1)),
        "sd": table["sd"],
        lower: bounds[:, 0],
        upper: bounds[:, 1],
        "pd": np.where(known, np.maximum(above, below), np.nan),
    }
    return pd.DataFrame(columns).join(table[[*DIAGNOSTICS, *FOR_VERDICTS]])


def diagnose(draws: Array, weighting: Weighting | None = None) -> pd.DataFrame:
    """Return what is known of the draws' accuracy.

    Parameters
    ----------
    draws : ndarray, shape (H, D, K)
        Columns with values that are not finite have no diagnostics.
    weighting : Weighting, optional

    Returns
    -------
    pandas.DataFrame
        K rows with columns ``mean``, ``sd``, ``mcse_mean``, ``ess_bulk``, ``ess_tail``,
        ``r_hat`` (of chains only), ``mcse_sd`` and ``pareto_k``.

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
    worth = {name: np.full(draws.shape[-1], np.nan) for name in (*DIAGNOSTICS, *FOR_VERDICTS)}
    if known.any():
        with np.errstate(over="ignore", invalid="ignore"):  # of quantities without a variance
            found = _chain_worth(own) if weighting is None else monte_carlo(own, weighting)
            tails = tail_shapes(own.reshape(-1, own.shape[-1]), "both")
        found["pareto_k"] = np.maximum(tails, found.get("pareto_k", -np.inf))
        for name, values in found.items():
            worth[name][known] = values
    return pd.DataFrame(columns | worth)


def _chain_worth(draws: Array) -> dict[str, Array]:
    """Return Monte Carlo errors, effective sample sizes and R-hat of Markov chains."""
    from arviz_stats.base import array_stats

    axes = {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(invalid="ignore", divide="ignore"):  # quantities that are constant
        return {
            "mcse_mean": array_stats.mcse(draws, **axes, method="mean"),
            "mcse_sd": array_stats.mcse(draws, **axes, method="sd"),
            "ess_bulk": array_stats.ess(draws, **axes, method="bulk"),
            "ess_tail": array_stats.ess(draws, **axes, method="tail", prob=(0.05, 0.95)),
            "r_hat": array_stats.rhat(draws, **axes, method="rank"),
        }
