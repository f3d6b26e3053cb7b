"""Log-likelihoods of single rows and their derivatives, compiled by numba.

The same functions as those of ``likelihoods``, which say what they mean; here one row at a time,
with the derivatives in the likelihood's further parameters as well.  numba is heavy: import this
module late.
"""

import math

import numba

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

# What is called from compiled code only needs no wrappers; what is called in one place only is
# compiled faster as a part of its caller.  No fast-math: the same seed gives the same draws.
_OPTIONS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
jit = numba.njit(**_OPTIONS)  # type: ignore[call-overload]
jit_inside = numba.njit(inline="always", **_OPTIONS)  # type: ignore[call-overload]


@jit
def row(kind, eta, y, trials, n, within, first, second):
    """Return log-likelihood, slope in eta, and slopes in the two further parameters."""
    if kind == 0:
        return _gaussian(eta, y, n, within, first)
    if kind == 1:
        return _logit(eta, y, trials)
    if kind == 2:
        return _probit(eta, y, trials)
    if kind == 3:
        return _cloglog(eta, y, trials)
    if kind == 4:
        rate = _exp(eta)
        return y * eta - rate, y - rate, 0.0, 0.0
    if kind == 5:
        return _negativebinomial(eta, y, n, first)
    if kind == 6:
        return _gamma(eta, y, n, first)
    if kind == 7:
        return _student(eta, y, n, first, second)
    return _beta(eta, y, n, first)


@jit
def _gaussian(eta, y, n, within, sigma):
    gap = y - eta
    squares = (n * gap * gap + within) / (sigma * sigma)
    log = -n * math.log(sigma) - squares / 2
    return log, n * gap / (sigma * sigma), (squares - n) / sigma, 0.0


@jit
def _logit(eta, y, trials):
    small = math.exp(-abs(eta))
    rate = 1 / (1 + small) if eta > 0 else small / (1 + small)
    log = y * eta - trials * (math.log1p(small) + max(eta, 0.0))
    return log, y - trials * rate, 0.0, 0.0


@jit
def _probit(eta, y, trials):
    above, below = _log_ndtr(eta), _log_ndtr(-eta)
    density = -eta * eta / 2 - _HALF_LOG_2PI
    log = y * above + (trials - y) * below
    slope = y * math.exp(density - above) - (trials - y) * math.exp(density - below)
    return log, slope, 0.0, 0.0


@jit
def _log_ndtr(eta):
    if eta > -30:
        return math.log(0.5 * math.erfc(-eta / math.sqrt(2.0)))
    inverse = 1 / (eta * eta)
    tail = inverse * (-1 + inverse * (3 - 15 * inverse))
    return -eta * eta / 2 - _HALF_LOG_2PI - math.log(-eta) + math.log1p(tail)


@jit
def _cloglog(eta, y, trials):
    hazard = _exp(eta)
    # Below this point log(1 - exp(-hazard)) is eta, and hazard / (exp(hazard) - 1) is one.
    if eta < -30:
        log, ratio = eta, 1.0
    else:
        log = math.log(-math.expm1(-hazard))
        ratio = hazard / math.expm1(hazard) if hazard < 700 else 0.0
    failures = trials - y
    return y * log - failures * hazard, y * ratio - failures * hazard, 0.0, 0.0


@jit
def _negativebinomial(eta, y, n, alpha):
    log_alpha = math.log(alpha)
    gap = eta - log_alpha
    small = math.exp(-abs(gap))
    part = 1 / (1 + small) if gap > 0 else small / (1 + small)
    shared = math.log1p(small) + max(gap, 0.0)
    log = math.lgamma(y + alpha) - math.lgamma(alpha) - alpha * shared + y * (gap - shared)
    slope = y - (y + alpha) * part
    by_alpha = _digamma(y + alpha) - _digamma(alpha) - shared - slope / alpha
    return n * log, n * slope, n * by_alpha, 0.0


