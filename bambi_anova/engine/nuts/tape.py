"""Elementary operations on one memory, and the list in which they are recorded.

``program`` records, ``kernel`` carries out.

Letters: T operations of a list.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

# Operations (op, a, b, c, n) on n numbers each.  In a group's lists a, b and c count from where
# the group's memory begins, those in brackets excepted: they are single numbers of the core's.
LOAD = 0  # a = constants b * [c]
ONE = 1  # a += 1
TAKE = 2  # a -= b * c
TIMES = 3  # a = b * c
ROOT = 4  # a = 1 / sqrt(b)
SUM = 5  # [a] -= sum of b * c
SPREAD = 6  # a -= b * [c]
SCALE = 7  # a = b * [c]
LOG = 8  # log density += sum of log a
SQUARE = 9  # log density -= sum of a^2 / 2


class Tape:
    """Records operations and hands out memory, for ``lanes`` numbers at a time."""

    def __init__(self, lanes: int, start: int = 0) -> None:
        self.lanes = lanes
        self.size = start
        self.constants: list[Array | float] = []
        self.operations: list[tuple[int, int, int, int, int]] = []

    def new(self, count: int = 1) -> int:
        """Return the address of memory, which is zero at first."""
        self.size += count * self.lanes
        return self.size - count * self.lanes

    def add(self, op: int, a: int, b: int = 0, c: int = 0, count: int = 1) -> None:
        """Record an operation."""
        self.operations.append((op, a, b, c, count * self.lanes))

    def result(self, op: int, b: int, c: int = 0, count: int = 1) -> int:
        """Record an operation and return the address of its result."""
        a = self.new(count)
        self.add(op, a, b, c, count)
        return a

    def load(self, a: int, constant: Array | float, scale: int) -> None:
        """Record that constants times a number of the core's are put somewhere."""
        self.constants.append(constant)
        self.add(LOAD, a, (len(self.constants) - 1) * self.lanes, scale)

    def cut(self) -> Array:
        """Return what was recorded so far and start a new list."""
        recorded = np.array(self.operations, dtype=np.int64).reshape(-1, 5)
        self.operations = []
        return recorded
