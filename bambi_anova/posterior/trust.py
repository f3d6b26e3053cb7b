"""Diagnostics -> verdicts, for a fit and for every quantity that it reports.

The promise is one-sided: a trusted quantity is within 0.15 posterior sd of the truth in mean and
within 15% in sd.  Chains are judged as in Vehtari et al. (2021, doi:10.1214/20-BA1221): R-hat of
split, rank-normalised draws at most 1.01, bulk and tail effective sample sizes of at least 400.
Importance-weighted draws must have Monte Carlo errors of mean and sd so small that the promise
holds nearly four times over, and weights whose tail lets these errors be believed: Pareto k at
most 0.7 (Vehtari et al. 2024, arXiv:1507.02646).  A quantity whose own draws have a tail of
k > 0.7 has no mean to speak of, whatever the method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.errors import listing
from bambi_anova.posterior.importance import Weighting

#: What is promised of trusted quantities: their error in mean, in posterior sds, and in sd.
PROMISE = 0.15
MAX_R_HAT = 1.01
MIN_ESS = 400
MAX_PARETO_K = 0.7
#: Monte Carlo error of mean and sd, in posterior sds.
MAX_ERROR = 0.04
#: Monte Carlo error of a share of draws: that of an even chance at 400 effective draws.
MAX_SHARE_ERROR = 0.5 / MIN_ESS**0.5


def max_pareto_k(draws: int) -> float:
    """Return the tail shape up to which that many importance weights have a mean that settles.

    It is min(1 - 1 / log10(draws), 0.7), as in Vehtari et al. (2024, arXiv:1507.02646).
    """
    return min(1 - 1 / np.log10(draws), MAX_PARETO_K)


@dataclass(frozen=True)
class Sampling:
    """What is known of a fit as a whole.

    Attributes
    ----------
    method : str
        Inference method, such as "nutpie" or "laplace".
    divergences : int
        Divergent transitions after tuning.
    seconds : float
        Time of the whole fit.
    sampling_seconds : float or None
        Time of the sampling itself, without compiling, where the sampler tells.
    weighting : Weighting or None
        Where importance-weighted draws come from; ``None`` for Markov chains.
    """

    method: str
    divergences: int
    seconds: float
    sampling_seconds: float | None = None
    weighting: Weighting | None = None


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether something may be trusted, and the reasons if not.

    As text, and compared with text, it is "trusted" or "not trusted".

    Attributes
    ----------
    reasons : tuple of str
        What is wrong, in words; empty if nothing is.

    Examples
    --------
    >>> verdict = Verdict(("Pareto k 0.91 (above 0.7)",))
    >>> verdict.trusted, verdict
    (False, not trusted: Pareto k 0.91 (above 0.7))
    """

    reasons: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether there is no reason for distrust."""
        return not self.reasons

    def __str__(self) -> str:
        return "trusted" if self.trusted else "not trusted"

    def __repr__(self) -> str:
        return str(self) if self.trusted else f"{self}: {'; '.join(self.reasons)}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Verdict):
            return self.reasons == other.reasons
        return str(self) == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))


def is_trusted(summary: pd.DataFrame, sampling: Sampling) -> np.ndarray:
    """Judge each row of a table.

    Parameters
    ----------
    summary : pandas.DataFrame
        With columns ``sd``, ``r_hat``, ``ess_bulk`` and ``ess_tail``; for importance-weighted
        draws also ``mcse_mean``, ``mcse_sd`` and ``pareto_k``.
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
    constant = summary["sd"] == 0
    good = np.ones(len(summary), dtype=bool) & (sampling.divergences == 0)
    for failed in _failures(summary, sampling).values():
        good &= ~failed | constant
    if sampling.weighting is not None and sampling.weighting.pareto_k > MAX_PARETO_K:
        good &= constant
    return np.asarray(good, dtype=bool)


def judge(summary: pd.DataFrame, sampling: Sampling) -> Verdict:
    """Judge a fit by all of its quantities, and say in words what is wrong with it.

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
    if sampling.weighting is not None and sampling.weighting.pareto_k > MAX_PARETO_K:
        found.append(
            f"Pareto k of the importance weights {sampling.weighting.pareto_k:.3g} (above "
            f"{MAX_PARETO_K}): the approximation misses part of the posterior; confirm with "
            "inference_method='nuts'"
        )
    moving = summary["sd"] != 0
    for name, failed in _failures(summary, sampling).items():
        rows = summary[failed & moving]
        if len(rows):
            found.append(_WORDS[name](rows, sampling))
    return Verdict(tuple(found))


def _failures(summary: pd.DataFrame, sampling: Sampling) -> dict[str, pd.Series]:
    """Return for each threshold which rows miss it; missing values count as missed."""
    weighted = sampling.weighting is not None
    few = ~((summary["ess_bulk"] >= MIN_ESS) & (summary["ess_tail"] >= MIN_ESS))
    # Parts of one weighted sample share their proposal: what sets them apart is in the errors.
    failures = {"few": few} if weighted else {"slow": ~(summary["r_hat"] <= MAX_R_HAT), "few": few}
    if weighted:
        error = summary[["mcse_mean", "mcse_sd"]].max(axis=1, skipna=False)
        failures["noisy"] = ~(error <= MAX_ERROR * summary["sd"])
    if "pareto_k" in summary:
        failures["heavy"] = ~(summary["pareto_k"] <= MAX_PARETO_K)
    return failures


def _slow(rows: pd.DataFrame, sampling: Sampling) -> str:
    return (
        f"R-hat up to {rows['r_hat'].max():.3f} (above {MAX_R_HAT}) for {listing(rows.index)}: "
        "the chains disagree; raise tune and draws"
    )


def _few(rows: pd.DataFrame, sampling: Sampling) -> str:
    least = float(rows[["ess_bulk", "ess_tail"]].to_numpy().min())
    remedy = "raise draws" if sampling.weighting is None else "confirm with NUTS or raise draws"
    return (
        f"effective sample size down to {least:.0f} (below {MIN_ESS}) for "
        f"{listing(rows.index)}: {remedy}"
    )


def _noisy(rows: pd.DataFrame, sampling: Sampling) -> str:
    error = rows[["mcse_mean", "mcse_sd"]].max(axis=1) / rows["sd"]
    return (
        f"Monte Carlo error up to {error.max():.2f} sd (above {MAX_ERROR}) for "
        f"{listing(rows.index)}: confirm with NUTS or raise draws"
    )


def _heavy(rows: pd.DataFrame, sampling: Sampling) -> str:
    return (
        f"Pareto k up to {rows['pareto_k'].max():.3g} (above {MAX_PARETO_K}) for "
        f"{listing(rows.index)}: tails too heavy for a mean to settle"
    )


_WORDS = {"slow": _slow, "few": _few, "noisy": _noisy, "heavy": _heavy}
