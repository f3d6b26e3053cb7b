"""The log density in whitened coordinates and its gradient, compiled by numba.

``whitening`` says which map this is and ``program`` how it is written down.  Here the lists of
operations are carried out, and gone back through: each operation hands the derivative in its
result on to what it was made from (reverse mode).  In between stand the rows' log-likelihoods.

numba is heavy: import this module late.

Letters: M rows, H hyperparameters, K nodes of a prior's table, T operations of a list.  A bar, as
in ``w_bar``, is the derivative of the log density in what stands before it.
"""

import math

import numpy as np

from bambi_anova.latent import program as ops
from bambi_anova.latent.kernel_rows import jit, row

LOAD, ONE, TAKE, TIMES, ROOT = ops.LOAD, ops.ONE, ops.TAKE, ops.TIMES, ops.ROOT
SUM, SPREAD, SCALE, LOG, SQUARE = ops.SUM, ops.SPREAD, ops.SCALE, ops.LOG, ops.SQUARE

# Rows of ``scales`` (3, H): d log scale / du, d log prior / du.
LOG_SLOPE, PRIOR_SLOPE = range(2)


@jit
def run(tape, w, constants, at, constants_at):
    """Carry out a list of operations; return what it adds to the log density."""
    total = 0.0
    for t in range(tape.shape[0]):
        op, a, b, c, n = (
            np.int64(tape[t, 0]),
            tape[t, 1] + at,
            tape[t, 2] + at,
            tape[t, 3],
            tape[t, 4],
        )
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
            part = 0.0
            for e in range(n):
                part += w[b + e] * w[c + e]
            w[a - at] -= part
        elif op == SPREAD:
            scale = w[c]
            for e in range(n):
                w[a + e] -= w[b + e] * scale
        elif op == SCALE:
            scale = w[c]
            for e in range(n):
                w[a + e] = w[b + e] * scale
        elif op == LOAD:
            scale = w[c]
            b += constants_at - at
            for e in range(n):
                w[a + e] = constants[b + e] * scale
        elif op == ONE:
            for e in range(n):
                w[a + e] += 1.0
        elif op == ROOT:
            for e in range(n):
                w[a + e] = 1 / math.sqrt(w[b + e])
        elif op == LOG:
            for e in range(n):
                total += math.log(w[a + e])
        else:  # SQUARE
            for e in range(n):
                total -= w[a + e] * w[a + e] / 2
    return total


