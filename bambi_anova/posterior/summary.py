"""Draws + labels -> tidy tables.

Letters: H chains, D draws, K quantities.
"""

from __future__ import annotations

import re
from numbers import Real

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.posterior.importance import Weighting, monte_carlo, tail_shapes
from bambi_anova.posterior.trust import Sampling, is_trusted

Array = np.ndarray

INTERVALS = ("hdi", "eti")
#: Columns that verdicts need and that ordinary tables leave to ``Result.trust``.
FOR_VERDICTS = ["mcse_sd", "pareto_k"]
DIAGNOSTICS = ["mcse_mean", "ess_bulk", "ess_tail", "r_hat", *FOR_VERDICTS]


def summarise(
    draws: Array,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    weighting: Weighting | None = None,
    null: float = 0.0,
) -> pd.DataFrame:
    """Summarise draws by ArviZ.

    Parameters
    ----------
    draws : ndarray, shape (H, D, K)
    ci_prob : float
        Probability of the interval, between 0 and 1.
    ci_kind : {"hdi", "eti"}
        Highest-density or equal-tailed interval.
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

    Raises
    ------
    ArgumentError
        If ``ci_prob`` or ``ci_kind`` cannot be used.

    Examples
    --------
    >>> table = summarise(np.random.default_rng(1).normal(size=(4, 500, 2)))
    >>> table.columns[:5].tolist()
    ['mean', 'median', 'sd', 'hdi95_lb', 'hdi95_ub']
    """
    from arviz_stats.base import array_stats

    check_interval(ci_prob, ci_kind)
    table = diagnose(draws, weighting)
    interval = array_stats.hdi if ci_kind == "hdi" else array_stats.eti
    name = f"{ci_kind}{100 * ci_prob:g}"
    bounds = np.full((draws.shape[-1], 2), np.nan)
    known = np.isfinite(draws).all(axis=(0, 1))
    if known.any():
        bounds[known] = interval(draws[..., known], ci_prob, axis=(0, 1))
    table.insert(1, "median", np.median(draws, axis=(0, 1)))
    table.insert(3, f"{name}_lb", bounds[:, 0])
    table.insert(4, f"{name}_ub", bounds[:, 1])
    above, below = (draws > null).mean(axis=(0, 1)), (draws < null).mean(axis=(0, 1))
    table.insert(5, "pd", np.where(known, np.maximum(above, below), np.nan))
    return table


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
    worth = {name: np.full(draws.shape[-1], np.nan) for name in DIAGNOSTICS}
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


def label(
    summary: pd.DataFrame,
    labels: pd.DataFrame,
    population: str,
    scale: str,
    supported: Array,
    sampling: Sampling,
) -> pd.DataFrame:
    """Put what the rows are about in front, and what may be believed behind."""
    about = labels.assign(population=population, scale=scale)
    judged = summary.assign(supported=supported, trusted=is_trusted(summary, sampling))
    return pd.concat([about, judged.drop(columns=FOR_VERDICTS)], axis=1)


def bound_names(table: pd.DataFrame, ci_kind: str) -> list[str]:
    """Return the columns of a table that hold its interval's bounds, lower first.

    Examples
    --------
    >>> bound_names(pd.DataFrame(columns=["mean", "hdi95_lb", "hdi95_ub"]), "hdi")
    ['hdi95_lb', 'hdi95_ub']
    """
    bound = re.compile(rf"{ci_kind}[\d.e-]+_[lu]b")  # a factor may be named "hdi" or "etiology"
    return [str(name) for name in table.columns if bound.fullmatch(str(name))]


def check_interval(ci_prob: float, ci_kind: str) -> None:
    """Refuse intervals that ArviZ cannot make."""
    if not (isinstance(ci_prob, (Real, np.number)) and 0 < ci_prob < 1):
        raise ArgumentError(f"ci_prob={ci_prob!r}: expected a probability between 0 and 1")
    if ci_kind not in INTERVALS:
        raise ArgumentError(f"ci_kind={ci_kind!r}: expected one of {INTERVALS}")
