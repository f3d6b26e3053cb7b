"""Diagnostics -> verdicts, for a fit and for every quantity that it reports.

The promise is one-sided: a trusted quantity is within 0.15 posterior sd of the truth in mean and
within 15% in sd.  Whatever the method, Monte Carlo errors of mean and sd must be so small that the
promise holds nearly four times over, and effective sample sizes of bulk and tails at least 400
(Vehtari et al. 2021, doi:10.1214/20-BA1221); bounds of intervals may be no less sure than the
promise.  Chains must agree as well: R-hat of split, rank-normalised draws at most 1.01.

That errors can be believed, tails must allow: those of what is averaged, in the draws and with
their weights, must have a Pareto k of at most 0.7 for the mean to settle (Vehtari et al. 2024,
arXiv:1507.02646).  The sd is made of squared distances from the mean, whose k is twice that of
the draws: of a quantity without a variance any finite sample shows an sd.  Where its k is
below 0.7 the sd settles, but more slowly than its Monte Carlo error, which supposes a variance,
says: the error is widened by what the k costs, and held to a third of the promise.

Where errors alone are in the way, more draws help, and quick fits make them of their own accord.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.errors import listing
from bambi_anova.posterior.importance import Weighting

Array = np.ndarray

#: What is promised of trusted quantities: their error in mean, in posterior sds, and in sd.
PROMISE = 0.15
MAX_R_HAT = 1.01
MIN_ESS = 400
MAX_PARETO_K = 0.7
#: Monte Carlo error of mean and sd, in posterior sds.
MAX_ERROR = 0.04
#: Monte Carlo error of the sd, widened for a tail that lets it settle slowly.
MAX_WIDENED_ERROR = PROMISE / 3
#: What errors are to be, as a part of the most they may be, when draws are made to lower them.
SPARE = 0.9
#: Monte Carlo error of an interval's bounds, in posterior sds.
MAX_BOUND_ERROR = PROMISE
#: Monte Carlo error of a share of draws: that of an even chance at 400 effective draws.
MAX_SHARE_ERROR = 0.5 / MIN_ESS**0.5


def max_pareto_k(draws: int) -> float:
    """Return the tail shape up to which that many importance weights have a mean that settles.

    It is min(1 - 1 / log10(draws), 0.7), as in Vehtari et al. (2024, arXiv:1507.02646).
    """
    return min(1 - 1 / np.log10(draws), MAX_PARETO_K)


def widening(k: Array, draws: Array) -> Array:
    """Return how many times larger than its Monte Carlo error the error of an average is.

    The squared error of a mean falls with the number of draws S as S to the minus a convergence
    rate, 1 for short tails and 0 for a Pareto k of 1 (Vehtari et al. 2024, arXiv:1507.02646,
    section 3.2); Monte Carlo errors suppose a rate of 1.

    Parameters
    ----------
    k : ndarray
        Tail shape of what is averaged.
    draws : ndarray of that shape

    Examples
    --------
    >>> widening(np.array([-0.2, 0.3, 0.5, 0.7]), np.full(4, 4000.0)).round(2).tolist()
    [1.0, 1.06, 1.65, 5.59]
    """
    k, draws = np.broadcast_arrays(np.asarray(k, float), np.asarray(draws, float))
    # At 1/2 itself the formula is 0 / 0.
    inner = np.where(np.abs(k - 0.5) < 1e-4, 0.5 + 1e-4, np.clip(k, 1e-9, 1 - 1e-9))
    power = draws ** (2 * inner)
    rate = 2 * (inner - 1) * draws * power + (1 - 2 * inner) * power + draws**2
    rate = np.clip(rate / ((draws - 1) * (draws - power)), 0.0, 1.0)
    return np.where(np.isnan(k), np.nan, draws ** ((1 - rate) / 2))


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
    missed : str
        What a search for further modes found that the draws have not, in words; empty if nothing.
    random_seed : int or None
        The seed that was given.
    draws : int or None
        Draws a chain to begin with: there are more where a quick fit found that they were needed.
    """

    method: str
    divergences: int
    seconds: float
    sampling_seconds: float | None = None
    weighting: Weighting | None = None
    missed: str = ""
    random_seed: int | None = None
    draws: int | None = None


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether something may be trusted, and the reasons if not.

    As text, and compared with text, it is "trusted" or "not trusted".

    Attributes
    ----------
    reasons : tuple of str
        What is wrong, in words; empty if nothing is.
    reservations : tuple of str
        What is wrong with parameters that tables of effects do not report, such as a sigma: the
        rest may be trusted.

    Examples
    --------
    >>> verdict = Verdict(("Pareto k 0.91 (above 0.7)",))
    >>> verdict.trusted, verdict
    (False, not trusted: Pareto k 0.91 (above 0.7))
    >>> verdict = Verdict(reservations=("R-hat up to 1.013 (above 1.01) for 1|A_sigma",))
    >>> verdict.trusted, verdict
    (True, trusted, but: R-hat up to 1.013 (above 1.01) for 1|A_sigma)
    """

    reasons: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether there is no reason for distrust."""
        return not self.reasons

    def __str__(self) -> str:
        return "trusted" if self.trusted else "not trusted"

    def __repr__(self) -> str:
        words = "; ".join([*self.reasons, *self.reservations])
        return f"{self}{', but' if self.trusted else ''}: {words}" if words else str(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Verdict):
            return (self.reasons, self.reservations) == (other.reasons, other.reservations)
        return str(self) == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))


