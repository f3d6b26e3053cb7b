"""The log density in whitened coordinates and its gradient, compiled by numba.

``whitening`` says which map this is and ``program`` how it is written down.  Here the lists of
operations are carried out and gone back through, each operation handing the derivative in its
result on to what it was made from (reverse mode).  In between stand the rows' log-likelihoods.
Nothing here depends on a model, so that it is compiled once and for all.

numba is heavy: import this module late.  Addresses are unsigned: signed ones, which may count
from the end, keep the processor from taking several numbers at a time.

Letters: M rows, K predictors a row, H hyperparameters, N parameters, K nodes of a table or entries,
T operations of a list.  A bar, as in ``w_bar``, is the derivative of the log density in what stands
before it.
"""

import math

import numpy as np

from bambi_anova.engine.latent.scales import TINY
from bambi_anova.engine.nuts.rows import joint, once, row
from bambi_anova.engine.nuts.tape import (
    LOAD,
    LOG,
    ONE,
    ROOT,
    SCALE,
    SPREAD,
    SQUARE,
    SUM,
    TAKE,
    TIMES,
)
from bambi_anova.families.compiled import jit, jit_inside


@jit_inside
def log_density(
    theta, gradient, own, hyper, table, noise, sizes, before, eliminate, core, substitute,
    constants, origin, rows, start, index, value, entries, ends,
):  # fmt: skip
    """Return the log density at some parameters, a constant apart, and fill in its gradient.

    Parameters
    ----------
    theta, gradient : ndarray, shape (N,)
        Whitened hyperparameters, then the noise of the coordinates.
    own : ndarray, shape (7,)
        Of the likelihood: kind, power and reference of the curvature; which scales are its two
        further parameters (-1 for none), and their values otherwise.
    hyper : ndarray, shape (H, 7 + H)
        Bounds, start and step of the table, stretch and bend (see ``scales``), centre and factor
        of u.
    table : ndarray, shape (H, K, 4)
        Log prior densities as cubic pieces.
    noise : ndarray of int, shape (N - H,)
        Addresses of the noise.
    sizes : ndarray of int, shape (5,)
        Groups, ``own_memory``, ``group_memory``, ``own_constants`` and ``group_constants``.
    before, eliminate, core, substitute, constants : ndarray
        These and ``sizes`` as in ``program.Program``.
    origin : ndarray, shape (K M,)
        The K linear predictors of the rows where the coordinates are at their prior means.
    rows : ndarray, shape (4, M)
        y, trials, n, within.
    start, index, value : ndarray
        A as in a CSR matrix; its columns are addresses.
    entries, ends : ndarray
        What else the rows need; see ``families.likelihood.Observed.entries``.
    """
    h = hyper.shape[0]
    memory = sizes[1] + sizes[0] * sizes[2]
    w, w_bar, slopes = np.zeros(memory), np.zeros(memory), np.empty((2, h))
    total = _scales(theta, hyper, table, w, slopes)
    followed = int(own[3])
    w[h], w[h + 1], w[h + 2] = 1.0, -1.0, 1.0
    if own[1] != 0:
        w[h + 2] = (w[followed] / own[2]) ** own[1]
    for i in range(noise.shape[0]):
        w[noise[i]] = theta[h + i]
    total += _there(sizes, before, eliminate, core, substitute, constants, w)
    if origin.shape[0] == rows.shape[1]:
        total += _rows(own, origin, rows, start, index, value, entries, ends, w, w_bar)
    else:
        total += _joint_rows(own, origin, rows, start, index, value, w, w_bar)
    _back(sizes, before, eliminate, core, substitute, constants, w, w_bar)
    for i in range(noise.shape[0]):
        gradient[h + i] = w_bar[noise[i]]
    if own[1] != 0:
        w_bar[followed] += own[1] * w_bar[h + 2] * w[h + 2] / w[followed]
    for j in range(h):
        gradient[j] = 0.0
        for k in range(j, h):
            gradient[j] += hyper[k, 7 + j] * (w_bar[k] * slopes[0, k] + slopes[1, k])
    return total


