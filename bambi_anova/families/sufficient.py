"""Rows -> sufficient rows: the same likelihood, a constant apart, from fewer rows.

Rows that share every predictor differ only in their response.  Bernoulli and binomial responses
add up to (successes, trials), Poisson counts and exposures add up, gaussian ones keep (n, mean,
within sum of squares), and any other family keeps distinct responses with a frequency weight.
Beta-binomial trials do not add up, as each row has a probability of its own: distinct (successes,
trials) are kept with a weight.
The posterior is unchanged; the units of leave-one-out comparisons are not: they become rows of
sufficient statistics.

Letters: N rows of data, M rows after the collapse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bambi_anova.families.values import ResponseValues

Array = np.ndarray


@dataclass(frozen=True)
class Collapsed:
    """Sufficient rows.

    Attributes
    ----------
    first : ndarray of int, shape (M,)
        A row of the data that stands for each sufficient row, for its predictors.
    codes : ndarray of int, shape (N,)
        The sufficient row of each row of the data.
    values : ndarray, shape (M,)
        Successes, counts, means, or plain values, by family.
    trials : ndarray, shape (M,), or None
        Trials, for binary responses and proportions.
    offset : ndarray, shape (M,), or None
        Offset on the link scale; for counts it holds the log of the summed exposures.
    n : ndarray, shape (M,)
        How many rows of data each row holds: the gaussian n, or the frequency weight.
    within : ndarray, shape (M,)
        Gaussian sum of squares about the mean; zero for other families.
    alike : ndarray of int, shape (M,), or None
        Numbers the sets of rows that share every predictor, where trials do not add up; ``None``
        where rows are to stay by themselves.
    """

    first: Array
    codes: Array
    values: Array
    trials: Array | None
    offset: Array | None
    n: Array
    within: Array
    alike: Array | None = None

    @property
    def merged(self) -> bool:
        """Whether any row holds more than one row of data."""
        return bool(np.any(self.n > 1))

    @property
    def offsets(self) -> Array:
        """The offset of each row, zero where there is none; shape (M,)."""
        return np.zeros(len(self.first)) if self.offset is None else self.offset

    def some(self, which: Array) -> Collapsed:
        """Return some of the rows."""
        return Collapsed(
            self.first[which],
            self.codes,
            self.values[which],
            None if self.trials is None else self.trials[which],
            None if self.offset is None else self.offset[which],
            self.n[which],
            self.within[which],
        )


#: (keys, response, offset) -> the sufficient rows of rows that share the keys.
Merge = Callable[[Sequence[Array], ResponseValues, Array | None], Collapsed]


@dataclass(frozen=True)
class Means:
    """A response that is normal once it is transformed: its mean and variance say all.

    Attributes
    ----------
    transform, back : callable
        From the response to what is normal, and its inverse; of arrays.
    pushed : callable
        The transformation as an expression of an engine (narwhals).
    """

    transform: Callable[[Array], Array]
    back: Callable[[Array], Array]
    pushed: Callable[[Any], Any]

    def merge(
        self, keys: Sequence[Array], response: ResponseValues, offset: Array | None
    ) -> Collapsed:
        """Keep n, the mean on the scale of the response, and the sum of squares about it."""
        codes, first = group_rows(keys, len(response.values))
        n, y = response.total(codes), self.transform(response.values)
        mean = response.total(codes, y) / n
        return Collapsed(
            first,
            codes,
            values=self.back(mean),
            trials=None,
            offset=None if offset is None else offset[first],
            n=n,
            within=response.total(codes, (y - mean[codes]) ** 2),
        )


@dataclass(frozen=True)
class Collapse:
    """How rows that share every predictor become one.

    Attributes
    ----------
    merge : callable
        (keys, response, offset) -> Collapsed.
    exposures : bool
        Whether offsets are exposures that add up, so that rows may differ in them.
    weighted : bool
        Whether a row stands for n rows of one response, and so has n times the log-likelihood.
    averages : bool
        Whether the mean of some rows is that of their sufficient rows' values.
    means : Means, optional
        What makes a response normal, if its mean and variance say all.
    """

    merge: Merge
    exposures: bool = False
    weighted: bool = False
    averages: bool = True
    means: Means | None = None

    def __call__(
        self, keys: Sequence[Array], response: ResponseValues, offset: Array | None
    ) -> Collapsed:
        """Return the sufficient rows of N rows.

        Parameters
        ----------
        keys : sequence of ndarray, each of shape (N,)
            What rows have to share.
        response : ResponseValues
        offset : ndarray, shape (N,), or None
        """
        if offset is not None and not self.exposures:
            keys = [*keys, offset]
        merged = self.merge(keys, response, offset)
        if merged.merged:
            return merged
        alike = None if merged.alike is None else merged.alike[merged.codes]
        return replace(unmerged(response, offset), alike=alike)

    def constant(self, response: ResponseValues, offset: Array | None, rows: Collapsed) -> Array:
        """Return what merged rows lack of the log-likelihood of the data's rows, shape (M,)."""
        if not self.exposures:
            return np.zeros(len(rows.first))
        own = np.zeros(len(response.values)) if offset is None else offset
        return response.total(rows.codes, response.values * own) - rows.values * rows.offsets


