"""Candidates of unit blocks, drawn and weighed in one pass over memory, by numba.

The same as in ``conditional``, for rows of exponential families in their canonical predictor, whose
log-likelihood is y eta - w c(eta).  NumPy goes through memory for every step of every candidate;
here a block's candidates stay in the cache from their noise to the one that is kept, and loops over
draws are such that the processor takes several at a time, exponentials and logarithms included.

numba is heavy: import this module late.

Letters: M rows, B blocks, D coordinates a block, G points, R draws a point, N = G R draws, K
candidates, S = K / 2 streams of noise, each of which serves a candidate and its mirror image.
"""

import numba
import numpy as np

from bambi_anova.engine.latent.vector_math import OPTIONS, exp, kept, log

#: Candidates of one sum that stay below the largest number, as factors of at most two.
MOST_FACTORS = 500


@kept
def draw_blocks(
    begin, first, place, value, y, weight, softplus, base, means, tilt, narrow, wide, mixed, sd,
    noise, marks, chosen, where, start, log_mean, spreads,
):  # fmt: skip
    """Draw candidates of each block, weigh them by the block's rows and keep one.

    Parameters
    ----------
    begin : ndarray of int, shape (B + 1,)
        Where each block's rows begin.
    first : ndarray of int, shape (M + 1,)
        Where each row's entries of the block's part of A begin.
    place, value : ndarray
        The entries: coordinates within the block, and what multiplies them.
    y, weight : ndarray, shape (M,)
    softplus : bool
        Whether c is log(1 + exp(eta)), and not exp(eta).
    base : ndarray, shape (M, N)
        The core's part of the predictors.
    means : ndarray, shape (D, B, G)
        Where the blocks' normals lie if the core is at its mode.
    tilt : ndarray, shape (B, D, N)
        The border times the core's distance from its mode.
    narrow, wide : ndarray, shape (D, D, B, G)
        Factors of the normals' precisions; those of ``wide`` are for the blocks that are mixed.
    mixed : ndarray of bool, shape (B,)
    sd : ndarray, shape (D, G)
        Of the coordinates a priori.
    noise : ndarray, shape (D, S, B, N)
    marks : ndarray, shape (B, N)
        Uniform on (0, 1).
    chosen : ndarray, shape (U, T)
        Columns from ``start`` on are filled with the candidates that are kept, in natural units.
    where : ndarray of int, shape (B, D)
        The row of each coordinate there; -1 for those that nobody asks for.
    start : int
    log_mean : ndarray, shape (N,)
        Filled with the log means of the weights, those of all blocks added up.
    spreads : ndarray, shape (2, B)
        Filled with ``spread`` and ``narrow_spread`` of ``conditional.JointDraws``.
    """
    d, streams, blocks, draws = noise.shape
    each, count = draws // narrow.shape[3], 2 * streams
    lower, wider = np.empty((d, d, draws)), np.empty((d, d, draws))
    centre, x = np.empty((d, draws)), np.empty((d, count, draws))
    gap, log_q, square = np.empty((d, draws)), np.empty(draws), np.empty(draws)
    log_det, log_wide_det = np.empty(draws), np.empty(draws)
    log_w, excess = np.empty((count, draws)), np.zeros((count, draws))
    largest, total, squares = np.empty(draws), np.empty(draws), np.empty(draws)
    any_mixed = mixed.any()
    log_mean[:] = 0.0
    for b in range(blocks):
        _spread_out(narrow, b, each, lower, log_det)
        if mixed[b]:
            _spread_out(wide, b, each, wider, log_wide_det)
        # Given the core, the normals' means are those at its mode less what its distance takes.
        for i in range(d - 1, -1, -1):
            for n in range(draws):
                gap[i, n] = tilt[b, i, n]
            for j in range(i + 1, d):
                for n in range(draws):
                    gap[i, n] -= lower[j, i, n] * gap[j, n]
            for n in range(draws):
                gap[i, n] /= lower[i, i, n]
                centre[i, n] = -gap[i, n]
            for g in range(narrow.shape[3]):
                for n in range(g * each, (g + 1) * each):
                    centre[i, n] += means[i, b, g]
        for s in range(streams):
            from_wide = mixed[b] and 2 * s >= streams
            factor = wider if from_wide else lower
            square[:] = 0.0
            for i in range(d - 1, -1, -1):
                for n in range(draws):
                    gap[i, n] = noise[i, s, b, n]
                    square[n] += gap[i, n] * gap[i, n]
                for j in range(i + 1, d):
                    for n in range(draws):
                        gap[i, n] -= factor[j, i, n] * gap[j, n]
                for n in range(draws):
                    gap[i, n] /= factor[i, i, n]
            if mixed[b]:
                other = lower if from_wide else wider
                log_q[:] = 0.0
                for i in range(d):
                    for n in range(draws):
                        length = 0.0
                        for j in range(i, d):
                            length += other[j, i, n] * gap[j, n]
                        log_q[n] += length * length
                for n in range(draws):
                    one, two = square[n], log_q[n]
                    if from_wide:
                        one, two = two, one
                    log_narrow = log_det[n] - one / 2
                    log_wide = log_wide_det[n] - two / 2
                    apart = max(-abs(log_narrow - log_wide), -700.0)
                    log_q[n] = max(log_narrow, log_wide) + log((1.0 + exp(apart)) / 2)
                    excess[s, n] = log_q[n] - log_narrow
                    excess[s + streams, n] = excess[s, n]
            else:
                for n in range(draws):
                    log_q[n] = log_det[n] - square[n] / 2
            for mirror in range(2):
                k, sign = s + mirror * streams, 1.0 - 2.0 * mirror
                for n in range(draws):
                    log_w[k, n] = -log_q[n]
                for i in range(d):
                    for n in range(draws):
                        own = centre[i, n] + sign * gap[i, n]
                        log_w[k, n] -= own * own / 2
                        x[i, k, n] = own
                    for g in range(narrow.shape[3]):
                        for n in range(g * each, (g + 1) * each):
                            x[i, k, n] *= sd[i, g]
        _weigh(begin, first, place, value, y, weight, softplus, base, b, x, log_w)
        _keep(b, marks, x, log_w, largest, total, squares, chosen, where, start)
        narrow_total, spread_total = 0.0, 0.0
        for n in range(draws):
            relative = count * squares[n] / (total[n] * total[n])
            spread_total += relative
            if mixed[b]:
                relative = 0.0
                for k in range(count):
                    part = log_w[k, n] / total[n]
                    relative += count * part * part * exp(min(max(excess[k, n], -700.0), 700.0))
            narrow_total += min(relative, 5.0)
            log_mean[n] += largest[n] + log(total[n] / count)
        spreads[0, b] = spread_total / draws - 1
        spreads[1, b] = narrow_total / draws - 1 if any_mixed else spreads[0, b]


