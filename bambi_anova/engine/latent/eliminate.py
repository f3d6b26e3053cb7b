"""Newton's equations with the unit blocks eliminated, in one pass over the rows, by numba.

The same as ``arrow.factor`` and half of ``arrow.Arrow.solve``, for rows of exponential families in
their canonical predictor and independent coordinates: a block's equations are set up, factored and
eliminated while they are in the cache.

numba is heavy: import this module late.

Letters: M rows, P core coordinates, B blocks, D coordinates a block, G points of the
hyperparameters.
"""

import numpy as np

from bambi_anova.engine.latent.vector_math import exp, kept, log


@kept
def eliminate(
    order, begin, core_first, core_place, core_value, first, place, value, y, weight, softplus,
    eta, origin, core_sd, sd, lower, border, schur, inner, pull,
):  # fmt: skip
    """Set up Newton's equations at some predictors, and eliminate the blocks.

    Parameters
    ----------
    order : ndarray of int, shape (M,)
        From rows sorted by their blocks to the rows of ``eta`` and ``origin``.
    begin : ndarray of int, shape (B + 1,)
        Where each block's rows begin, sorted.
    core_first, core_place, core_value : ndarray
        The core's part of A, sorted, as a CSR matrix.
    first, place, value : ndarray
        The blocks' part; places are those within a block.
    y, weight : ndarray, shape (M,)
        Sorted.
    softplus : bool
        Whether c is log(1 + exp(eta)), and not exp(eta).
    eta, origin : ndarray, shapes (M, G) and (M,)
    core_sd, sd : ndarray, shapes (P, G) and (D, G)
        Prior sds of the coordinates.
    lower : ndarray, shape (D, D, B, G)
        Zeros; filled with factors of the blocks.
    border : ndarray, shape (G, B D, P)
        Filled with the border, solved against the blocks.
    schur : ndarray, shape (G, P, P)
        Filled with what is left of the core's precision.
    inner : ndarray, shape (D, B, G)
        Filled with the blocks' part of the right-hand side, solved.
    pull : ndarray, shape (P, G)
        Filled with what is left of the core's part of it.
    """
    p, points = core_sd.shape
    d, blocks = len(sd), len(begin) - 1
    core, own, cross = np.zeros((p, p, points)), np.empty((d, d, points)), np.empty((d, p, points))
    right, w, r = np.empty((d, points)), np.empty(points), np.empty(points)
    pull[:] = 0.0
    for b in range(blocks):
        own[:] = 0.0
        cross[:] = 0.0
        right[:] = 0.0
        for m in range(begin[b], begin[b + 1]):
            row = order[m]
            if softplus:
                for g in range(points):
                    small = exp(max(-abs(eta[row, g]), -700.0))
                    larger = 1.0 / (1.0 + small)
                    rate = larger if eta[row, g] >= 0 else small * larger
                    w[g] = weight[m] * small * larger * larger
                    r[g] = y[m] - weight[m] * rate + w[g] * (eta[row, g] - origin[row])
            else:
                for g in range(points):
                    w[g] = weight[m] * exp(min(max(eta[row, g], -700.0), 300.0))
                    r[g] = y[m] - w[g] + w[g] * (eta[row, g] - origin[row])
            for e in range(core_first[m], core_first[m + 1]):
                c, v = core_place[e], core_value[e]
                for g in range(points):
                    pull[c, g] += v * r[g]
                for f in range(core_first[m], e + 1):
                    # The lower triangle; columns of a row are sorted.
                    o, vv = core_place[f], v * core_value[f]
                    for g in range(points):
                        core[c, o, g] += vv * w[g]
            for e in range(first[m], first[m + 1]):
                i, v = place[e], value[e]
                for g in range(points):
                    right[i, g] += v * r[g]
                for f in range(core_first[m], core_first[m + 1]):
                    c, vv = core_place[f], v * core_value[f]
                    for g in range(points):
                        cross[i, c, g] += vv * w[g]
                for f in range(first[m], first[m + 1]):
                    j, vv = place[f], v * value[f]
                    for g in range(points):
                        own[i, j, g] += vv * w[g]
        for i in range(d):
            for j in range(i + 1):
                for g in range(points):
                    own[i, j, g] *= sd[i, g] * sd[j, g]
            for g in range(points):
                own[i, i, g] += 1.0
                right[i, g] *= sd[i, g]
            for c in range(p):
                for g in range(points):
                    cross[i, c, g] *= sd[i, g] * core_sd[c, g]
        for j in range(d):
            for i in range(j, d):
                for k in range(j):
                    for g in range(points):
                        own[i, j, g] -= own[i, k, g] * own[j, k, g]
                if i == j:
                    for g in range(points):
                        own[j, j, g] = np.sqrt(own[j, j, g])
                else:
                    for g in range(points):
                        own[i, j, g] /= own[j, j, g]
                for g in range(points):
                    lower[i, j, b, g] = own[i, j, g]
        for i in range(d):
            for j in range(i):
                for g in range(points):
                    right[i, g] -= own[i, j, g] * right[j, g]
                for c in range(p):
                    for g in range(points):
                        cross[i, c, g] -= own[i, j, g] * cross[j, c, g]
            for g in range(points):
                right[i, g] /= own[i, i, g]
                inner[i, b, g] = right[i, g]
            for c in range(p):
                for g in range(points):
                    cross[i, c, g] /= own[i, i, g]
            for g in range(points):
                for c in range(p):
                    border[g, b * d + i, c] = cross[i, c, g]
    # The core's rows and columns are scaled where all blocks have added to them.
    for c in range(p):
        for g in range(points):
            pull[c, g] *= core_sd[c, g]
        for o in range(c + 1):
            for g in range(points):
                schur[g, c, o] = core[c, o, g] * core_sd[c, g] * core_sd[o, g]
                schur[g, o, c] = schur[g, c, o]
        for g in range(points):
            schur[g, c, c] += 1.0