@jit
def _scales(theta, hyper, table, w, slopes):
    """Put the scales where the memory begins; return the log prior.

    The slopes are those of each scale and of its log prior in its u.
    """
    total = 0.0
    for k in range(hyper.shape[0]):
        u = hyper[k, 6]
        for j in range(k + 1):
            u += hyper[k, 7 + j] * theta[j]
        lower, upper = hyper[k, 0], hyper[k, 1]
        slopes[0, k] = math.exp(u)
        w[k] = lower + slopes[0, k]
        stretch, bend = hyper[k, 4], hyper[k, 5]
        if stretch > 0:
            small = math.exp(-abs(bend - u))
            part = 1 / (1 + small) if bend > u else small / (1 + small)
            value = math.exp(u - stretch * (math.log1p(small) + max(bend - u, 0.0)))
            slopes[0, k] = value * (1 + stretch * part)
            w[k] = lower + max(value, TINY)
        if upper < np.inf:
            part = 1 / (1 + math.exp(-u))
            slopes[0, k] = (upper - lower) * part / (1 + slopes[0, k])
            w[k] = lower + (upper - lower) * part
        at = (u - hyper[k, 2]) / hyper[k, 3]
        # Written so that what is not a number stays within the table.
        node = int(min(at, table.shape[1] - 1.0)) if at > 0 else 0
        t = at - node
        a, b, c = table[k, node, 1], table[k, node, 2], table[k, node, 3]
        total += table[k, node, 0] + t * (a + t * (b + t * c))
        slopes[1, k] = (a + t * (2 * b + 3 * t * c)) / hyper[k, 3]
    return total


@jit_inside
def _there(sizes, before, eliminate, core, substitute, constants, w):
    """Carry out a program; return what it adds to the log density."""
    none = np.uint64(0)
    total = _run(before, w, constants, none, none)
    for g in range(sizes[0]):
        at, constants_at = sizes[1] + g * sizes[2], sizes[3] + g * sizes[4]
        total += _run(eliminate, w, constants, at, constants_at)
    total += _run(core, w, constants, none, none)
    for g in range(sizes[0]):
        at, constants_at = sizes[1] + g * sizes[2], sizes[3] + g * sizes[4]
        total += _run(substitute, w, constants, at, constants_at)
    return total


@jit_inside
def _back(sizes, before, eliminate, core, substitute, constants, w, w_bar):
    """Go back through a program."""
    none = np.uint64(0)
    for g in range(sizes[0]):
        at, constants_at = sizes[1] + g * sizes[2], sizes[3] + g * sizes[4]
        _run_back(substitute, w, w_bar, constants, at, constants_at)
    _run_back(core, w, w_bar, constants, none, none)
    for g in range(sizes[0]):
        at, constants_at = sizes[1] + g * sizes[2], sizes[3] + g * sizes[4]
        _run_back(eliminate, w, w_bar, constants, at, constants_at)
    _run_back(before, w, w_bar, constants, none, none)


@jit
def _run(tape, w, constants, at, constants_at):
    """Carry out a list of operations; return what it adds to the log density."""
    total = 0.0
    for t in range(tape.shape[0]):
        op, n = np.int64(tape[t, 0]), tape[t, 4]
        a, b, c = tape[t, 1] + at, tape[t, 2] + at, tape[t, 3]
        if op == TAKE:
            c += at
            for e in range(n):
                w[a + e] -= w[b + e] * w[c + e]
        elif op == TIMES:
            c += at
            for e in range(n):
                w[a + e] = w[b + e] * w[c + e]
        elif op == SUM:
            c += at
            w[a - at] -= _dot(w, b, w, c, n)
        elif op == SPREAD:
            for e in range(n):
                w[a + e] -= w[b + e] * w[c]
        elif op == SCALE:
            for e in range(n):
                w[a + e] = w[b + e] * w[c]
        elif op == LOAD:
            b += constants_at - at
            for e in range(n):
                w[a + e] = constants[b + e] * w[c]
        elif op == ONE:
            for e in range(n):
                w[a + e] += 1.0
        elif op == ROOT:
            for e in range(n):
                w[a + e] = 1 / math.sqrt(w[b + e])
        elif op == LOG:
            for e in range(n):
                total += math.log(w[a + e])
        elif op == SQUARE:
            for e in range(n):
                total -= w[a + e] * w[a + e] / 2
    return total


