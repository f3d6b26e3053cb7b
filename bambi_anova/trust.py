"""Diagnostics -> verdicts, for a fit and for every quantity that it reports.

The thresholds are those of Vehtari et al. (2021, doi:10.1214/20-BA1221): R-hat of split,
rank-normalised draws at most 1.01, bulk and tail effective sample sizes of at least 400.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.errors import listing

MAX_R_HAT = 1.01
MIN_ESS = 400


@dataclass(frozen=True)
class Sampling:
    """What is known of a sampling run as a whole.

    Attributes
    ----------
    method : str
        Inference method, such as "nutpie".
    divergences : int
        Divergent transitions after tuning.
    seconds : float
        Time of the whole fit.
    sampling_seconds : float or None
        Time of the sampling itself, without compiling, where the sampler tells.
    """

    method: str
    divergences: int
    seconds: float
    sampling_seconds: float | None = None


def is_trusted(summary: pd.DataFrame, sampling: Sampling) -> np.ndarray:
    """Judge each row of a table.

    Parameters
    ----------
    summary : pandas.DataFrame
        With columns ``sd``, ``r_hat``, ``ess_bulk`` and ``ess_tail``.
    sampling : Sampling

    Returns
    -------
    ndarray of bool
        Whether there was no divergence and the row meets all thresholds.  A quantity that the
        model holds constant (sd of zero) has no Monte Carlo error to judge.

    Examples
    --------
    >>> table = pd.DataFrame({"sd": [1, 1], "r_hat": [1.0, 1.2], "ess_bulk": 900, "ess_tail": 900})
    >>> is_trusted(table, Sampling("nutpie", divergences=0, seconds=1.0)).tolist()
    [True, False]
    """
    mixed = (
        (summary["r_hat"] <= MAX_R_HAT)
        & (summary["ess_bulk"] >= MIN_ESS)
        & (summary["ess_tail"] >= MIN_ESS)
    )
    return ((mixed | (summary["sd"] == 0)) & (sampling.divergences == 0)).to_numpy(dtype=bool)


def complaints(summary: pd.DataFrame, sampling: Sampling) -> list[str]:
    """Say in words what is wrong with a fit; an empty list if nothing is.

    Parameters
    ----------
    summary : pandas.DataFrame
        As for ``is_trusted``, with the quantities' names as index.
    sampling : Sampling
    """
    found = []
    if sampling.divergences:
        found.append(
            f"{sampling.divergences} divergent transitions: parts of the posterior may be missed; "
            "sample with a higher target_accept, such as fit(target_accept=0.99)"
        )
    moving = summary[summary["sd"] > 0]
    slow = moving[moving["r_hat"] > MAX_R_HAT]
    if len(slow):
        found.append(
            f"R-hat up to {slow['r_hat'].max():.3f} (above {MAX_R_HAT}) for {listing(slow.index)}: "
            "the chains disagree; raise tune and draws"
        )
    few = moving[(moving["ess_bulk"] < MIN_ESS) | (moving["ess_tail"] < MIN_ESS)]
    if len(few):
        least = float(few[["ess_bulk", "ess_tail"]].to_numpy().min())
        found.append(
            f"effective sample size down to {least:.0f} (below {MIN_ESS}) for "
            f"{listing(few.index)}: raise draws"
        )
    return found
