"""The whitening map of a model as a list of elementary operations on one memory.

An arrow is factored and solved by the same few operations for every block, so they are listed
once and carried out on many blocks side by side, in *lanes*.  What is structurally zero is left
out.  The lists are data: ``kernel`` carries them out, and goes back through them for the
gradient, without being compiled for a model.

The memory holds the core's numbers first, then those of the groups of L blocks, one group after
the other.  An address is either the result of one operation or a sum, from which operations
subtract; it is read only when it is complete, so the way back finds everything where it was left.

Letters: P core coordinates, B blocks, D coordinates a block, L lanes, Q = P + B D,
H hyperparameters, T operations of a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bambi_anova.engine.latent.covariance import Together, Variance
from bambi_anova.engine.nuts.tape import (
    LOG,
    ONE,
    ROOT,
    SCALE,
    SPREAD,
    SQUARE,
    SUM,
    TAKE,
    TIMES,
    Tape,
)

Array = np.ndarray


@dataclass(frozen=True)
class Program:
    """What to carry out, in this order.

    Attributes
    ----------
    before : ndarray of int, shape (T, 5)
        Prior sds, their products, the core's matrix.
    eliminate : ndarray of int, shape (T, 5)
        For each group: factor the blocks, take their part from the core's matrix.
    core : ndarray of int, shape (T, 5)
        Factor it, find the core's coordinates.
    substitute : ndarray of int, shape (T, 5)
        For each group: find the blocks' coordinates.
    constants : ndarray
        The core's, then each group's.
    own_constants, group_constants, own_memory, group_memory : int
        How many numbers are the core's, and each group's.
    noise, x : ndarray of int, shape (Q,)
        Addresses of the coordinates' noise, and of the coordinates less their prior means.
    """

    before: Array
    eliminate: Array
    core: Array
    substitute: Array
    constants: Array
    own_constants: int
    group_constants: int
    own_memory: int
    group_memory: int
    noise: Array
    x: Array

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """Groups, ``own_memory``, ``group_memory``, ``own_constants`` and ``group_constants``."""
        groups = (len(self.constants) - self.own_constants) // self.group_constants
        own, group = self.own_constants, self.group_constants
        return groups, self.own_memory, self.group_memory, own, group


class Recorder:
    """Records the map for the arrow of one model.

    Parameters
    ----------
    hyperparameters : int
        H.
    variances : sequence of Variance, length P + D
        Of each coordinate of the core and of a block, a priori.
    core : ndarray, shape (P + 1, P + 1)
        The core's part of A' W A, and its part of A' times the working response as last row.
    blocks : ndarray, shape (B, D, P + 1 + D)
        For each block: the border to the core, the block's part of A' times the working response,
        and the block's own part.
    lanes : int
    together : sequence of Together
        Coordinates of a block that vary together.
    """

    def __init__(
        self,
        hyperparameters: int,
        variances: Sequence[Variance],
        core: Array,
        blocks: Array,
        lanes: int,
        together: Sequence[Together] = (),
    ) -> None:
        self.p, (self.b, self.d) = len(core) - 1, blocks.shape[:2]
        self.core_matrix, self.blocks, self.lanes = core, blocks, lanes
        # The memory begins with the scales, one, minus one, and the weight of the curvature.
        self.one, self.minus_one, self.weight = (hyperparameters + i for i in range(3))
        self.own, self.group = Tape(1, hyperparameters + 3), Tape(lanes)
        known: dict[Variance, int] = {(1.0, ()): self.one}
        spreads = [self._spread(variance, known) for variance in variances]
        self.spreads = [*spreads[: self.p], self.one, *spreads[self.p :]]
        self.products: dict[tuple[int, int], int] = {}
        self.factor = self._factor(together)

    def record(self) -> Program:
        """Return the program."""
        columns = self._load_core()
        loaded = self._load_blocks()
        before = self.own.cut()
        lower, border, inverses = self._eliminate(loaded, columns)
        eliminate = self.group.cut()
        core_noise, core_v, core_x = self._solve_core(columns)
        core = self.own.cut()
        noise, x = self._substitute(lower, border, inverses, core_v)
        groups = -(-self.b // self.lanes)
        return Program(
            before,
            eliminate,
            core,
            self.group.cut(),
            np.concatenate([np.array(self.own.constants, dtype=float), self._by_group(groups)]),
            len(self.own.constants),
            len(self.group.constants) * self.lanes,
            self.own.size,
            self.group.size,
            np.concatenate([core_noise, self._addresses(noise)]),
            np.concatenate([core_x, self._addresses(x)]),
        )

    def _by_group(self, groups: int) -> Array:
        """Return the groups' constants, one group after the other."""
        constants = np.zeros((len(self.group.constants), groups * self.lanes))
        constants[:, : self.b] = self.group.constants
        return constants.reshape(-1, groups, self.lanes).transpose(1, 0, 2).ravel()

    def _addresses(self, places: list[int]) -> Array:
        """Return where the numbers of each block's coordinates stand, shape (B D,)."""
        group, lane = np.divmod(np.arange(self.b), self.lanes)
        first = self.own.size + group * self.group.size + lane
        return (first[:, None] + np.array(places)).ravel()

    def _spread(self, variance: Variance, known: dict[Variance, int]) -> int:
        """Return the address of a prior sd."""
        number, factors = variance
        if not number and len(factors) == 1 and factors[0][1] == 1:
            return factors[0][0]
        if variance not in known:
            known[variance] = self._root(number, factors)
        return known[variance]

    def _root(self, number: float, factors: tuple[tuple[int, float], ...]) -> int:
        """Return the address of the root of a sum of squared scales and a number."""
        tape, total = self.own, self.own.new()
        tape.load(total, number, self.one)
        for scale, factor in factors:
            less = tape.new()
            tape.load(less, -factor, scale)
            tape.add(TAKE, total, less, scale)
        return tape.result(TIMES, total, tape.result(ROOT, total))

    def _factor(self, together: Sequence[Together]) -> list[dict[int, int]]:
        """Return C of a block: for each row, addresses of what is not zero, by the column."""
        factor = [{i: self.spreads[self.p + 1 + i]} for i in range(self.d)]
        for one in together:
            partial = {(i, j): at for i, j, at in one.pairs()}
            for i, row in enumerate(one.places):
                entries = self._correlation_row([partial[i, j] for j in range(i)])
                factor[row] = {
                    one.places[j]: self.own.result(TIMES, at, self.spreads[self.p + 1 + row])
                    for j, at in enumerate(entries)
                }
        return factor

    def _correlation_row(self, partial: Sequence[int]) -> list[int]:
        """Return the addresses of a row of L (see ``covariance``), from partial correlations."""
        tape, row, root = self.own, [], self.one
        for at in partial:
            row.append(tape.result(TIMES, at, root))
            left = tape.new()
            tape.add(ONE, left)
            for entry in row:
                tape.add(TAKE, left, entry, entry)
            root = tape.result(TIMES, left, tape.result(ROOT, left))
        return [*row, root]

    def _product(self, i: int, j: int) -> int:
        """Return the address of the weight times the prior sds of two columns."""
        return self._weighted(self.spreads[i], self.spreads[j])

    def _weighted(self, one: int, other: int) -> int:
        """Return the address of the weight times two numbers."""
        pair = min(one, other), max(one, other)
        if pair not in self.products:
            weighted = self.own.result(TIMES, self.weight, pair[0])
            self.products[pair] = self.own.result(TIMES, weighted, pair[1])
        return self.products[pair]

    def _load_core(self) -> list[int]:
        """Load the core's matrix; return the addresses of its columns, from the diagonal down."""
        columns = []
        for j in range(self.p):
            columns.append(self.own.new(self.p + 1 - j))
            for i in range(j, self.p + 1):
                if self.core_matrix[i, j]:
                    at = columns[j] + i - j
                    self.own.load(at, self.core_matrix[i, j], self._product(i, j))
            self.own.add(ONE, columns[j])
        return columns

    def _load_blocks(self) -> dict[tuple[int, int], int]:
        """Load the blocks; return the addresses of their entries."""
        loaded = {}
        for i in range(self.d):
            own = self.p + 1 + i
            for j in range(own + 1):
                parts = self._parts(i, j)
                if parts or j == own:
                    loaded[i, j] = self.group.new()
                    self._load_sum(loaded[i, j], parts)
            self.group.add(ONE, loaded[i, own])
        return loaded

    def _parts(self, i: int, j: int) -> list[tuple[Array, int]]:
        """Return what an entry of C' A' W A C adds up from: numbers, and where their factor is."""
        first = self.p + 1
        columns = {j: self.spreads[j]}
        if j >= first:
            columns = {
                first + k: row[j - first] for k, row in enumerate(self.factor) if j - first in row
            }
        return [
            (self.blocks[:, k, column], self._weighted(row[i], at))
            for k, row in enumerate(self.factor)
            if i in row
            for column, at in columns.items()
            if self.blocks[:, k, column].any()
        ]

    def _load_sum(self, at: int, parts: Sequence[tuple[Array, int]]) -> None:
        """Record that a sum of constants, each times a number of the core's, is put somewhere."""
        tape = self.group
        if not parts:
            tape.load(at, np.zeros(self.b), self.one)
        for n, (constants, scale) in enumerate(parts):
            part = at if n == 0 else tape.new()
            tape.load(part, constants, scale)
            if n:
                tape.add(SPREAD, at, part, self.minus_one)

    def _eliminate(
        self, rows: dict[tuple[int, int], int], columns: list[int]
    ) -> tuple[dict[tuple[int, int], int], list[dict[int, int]], list[int]]:
        """Factor the blocks and solve their borders, row by row.

        Returns
        -------
        lower : dict
            Addresses of the factor's entries below the diagonal.
        border : list of dict
            For each row, addresses of what it borders on, by column.
        inverses : list of int
            Addresses of the inverse of the factor's diagonal.
        """
        tape, first = self.group, self.p + 1
        lower: dict[tuple[int, int], int] = {}
        border: list[dict[int, int]] = []
        inverses: list[int] = []
        for i in range(self.d):
            for k in range(i):
                if (i, first + k) not in rows:
                    continue
                lower[i, k] = tape.result(TIMES, rows[i, first + k], inverses[k])
                known = border[k] | {
                    first + j: lower[j, k] for j in range(k + 1, i + 1) if (j, k) in lower
                }
                for j, at in known.items():
                    if (i, j) not in rows:
                        rows[i, j] = tape.new()
                    tape.add(TAKE, rows[i, j], lower[i, k], at)
            inverses.append(tape.result(ROOT, rows[i, first + i]))
            mine = [j for j in range(first) if (i, j) in rows]
            border.append({j: tape.result(TIMES, rows[i, j], inverses[i]) for j in mine})
            self._take_from_core(border[i], columns)
        self._add_log_determinant(inverses)
        return lower, border, inverses

    def _take_from_core(self, border: dict[int, int], columns: list[int]) -> None:
        for j in border:
            for i in border:
                if i >= j < self.p:
                    self.group.add(SUM, columns[j] + i - j, border[i], border[j])

    def _add_log_determinant(self, inverses: list[int]) -> None:
        product = inverses[0]
        for inverse in inverses[1:]:
            product = self.group.result(TIMES, product, inverse)
        self.group.add(LOG, product)

    def _solve_core(self, columns: list[int]) -> tuple[list[int], list[int], list[int]]:
        """Factor the core's matrix, column by column; return addresses of noise, v and x."""
        tape, p = self.own, self.p
        noise = [tape.new() for _ in range(p)]
        inverses, lower = [], []
        for k in range(p):
            inverses.append(tape.result(ROOT, columns[k]))
            tape.add(LOG, inverses[k])
            lower.append(tape.result(SCALE, columns[k] + 1, inverses[k], p - k))
            for j in range(k + 1, p):
                at = lower[k] + j - k - 1
                tape.add(SPREAD, columns[j], at, at, p + 1 - j)
            tape.add(TAKE, noise[k], lower[k] + p - k - 1, self.minus_one)
        v, x = [0] * p, [0] * p
        for i in reversed(range(p)):
            v[i] = tape.result(TIMES, noise[i], inverses[i])
            x[i] = tape.result(TIMES, v[i], self.spreads[i])
            tape.add(SQUARE, v[i])
            for j in range(i):
                tape.add(TAKE, noise[j], lower[j] + i - j - 1, v[i])
        return noise, v, x

    def _substitute(
        self,
        lower: dict[tuple[int, int], int],
        border: list[dict[int, int]],
        inverses: list[int],
        core_v: list[int],
    ) -> tuple[list[int], list[int]]:
        """Find the blocks' coordinates; return the addresses of noise and x."""
        tape = self.group
        noise, v = [tape.new() for _ in range(self.d)], [0] * self.d
        # The right-hand side is the border to one more core coordinate, which is minus one.
        known = [*core_v, self.minus_one]
        for i in reversed(range(self.d)):
            for j, at in border[i].items():
                tape.add(SPREAD, noise[i], at, known[j])
            v[i] = tape.result(TIMES, noise[i], inverses[i])
            tape.add(SQUARE, v[i])
            for j in range(i):
                if (i, j) in lower:
                    tape.add(TAKE, noise[j], lower[i, j], v[i])
        return noise, [self._natural(row, v) for row in self.factor]

    def _natural(self, row: dict[int, int], v: list[int]) -> int:
        """Return the address of a coordinate: a row of C times v."""
        tape = self.group
        if len(row) == 1:
            ((column, at),) = row.items()
            return tape.result(SCALE, v[column], at)
        x = tape.new()
        for column, at in row.items():
            minus = tape.result(SCALE, v[column], self.minus_one)
            tape.add(SPREAD, x, minus, at)
        return x
