"""The log density in whitened coordinates and its gradient, compiled by numba.

``whitening`` says which map this is.  Here: the map (scales; eliminate the entities; factor the
core; substitute back), the log density at its end, and the same way back by hand (reverse mode;
for the Cholesky factors: Murray 2016, arXiv:1602.07527, section 3.2).  Loops over few arrays and
no NumPy calls: these compile in seconds, and cost nothing where matrices have three rows.

An entity's block stands as D rows of P + D numbers: its border to the core, then the lower
triangle of its own part.  The core is one such block without a border.

numba is heavy: import this module late.

Letters: M rows, P core coordinates, E entities, D coordinates an entity, Q = P + E D,
H hyperparameters, K nodes of a prior's table.  A bar, as in ``v_bar``, is the derivative of the
log density in what stands before it.
"""

import math

import numpy as np

from bambi_anova.latent.kernel_rows import jit, once, row

# Rows of ``scales`` (5, H): hyperparameter, scale, d log scale / du, d log prior / du, and the
# derivative of everything else in u.
U, SIGMA, LOG_SLOPE, PRIOR_SLOPE, U_BAR = range(5)
# Rows of ``state`` (5, Q): L^-1 b, v, x, and derivatives in x and in q = L^-1 b + z.
MEAN, V, X, X_BAR, Q_BAR = range(5)


@once
def log_density(theta, gradient, own, hyper, table, fixed, place, blocks, core, rows, start, index, value):
    """Return the log density at some parameters, a constant apart, and fill in its gradient.

    Parameters
    ----------
    theta, gradient : ndarray, shape (N,)
        Whitened hyperparameters, then the noise z of the coordinates.
    own : ndarray, shape (7,)
        Of the likelihood: kind, power and reference of the curvature; which scales are its two
        further parameters (-1 for none), and their values otherwise.
    hyper : ndarray, shape (H, 5 + H)
        Bounds, start and step of the table, centre and factor of u.
    table : ndarray, shape (H, K, 4)
        Log prior densities as cubic pieces.
    fixed : ndarray, shape (3, Q)
        Prior mean, prior sd where no scale governs it, and A' times the working response.
    place : ndarray of int, shape (2, Q)
        Where a coordinate's noise stands in ``theta`` (-1: it stands for no unit), and its scale
        (-1 for none).
    blocks : ndarray, shape (E, D, P + D)
    core : ndarray, shape (1, P, P)
        Parts of A' W A.
    rows : ndarray, shape (5, M)
        Offset, y, trials, n, within.
    start, index, value : ndarray
        A as in a CSR matrix.
    """
    h, p, q = hyper.shape[0], core.shape[1], fixed.shape[1]
    scales, state, spread = np.zeros((5, h)), np.zeros((5, q)), np.empty(q)
    arrows, middle = np.empty(blocks.shape), np.empty(core.shape)
    total = _scales(theta, hyper, table, scales)
    for i in range(q):
        spread[i] = fixed[1, i] * (scales[SIGMA, place[1, i]] if place[1, i] >= 0 else 1.0)
    weight = 1.0
    if own[1] != 0:
        weight = (scales[SIGMA, int(own[3])] / own[2]) ** own[1]
    total -= _factor_arrow(weight, spread, fixed, blocks, core, arrows, middle, state)
    _substitute(theta, place, arrows, middle, state)
    for i in range(q):
        state[X, i] = fixed[0, i] + spread[i] * state[V, i]
        if place[0, i] >= 0:
            total -= state[V, i] * state[V, i] / 2
    total += _rows(own, rows, start, index, value, scales, state)
    spread_bar = np.empty(q)
    weight_bar = _backward(weight, spread, fixed, blocks, core, arrows, middle, state, spread_bar)
    _collect(own, hyper, place, scales, state, spread_bar, weight_bar, gradient)
    return total