@kept
def log_likelihood(y, weight, softplus, eta):
    """Return the log-likelihood of rows with predictors (M, G), added up, shape (G,)."""
    rows, points = eta.shape
    found = np.zeros(points)
    if softplus:
        for m in range(rows):
            for g in range(points):
                rest = log(1.0 + exp(max(-abs(eta[m, g]), -700.0))) + max(eta[m, g], 0.0)
                found[g] += y[m] * eta[m, g] - weight[m] * rest
    else:
        for m in range(rows):
            for g in range(points):
                rate = exp(min(max(eta[m, g], -700.0), 300.0))
                found[g] += y[m] * eta[m, g] - weight[m] * rate
    return found


@kept
def beyond_modes(
    order, begin, first, place, value, weight, softplus, eta, sd, lower, mixed, reach, shift, wide
):
    """Return how far blocks' means lie from their modes, and factors of wider normals.

    See ``conditional``: to first order H^-1 B' (t v) / 2 with t the rows' third derivatives and v
    the variances of their predictors; and the least of the rows' curvatures within ``reach`` of
    their own standard deviations.

    Parameters
    ----------
    order, begin, first, place, value, weight, softplus, eta, sd, lower
        As of ``eliminate``.
    mixed : ndarray of bool, shape (B,)
        The blocks that need wider normals.
    reach : float
    shift : ndarray, shape (D, B, G)
        Filled.
    wide : ndarray, shape (D, D, B, G)
        Zeros; filled for the blocks that are mixed.
    """
    d, blocks, points = shift.shape
    solved, variance = np.zeros((d, d, points)), np.empty((d, d, points))
    pull, own = np.empty((d, points)), np.empty((d, d, points))
    w, third, spread, away = np.empty((4, points))
    for b in range(blocks):
        # The inverse of the factor, and with it that of the precision.
        for j in range(d):
            for g in range(points):
                solved[j, j, g] = 1.0 / lower[j, j, b, g]
            for i in range(j + 1, d):
                for g in range(points):
                    total = 0.0
                    for k in range(j, i):
                        total += lower[i, k, b, g] * solved[k, j, g]
                    solved[i, j, g] = -total / lower[i, i, b, g]
        for i in range(d):
            for j in range(i + 1):
                for g in range(points):
                    total = 0.0
                    for k in range(i, d):
                        total += solved[k, i, g] * solved[k, j, g]
                    variance[i, j, g] = total
                    variance[j, i, g] = total
        pull[:] = 0.0
        own[:] = 0.0
        for m in range(begin[b], begin[b + 1]):
            row = order[m]
            for g in range(points):
                spread[g] = 0.0
                away[g] = 0.0
            for e in range(first[m], first[m + 1]):
                for g in range(points):
                    own_variance = value[e] * value[e] * sd[place[e], g] * sd[place[e], g]
                    away[g] += own_variance
                for f in range(first[m], first[m + 1]):
                    i, j, v = place[e], place[f], value[e] * value[f]
                    for g in range(points):
                        spread[g] += v * sd[i, g] * sd[j, g] * variance[i, j, g]
            for g in range(points):
                if softplus:
                    small = exp(max(-abs(eta[row, g]), -700.0))
                    larger = 1.0 / (1.0 + small)
                    # 1 - 2 p is tanh(-eta / 2)
                    tilted = (1.0 - small) * larger
                    w[g] = weight[m] * small * larger * larger
                    third[g] = w[g] * (tilted if eta[row, g] < 0 else -tilted)
                else:
                    w[g] = weight[m] * exp(min(max(eta[row, g], -700.0), 300.0))
                    third[g] = w[g]
            for e in range(first[m], first[m + 1]):
                for g in range(points):
                    pull[place[e], g] -= value[e] * third[g] * spread[g] / 2
            if mixed[b]:
                for g in range(points):
                    step = reach * np.sqrt(away[g] / (1.0 + w[g] * away[g]))
                    if softplus:
                        # Curvature falls with the distance from zero.
                        small = exp(max(-abs(eta[row, g]) - step, -700.0))
                        larger = 1.0 / (1.0 + small)
                        w[g] = weight[m] * small * larger * larger
                    else:
                        w[g] *= exp(max(-step, -700.0))
                for e in range(first[m], first[m + 1]):
                    for f in range(first[m], first[m + 1]):
                        i, j, v = place[e], place[f], value[e] * value[f]
                        for g in range(points):
                            own[i, j, g] += v * w[g]
        for i in range(d):
            for g in range(points):
                total = 0.0
                for j in range(d):
                    total += variance[i, j, g] * sd[j, g] * pull[j, g]
                # Far from normal the expansion overshoots.
                shift[i, b, g] = min(max(total, -0.5), 0.5)
        if mixed[b]:
            for j in range(d):
                for i in range(j, d):
                    for g in range(points):
                        total = own[i, j, g] * sd[i, g] * sd[j, g]
                        if i == j:
                            total += 1.0
                        for k in range(j):
                            total -= wide[i, k, b, g] * wide[j, k, b, g]
                        wide[i, j, b, g] = np.sqrt(total) if i == j else total / wide[j, j, b, g]