@numba.njit(**OPTIONS)
def _spread_out(factors, b, each, lower, log_det):
    """Repeat a block's factor for the draws of each point; put down its log determinant."""
    d, _, _, points = factors.shape
    for i in range(d):
        for j in range(i + 1):
            for g in range(points):
                for n in range(g * each, (g + 1) * each):
                    lower[i, j, n] = factors[i, j, b, g]
    log_det[:] = 1.0
    for i in range(d):
        for n in range(len(log_det)):
            log_det[n] *= lower[i, i, n]
    for n in range(len(log_det)):
        log_det[n] = log(log_det[n])


@numba.njit(**OPTIONS)
def _weigh(begin, first, place, value, y, weight, softplus, base, b, x, log_w):
    """Add the log-likelihood of a block's rows to the log weights of its candidates."""
    _, count, draws = x.shape
    eta, product = np.empty(draws), np.empty(draws)
    for k in range(count):
        product[:] = 1.0
        factors = 0
        for m in range(begin[b], begin[b + 1]):
            for n in range(draws):
                eta[n] = base[m, n]
            for e in range(first[m], first[m + 1]):
                for n in range(draws):
                    eta[n] += value[e] * x[place[e], k, n]
            if not softplus:
                for n in range(draws):
                    rate = exp(min(max(eta[n], -700.0), 300.0))
                    log_w[k, n] += y[m] * eta[n] - weight[m] * rate
            elif weight[m] == 1.0:
                # One logarithm serves many rows.
                for n in range(draws):
                    product[n] *= 1.0 + exp(max(-abs(eta[n]), -700.0))
                    log_w[k, n] += y[m] * eta[n] - max(eta[n], 0.0)
                factors += 1
                if factors == MOST_FACTORS:
                    factors = 0
                    for n in range(draws):
                        log_w[k, n] -= log(product[n])
                        product[n] = 1.0
            else:
                for n in range(draws):
                    rest = log(1.0 + exp(max(-abs(eta[n]), -700.0)))
                    log_w[k, n] += y[m] * eta[n] - weight[m] * (max(eta[n], 0.0) + rest)
        if factors:
            for n in range(draws):
                log_w[k, n] -= log(product[n])


@numba.njit(**OPTIONS)
def _keep(b, marks, x, log_w, largest, total, squares, chosen, where, start):
    """Keep a candidate in proportion to its weight; what stands as log weights become weights."""
    d, count, draws = x.shape
    taken = np.empty(draws, np.int64)
    for n in range(draws):
        largest[n] = log_w[0, n]
    for k in range(1, count):
        for n in range(draws):
            largest[n] = max(largest[n], log_w[k, n])
    total[:] = 0.0
    squares[:] = 0.0
    for k in range(count):
        for n in range(draws):
            own = exp(max(log_w[k, n] - largest[n], -700.0))
            log_w[k, n] = own
            total[n] += own
            squares[n] += own * own
    for n in range(draws):
        mark, heap, k = marks[b, n] * total[n], log_w[0, n], 0
        while heap < mark and k < count - 1:
            k += 1
            heap += log_w[k, n]
        taken[n] = k
    for i in range(d):
        if where[b, i] >= 0:
            for n in range(draws):
                chosen[where[b, i], start + n] = x[i, taken[n], n]
