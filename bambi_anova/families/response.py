"""Kinds of response: how each is read and refused, and what is known before any model.

Letters: N rows, M sufficient rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.errors import DataError, listing
from bambi_anova.families.geometry import (
    AMOUNTS,
    BINOMIAL,
    CLOSED_LOGIT_METRIC,
    COUNTS,
    LOG_METRIC,
    LOGIT_METRIC,
    METRIC,
    NO_SCORES,
    RATING_SCORES,
    Geometry,
)
from bambi_anova.families.likelihood import Observed
from bambi_anova.families.values import LARGEST, ResponseValues, moments
from bambi_anova.priors.kruschke import (
    TermPriors,
    count_priors,
    metric_priors,
    probability_priors,
)

Array = np.ndarray

#: How many categories a rating may have.
FEWEST_CATEGORIES, MOST_CATEGORIES = 3, 20
#: (name, values, trials, success level) -> the response as numbers, or a ``DataError``.
Read = Callable[[str, pd.Series, pd.Series | None, str | None], ResponseValues]
#: (response, exposure, cells) -> default priors.
DefaultPriors = Callable[[ResponseValues, float, int], TermPriors]


@dataclass(frozen=True)
class Response:
    """A kind of response.

    Attributes
    ----------
    read : callable
        (name, values, trials, success level) -> ResponseValues; columns of shape (N,).
    priors : callable
        (response, exposure, cells) -> Kruschke's priors for such a response, given the exposure
        of all rows and the number of cells.
    geometry : Geometry
    middle : callable
        Observed -> what each row says of its mean, held off the borders, shape (M, 1).
    trials : bool
        Whether it is written ``p(successes, trials)``.
    binary : bool
        Whether it is a yes or no, with a level that counts as a success.
    counts : bool
        Whether it is a count, and an offset so the log of an exposure.
    ordered : bool
        Whether its values are ordered categories.
    nominal : bool
        Whether they are numbers of categories without an order.
    """

    read: Read
    priors: DefaultPriors
    geometry: Geometry
    middle: Callable[[Observed], Array]
    trials: bool = False
    binary: bool = False
    counts: bool = False
    ordered: bool = False
    nominal: bool = False


def _numbers(name: str, column: pd.Series) -> Array:
    if not pd.api.types.is_numeric_dtype(column):
        first = column.iloc[0]
        comma = re.fullmatch(r"\s*[+-]?\d*,\d+\s*", str(first))
        remedy = (
            "read the file with decimal=','" if comma else "for two levels use family='bernoulli'"
        )
        raise DataError(
            f"response {name!r}: expected numbers, found {column.dtype} such as {first!r}; {remedy}"
        )
    values = column.to_numpy(dtype=float)
    _require(np.abs(values) < LARGEST, name, column.index, f"finite numbers below {LARGEST:g}")
    most = np.abs(values).max(initial=0.0)
    if 0 < most < 1 / LARGEST:
        raise DataError(
            f"response {name!r}: numbers of at most {most:.2g} vanish when they are squared; give "
            "them in smaller units"
        )
    return values


def _read_binary(
    name: str, column: pd.Series, trials: pd.Series | None, success: str | None
) -> ResponseValues:
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


def _read_proportion(
    name: str, column: pd.Series, of: pd.Series | None, success: str | None
) -> ResponseValues:
    assert of is not None  # for the type checker; ``Family.read`` sees to it
    successes, trials, index = _numbers(name, column), _numbers(name, of), column.index
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


def _check_count(name: str, values: Array, index: pd.Index) -> None:
    whole = (values >= 0) & (values == np.round(values))
    _require(whole, name, index, "counts: whole numbers from 0 up", values)


def _check_positive(name: str, values: Array, index: pd.Index) -> None:
    _require(values > 0, name, index, "positive values", values)


def _check_unit(name: str, values: Array, index: pd.Index) -> None:
    _require((values > 0) & (values < 1), name, index, "values between 0 and 1", values)


def _check_closed_unit(name: str, values: Array, index: pd.Index) -> None:
    _require((values >= 0) & (values <= 1), name, index, "values from 0 to 1", values)


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


def _reader(check: Callable[[str, Array, pd.Index], None] | None = None) -> Read:
    """Return the reader of one column of numbers that vary."""

    def read(
        name: str, column: pd.Series, trials: pd.Series | None, success: str | None
    ) -> ResponseValues:
        observed = _numbers(name, column)
        if check is not None:
            check(name, observed, column.index)
        _require_variation(name, observed)
        return ResponseValues(name, observed)

    return read


def _read_amount(
    name: str, column: pd.Series, trials: pd.Series | None, success: str | None
) -> ResponseValues:
    """Read amounts, of which some may be zero; those that are not have to vary."""
    values = _numbers(name, column)
    _require(values >= 0, name, column.index, "amounts: zeros and positive values", values)
    _require_variation(name, values)
    some = values[values > 0]
    if np.all(some == some[0]):
        raise DataError(
            f"response {name!r}: every amount that is not zero is {some[0]:g}; a yes or no is "
            "all that varies: use family='bernoulli'"
        )
    return ResponseValues(name, values)


def _read_rating(
    name: str, column: pd.Series, trials: pd.Series | None, success: str | None
) -> ResponseValues:
    """Read ratings in numbers as they are, and ordered categories as 1, 2, ..."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        if not column.cat.ordered:
            raise DataError(
                f"response {name!r}: expected ordered categories or whole numbers, found "
                f"categories without an order; use pd.Categorical(..., ordered=True)"
            )
        used = column.cat.remove_unused_categories()
        values, names = used.cat.codes.to_numpy(dtype=float) + 1, list(used.cat.categories)
    else:
        values = _numbers(name, column)
        whole = values == np.round(values)
        _require(whole, name, column.index, "ratings: whole numbers, or ordered categories", values)
        names = [f"{value:g}" for value in np.unique(values)]
    if not FEWEST_CATEGORIES <= len(names) <= MOST_CATEGORIES:
        remedy = "bernoulli" if len(names) < FEWEST_CATEGORIES else "gaussian"
        raise DataError(
            f"response {name!r}: expected ratings with {FEWEST_CATEGORIES} to {MOST_CATEGORIES} "
            f"distinct values, found {len(names)}; use family={remedy!r}"
        )
    return ResponseValues(name, values, categories=tuple(map(str, names)))