def is_trusted(summary: pd.DataFrame, sampling: Sampling) -> np.ndarray:
    """Judge each row of a table.

    Parameters
    ----------
    summary : pandas.DataFrame
        With the columns of ``summary.diagnose``; ``r_hat`` is not looked at for
        importance-weighted draws.
    sampling : Sampling

    Returns
    -------
    ndarray of bool
        Whether there was no divergence, no mode was missed and the row meets all thresholds.  A
        quantity that the model holds constant (sd of zero) has no Monte Carlo error to judge.

    Examples
    --------
    >>> from bambi_anova.posterior.summary import diagnose
    >>> draws = np.random.default_rng(1).normal(size=(4, 1000, 2))
    >>> draws[0, :, 1] += 1  # a chain of its own
    >>> is_trusted(diagnose(draws), Sampling("nutpie", divergences=0, seconds=1.0)).tolist()
    [True, False]
    """
    constant = summary["sd"] == 0
    whole = sampling.divergences == 0 and not sampling.missed
    good = np.ones(len(summary), dtype=bool) & whole
    for failed in _failures(summary, sampling).values():
        good &= ~failed | constant
    if sampling.weighting is not None and sampling.weighting.pareto_k > MAX_PARETO_K:
        good &= constant
    return np.asarray(good, dtype=bool)


def times_needed(summary: pd.DataFrame, most: int) -> int:
    """Return how many times as many draws would make errors small enough.

    Rows whose tails let nothing settle, or whose errors ``most`` times as many draws would leave
    too large, do not count: 1 if there are no others.

    Parameters
    ----------
    summary : pandas.DataFrame
        As for ``is_trusted``.
    most : int

    Examples
    --------
    >>> from bambi_anova.posterior.summary import diagnose
    >>> draws = np.random.default_rng(1).normal(size=(4, 100, 1))
    >>> times_needed(diagnose(draws), 4), times_needed(diagnose(draws), 1)
    (2, 1)
    """
    light = summary[["pareto_k", "pareto_k_sd"]].max(axis=1, skipna=False) <= MAX_PARETO_K
    rows = summary[light & (summary["sd"] > 0)]
    needed = np.zeros(len(rows), dtype=int)
    for times in range(most, 0, -1):
        needed[_precise(rows, times)] = times
    return int(needed.max(initial=1))


def _precise(rows: pd.DataFrame, times: int) -> Array:
    """Tell which errors would be small enough with so many times as many draws."""
    spare = SPARE if times > 1 else 1.0
    sd = spare * rows["sd"]
    error = rows[["mcse_mean", "mcse_sd"]].max(axis=1) / times**0.5
    good = (error <= MAX_ERROR * sd) & (rows["mcse_bounds"] / times**0.5 <= MAX_BOUND_ERROR * sd)
    good &= _widened(rows, times) <= spare * MAX_WIDENED_ERROR
    good &= rows[["ess_bulk", "ess_tail"]].min(axis=1) * times * spare >= MIN_ESS
    return good.to_numpy()


