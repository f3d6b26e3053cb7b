"""Quantities -> tables: summaries, shares beside a ROPE or a comparison value, and verdicts.

Letters: K quantities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.shares import shares
from bambi_anova.posterior.summary import label, summarise
from bambi_anova.posterior.trust import Sampling
from bambi_anova.tables.printing import Table

Rope = Sequence[float]


def quantity_table(
    quantities: Quantities,
    sampling: Sampling,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    rope: Rope | None = None,
    comp_val: float | None = None,
) -> pd.DataFrame:
    """Return what is known of some quantities, a row each.

    Parameters
    ----------
    quantities : Quantities
    sampling : Sampling
    ci_prob : float
    ci_kind : {"hdi", "eti"}
    rope : sequence of two floats, optional
        Region of practical equivalence; its bounds belong to it.
    comp_val : float, optional
        Comparison value.

    Returns
    -------
    pandas.DataFrame
        The columns of ``tables.label``.  With ``rope`` also ``below_rope``, ``in_rope``,
        ``above_rope`` (shares of the posterior) and ``mcse_rope`` (the largest of their Monte
        Carlo errors); with ``comp_val`` also ``comp_val``, ``above_comp_val`` and
        ``mcse_comp_val``.  A row then is ``trusted`` only if its shares are.

    Raises
    ------
    ArgumentError
        If ``rope``, ``comp_val`` or the interval cannot be used.
    """
    draws = quantities.draws
    summary = summarise(draws, ci_prob, ci_kind, sampling.weighting, quantities.null)
    table = label(
        summary,
        quantities.labels,
        quantities.population,
        quantities.scale,
        quantities.supported,
        sampling,
    )
    effective = summary[["ess_bulk", "ess_tail"]].min(axis=1).to_numpy()
    place = table.columns.tolist().index("pd") + 1
    columns: dict[str, Any] = {}
    good = np.ones(len(table), dtype=bool)
    if rope is not None:
        low, high = check_rope(rope)
        found = {
            "below_rope": shares(draws < low, sampling, effective),
            "in_rope": shares((draws >= low) & (draws <= high), sampling, effective),
            "above_rope": shares(draws > high, sampling, effective),
        }
        columns |= {name: part["share"] for name, part in found.items()}
        columns["mcse_rope"] = np.max([part["mcse"] for part in found.values()], axis=0)
        good &= np.all([part["trusted"] for part in found.values()], axis=0)
    if comp_val is not None:
        value = check_comp_val(comp_val)
        part = shares(draws > value, sampling, effective)
        columns |= {
            "comp_val": value,
            "above_comp_val": part["share"],
            "mcse_comp_val": part["mcse"],
        }
        good &= part["trusted"].to_numpy()
    for offset, (name, values) in enumerate(columns.items()):
        table.insert(place + offset, name, values)
    table["trusted"] &= good
    return Table(table)


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
