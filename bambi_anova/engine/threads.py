"""Our own threads, and the one thread that each of them leaves to the linear algebra library.

The work is many small factorizations: pieces of it run in threads of ours, and the threads that
BLAS would start for each of them only fight for the same cores.  So BLAS has one thread while
ours run, and what it had again afterwards.  Its sums also depend on its threads in the last
digits; with one the same seed gives the same draws on any machine's number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

import numpy as np

#: More threads than this share one memory bus for nothing.
MOST_THREADS = 4
#: Numbers that one piece of work holds at a time, about.
PIECE = 3_000_000
#: Numbers below which a piece of work is not worth a thread.
LEAST = 100_000


class _Blas:
    """Counts who needs BLAS at one thread: the first sets it, the last one restores it.

    The limit is the whole process's, so that fits in several threads of the user's must not
    restore what another of them has set.
    """

    def __init__(self) -> None:
        self._lock, self._users = Lock(), 0
        self._limit: AbstractContextManager[object] | None = None

    def enter(self) -> None:
        with self._lock:
            if not self._users:
                from threadpoolctl import threadpool_limits  # heavy

                self._limit = threadpool_limits(limits=1, user_api="blas")
                self._limit.__enter__()
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self._limit is not None:
                self._limit.__exit__(None, None, None)
                self._limit = None


_BLAS = _Blas()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold the linear algebra library at one thread; restores what it had."""
    _BLAS.enter()
    try:
        yield
    finally:
        _BLAS.leave()


def one_at_a_time[**P, T](function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that threads call in turn: PyTensor's hold what they are given."""
    lock = Lock()

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with lock:
            return function(*args, **kwargs)

    return call


def on_all_cores[T](work: Callable[[slice], T], pieces: list[slice]) -> list[T]:
    """Call ``work`` on each piece; NumPy lets go of the interpreter while it computes."""

    def quietly(piece: slice) -> T:
        # Far out in the prior densities overflow; such points are told by their values.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return work(piece)

    threads = min(cores(), MOST_THREADS, len(pieces))
    if threads < 2:
        return [quietly(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        try:
            return list(pool.map(quietly, pieces))
        except BaseException:  # an interrupt must not wait for pieces that have not begun
            pool.shutdown(cancel_futures=True)
            raise


def pieces(count: int, size: int) -> list[slice]:
    """Cut ``count`` points of ``size`` numbers each into pieces, enough for all threads."""
    fair = max(-(-count // (2 * MOST_THREADS)), LEAST // max(size, 1))
    return in_stretches(count, size, max(fair, 1))


def in_stretches(count: int, size: int, longest: int | None = None) -> list[slice]:
    """Cut ``count`` points of ``size`` numbers each into stretches that memory holds."""
    step = max(1, min(count, PIECE // max(size, 1), longest or count))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
