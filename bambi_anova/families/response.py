"""The response of each family: read it, check it, summarise it.

Letters: N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.errors import DataError, listing
from bambi_anova.families.base import Family

Array = np.ndarray


@dataclass(frozen=True)
class ResponseValues:
    """The response of N rows.

    Attributes
    ----------
    name : str
        The left-hand side as written.
    values : ndarray, shape (N,)
        Observed values; successes for binary responses and proportions.
    trials : ndarray, shape (N,), or None
        Trials of each row, for binary responses (ones) and proportions.
    success : object
        The level that counts as a success, for a categorical binary response.
    guessed : bool
        Whether that level had to be guessed.
    """

    name: str
    values: Array
    trials: Array | None = None
    success: object = None
    guessed: bool = False


def read_response(
    family: Family, name: str, values: pd.Series, trials: pd.Series | None, success: str | None
) -> ResponseValues:
    """Check the response against its family and return it as numbers.

    Parameters
    ----------
    family : Family
    name : str
        The left-hand side, for messages.
    values, trials : pandas.Series
        Columns of shape (N,), without missing values; ``trials`` only for ``p(k, n)``.
    success : str, optional
        Level given as ``y[level]``.

    Raises
    ------
    DataError
        If the values cannot come from the family: fractions where counts are needed, more
        successes than trials, text, non-finite or constant values.
    """
    if (trials is not None) != (family.response == "proportion"):
        expected = "p(successes, trials)" if family.response == "proportion" else "one column"
        raise DataError(f"family={family.name!r} needs {expected} as response, got {name!r}")
    if success is not None and family.response != "binary":
        raise DataError(f"response {name!r}: a success level is for family='bernoulli' only")
    if family.response == "binary":
        return _read_binary(name, values, success)
    observed = _numbers(name, values)
    if family.response == "proportion":
        assert trials is not None  # for the type checker; guaranteed above
        read = _read_proportion(name, observed, _numbers(name, trials), values.index)
        if family.auxiliary:
            _require_several_trials(family, read)
        return read
    _CHECKS[family.response](name, observed, values.index)
    _require_variation(name, observed)
    return ResponseValues(name, observed)


def _numbers(name: str, column: pd.Series) -> Array:
    if not pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"response {name!r}: expected numbers, found {column.dtype} such as "
            f"{column.iloc[0]!r}; for two levels use family='bernoulli'"
        )
    values = column.to_numpy(dtype=float)
    _require(np.isfinite(values), name, column.index, "finite numbers")
    return values


def _read_binary(name: str, column: pd.Series, success: str | None) -> ResponseValues:
    numeric = pd.api.types.is_numeric_dtype(column)
    if numeric and success is None:
        values = column.to_numpy(dtype=float)
        _require(np.isin(values, (0, 1)), name, column.index, "0 or 1 (or two text levels)")
        _require_variation(name, values)
        return ResponseValues(name, values, np.ones(len(values)))
    levels = (
        [c for c in column.cat.categories if (column == c).any()]
        if isinstance(column.dtype, pd.CategoricalDtype)
        else _sorted(column.unique())
    )
    if len(levels) != 2:
        raise DataError(
            f"response {name!r}: expected two levels, found {len(levels)}: {listing(levels)}"
        )
    named = {str(level): level for level in levels}
    if success is not None and success not in named:
        raise DataError(f"response {name!r}: no level {success!r}; found {listing(levels)}")
    chosen = named[success] if success is not None else levels[1]
    values = (column == chosen).to_numpy(dtype=float)
    return ResponseValues(name, values, np.ones(len(values)), chosen, guessed=success is None)


def _sorted(levels) -> list:
    try:
        return sorted(levels)
    except TypeError:  # levels of several kinds
        return sorted(levels, key=str)


def _read_proportion(name: str, successes: Array, trials: Array, index: pd.Index) -> ResponseValues:
    for values, what in ((successes, "successes"), (trials, "trials")):
        whole = (values >= 0) & (values == np.round(values))
        _require(whole, name, index, f"{what} that are whole numbers from 0 up", values)
    _require(successes <= trials, name, index, "no more successes than trials", successes)
    if trials.sum() == 0:
        raise DataError(f"response {name!r}: there is not one trial in the data")
    if successes.sum() in (0, trials.sum()):
        every = "no" if successes.sum() == 0 else "every"
        raise DataError(f"response {name!r} is constant: {every} trial is a success")
    return ResponseValues(name, successes, trials)


def _require_several_trials(family: Family, response: ResponseValues) -> None:
    """Refuse what says nothing of the scatter between rows: one trial is a success or not."""
    assert response.trials is not None  # for the type checker
    if response.trials.max() < 2:
        raise DataError(
            f"response {response.name!r}: no row has more than one trial, which leaves "
            f"{', '.join(family.auxiliary)} of family={family.name!r} without data. Use "
            "family='binomial', or one row for each group of trials that share a probability"
        )


def _check_count(name: str, values: Array, index: pd.Index) -> None:
    whole = (values >= 0) & (values == np.round(values))
    _require(whole, name, index, "counts: whole numbers from 0 up", values)


def _check_positive(name: str, values: Array, index: pd.Index) -> None:
    _require(values > 0, name, index, "positive values", values)


def _check_unit(name: str, values: Array, index: pd.Index) -> None:
    _require((values > 0) & (values < 1), name, index, "values between 0 and 1", values)


def _check_real(name: str, values: Array, index: pd.Index) -> None:
    """Every finite number is allowed."""


_CHECKS: dict[str, Callable[[str, Array, pd.Index], None]] = {
    "real": _check_real,
    "count": _check_count,
    "positive": _check_positive,
    "unit": _check_unit,
}


def _require_variation(name: str, values: Array) -> None:
    if np.all(values == values[0]):
        raise DataError(
            f"response {name!r} is constant: every one of its {len(values)} values is "
            f"{values[0]:g}, so there is nothing to analyse"
        )


def _require(
    good: Array, name: str, index: pd.Index, expected: str, values: Array | None = None
) -> None:
    """Raise, naming the first rows that are not good."""
    if good.all():
        return
    bad = np.flatnonzero(~good)
    found = "" if values is None else f" (there: {listing(values[bad], 3)})"
    raise DataError(
        f"response {name!r}: expected {expected}; not so in {len(bad)} of {len(good)} rows, "
        f"at index {listing(index[bad], 5)}{found}"
    )
