r"""Does the rate depend on the number of trials?  A score test and interval, from arrays alone.

Row i of stratum s has k_i successes in n_i trials, k_i with mean n_i p_i and
logit p_i = theta_s + o_i + beta x_i, where theta_s is any number, o_i an offset and x_i the
number of trials on some scale.  With alpha_i = k_i exp(-(o_i + beta x_i) / 2) and
gamma_i = (n_i - k_i) exp((o_i + beta x_i) / 2) every pair of rows i, j of a stratum has

    E alpha_i gamma_j = E alpha_j gamma_i    (i != j)

because p_i (1 - p_j) / (p_j (1 - p_i)) = exp(o_i - o_j + beta (x_i - x_j)), so that

    g(beta) = sum_s (1 / 2 n_s) sum_{i, j in s} (x_i - x_j) (alpha_i gamma_j - alpha_j gamma_i)

has mean zero at the true beta, whatever theta_s is, however few rows a stratum has and however
much more the k_i vary than binomial counts, as long as rows of a stratum are independent.  It is
the estimating function of Mantel and Haenszel (1959, doi:10.1093/jnci/22.4.719) with numbers as
exposures, a pairwise conditioning on strata (Liang and Qin 2000, J. R. Stat. Soc. B 62, 773-786).
At beta = 0 it is the score of conditional logistic regression, and the mean of -g'(0) given the
strata's totals is that score's hypergeometric variance.  All sums over pairs are products of sums
over rows.

Its variance comes from sums by cluster, t with G - 1 degrees of freedom judges it: a test that
keeps its level for clusters of unequal information (Ibragimov and Müller 2010,
doi:10.1198/jbes.2009.08046).  The interval holds every beta that the test does not reject.

Letters: N rows, S strata, G clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bambi_anova.screening.clusters import Stratified, degrees_of_freedom, variance_of_sum

Array = np.ndarray

#: Effects for one sd of x are sought up to this; beyond it the odds say "separated".
FARTHEST = 12.0


@dataclass(frozen=True)
class Counts(Stratified):
    """Rows with successes, trials and the number that the rate may depend on.

    Every row has trials, and every stratum successes, failures and more than one value of x.

    Attributes
    ----------
    successes, trials, x, offset : ndarray, shape (N,)
    """

    successes: Array
    trials: Array
    x: Array
    offset: Array


@dataclass(frozen=True)
class Score:
    """The estimating function at one beta: its value, minus its slope and its variance."""

    value: float
    information: float
    variance: float

    @property
    def t(self) -> float:
        """Value over standard error; zero where there is no information."""
        return self.value / np.sqrt(self.variance) if self.variance > 0 else 0.0


def score_at(counts: Counts, beta: float) -> Score:
    """Evaluate the estimating function; its variance is the larger of the clusters' and chance's.

    Examples
    --------
    >>> from bambi_anova.screening.clusters import Clusters
    >>> one = np.array([0, 0])
    >>> counts = Counts(
    ...     np.array([1.0, 2.0]), np.array([4.0, 4.0]), np.array([0.0, 1.0]), np.zeros(2),
    ...     strata=one, size=1, clusters=[Clusters(1, one, 1)],
    ... )
    >>> score_at(counts, 0.0).value  # two of three successes where half of them are expected
    0.5
    """
    half = np.exp((counts.offset + beta * counts.x) / 2)
    alpha, gamma = counts.successes / half, (counts.trials - counts.successes) * half
    x, total = counts.x, counts.total
    n, a, b = total(counts.trials), total(alpha), total(gamma)
    a1, b1 = total(x * alpha), total(x * gamma)
    a2, b2 = total(x * x * alpha), total(x * x * gamma)
    g = (a1 * b - a * b1) / n
    s = counts.strata
    # Each row's part in the sum: a derivative in its own counts, less its share of the sum,
    # which by Euler's rule the derivatives hold twice.
    parts = alpha * (x * b[s] - b1[s]) - gamma * (x * a[s] - a1[s])
    parts = parts / n[s] - counts.trials / n[s] * g[s]
    information = float(((a2 * b - 2 * a1 * b1 + a * b2) / (2 * n)).sum())
    variance = variance_of_sum(parts, counts.clusters)
    return Score(float(g.sum()), information, max(variance, information))


@dataclass(frozen=True)
class Dependence:
    """The effect of x on the log odds.

    Attributes
    ----------
    estimate, low, high : float
        Infinite where the data set no bound.
    p_value : float
        Of no effect, two-sided.
    df : float
    """

    estimate: float
    low: float
    high: float
    p_value: float
    df: float


def p_value(counts: Counts) -> float:
    """Return the two-sided p-value of no dependence on x."""
    from scipy import special

    df = degrees_of_freedom(counts.clusters)
    return float(2 * special.stdtr(df, -abs(score_at(counts, 0.0).t)))


def estimate_dependence(counts: Counts, ci_prob: float = 0.95) -> Dependence:
    """Estimate the effect of x, with the interval of the values that are not rejected.

    1 should be a usual difference of x.
    """
    from scipy import special

    df = degrees_of_freedom(counts.clusters)
    critical = float(special.stdtrit(df, (1 + ci_prob) / 2))
    estimate = _crossing(lambda beta: score_at(counts, beta).value, 0.0)
    centre = float(np.clip(estimate, -FARTHEST, FARTHEST))
    low = _crossing(lambda beta: score_at(counts, beta).t - critical, centre, side=-1)
    high = _crossing(lambda beta: score_at(counts, beta).t + critical, centre, side=+1)
    return Dependence(estimate, low, high, p_value(counts), df)


def _crossing(function: Callable[[float], float], start: float, side: int = 0) -> float:
    """Find where a falling function crosses zero, going out from a start; infinite if nowhere."""
    from scipy import optimize

    value = function(start)
    if value == 0:
        return start
    direction = side or (1 if value > 0 else -1)
    if side and np.sign(value) != side:
        return start  # of a separated estimate: the bound lies beyond what is sought
    near, step = start, 0.25
    while True:
        far = near + direction * step
        if abs(far) > FARTHEST:
            return direction * np.inf
        if np.sign(function(far)) != np.sign(value):
            return float(optimize.brentq(function, min(near, far), max(near, far), xtol=1e-6))
        near, step = far, 2 * step