@jit
def _scales(theta, hyper, table, scales):
    """Fill in hyperparameters, scales and their slopes; return the log prior."""
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
        scales[U, k] = u
        scales[LOG_SLOPE, k] = slope / scales[SIGMA, k]
        at = (u - hyper[k, 2]) / hyper[k, 3]
        node = int(min(max(at, 0.0), table.shape[1] - 1.0))
        t = at - node
        a, b, c = table[k, node, 1], table[k, node, 2], table[k, node, 3]
        total += table[k, node, 0] + t * (a + t * (b + t * c))
        scales[PRIOR_SLOPE, k] = (a + t * (2 * b + 3 * t * c)) / hyper[k, 3]
    return total


@jit
def _factor_arrow(weight, spread, fixed, blocks, core, arrows, middle, state):
    """Factor the precision, fill in L^-1 b; return the log determinant of the factor."""
    p, slots = core.shape[1], blocks.shape[1]
    total = 0.0
    for i in range(p):
        scale = weight * spread[i]
        state[MEAN, i] = scale * fixed[2, i]
        for j in range(i + 1):
            middle[0, i, j] = scale * spread[j] * core[0, i, j]
        middle[0, i, i] += 1
    for e in range(blocks.shape[0]):
        first = p + e * slots
        for i in range(slots):
            scale = weight * spread[first + i]
            state[MEAN, first + i] = scale * fixed[2, first + i]
            for j in range(p):
                arrows[e, i, j] = scale * spread[j] * blocks[e, i, j]
            for j in range(i + 1):
                arrows[e, i, p + j] = scale * spread[first + j] * blocks[e, i, p + j]
            arrows[e, i, p + i] += 1
        total += _factor(arrows, e, p)
        _solve(arrows, e, p, state, MEAN, first)
        _eliminate(e, first, arrows, middle, state)
    total += _factor(middle, 0, 0)
    _solve(middle, 0, 0, state, MEAN, 0)
    return total


@jit
def _eliminate(e, first, arrows, middle, state):
    """Solve an entity's border and take its part from the core's."""
    p = middle.shape[1]
    for i in range(arrows.shape[1]):
        for k in range(i):
            for j in range(p):
                arrows[e, i, j] -= arrows[e, i, p + k] * arrows[e, k, j]
        inverse = 1 / arrows[e, i, p + i]
        for j in range(p):
            arrows[e, i, j] *= inverse
        for j in range(p):
            state[MEAN, j] -= arrows[e, i, j] * state[MEAN, first + i]
            for k in range(j + 1):
                middle[0, j, k] -= arrows[e, i, j] * arrows[e, i, k]


@jit
def _factor(a, e, at):
    """Replace the lower triangle by its Cholesky factor; return the factor's log determinant."""
    total = 1.0
    log_total = 0.0
    for i in range(a.shape[1]):
        for j in range(i):
            rest = a[e, i, at + j]
            for k in range(j):
                rest -= a[e, i, at + k] * a[e, j, at + k]
            a[e, i, at + j] = rest / a[e, j, at + j]
        pivot = a[e, i, at + i]
        for k in range(i):
            pivot -= a[e, i, at + k] * a[e, i, at + k]
        a[e, i, at + i] = math.sqrt(pivot)
        log_total += math.log(a[e, i, at + i])
    return log_total


@jit
def _solve(a, e, at, right, r, first):
    """Replace b by L^-1 b."""
    for i in range(a.shape[1]):
        rest = right[r, first + i]
        for j in range(i):
            rest -= a[e, i, at + j] * right[r, first + j]
        right[r, first + i] = rest / a[e, i, at + i]


@jit
def _solve_transposed(a, e, at, right, r, first):
    """Replace b by L^-T b."""
    for i in range(a.shape[1] - 1, -1, -1):
        right[r, first + i] /= a[e, i, at + i]
        for j in range(i):
            right[r, first + j] -= a[e, i, at + j] * right[r, first + i]