def unmerged(response: ResponseValues, offset: Array | None) -> Collapsed:
    """Return rows that stay by themselves; of rows that come several times, one."""
    values, size = response.values, len(response.values)
    codes = np.arange(size)
    return Collapsed(codes, codes, values, response.trials, offset, np.ones(size), np.zeros(size))


def group_rows(keys: Iterable[Array], size: int) -> tuple[Array, Array]:
    """Number the distinct rows of some columns.

    Parameters
    ----------
    keys : iterable of ndarray, each of shape (N,)
    size : int
        The number of rows N.

    Returns
    -------
    codes : ndarray of int, shape (N,)
    first : ndarray of int, shape (M,)
        The first row of each group; groups are in the order of their keys, so that the rows'
        own order leaves no trace.

    Examples
    --------
    >>> codes, first = group_rows([np.array([0, 1, 0]), np.array([5.0, 5.0, 5.0])], 3)
    >>> codes.tolist(), first.tolist()
    ([0, 1, 0], [0, 1])
    """
    codes = np.zeros(size, dtype=np.int64)
    first = np.zeros(1, dtype=np.int64)
    for key in keys:
        # Renumbering after each column keeps the product below N * N.
        own, _ = renumber(np.asarray(key))
        codes, first = renumber(codes * (own.max() + 1) + own)
    return codes, first


def renumber(values: Array) -> tuple[Array, Array]:
    """Number the distinct values, in their order.

    Parameters
    ----------
    values : ndarray, shape (N,)

    Returns
    -------
    codes : ndarray of int, shape (N,)
    first : ndarray of int, shape (M,)
        Where each of the M values comes first.

    Examples
    --------
    >>> codes, first = renumber(np.array([7, 3, 7]))
    >>> codes.tolist(), first.tolist()
    ([1, 0, 1], [1, 0])
    """
    size = len(values)
    if size and values.dtype.kind in "iu":
        least, most = int(values.min()), int(values.max())
        if most - least < 2 * size:  # counting is faster than sorting
            shifted = values - least
            found = np.bincount(shifted) > 0
            codes = (np.cumsum(found) - 1)[shifted]
            first = np.empty(int(found.sum()), dtype=np.int64)
            first[codes[::-1]] = np.arange(size - 1, -1, -1)
            return codes, first
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    return codes, first


def _add_trials(keys: Sequence[Array], response: ResponseValues, offset: Array | None) -> Collapsed:
    codes, first = group_rows(keys, len(response.values))
    return Collapsed(
        first,
        codes,
        values=response.total(codes, response.values),
        trials=response.total(codes, response.trials),
        offset=None if offset is None else offset[first],
        n=response.total(codes),
        within=np.zeros(len(first)),
    )


def _add_counts(keys: Sequence[Array], response: ResponseValues, offset: Array | None) -> Collapsed:
    codes, first = group_rows(keys, len(response.values))
    exposure = response.total(codes, None if offset is None else np.exp(offset))
    needed = offset is not None or bool(np.any(exposure > 1))
    return Collapsed(
        first,
        codes,
        values=response.total(codes, response.values),
        trials=None,
        offset=np.log(exposure) if needed else None,
        n=response.total(codes),
        within=np.zeros(len(first)),
    )


def keep_means(means: Means, averages: bool = True) -> Collapse:
    """Return the collapse of rows that are normal once they are transformed."""
    return Collapse(means.merge, averages=averages, means=means)


def _count_alike(
    keys: Sequence[Array], response: ResponseValues, offset: Array | None
) -> Collapsed:
    values, trials = response.values, response.trials
    alike, _ = group_rows(keys, len(values))
    responses = [values] if trials is None else [values, trials]
    codes, first = group_rows([alike, *responses], len(values))
    return Collapsed(
        first,
        codes,
        values=values[first],
        trials=None if trials is None else trials[first],
        offset=None if offset is None else offset[first],
        n=response.total(codes),
        within=np.zeros(len(first)),
        alike=None if trials is None else alike[first],
    )


#: Successes and trials add up.
TRIALS = Collapse(_add_trials)
#: Counts and exposures add up.
COUNTS = Collapse(_add_counts, exposures=True)
#: n, mean and within sum of squares.
MEANS = keep_means(Means(np.asarray, np.asarray, lambda y: y))
#: Distinct responses, and how often each occurs.
WEIGHTS = Collapse(_count_alike, weighted=True, averages=False)