@jit
def _gamma(eta, y, n, alpha):
    log_y = math.log(y)
    ratio = _exp(log_y - eta)
    scaled = math.log(alpha) - eta + log_y - ratio
    log = alpha * scaled - math.lgamma(alpha)
    return n * log, n * alpha * (ratio - 1), n * (scaled + 1 - _digamma(alpha)), 0.0


@jit
def _student(eta, y, n, sigma, nu):
    gap = y - eta
    square = (gap / sigma) ** 2
    tail = math.log1p(square / nu)
    half = (nu + 1) / 2
    log = math.lgamma(half) - math.lgamma(nu / 2) - math.log(nu) / 2 - math.log(sigma)
    weight = (nu + 1) / (nu + square)
    by_sigma = (weight * square - 1) / sigma
    by_nu = (_digamma(half) - _digamma(nu / 2) - 1 / nu - tail + weight * square / nu) / 2
    slope = weight * gap / (sigma * sigma)
    return n * (log - half * tail), n * slope, n * by_sigma, n * by_nu


@jit
def _beta(eta, y, n, kappa):
    small = math.exp(-abs(eta))
    mean, rest = 1 / (1 + small), small / (1 + small)
    if eta < 0:
        mean, rest = rest, mean
    a, b = kappa * mean, kappa * rest
    log_y, log_not = math.log(y), math.log1p(-y)
    log = math.lgamma(kappa) - math.lgamma(a) - math.lgamma(b)
    log += (a - 1) * log_y + (b - 1) * log_not
    up, down = log_y - _digamma(a), log_not - _digamma(b)
    by_kappa = _digamma(kappa) + mean * up + rest * down
    return n * log, n * kappa * mean * rest * (up - down), n * by_kappa, 0.0


@jit
def betabinomial(link, eta, once, both, c, entries, ends, m, size):
    """Return log-likelihood and slopes in eta and c of rows that share every predictor.

    Parameters
    ----------
    link : int
        0 for logit, 1 for probit, 2 for cloglog.
    eta, c : float
        The linear predictor; kappa or kappa - 2.
    once, both : float
        Successes and trials of the binomial part.
    entries, ends : ndarray
        As in ``kernel.log_density``.
    m, size : int
        Which of how many rows.
    """
    if link == 0:
        small = math.exp(-abs(eta))
        rate, rest = 1 / (1 + small), small / (1 + small)
        if eta < 0:
            rate, rest = rest, rate
        by_eta = rate * rest
        log, slope, _, _ = _logit(eta, once, both)
    elif link == 1:
        rate = 0.5 * math.erfc(-eta / math.sqrt(2.0))
        rest = 0.5 * math.erfc(eta / math.sqrt(2.0))
        by_eta = math.exp(-eta * eta / 2 - _HALF_LOG_2PI)
        log, slope, _, _ = _probit(eta, once, both)
    else:
        hazard = math.exp(max(min(eta, 30.0), -700.0))
        rate, rest = -math.expm1(-hazard), math.exp(-hazard)
        by_eta = hazard * rest
        log, slope, _, _ = _cloglog(eta, once, both)
    middle = size + m
    up, up_slope = factors(c * rate, entries, ends[m], ends[m + 1])
    down, down_slope = factors(c * rest, entries, ends[middle], ends[middle + 1])
    log += up + down + both * math.log(c)
    slope += c * by_eta * (up_slope - down_slope)
    return log, slope, rate * up_slope + rest * down_slope + both / c


@jit
def factors(x, entries, begin, end):
    """Return a sum of logs of factors, or of gamma functions, and its slope."""
    total, slope = 0.0, 0.0
    for k in range(begin, end):
        at, count = x + entries[0, k], entries[1, k]
        if entries[2, k] > 0:
            total += count * math.lgamma(at)
            slope += count * _digamma(at)
        else:
            total += count * math.log(at)
            slope += count / at
    return total, slope


@jit
def _digamma(x):
    """Return the derivative of log gamma at a positive number."""
    shift = 0.0
    while x < 8:
        shift -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    series = 1 / 12 - inverse * (
        1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132))
    )
    return shift + math.log(x) - 0.5 / x - inverse * series


@jit
def _exp(eta):
    return math.exp(min(eta, 300.0))
