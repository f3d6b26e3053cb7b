"""The log density in whitened coordinates and its gradient, compiled by numba.

``whitening`` says which map this is.  Here: the map (scales; eliminate the entities; factor the
core; substitute back), the log density at its end, and the same way back by hand (reverse mode;
for the Cholesky factors: Murray 2016, arXiv:1602.07527, section 3.2).

Entities stand side by side in *lanes*, the last axis of every array, and each line of algebra is
a loop over lanes, which the processor takes several at a time.  An entity's block has D rows and
three parts: its border to the core (P columns), its right-hand side b (one column), and the lower
triangle of its own part (D columns).  Border and b are treated alike: b is the border to one more
core coordinate, whose v is -1.  The core has one lane, and b as its last row.  Cholesky factors
hold the inverse of their diagonal.

numba is heavy: import this module late.

Letters: M rows, P core coordinates, D coordinates an entity, H hyperparameters, K nodes of a
prior's table, L lanes, B rows of blocks (D for each group of L entities), Q = P + B L.  A bar, as
in ``v_bar``, is the derivative of the log density in what stands before it.
"""

import math

import numpy as np

from bambi_anova.latent.kernel_rows import jit, lanes, once, row

# Rows of ``scales`` (4, H): the scale, d log scale / du, d log prior / du, and the derivative of
# everything else in u.
SIGMA, LOG_SLOPE, PRIOR_SLOPE, U_BAR = range(4)


@once
def log_density(
    theta, gradient, own, hyper, table, columns, place, blocks, core, rows, start, index, value
):
    """Return the log density at some parameters, a constant apart, and fill in its gradient.

    Parameters
    ----------
    theta, gradient : ndarray
        Whitened hyperparameters, then the noise z of the coordinates.
    own : ndarray, shape (7,)
        Of the likelihood: kind, power and reference of the curvature; which scales are its two
        further parameters (-1 for none), and their values otherwise.
    hyper : ndarray, shape (H, 5 + H)
        Bounds, start and step of the table, centre and factor of u.
    table : ndarray, shape (H, K, 4)
        Log prior densities as cubic pieces.
    columns : ndarray, shape (3, P + 1 + D)
        Of the columns of a block: its scale (-1 for none), prior sd where no scale governs it, and
        prior mean.
    place : ndarray of int, shape (B, L)
        Where a coordinate's noise stands in ``theta``; -1: it stands for no unit.
    blocks : ndarray, shape (B, P + 1 + D, L)
    core : ndarray, shape (P + 1, P + 1)
        Parts of A' W A, and A' times the working response.
    rows : ndarray, shape (5, M)
        Offset, y, trials, n, within.
    start, index, value : ndarray
        A as in a CSR matrix; columns count the core, then the lanes.
    """
    h, p = hyper.shape[0], core.shape[0] - 1
    scales, spread = np.zeros((4, h)), np.empty(columns.shape[1])
    total = _scales(theta, hyper, table, scales)
    for i in range(columns.shape[1]):
        which = int(columns[0, i])
        spread[i] = columns[1, i] * (scales[SIGMA, which] if which >= 0 else 1.0)
    weight = 1.0
    if own[1] != 0:
        weight = (scales[SIGMA, int(own[3])] / own[2]) ** own[1]
    factors, middle = np.empty(blocks.shape), np.empty((p + 1, p + 1, 1))
    total += _eliminate(weight, spread, blocks, core, factors, middle)
    x, x_bar = np.empty(p + place.size), np.zeros(p + place.size)
    leaf, leaf_bar = x[p:].reshape(place.shape), x_bar[p:].reshape(place.shape)
    v, v_core = np.empty((place.shape[0], 1, place.shape[1])), np.empty((p + 1, 1, 1))
    total -= _substitute(theta, h, place, factors, middle, v, v_core)
    for i in range(p):
        x[i] = columns[2, i] + spread[i] * v_core[i, 0, 0]
    slots = len(spread) - p - 1
    for r in range(place.shape[0]):
        for e in range(place.shape[1]):
            leaf[r, e] = spread[p + 1 + r % slots] * v[r, 0, e]
    total += _rows(own, rows, start, index, value, scales, x, x_bar)
    spread_bar = np.zeros(len(spread))
    weight_bar = _backward(
        theta, gradient, h, place, weight, spread, blocks, core, factors, middle, v, v_core,
        x_bar, leaf_bar, spread_bar,
    )  # fmt: skip
    _collect(own, hyper, columns, scales, spread_bar, weight_bar, gradient)
    return total


