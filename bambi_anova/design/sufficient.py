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

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.families.base import Family

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


def collapse_rows(design: Design, family: Family, collapse: bool = True) -> Collapsed:
    """Collapse the rows of a design.

    Parameters
    ----------
    design : Design
    family : Family
    collapse : bool
        With ``False`` every row stays by itself.

    Returns
    -------
    Collapsed
    """
    response = design.rows.response
    offset = design.rows.offset
    if not collapse:
        return _unmerged(response.values, response.trials, offset)
    keys = _predictors(design, family)
    merged = COLLAPSES[family.collapse](keys, response.values, response.trials, offset)
    if not merged.merged:
        alike = None if merged.alike is None else merged.alike[merged.codes]
        return replace(_unmerged(response.values, response.trials, offset), alike=alike)
    return merged


def _predictors(design: Design, family: Family) -> list[Array]:
    rows = design.rows
    keys = [design.cell_codes, *(unit.codes for unit in design.units)]
    keys += [slope.unit.codes for slope in design.slopes]
    keys += [covariate.values for covariate in rows.covariates.values()]
    # Under a log link exposures of counts add up, so rows may differ in them.
    if rows.offset is not None and family.collapse != "poisson":
        keys.append(rows.offset)
    return keys


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
        _, inverse = np.unique(key, return_inverse=True)
        # Renumbering after each column keeps the product below N * N.
        _, first, codes = np.unique(
            codes * (inverse.max() + 1) + inverse, return_index=True, return_inverse=True
        )
    return codes, first


def _unmerged(values: Array, trials: Array | None, offset: Array | None) -> Collapsed:
    size = len(values)
    codes = np.arange(size)
    return Collapsed(codes, codes, values, trials, offset, np.ones(size), np.zeros(size))


def _collapse_binomial(
    keys: list[Array], values: Array, trials: Array | None, offset: Array | None
) -> Collapsed:
    codes, first = group_rows(keys, len(values))
    return Collapsed(
        first,
        codes,
        values=np.bincount(codes, values),
        trials=np.bincount(codes, trials),
        offset=None if offset is None else offset[first],
        n=np.bincount(codes).astype(float),
        within=np.zeros(len(first)),
    )


def _collapse_poisson(
    keys: list[Array], values: Array, trials: Array | None, offset: Array | None
) -> Collapsed:
    codes, first = group_rows(keys, len(values))
    exposure = np.bincount(codes, None if offset is None else np.exp(offset)).astype(float)
    needed = offset is not None or bool(np.any(exposure > 1))
    return Collapsed(
        first,
        codes,
        values=np.bincount(codes, values),
        trials=None,
        offset=np.log(exposure) if needed else None,
        n=np.bincount(codes).astype(float),
        within=np.zeros(len(first)),
    )


def _collapse_gaussian(
    keys: list[Array], values: Array, trials: Array | None, offset: Array | None
) -> Collapsed:
    codes, first = group_rows(keys, len(values))
    n = np.bincount(codes).astype(float)
    mean = np.bincount(codes, values) / n
    return Collapsed(
        first,
        codes,
        values=mean,
        trials=None,
        offset=None if offset is None else offset[first],
        n=n,
        within=np.bincount(codes, (values - mean[codes]) ** 2),
    )


def _collapse_weights(
    keys: list[Array], values: Array, trials: Array | None, offset: Array | None
) -> Collapsed:
    alike, _ = group_rows(keys, len(values))
    responses = [values] if trials is None else [values, trials]
    codes, first = group_rows([alike, *responses], len(values))
    return Collapsed(
        first,
        codes,
        values=values[first],
        trials=None if trials is None else trials[first],
        offset=None if offset is None else offset[first],
        n=np.bincount(codes).astype(float),
        within=np.zeros(len(first)),
        alike=None if trials is None else alike[first],
    )


COLLAPSES: dict[str, Callable[[list[Array], Array, Array | None, Array | None], Collapsed]] = {
    "binomial": _collapse_binomial,
    "poisson": _collapse_poisson,
    "gaussian": _collapse_gaussian,
    "weights": _collapse_weights,
}