@jit
def _dot(x, a, y, b, n):
    """Return the sum of products of n numbers from addresses a and b on.

    Four sums at a time, in an order of its own, so that the processor may take them together and
    still round the same way in every build.
    """
    s, t, u, v = 0.0, 0.0, 0.0, 0.0
    whole = n - n % np.uint64(4)
    for e in range(np.uint64(0), whole, np.uint64(4)):
        i, j = a + e, b + e
        s += x[i] * y[j]
        t += x[i + np.uint64(1)] * y[j + np.uint64(1)]
        u += x[i + np.uint64(2)] * y[j + np.uint64(2)]
        v += x[i + np.uint64(3)] * y[j + np.uint64(3)]
    for e in range(whole, n):
        s += x[a + e] * y[b + e]
    return (s + t) + (u + v)


@jit
def _run_back(tape, w, w_bar, constants, at, constants_at):
    """Go back through a list of operations."""
    for t in range(tape.shape[0] - 1, -1, -1):
        op, n = np.int64(tape[t, 0]), tape[t, 4]
        a, b, c = tape[t, 1] + at, tape[t, 2] + at, tape[t, 3]
        if op in (TAKE, TIMES):
            c += at
            sign = 1.0 if op == TIMES else -1.0
            # Two loops: b and c may be the same.
            for e in range(n):
                w_bar[b + e] += sign * w_bar[a + e] * w[c + e]
            for e in range(n):
                w_bar[c + e] += sign * w_bar[a + e] * w[b + e]
        elif op == SUM:
            c += at
            bar = w_bar[a - at]
            for e in range(n):
                w_bar[b + e] -= bar * w[c + e]
            for e in range(n):
                w_bar[c + e] -= bar * w[b + e]
        elif op in (SPREAD, SCALE):
            sign = 1.0 if op == SCALE else -1.0
            scale = w[c] * sign
            w_bar[c] += sign * _dot(w_bar, a, w, b, n)
            for e in range(n):
                w_bar[b + e] += w_bar[a + e] * scale
        elif op == LOAD:
            w_bar[c] += _dot(w_bar, a, constants, b + constants_at - at, n)
        elif op == ROOT:
            for e in range(n):
                w_bar[b + e] -= w_bar[a + e] * w[a + e] * w[a + e] * w[a + e] / 2
        elif op == LOG:
            for e in range(n):
                w_bar[a + e] += 1 / w[a + e]
        elif op == SQUARE:
            for e in range(n):
                w_bar[a + e] -= w[a + e]


@jit
def _rows(own, origin, rows, start, index, value, entries, ends, w, w_bar):
    """Return the log-likelihood and hand its derivatives on."""
    kind, one, other = int(own[0]), int(own[3]), int(own[5])
    first = w[one] if one >= 0 else own[4]
    second = w[other] if other >= 0 else own[6]
    size = rows.shape[1]
    total, first_bar, second_bar = once(kind, first, second, entries, ends, size)
    for m in range(size):
        eta = origin[m]
        for k in range(start[m], start[m + 1]):
            eta += value[k] * w[index[k]]
        log, slope, by_first, by_second = row(
            kind, eta, rows[0, m], rows[1, m], rows[2, m], rows[3, m], first, second, entries,
            ends, m, size,
        )  # fmt: skip
        total += log
        first_bar += by_first
        second_bar += by_second
        for k in range(start[m], start[m + 1]):
            w_bar[index[k]] += value[k] * slope
    if one >= 0:
        w_bar[one] += first_bar
    if other >= 0:
        w_bar[other] += second_bar
    return total


@jit
def _joint_rows(own, origin, rows, start, index, value, w, w_bar):
    """Return the log-likelihood of rows of K predictors and hand its derivatives on."""
    kind, one, other = int(own[0]), int(own[3]), int(own[5])
    first = w[one] if one >= 0 else own[4]
    second = w[other] if other >= 0 else own[6]
    size = rows.shape[1]
    count = origin.shape[0] // size
    eta, slopes = np.empty(count), np.empty(count)
    total, first_bar, second_bar = 0.0, 0.0, 0.0
    for m in range(size):
        for j in range(count):
            at = j * size + m
            eta[j] = origin[at]
            for k in range(start[at], start[at + 1]):
                eta[j] += value[k] * w[index[k]]
        log, by_first, by_second = joint(
            kind, eta, slopes, rows[0, m], rows[1, m], rows[2, m], rows[3, m], first, second
        )
        total += log
        first_bar += by_first
        second_bar += by_second
        for j in range(count):
            at = j * size + m
            for k in range(start[at], start[at + 1]):
                w_bar[index[k]] += value[k] * slopes[j]
    if one >= 0:
        w_bar[one] += first_bar
    if other >= 0:
        w_bar[other] += second_bar
    return total