@jit
def _scales(theta, hyper, table, scales):
    """Fill in the scales and their slopes; return the log prior."""
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
            scales[SIGMA, k] = lower + (upper - lower) * part
        else:
            scales[SIGMA, k] = lower + slope
        scales[LOG_SLOPE, k] = slope / scales[SIGMA, k]
        at = (u - hyper[k, 2]) / hyper[k, 3]
        node = int(min(max(at, 0.0), table.shape[1] - 1.0))
        t = at - node
        a, b, c = table[k, node, 1], table[k, node, 2], table[k, node, 3]
        total += table[k, node, 0] + t * (a + t * (b + t * c))
        scales[PRIOR_SLOPE, k] = (a + t * (2 * b + 3 * t * c)) / hyper[k, 3]
    return total


@lanes
def _take(a, i, j, b, k, l, c, m, n):
    """Subtract a product, lane by lane."""
    for e in range(a.shape[2]):
        a[i, j, e] -= b[k, l, e] * c[m, n, e]


@lanes
def _times(a, i, j, b, k, l):
    for e in range(a.shape[2]):
        a[i, j, e] *= b[k, l, e]


@lanes
def _dot(a, i, j, b, k, l):
    total = 0.0
    for e in range(a.shape[2]):
        total += a[i, j, e] * b[k, l, e]
    return total


@jit
def _eliminate(weight, spread, blocks, core, factors, middle):
    """Factor the precision and solve for b; return minus the log determinant of the factor."""
    at = core.shape[0]
    slots = len(spread) - at
    total = 0.0
    for i in range(at):
        for j in range(i + 1):
            middle[i, j, 0] = weight * spread[i] * spread[j] * core[i, j]
        middle[i, i, 0] += 1
    for r in range(blocks.shape[0]):
        i = r % slots
        for j in range(at + i + 1):
            scale = weight * spread[at + i] * spread[j]
            for e in range(blocks.shape[2]):
                factors[r, j, e] = scale * blocks[r, j, e]
        for e in range(blocks.shape[2]):
            factors[r, at + i, e] += 1
    for first in range(0, blocks.shape[0], slots):
        total += _factor(factors, first, slots, slots, at)
        for r in range(first, first + slots):
            for j in range(at):
                for k in range(j + 1):
                    middle[j, k, 0] -= _dot(factors, r, j, factors, r, k)
    return total + _factor(middle, np.int64(0), at, at - 1, np.int64(0))


@jit
def _factor(a, first, size, pivots, at):
    """Factor blocks, solve their borders; return minus the log determinant."""
    for i in range(size):
        r = first + i
        for k in range(min(i, pivots)):
            _times(a, r, at + k, a, first + k, at + k)
            for j in range(at):
                _take(a, r, j, a, r, at + k, a, first + k, j)
            for j in range(k + 1, min(i + 1, pivots)):
                _take(a, r, at + j, a, r, at + k, a, first + j, at + k)
        if i < pivots:
            for e in range(a.shape[2]):
                a[r, at + i, e] = 1 / math.sqrt(a[r, at + i, e])
            for j in range(at):
                _times(a, r, j, a, r, at + i)
    total = 0.0
    for e in range(a.shape[2]):
        product = 1.0
        for i in range(pivots):
            product *= a[first + i, at + i, e]
        total += math.log(product)
    return total


@jit
def _solve(a, first, size, at, right):
    """Replace b by L^-1 b."""
    for i in range(first, first + size):
        for j in range(first, i):
            _take(right, i, 0, a, i, at + j - first, right, j, 0)
        _times(right, i, 0, a, i, at + i - first)


@jit
def _solve_transposed(a, first, size, at, right):
    """Replace b by L^-T b."""
    for i in range(first + size - 1, first - 1, -1):
        _times(right, i, 0, a, i, at + i - first)
        for j in range(first, i):
            _take(right, j, 0, a, i, at + j - first, right, i, 0)


