r"""Do counts vary more than chance allows?  A ratio of variances, from arrays alone.

Rows of a stratum share their rate, covariates and offsets apart.  Given the stratum's total K,
binomial counts k_i are hypergeometric and Poisson counts multinomial: the rate itself drops out,
and

    S = sum_i (k_i - mu_i)^2

has an exact mean E0 and an exact variance V0, from factorial moments.  With M = sum n_i trials,

    E (k_1)_(r1) (k_2)_(r2) ... = (n_1)_(r1) (n_2)_(r2) ... (K)_(r) / (M)_(r),   r = r1 + r2 + ...

where (x)_(r) = x (x - 1) ... (x - r + 1); for Poisson counts with exposures e_i the powers of e_i
and of their sum stand for the factorials of n_i and M.  Small strata and small counts therefore
need no correction.  S is the score of beta-binomial and negative binomial counts against no extra
variance (Tarone 1979, doi:10.1093/biomet/66.3.585; Dean 1992, doi:10.2307/2290276).

phi = sum S / sum E0 is the ratio of variances, 1 for chance alone; the intra-trial correlation
rho, with Var k_i = n_i p (1 - p) (1 + (n_i - 1) rho), follows from it by

    E (S - E0) = rho p (1 - p) sum_i n_i (n_i - 1) (h_i + c / M^2),
    h_i = 1 - 2 n_i / M + sum_j n_j^2 / M^2,   c = (M - sum_j n_j^2 / M) M / (M - 1).

Its standard error is the larger of sqrt(V0) / E0 and one from sums by cluster, and its interval is
symmetric in log phi.  Covariates within strata are fitted by maximum likelihood; the means then are
first-order (McCullagh and Nelder 1989, doi:10.1007/978-1-4899-3242-6, chapter 12).

Letters: N rows, S strata, P covariates, G clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bambi_anova.screening.clusters import Stratified, degrees_of_freedom, variance_of_sum

Array = np.ndarray

STEPS = 50
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Repeats(Stratified):
    """Counts in strata, each with two rows or more and a total that can be divided in several ways.

    Attributes
    ----------
    counts : ndarray, shape (N,)
    trials : ndarray, shape (N,), or None
        ``None`` for Poisson counts.
    offset : ndarray, shape (N,)
        On the logit or log scale.
    covariates : ndarray, shape (N, P)
        What differs between rows of a stratum.
    """

    counts: Array
    trials: Array | None
    offset: Array
    covariates: Array


@dataclass(frozen=True)
class Dispersion:
    """How much counts vary, as a multiple of chance.

    Attributes
    ----------
    ratio, low, high : float
        phi and its interval.
    unit : float
        How much phi grows for a unit of ``correlation``.
    p_value : float
        Of no extra variance, one-sided.
    df : float
    """

    ratio: float
    low: float
    high: float
    unit: float
    p_value: float
    df: float

    @property
    def correlation(self) -> tuple[float, ...]:
        """The intra-trial correlation rho of proportions with its interval.

        Of Poisson counts 1 / alpha, the squared coefficient of variation of the rates.
        """
        return tuple((value - 1) / self.unit for value in (self.ratio, self.low, self.high))


def estimate_dispersion(repeats: Repeats, ci_prob: float = 0.95) -> Dispersion:
    """Estimate phi, with an interval."""
    from scipy import special

    mean, expected = expected_squares(repeats)
    squares = (repeats.counts - mean) ** 2
    chance = float(expected.sum())
    ratio = float(squares.sum()) / chance
    robust = variance_of_sum(squares - ratio * expected, repeats.clusters)
    exact = float(chance_variance(repeats).sum())
    df = degrees_of_freedom(repeats.clusters)
    unit = float(correlated_squares(repeats, mean).sum()) / chance
    if ratio == 0:
        return Dispersion(0.0, 0.0, np.inf, unit, 1.0, df)
    error = np.sqrt(max(robust, exact * ratio**2)) / chance / ratio
    reach = float(special.stdtrit(df, (1 + ci_prob) / 2)) * error
    low, high = ratio * float(np.exp(-reach)), ratio * float(np.exp(reach))
    tail = float(special.stdtr(df, -np.log(ratio) / error))
    return Dispersion(ratio, low, high, unit, tail, df)


def expected_squares(repeats: Repeats) -> tuple[Array, Array]:
    """Return the counts' means given the strata's totals, and their variances; (N,), (N,)."""
    mean, variance, leverage = _fit(repeats)
    expected = variance * (1 - leverage)
    if repeats.trials is not None:
        many = repeats.total(repeats.trials)
        expected = expected * (many / (many - 1))[repeats.strata]
    return mean, expected


def _fit(repeats: Repeats) -> tuple[Array, Array, Array]:
    """Fit one rate to each stratum and slopes to all; return mean, variance and leverage."""
    s, z, total = repeats.strata, repeats.covariates, repeats.total
    sizes = np.ones(len(s)) if repeats.trials is None else repeats.trials
    moments = _poisson if repeats.trials is None else _binomial
    rate = total(repeats.counts) / total(sizes)
    level = np.log(rate) if repeats.trials is None else np.log(rate / (1 - rate))
    slopes = np.zeros(z.shape[1])
    for _ in range(STEPS):
        mean, variance = moments(level[s] + repeats.offset + z @ slopes, sizes)
        weight = total(variance)
        # Levels are solved for within strata, which leaves the slopes' own small system.
        means = (
            np.stack([total(variance * column) / weight for column in z.T], axis=1)
            if z.shape[1]
            else np.zeros((repeats.size, 0))
        )
        centred = z - means[s]
        solve = np.linalg.pinv(centred.T @ (variance[:, None] * centred))
        step = solve @ (centred.T @ (repeats.counts - mean))
        shift = total(repeats.counts - mean) / weight - means @ step
        if max(np.abs(shift).max(), np.abs(step).max(initial=0)) < TOLERANCE:
            break
        # Short steps: far out the variances vanish, and with them what the next step rests on.
        level, slopes = level + np.clip(shift, -1, 1), slopes + np.clip(step, -1, 1)
    leverage = variance / weight[s] + variance * ((centred @ solve) * centred).sum(axis=1)
    return mean, variance, leverage


def _binomial(eta: Array, trials: Array) -> tuple[Array, Array]:
    rate = 1 / (1 + np.exp(-eta))
    return trials * rate, trials * rate * (1 - rate)


def _poisson(eta: Array, sizes: Array) -> tuple[Array, Array]:
    mean = sizes * np.exp(eta)
    return mean, mean


def chance_variance(repeats: Repeats) -> Array:
    """Return the exact variance V0 of each stratum's S, given its total; shape (S,).

    Rates that covariates (or, for proportions, offsets) set apart are taken as equal.
    """
    total, s = repeats.total, repeats.strata
    size = np.exp(repeats.offset) if repeats.trials is None else repeats.trials
    whole, sum_ = total(repeats.counts), total(size)
    # (n)_(r) of trials, and powers of exposures.
    less = 0.0 if repeats.trials is None else 1.0
    n2 = size * (size - less)
    n3 = n2 * (size - 2 * less)
    n4 = n3 * (size - 3 * less)
    f = np.ones((5, repeats.size))
    for r in range(1, 5):
        # No stratum of fewer than r trials has r of them drawn.
        divisor = np.maximum(sum_ - (r - 1) * less, 1e-300)
        f[r] = f[r - 1] * np.maximum(whole - (r - 1), 0) / divisor
    # (k - mu)^2 = (k)_(2) + b k + mu^2; the products below are written in factorials.
    b = 1 - 2 * size * (whole / sum_)[s]
    first = f[2] * total(n2) + f[1] * total(b * size)
    same = (
        f[4] * total(n4)
        + f[3] * total((4 + 2 * b) * n3)
        + f[2] * total((2 + 4 * b + b * b) * n2)
        + f[1] * total(b * b * size)
    )
    pairs = (
        f[4] * (total(n2) ** 2 - total(n2 * n2))
        + 2 * f[3] * (total(n2) * total(b * size) - total(n2 * b * size))
        + f[2] * (total(b * size) ** 2 - total((b * size) ** 2))
    )
    return np.maximum(same + pairs - first**2, 0.0)


def correlated_squares(repeats: Repeats, mean: Array) -> Array:
    """Return how much each stratum's S grows for one unit of rho, or of 1 / alpha; shape (S,)."""
    total = repeats.total
    whole = total(repeats.counts)
    if repeats.trials is None:
        share = mean / whole[repeats.strata]
        h = 1 - 2 * share + total(share**2)[repeats.strata]
        return whole * (whole - 1) * total(share**2 * h)
    n = repeats.trials
    many, squares = total(n), total(n**2)
    h = 1 - 2 * n / many[repeats.strata] + (squares / many**2)[repeats.strata]
    c = (many - squares / many) * many / (many - 1)
    spread = whole * (many - whole) / (many * (many - 1))  # unbiased for p (1 - p)
    return spread * total(n * (n - 1) * (h + (c / many**2)[repeats.strata]))
