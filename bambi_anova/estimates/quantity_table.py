"""Quantities -> tables: summaries, shares beside a ROPE or a comparison value, and verdicts.

Letters: K quantities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from bambi_anova.errors import ArgumentError, NoMeanWarning, warn
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.shares import shares
from bambi_anova.estimates.shown_scale import without_mean
from bambi_anova.posterior.summary import diagnose, summarise
from bambi_anova.posterior.trust import MAX_PARETO_K, Sampling, is_trusted
from bambi_anova.tables.columns import DIAGNOSTICS, FOR_VERDICTS
from bambi_anova.tables.interval import DEFAULT, Interval
from bambi_anova.tables.printing import LINK, Table

Array = np.ndarray
Rope = Sequence[float]


def quantity_table(
    quantities: Quantities,
    sampling: Sampling,
    interval: Interval = DEFAULT,
    rope: Rope | None = None,
    comp_val: float | None = None,
) -> pd.DataFrame:
    """Return what is known of some quantities, a row each.

    Parameters
    ----------
    quantities : Quantities
    sampling : Sampling
    interval : Interval
    rope : sequence of two floats, optional
        Region of practical equivalence; its bounds belong to it.
    comp_val : float, optional
        Comparison value.

    Returns
    -------
    pandas.DataFrame
        The labels, ``population`` and ``scale``, the columns of ``summarise`` (those that only
        verdicts need left out, and ``pd`` where no value means "no difference"), ``supported`` and
        ``trusted``.  With ``rope`` also
        ``below_rope``, ``in_rope``, ``above_rope`` (shares of the posterior) and ``mcse_rope``
        (the largest of their Monte Carlo errors); with ``comp_val`` also ``comp_val``,
        ``above_comp_val`` and ``mcse_comp_val``.  A row then is ``trusted`` only if its shares
        are.

    Raises
    ------
    ArgumentError
        If ``rope`` or ``comp_val`` cannot be used.

    Warns
    -----
    NoMeanWarning
        If some quantities on the response scale have no posterior mean: ``mean`` and ``sd`` are
        empty then.
    """
    summary = summarise(quantities.draws, interval, sampling.weighting, quantities.null)
    judged = _by_rank(summary, quantities, sampling)
    beside, good = _shares_beside(quantities.draws, sampling, summary, rope, comp_val)
    diagnostics = summary[list(DIAGNOSTICS)]
    direction = ["pd"] if np.isnan(quantities.null) else []
    estimates = summary.drop(columns=[*DIAGNOSTICS, *FOR_VERDICTS, *direction])
    about = quantities.labels.assign(population=quantities.population, scale=quantities.scale)
    if quantities.of:
        about = about.assign(of=quantities.of)
    table = pd.concat([about, estimates, pd.DataFrame(beside, summary.index), diagnostics], axis=1)
    trusted = is_trusted(judged, sampling) & good
    done = Table(table.assign(supported=quantities.supported, trusted=trusted))
    done.attrs[LINK] = quantities.link
    return done


def _by_rank(summary: pd.DataFrame, quantities: Quantities, sampling: Sampling) -> pd.DataFrame:
    """Take means away where there are none, and return by what to judge the rows.

    Exponentials of what has a heavy tail have no mean; their median and interval are judged by
    the normal scores of the ranks.

    Warns
    -----
    NoMeanWarning
    """
    if quantities.scale == "link" and quantities.null != 1:
        return summary
    none = np.zeros(len(summary), dtype=bool)
    suspect = ~(summary["pareto_k"] <= MAX_PARETO_K).to_numpy() & (summary["sd"] != 0).to_numpy()
    none[suspect] = without_mean(quantities.draws[..., suspect])
    if not none.any():
        return summary
    draws = quantities.draws[..., none]
    from scipy import stats  # heavy

    ranks = stats.rankdata(draws.reshape(-1, draws.shape[-1]), axis=0)
    scores = special.ndtri((ranks - 0.5) / len(ranks)).reshape(draws.shape)
    known = diagnose(scores, sampling.weighting)
    judged = summary.copy()
    judged.loc[none, known.columns] = known.to_numpy()
    summary.loc[none, ["mean", "sd", "mcse_mean"]] = np.nan
    warn(
        NoMeanWarning(
            f"{none.sum()} of {len(none)} quantities have no posterior mean (Pareto k of their "
            f"draws above {MAX_PARETO_K}): they are exponentials of what is little known, such as "
            "the spread of few units. Their medians and intervals stand; scale='median', or "
            "population='finite' for the units of this study, is better known"
        )
    )
    return judged


def point_estimates(table: pd.DataFrame) -> pd.Series:
    """Return the posterior means in a table, medians where there is no mean."""
    return table["mean"].fillna(table["median"]) if "median" in table else table["mean"]


def _shares_beside(
    draws: Array,
    sampling: Sampling,
    about: pd.DataFrame,
    rope: Rope | None,
    comp_val: float | None,
) -> tuple[dict[str, Any], Array]:
    """Return the columns of shares beside a ROPE and a value, and whether they are trusted."""
    columns: dict[str, Any] = {}
    good = np.ones(draws.shape[-1], dtype=bool)
    if rope is not None:
        low, high = check_rope(rope)
        found = {
            "below_rope": shares(draws < low, sampling, about),
            "in_rope": shares((draws >= low) & (draws <= high), sampling, about),
            "above_rope": shares(draws > high, sampling, about),
        }
        columns |= {name: part["share"] for name, part in found.items()}
        columns["mcse_rope"] = np.max([part["mcse"] for part in found.values()], axis=0)
        good &= np.all([part["trusted"] for part in found.values()], axis=0)
    if comp_val is not None:
        value = check_comp_val(comp_val)
        part = shares(draws > value, sampling, about)
        columns |= {
            "comp_val": value,
            "above_comp_val": part["share"],
            "mcse_comp_val": part["mcse"],
        }
        good &= part["trusted"].to_numpy()
    return columns, good


def check_rope(rope: Rope) -> tuple[float, float]:
    """Return the bounds of a ROPE.

    Raises
    ------
    ArgumentError
        If they are not two numbers, the lower first.

    Examples
    --------
    >>> check_rope((-5, 5))
    (-5.0, 5.0)
    """
    try:
        low, high = (float(bound) for bound in rope)
    except (TypeError, ValueError):
        low = high = np.nan
    if not low < high:
        raise ArgumentError(f"rope={rope!r}: expected two numbers (low, high), the lower first")
    return low, high


def check_comp_val(comp_val: float) -> float:
    """Return a comparison value as a finite number."""
    if isinstance(comp_val, bool) or not isinstance(comp_val, (int, float, np.number)):
        raise ArgumentError(f"comp_val={comp_val!r}: expected a number")
    if not np.isfinite(comp_val):
        raise ArgumentError(f"comp_val={comp_val!r}: expected a finite number")
    return float(comp_val)