@jit
def _substitute(theta, h, place, factors, middle, v, v_core):
    """Fill in v = L^-T (L^-1 b + z); return half its square."""
    p = middle.shape[0] - 1
    slots = factors.shape[1] - p - 1
    total = 0.0
    for i in range(p):
        v_core[i, 0, 0] = middle[p, i, 0] + theta[h + i]
    _solve_transposed(middle, np.int64(0), p, np.int64(0), v_core)
    v_core[p, 0, 0] = -1.0
    for i in range(p):
        total += v_core[i, 0, 0] ** 2
    for first in range(0, place.shape[0], slots):
        for r in range(first, first + slots):
            for e in range(place.shape[1]):
                v[r, 0, e] = theta[place[r, e]] if place[r, e] >= 0 else 0.0
            for j in range(p + 1):
                known = v_core[j, 0, 0]
                for e in range(place.shape[1]):
                    v[r, 0, e] -= factors[r, j, e] * known
        _solve_transposed(factors, first, slots, p + 1, v)
        for r in range(first, first + slots):
            total += _dot(v, r, 0, v, r, 0)
    return total / 2


@jit
def _rows(own, rows, start, index, value, scales, x, x_bar):
    """Return the log-likelihood; add its derivatives in x and, through the scales, in u."""
    kind, one, other = int(own[0]), int(own[3]), int(own[5])
    first = scales[SIGMA, one] if one >= 0 else own[4]
    second = scales[SIGMA, other] if other >= 0 else own[6]
    total, first_bar, second_bar = 0.0, 0.0, 0.0
    for m in range(rows.shape[1]):
        eta = rows[0, m]
        for k in range(start[m], start[m + 1]):
            eta += value[k] * x[index[k]]
        log, slope, by_first, by_second = row(
            kind, eta, rows[1, m], rows[2, m], rows[3, m], rows[4, m], first, second
        )
        total += log
        first_bar += by_first
        second_bar += by_second
        for k in range(start[m], start[m + 1]):
            x_bar[index[k]] += value[k] * slope
    if one >= 0:
        scales[U_BAR, one] += first_bar * first * scales[LOG_SLOPE, one]
    if other >= 0:
        scales[U_BAR, other] += second_bar * second * scales[LOG_SLOPE, other]
    return total


@once
def _backward(
    theta, gradient, h, place, weight, spread, blocks, core, factors, middle, v, v_core,
    x_bar, leaf_bar, spread_bar,
):  # fmt: skip
    """Fill in derivatives in z and in the logarithms of the spreads; return the log weight's."""
    at = core.shape[0]
    p, slots = at - 1, len(spread) - at
    q_bar, q_core = np.empty(v.shape), np.empty(v_core.shape)
    for i in range(p):
        pulled = spread[i] * x_bar[i]
        spread_bar[i] = pulled * v_core[i, 0, 0]
        q_core[i, 0, 0] = pulled - v_core[i, 0, 0]
    for first in range(0, v.shape[0], slots):
        for i in range(slots):
            r, scale, total = first + i, spread[at + i], 0.0
            for e in range(v.shape[2]):
                pulled = scale * leaf_bar[r, e]
                total += pulled * v[r, 0, e]
                q_bar[r, 0, e] = pulled - v[r, 0, e]
            spread_bar[at + i] += total
        _solve(factors, first, slots, at, q_bar)
        for r in range(first, first + slots):
            for j in range(p):
                q_core[j, 0, 0] -= _dot(factors, r, j, q_bar, r, 0)
            for e in range(v.shape[2]):
                if place[r, e] >= 0:
                    gradient[place[r, e]] = q_bar[r, 0, e]
    _solve(middle, np.int64(0), p, np.int64(0), q_core)
    for i in range(p):
        gradient[h + i] = q_core[i, 0, 0]
    core_bar = np.zeros((at, at, 1))
    weight_bar = _core_backward(weight, spread, core, middle, v_core, q_core, core_bar, spread_bar)
    bar = np.empty((slots, at + slots, v.shape[2]))
    for first in range(0, v.shape[0], slots):
        _block_backward(first, factors, v, v_core, q_bar, core_bar, bar)
        for i in range(slots):
            for j in range(at + i + 1):
                part = weight * spread[at + i] * spread[j]
                part *= _dot(bar, i, j, blocks, first + i, j)
                spread_bar[at + i] += part
                spread_bar[j] += part
                weight_bar += part
    return weight_bar