def judge(
    summary: pd.DataFrame, sampling: Sampling, nuisance: Collection[str] = frozenset()
) -> Verdict:
    """Judge a fit by all of its quantities, and say in words what is wrong with it.

    Parameters
    ----------
    summary : pandas.DataFrame
        As for ``is_trusted``, with the quantities' names as index.
    sampling : Sampling
    nuisance : collection of str
        Names of quantities that are reported only as such: what is wrong with them alone is a
        reservation.
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
    found += [sampling.missed] if sampling.missed else []
    apart = summary.index.isin(list(nuisance))
    found += _complaints(summary[~apart], sampling)
    return Verdict(tuple(found), tuple(_complaints(summary[apart], sampling)))


def _complaints(summary: pd.DataFrame, sampling: Sampling) -> list[str]:
    """Say which quantities miss which threshold."""
    moving = summary["sd"] != 0
    failures = {name: failed & moving for name, failed in _failures(summary, sampling).items()}
    return [
        _WORDS[name](summary[failed], sampling) for name, failed in failures.items() if failed.any()
    ]


def _failures(summary: pd.DataFrame, sampling: Sampling) -> dict[str, pd.Series]:
    """Return for each threshold which rows miss it; missing values count as missed."""
    error = summary[["mcse_mean", "mcse_sd"]].max(axis=1, skipna=False)
    tested = {
        "slow": summary["r_hat"] <= MAX_R_HAT,
        "few": (summary["ess_bulk"] >= MIN_ESS) & (summary["ess_tail"] >= MIN_ESS),
        "noisy": error <= MAX_ERROR * summary["sd"],
        "unsettled": ~_unsettled(summary),
        "loose": summary["mcse_bounds"] <= MAX_BOUND_ERROR * summary["sd"],
        "heavy": summary["pareto_k"] <= MAX_PARETO_K,
        "endless": summary["pareto_k_sd"] <= MAX_PARETO_K,
    }
    if sampling.weighting is not None:
        # Parts of one weighted sample share their proposal: what sets them apart is in the errors.
        del tested["slow"]
    return {name: ~good for name, good in tested.items()}


def _widened(summary: pd.DataFrame, times: int = 1) -> pd.Series:
    """Return the error of the sd, in sds, widened for the tail of squared distances.

    With ``times``, what it would be with so many times as many draws.
    """
    k, draws = summary["pareto_k_sd"].to_numpy(), times * summary["ess_bulk"].to_numpy()
    return summary["mcse_sd"] / times**0.5 * widening(k, draws) / summary["sd"]


def _unsettled(summary: pd.DataFrame) -> pd.Series:
    """Tell which rows have an error that is small enough but for a tail that is light enough.

    What misses one of these two has its own words.
    """
    small = summary["mcse_sd"] <= MAX_ERROR * summary["sd"]
    light = summary["pareto_k_sd"] <= MAX_PARETO_K
    return small & light & (_widened(summary) > MAX_WIDENED_ERROR)


def _slow(rows: pd.DataFrame, sampling: Sampling) -> str:
    return (
        f"R-hat up to {rows['r_hat'].max():.3f} (above {MAX_R_HAT}) for {listing(rows.index)}: "
        "the chains disagree; raise tune and draws"
    )


def _few(rows: pd.DataFrame, sampling: Sampling) -> str:
    sizes = rows[["ess_bulk", "ess_tail"]].fillna(0.0)  # there is none where draws do not vary
    least = int(sizes.to_numpy().min())  # 399.6 is not 400
    return (
        f"effective sample size down to {least} (below {MIN_ESS}) for "
        f"{listing(rows.index)}: {_remedy(sampling)}"
    )


def _noisy(rows: pd.DataFrame, sampling: Sampling) -> str:
    error = rows[["mcse_mean", "mcse_sd"]].max(axis=1) / rows["sd"]
    return (
        f"Monte Carlo error up to {error.max():.2g} sd (above {MAX_ERROR}) for "
        f"{listing(rows.index)}: {_remedy(sampling)}"
    )


def _settling(rows: pd.DataFrame, sampling: Sampling) -> str:
    return (
        f"Monte Carlo error of sds up to {_widened(rows).max():.2g} sd (above "
        f"{MAX_WIDENED_ERROR:.2g}) with what heavy tails add to it (Pareto k of squared distances "
        f"up to {rows['pareto_k_sd'].max():.2g}) for {listing(rows.index)}: {_remedy(sampling)}"
    )


def _loose(rows: pd.DataFrame, sampling: Sampling) -> str:
    error = rows["mcse_bounds"] / rows["sd"]
    return (
        f"Monte Carlo error of interval bounds up to {error.max():.2g} sd (above "
        f"{MAX_BOUND_ERROR}) for {listing(rows.index)}: {_remedy(sampling)}"
    )


def _heavy(rows: pd.DataFrame, sampling: Sampling) -> str:
    return (
        f"Pareto k up to {rows['pareto_k'].max():.3g} (above {MAX_PARETO_K}) for "
        f"{listing(rows.index)}: tails too heavy for a mean to settle"
    )


def _endless(rows: pd.DataFrame, sampling: Sampling) -> str:
    return (
        f"Pareto k of squared distances up to {rows['pareto_k_sd'].max():.3g} (above "
        f"{MAX_PARETO_K}) for {listing(rows.index)}: tails too heavy for an sd to settle"
    )


def _remedy(sampling: Sampling) -> str:
    return "raise draws" if sampling.weighting is None else "confirm with NUTS or raise draws"


_WORDS = {
    "slow": _slow,
    "few": _few,
    "noisy": _noisy,
    "unsettled": _settling,
    "loose": _loose,
    "heavy": _heavy,
    "endless": _endless,
}