@jit
def _substitute(theta, place, arrows, middle, state):
    """Fill in v = L^-T (L^-1 b + z)."""
    p, slots = middle.shape[1], arrows.shape[1]
    for i in range(state.shape[1]):
        noise = theta[place[0, i]] if place[0, i] >= 0 else 0.0
        state[V, i] = state[MEAN, i] + noise
    _solve_transposed(middle, 0, 0, state, V, 0)
    for e in range(arrows.shape[0]):
        first = p + e * slots
        for i in range(slots):
            for j in range(p):
                state[V, first + i] -= arrows[e, i, j] * state[V, j]
        _solve_transposed(arrows, e, p, state, V, first)


@jit
def _rows(own, rows, start, index, value, scales, state):
    """Return the log-likelihood; add its derivatives in x and, through the scales, in u."""
    kind, one, other = int(own[0]), int(own[3]), int(own[5])
    first = scales[SIGMA, one] if one >= 0 else own[4]
    second = scales[SIGMA, other] if other >= 0 else own[6]
    total, first_bar, second_bar = 0.0, 0.0, 0.0
    for m in range(rows.shape[1]):
        eta = rows[0, m]
        for k in range(start[m], start[m + 1]):
            eta += value[k] * state[X, index[k]]
        log, slope, by_first, by_second = row(
            kind, eta, rows[1, m], rows[2, m], rows[3, m], rows[4, m], first, second
        )
        total += log
        first_bar += by_first
        second_bar += by_second
        for k in range(start[m], start[m + 1]):
            state[X_BAR, index[k]] += value[k] * slope
    if one >= 0:
        scales[U_BAR, one] += first_bar * first * scales[LOG_SLOPE, one]
    if other >= 0:
        scales[U_BAR, other] += second_bar * second * scales[LOG_SLOPE, other]
    return total


@jit
def _backward(weight, spread, fixed, blocks, core, arrows, middle, state, spread_bar):
    """Fill in derivatives in z and in the logarithms of the spreads; return the log weight's."""
    p, q, slots = core.shape[1], state.shape[1], blocks.shape[1]
    for i in range(q):
        pulled = spread[i] * state[X_BAR, i]
        spread_bar[i] = pulled * state[V, i]
        state[Q_BAR, i] = pulled - state[V, i]
    for e in range(blocks.shape[0]):
        first = p + e * slots
        _solve(arrows, e, p, state, Q_BAR, first)
        for i in range(slots):
            for j in range(p):
                state[Q_BAR, j] -= arrows[e, i, j] * state[Q_BAR, first + i]
    _solve(middle, 0, 0, state, Q_BAR, 0)
    right_bar = np.empty((1, p))
    for i in range(p):
        right_bar[0, i] = state[Q_BAR, i]
    _solve_transposed(middle, 0, 0, right_bar, 0, 0)
    core_bar = np.empty((1, p, p))
    for i in range(p):
        for j in range(i + 1):
            core_bar[0, i, j] = -state[V, i] * state[Q_BAR, j] - right_bar[0, i] * state[MEAN, j]
        core_bar[0, i, i] -= 1 / middle[0, i, i]
    _factor_backward(middle, 0, 0, core_bar)
    weight_bar = 0.0
    for i in range(p):
        for j in range(i + 1):
            part = core_bar[0, i, j] * weight * spread[i] * spread[j] * core[0, i, j]
            spread_bar[i] += part
            spread_bar[j] += part
            weight_bar += part
            core_bar[0, j, i] = core_bar[0, i, j]
        core_bar[0, i, i] *= 2
        part = right_bar[0, i] * weight * spread[i] * fixed[2, i]
        spread_bar[i] += part
        weight_bar += part
    block_bar, mean_bar = np.empty((1, slots, p + slots)), np.empty((1, slots))
    for e in range(blocks.shape[0]):
        first = p + e * slots
        _block_backward(e, first, arrows, state, core_bar, right_bar, block_bar, mean_bar)
        for i in range(slots):
            scale = weight * spread[first + i]
            part = mean_bar[0, i] * scale * fixed[2, first + i]
            for j in range(p):
                term = block_bar[0, i, j] * scale * spread[j] * blocks[e, i, j]
                spread_bar[j] += term
                part += term
            for j in range(i + 1):
                term = block_bar[0, i, p + j] * scale * spread[first + j] * blocks[e, i, p + j]
                spread_bar[first + j] += term
                part += term
            spread_bar[first + i] += part
            weight_bar += part
    return weight_bar