@jit
def _core_backward(weight, spread, core, middle, v_core, q_core, bar, spread_bar):
    """Go back through the core's factor, to a symmetric derivative; return the log weight's."""
    at = core.shape[0]
    for i in range(at):
        for j in range(min(i + 1, at - 1)):
            bar[i, j, 0] = -v_core[i, 0, 0] * q_core[j, 0, 0]
        if i < at - 1:
            bar[i, i, 0] -= middle[i, i, 0]
    _factor_backward(middle, np.int64(0), at, at - 1, np.int64(0), bar)
    weight_bar = 0.0
    for i in range(at):
        for j in range(min(i + 1, at - 1)):
            part = bar[i, j, 0] * weight * spread[i] * spread[j] * core[i, j]
            spread_bar[i] += part
            spread_bar[j] += part
            weight_bar += part
            bar[j, i, 0] = bar[i, j, 0]
        bar[i, i, 0] *= 2
    return weight_bar


@jit
def _block_backward(first, factors, v, v_core, q_bar, core_bar, bar):
    """Go back through the elimination of some entities, to the derivative in their blocks."""
    at, slots = core_bar.shape[0], bar.shape[0]
    for i in range(slots):
        r = first + i
        for j in range(at):
            known = v_core[j, 0, 0]
            for e in range(v.shape[2]):
                bar[i, j, e] = -q_bar[r, 0, e] * known
            for k in range(at):
                known = core_bar[k, j, 0]
                for e in range(v.shape[2]):
                    bar[i, j, e] -= factors[r, k, e] * known
    for i in range(slots - 1, -1, -1):
        for j in range(at):
            _times(bar, i, j, factors, first + i, at + i)
            for k in range(i):
                _take(bar, k, j, factors, first + i, at + k, bar, i, j)
    for i in range(slots):
        for j in range(i + 1):
            for e in range(v.shape[2]):
                bar[i, at + j, e] = -v[first + i, 0, e] * q_bar[first + j, 0, e]
            for k in range(at):
                _take(bar, i, at + j, bar, i, k, factors, first + j, k)
        for e in range(v.shape[2]):
            bar[i, at + i, e] -= factors[first + i, at + i, e]
    _factor_backward(factors, first, slots, slots, at, bar)


@jit
def _factor_backward(lower, first, size, pivots, at, bar):
    """Replace the derivative in Cholesky factors by that in the lower triangles they come from."""
    for j in range(pivots - 1, -1, -1):
        for i in range(j + 1, size):
            _times(bar, i, at + j, lower, first + j, at + j)
            _take(bar, j, at + j, bar, i, at + j, lower, first + i, at + j)
        _times(bar, j, at + j, lower, first + j, at + j)
        for k in range(j):
            _take(bar, j, at + k, bar, j, at + j, lower, first + j, at + k)
            for i in range(j + 1, size):
                _take(bar, j, at + k, bar, i, at + j, lower, first + i, at + k)
                _take(bar, i, at + k, bar, i, at + j, lower, first + j, at + k)
        for e in range(bar.shape[2]):
            bar[j, at + j, e] /= 2


@jit
def _collect(own, hyper, columns, scales, spread_bar, weight_bar, gradient):
    """Fill in the gradient of the hyperparameters."""
    for i in range(columns.shape[1]):
        which = int(columns[0, i])
        if which >= 0:
            scales[U_BAR, which] += spread_bar[i] * scales[LOG_SLOPE, which]
    if own[1] != 0:
        which = int(own[3])
        scales[U_BAR, which] += own[1] * weight_bar * scales[LOG_SLOPE, which]
    for j in range(hyper.shape[0]):
        gradient[j] = 0.0
        for k in range(j, hyper.shape[0]):
            gradient[j] += hyper[k, 5 + j] * (scales[U_BAR, k] + scales[PRIOR_SLOPE, k])