def _read_category(
    name: str, column: pd.Series, trials: pd.Series | None, success: str | None
) -> ResponseValues:
    """Number categories from zero up, in their own order or sorted."""
    used = column if isinstance(column.dtype, pd.CategoricalDtype) else None
    levels = (
        _sorted(column.unique())
        if used is None
        else [one for one in used.cat.categories if (used == one).any()]
    )
    if not FEWEST_CATEGORIES <= len(levels) <= MOST_CATEGORIES:
        remedy = "family='bernoulli'" if len(levels) == 2 else "other families for other responses"
        if len(levels) < 2:
            raise DataError(f"response {name!r} is constant: every row is {levels[0]!r}")
        raise DataError(
            f"response {name!r}: expected {FEWEST_CATEGORIES} to {MOST_CATEGORIES} categories, "
            f"found {len(levels)}: {listing(levels, 6)}; use {remedy}"
        )
    names = tuple(map(str, levels))
    if len(set(names)) < len(names):
        raise DataError(f"response {name!r}: two categories read the same as text; rename one")
    values = column.map({level: float(k) for k, level in enumerate(levels)}).to_numpy(dtype=float)
    return ResponseValues(name, values, categories=names)


def _rate(data: Observed) -> Array:
    return (data.y + 0.5) / (data.trials + 1)


def _above_zero(data: Observed) -> Array:
    return np.where(data.y > 0, data.y, 0.5)


def _amount_priors(response: ResponseValues, exposure: float, cells: int) -> TermPriors:
    some = response.values > 0
    count = None if response.count is None else response.count[some]
    return metric_priors(*moments(np.log(response.values[some]), count))


def _metric(transform: Callable[[Array], Array]) -> DefaultPriors:
    return lambda response, exposure, cells: metric_priors(*response.moments(transform))


def _probability(response: ResponseValues, exposure: float, cells: int) -> TermPriors:
    return probability_priors()


REAL = Response(_reader(), _metric(np.asarray), METRIC, lambda data: data.y)
POSITIVE = Response(_reader(_check_positive), _metric(np.log), LOG_METRIC, _above_zero)
#: Positive values and zeros, which have a part of their own.
AMOUNT = Response(_read_amount, _amount_priors, AMOUNTS, _above_zero)
#: Rates that may lie at the ends.
CLOSED_UNIT = Response(
    _reader(_check_closed_unit),
    _probability,
    CLOSED_LOGIT_METRIC,
    lambda data: np.clip(data.y, 0.02, 0.98),
)
UNIT = Response(_reader(_check_unit), _probability, LOGIT_METRIC, _rate)
COUNT = Response(
    _reader(_check_count),
    lambda response, exposure, cells: count_priors(
        float(response.counts @ response.values), exposure, cells
    ),
    COUNTS,
    _above_zero,
    counts=True,
)
BINARY = Response(_read_binary, _probability, BINOMIAL, _rate, binary=True)
#: Of a latent variable with thresholds, whose own scale is the unit.
RATING = Response(
    _read_rating,
    _probability,
    RATING_SCORES,
    lambda data: np.zeros_like(data.y),
    ordered=True,
)
#: Of a latent variable on the scale of the ratings themselves.
METRIC_RATING = Response(
    _read_rating, _metric(lambda y: y), METRIC, lambda data: data.y, ordered=True
)
#: Categories without an order.
CATEGORY = Response(
    _read_category, _probability, NO_SCORES, lambda data: np.full_like(data.y, 0.5), nominal=True
)
PROPORTION = Response(_read_proportion, _probability, BINOMIAL, _rate, trials=True)