@jit
def run_back(tape, w, w_bar, constants, at, constants_at):
    """Go back through a list of operations."""
    for s in range(tape.shape[0]):
        t = tape.shape[0] - 1 - s
        op, a, b, c, n = (
            np.int64(tape[t, 0]),
            tape[t, 1] + at,
            tape[t, 2] + at,
            tape[t, 3],
            tape[t, 4],
        )
        if op == TAKE:
            c += at
            for e in range(n):
                w_bar[b + e] -= w_bar[a + e] * w[c + e]
            for e in range(n):
                w_bar[c + e] -= w_bar[a + e] * w[b + e]
        elif op == TIMES:
            c += at
            for e in range(n):
                w_bar[b + e] += w_bar[a + e] * w[c + e]
            for e in range(n):
                w_bar[c + e] += w_bar[a + e] * w[b + e]
        elif op == SUM:
            c += at
            bar = w_bar[a - at]
            for e in range(n):
                w_bar[b + e] -= bar * w[c + e]
            for e in range(n):
                w_bar[c + e] -= bar * w[b + e]
        elif op == SPREAD or op == SCALE:
            sign = 1.0 if op == SCALE else -1.0
            scale, part = w[c] * sign, 0.0
            for e in range(n):
                part += w_bar[a + e] * w[b + e]
                w_bar[b + e] += w_bar[a + e] * scale
            w_bar[c] += part * sign
        elif op == LOAD:
            b += constants_at - at
            part = 0.0
            for e in range(n):
                part += w_bar[a + e] * constants[b + e]
            w_bar[c] += part
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
def log_density(
    theta, gradient, own, hyper, table, noise, sizes, before, eliminate, core, substitute,
    constants, rows, start, index, value,
):  # fmt: skip
    """Return the log density at some parameters, a constant apart, and fill in its gradient.

    Parameters
    ----------
    theta, gradient : ndarray
        Whitened hyperparameters, then the noise of the coordinates.
    own : ndarray, shape (7,)
        Of the likelihood: kind, power and reference of the curvature; which scales are its two
        further parameters (-1 for none), and their values otherwise.
    hyper : ndarray, shape (H, 5 + H)
        Bounds, start and step of the table, centre and factor of u.
    table : ndarray, shape (H, K, 4)
        Log prior densities as cubic pieces.
    noise : ndarray of int
        Addresses of the coordinates' noise.
    sizes : ndarray of int, shape (5,)
        Groups, and a program's ``own_memory``, ``group_memory``, ``own_constants`` and
        ``group_constants``.
    before, eliminate, core, substitute, constants : ndarray
        As in ``program.Program``.
    rows : ndarray, shape (5, M)
        Offset, y, trials, n, within.
    start, index, value : ndarray
        A as in a CSR matrix; the columns are addresses.
    """
    h = hyper.shape[0]
    groups, own_memory, group_memory, own_constants, group_constants = sizes
    none = own_memory - own_memory
    w, w_bar = (
        np.zeros(own_memory + groups * group_memory),
        np.zeros(own_memory + groups * group_memory),
    )
    slopes = np.empty((2, h))
    total = _scales(theta, hyper, table, w, slopes)
    for i in range(noise.shape[0]):
        w[noise[i]] = theta[h + i]
    w[h], w[h + 1], w[h + 2] = 1.0, -1.0, 1.0
    if own[1] != 0:
        w[h + 2] = (w[int(own[3])] / own[2]) ** own[1]
    total += run(before, w, constants, none, none)
    for g in range(groups):
        at, constants_at = own_memory + g * group_memory, own_constants + g * group_constants
        total += run(eliminate, w, constants, at, constants_at)
    total += run(core, w, constants, none, none)
    for g in range(groups):
        at, constants_at = own_memory + g * group_memory, own_constants + g * group_constants
        total += run(substitute, w, constants, at, constants_at)
    total += _rows(own, rows, start, index, value, w, w_bar)
    for g in range(groups):
        at, constants_at = own_memory + g * group_memory, own_constants + g * group_constants
        run_back(substitute, w, w_bar, constants, at, constants_at)
    run_back(core, w, w_bar, constants, none, none)
    for g in range(groups):
        at, constants_at = own_memory + g * group_memory, own_constants + g * group_constants
        run_back(eliminate, w, w_bar, constants, at, constants_at)
    run_back(before, w, w_bar, constants, none, none)
    for i in range(noise.shape[0]):
        gradient[h + i] = w_bar[noise[i]]
    if own[1] != 0:
        which = int(own[3])
        w_bar[which] += own[1] * w_bar[h + 2] * w[h + 2] / w[which]
    for j in range(h):
        gradient[j] = 0.0
        for k in range(j, h):
            slope = w_bar[k] * w[k] * slopes[LOG_SLOPE, k] + slopes[PRIOR_SLOPE, k]
            gradient[j] += hyper[k, 5 + j] * slope
    return total


@jit
def _scales(theta, hyper, table, w, slopes):
    """Put the scales where the memory begins, fill in slopes; return the log prior."""
    total = 0.0
    for k in range(hyper.shape[0]):
        u = hyper[k, 4]
        for j in range(k + 1):
            u += hyper[k, 5 + j] * theta[j]
        lower, upper = hyper[k, 0], hyper[k, 1]
        slope = math.exp(u)
        if upper < np.inf:
            part = 1 / (1 + math.exp(-u))
            slope = (upper - lower) * part / (1 + slope)
            w[k] = lower + (upper - lower) * part
        else:
            w[k] = lower + slope
        slopes[LOG_SLOPE, k] = slope / w[k]
        at = (u - hyper[k, 2]) / hyper[k, 3]
        node = int(min(max(at, 0.0), table.shape[1] - 1.0))
        t = at - node
        a, b, c = table[k, node, 1], table[k, node, 2], table[k, node, 3]
        total += table[k, node, 0] + t * (a + t * (b + t * c))
        slopes[PRIOR_SLOPE, k] = (a + t * (2 * b + 3 * t * c)) / hyper[k, 3]
    return total


@jit
def _rows(own, rows, start, index, value, w, w_bar):
    """Return the log-likelihood, and hand its derivatives on."""
    kind, one, other = int(own[0]), int(own[3]), int(own[5])
    first = w[one] if one >= 0 else own[4]
    second = w[other] if other >= 0 else own[6]
    total, first_bar, second_bar = 0.0, 0.0, 0.0
    for m in range(rows.shape[1]):
        eta = rows[0, m]
        for k in range(start[m], start[m + 1]):
            eta += value[k] * w[index[k]]
        log, slope, by_first, by_second = row(
            kind, eta, rows[1, m], rows[2, m], rows[3, m], rows[4, m], first, second
        )
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
