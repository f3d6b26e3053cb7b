"""A whitened model as one buffer of numbers: what the compiled kernel reads.

Letters: P core coordinates, B blocks, D coordinates a block, L lanes, H hyperparameters, K nodes
of a prior's table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import interpolate

from bambi_anova.engine.latent.covariance import Correlated, Diagonal, Together
from bambi_anova.engine.latent.scales import Scale
from bambi_anova.engine.nuts.program import Program, Recorder
from bambi_anova.engine.nuts.whitening import Whitening, known_rows
from bambi_anova.errors import UnsupportedError
from bambi_anova.families.base import MOST_COMPILED

Array = np.ndarray

#: Prior densities are tabulated this far below and above the mode of the hyperparameters (16 and
#: 9 powers of ten of a scale), in steps that leave errors of 1e-9.
REACH = (-37.0, 21.0)
STEP = 0.01
#: Blocks that the kernel takes side by side, at the most.
MOST_LANES = 64
#: A log prior density that is not finite.
NEVER = -1e12
#: Coordinates of a block that vary together, by the kind of the blocks' covariance.
TOGETHER: dict[type, Callable[[Any], tuple[Together, ...]]] = {
    Diagonal: lambda covariance: (),
    Correlated: lambda covariance: covariance.together,
}


def pack(w: Whitening) -> Array:
    """Return all that the compiled log density needs.

    First come the buffer's length and three sizes, then where each array begins, all of them whole
    numbers; then the arrays, whole numbers and reals side by side.  ``kernel.log_density`` says
    what they are.
    """
    model, program = w.model, record(w)
    h, p, (b, d) = len(w.centre), len(w.core), w.blocks.shape[:2]
    table, table_start = _tabulate(model.scales, w.centre)
    limits = np.array([[scale.lower, scale.upper] for scale in model.scales]).reshape(h, 2)
    bends = np.array([[scale.stretch, scale.bend] for scale in model.scales]).reshape(h, 2)
    columns, data = model.columns, model.likelihood.data
    # The program counts a block's coordinates in the order in which they are eliminated.
    places = np.arange(b * d).reshape(b, d)[:, np.argsort(w.order)].ravel()
    addresses = program.x[np.concatenate([np.arange(p), p + places])]
    arrays = [
        _likelihood(w),
        np.column_stack([limits, table_start, np.full(h, STEP), bends, w.centre, w.turn]),
        table,
        program.noise[w.standing],
        np.array(program.sizes),
        program.before,
        program.eliminate,
        program.core,
        program.substitute,
        program.constants,
        model.origin,
        np.stack(data.columns),
        columns.indptr.astype(np.int64),
        addresses[columns.indices],
        columns.data,
        *data.entries,
    ]
    return _join([h, table.shape[1], len(data.y)], arrays)


def record(w: Whitening) -> Program:
    """Write the map down for the kernel.

    Raises
    ------
    UnsupportedError
        If it has no operations for the blocks' kind of covariance.
    """
    p, covariance = len(w.core), w.model.blocks.covariance
    if type(covariance) not in TOGETHER:
        raise UnsupportedError(f"the kernel knows no covariance {type(covariance).__name__}")
    core = np.zeros((p + 1, p + 1))
    core[:p, :p], core[p, :p] = w.core[..., 0], w.core_pull[:, 0]
    blocks = np.concatenate([w.border[..., 0], w.block_pull, w.blocks[..., 0]], axis=2)
    of_block, place = covariance.variances(), np.argsort(w.order)
    variances = [*w.model.core.covariance.variances(), *(of_block[i] for i in w.order)]
    together = [
        replace(one, places=tuple(int(place[i]) for i in one.places))
        for one in TOGETHER[type(covariance)](covariance)
    ]
    recorder = Recorder(len(w.centre), variances, core, blocks, _lanes(len(blocks)), together)
    return recorder.record()


def _lanes(blocks: int) -> int:
    """Return how many blocks to take side by side: groups of one size, in fours."""
    groups = -(-blocks // MOST_LANES)
    return -(-blocks // (4 * groups)) * 4


def _likelihood(w: Whitening) -> Array:
    """Return what ``kernel.log_density`` calls ``own``."""
    index, held = w.model.auxiliary, w.model.held
    further = [one.name for one in w.model.likelihood.auxiliary]
    names = [name for name in further if name in index or name in held]
    pairs = [(index.get(name, -1), held.get(name, 0.0)) for name in names]
    pairs += [(-1, 0.0)] * (MOST_COMPILED - len(pairs))
    number = known_rows(w.model.likelihood).index(w.model.likelihood.compiled)
    return np.array([number, w.power, w.reference, *pairs[0], *pairs[1]])


def _join(sizes: Sequence[int], arrays: Sequence[Array]) -> Array:
    flat = [np.ravel(array) for array in arrays]
    head = 1 + len(sizes) + len(flat)
    ends = head + np.cumsum([len(array) for array in flat])
    buffer = np.empty(ends[-1])
    whole = buffer.view(np.int64)
    whole[:head] = [len(buffer), *sizes, head, *ends[:-1]]
    for array, end in zip(flat, ends, strict=True):
        into = whole if array.dtype.kind == "i" else buffer
        into[end - len(array) : end] = array
    return buffer


def _tabulate(scales: Sequence[Scale], centre: Array) -> tuple[Array, Array]:
    """Return log prior densities as cubic pieces (H, K, 4), and where each table starts.

    So the kernel knows every prior that ``scales`` knows.  Beyond the first and the last node the
    log densities go on as straight lines.
    """
    nodes = np.arange(*REACH, STEP)
    table = np.zeros((len(scales), len(nodes) + 1, 4))
    for scale, middle, pieces in zip(scales, centre, table, strict=True):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            y = scale.log_density(middle + nodes)
        spline = interpolate.CubicSpline(nodes, np.where(y > NEVER, y, NEVER))
        pieces[1:-1] = spline.c[::-1].T * STEP ** np.arange(4)
        for at, node in ((0, nodes[0]), (-1, nodes[-1])):
            pieces[at, :2] = spline(node), STEP * spline(node, 1)
        pieces[0, 0] -= pieces[0, 1]
    return table, centre + nodes[0] - STEP