@jit
def _block_backward(e, first, arrows, state, core_bar, right_bar, block_bar, mean_bar):
    """Go back through the elimination of an entity, to its block and its part of b."""
    p, slots = core_bar.shape[1], arrows.shape[1]
    for i in range(slots):
        rest = state[Q_BAR, first + i]
        for j in range(p):
            rest -= arrows[e, i, j] * right_bar[0, j]
            block_bar[0, i, j] = (
                -state[Q_BAR, first + i] * state[V, j] - state[MEAN, first + i] * right_bar[0, j]
            )
        mean_bar[0, i] = rest
        for k in range(p):
            for j in range(p):
                block_bar[0, i, j] -= arrows[e, i, k] * core_bar[0, k, j]
    _solve_transposed(arrows, e, p, mean_bar, 0, 0)
    for i in range(slots - 1, -1, -1):
        inverse = 1 / arrows[e, i, p + i]
        for j in range(p):
            block_bar[0, i, j] *= inverse
        for k in range(i):
            for j in range(p):
                block_bar[0, k, j] -= arrows[e, i, p + k] * block_bar[0, i, j]
    for i in range(slots):
        for j in range(i + 1):
            total = -state[V, first + i] * state[Q_BAR, first + j]
            total -= mean_bar[0, i] * state[MEAN, first + j]
            for k in range(p):
                total -= block_bar[0, i, k] * arrows[e, j, k]
            block_bar[0, i, p + j] = total
        block_bar[0, i, p + i] -= 1 / arrows[e, i, p + i]
    _factor_backward(arrows, e, p, block_bar)


@jit
def _factor_backward(lower, e, at, bar):
    """Replace the derivative in a Cholesky factor by that in the matrix's lower triangle."""
    for j in range(lower.shape[1] - 1, -1, -1):
        pivot = lower[e, j, at + j]
        own = bar[0, j, at + j]
        for i in range(j + 1, lower.shape[1]):
            bar[0, i, at + j] /= pivot
            own -= bar[0, i, at + j] * lower[e, i, at + j]
        own /= pivot
        for k in range(j):
            bar[0, j, at + k] -= own * lower[e, j, at + k]
        for i in range(j + 1, lower.shape[1]):
            below = bar[0, i, at + j]
            for k in range(j):
                bar[0, j, at + k] -= below * lower[e, i, at + k]
                bar[0, i, at + k] -= below * lower[e, j, at + k]
        bar[0, j, at + j] = own / 2


@jit
def _collect(own, hyper, place, scales, state, spread_bar, weight_bar, gradient):
    """Put the gradient together."""
    for i in range(place.shape[1]):
        if place[0, i] >= 0:
            gradient[place[0, i]] = state[Q_BAR, i]
        if place[1, i] >= 0:
            scales[U_BAR, place[1, i]] += spread_bar[i] * scales[LOG_SLOPE, place[1, i]]
    if own[1] != 0:
        which = int(own[3])
        scales[U_BAR, which] += own[1] * weight_bar * scales[LOG_SLOPE, which]
    for j in range(hyper.shape[0]):
        gradient[j] = 0.0
        for k in range(j, hyper.shape[0]):
            gradient[j] += hyper[k, 5 + j] * (scales[U_BAR, k] + scales[PRIOR_SLOPE, k])
