"""A lazy table -> tallied rows: the exact collapse, done by the engine that holds the data.

Millions of rows become one group-by: rows that share every column the formula reads become one
row and a count.  Of a normal response its mean and variance within such rows are asked for
instead, and two stand-ins, sqrt(variance) above and below the mean, have the same count, mean and
sum of squares, which is all that the likelihood depends on.  Means and variances are added up by
the engine, never squares, whose sums cancel; an engine that may add up squares itself is asked
again, for the distances from the means, where they would.

Letters: N rows of the data, T tallied rows.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Iterable
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.data.frames import Tally
from bambi_anova.errors import DataError, listing
from bambi_anova.families.base import Family
from bambi_anova.families.values import LARGEST
from bambi_anova.formula.expression import Expression
from bambi_anova.formula.parse import Formula

Array = np.ndarray

#: Tallied rows that are fetched at most.
MOST_ROWS = 2_000_000
#: Engines whose variances are sums of squared distances from a mean, never of squares.
STABLE = frozenset({"DUCKDB", "POLARS", "PYSPARK"})
#: A variance below this part of the squared mean may have cancelled.
CANCELS = 1e-6
_COUNT, _MISSING, _ODD, _MEAN, _VARIANCE, _VALUE = (
    f"_tally_{name}" for name in ("count", "missing", "odd", "mean", "variance", "value")
)
_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
#: Functions of a normal response that engines have.
_FUNCTIONS = {
    "I": lambda e: e,
    "log": lambda e: e.log(),
    "log2": lambda e: e.log(2),
    "log10": lambda e: e.log(10),
    "exp": lambda e: e.exp(),
    "sqrt": lambda e: e.sqrt(),
    "abs": lambda e: e.abs(),
}


def tally(
    frame: Any,
    formula: Formula,
    used: list[str],
    family: Family,
    *,
    dropna: bool = False,
    namespace: Collection[str] = (),
) -> Tally:
    """Tally the rows of a lazy table.

    Parameters
    ----------
    frame : narwhals.LazyFrame
    formula : Formula
    used : list of str
        The columns that the formula reads.
    family : Family
    dropna : bool
        Leave out rows with missing values.
    namespace : collection of str
        Names whose meaning is the user's.

    Raises
    ------
    DataError
        If the engine fails, values are missing, or more than ``MOST_ROWS`` rows are left.
    """
    outcome, means = formula.response.outcome, family.collapse.means
    value = None if means is None else _pushed(outcome, frame, namespace)
    keys = used
    if means is None or value is None:
        tallied = _distinct(frame, used)
    else:
        predicting = {name for own in formula.predicting for name in own.columns(used)}
        keys = [name for name in used if name in predicting]
        tallied = _moments(frame, keys, means.pushed(value), outcome.columns(used))
    if len(tallied) > MOST_ROWS:
        raise DataError(
            f"data: more than {MOST_ROWS} rows are left once those that share "
            f"{listing(map(repr, keys), 8)} are merged. Round or bin what has many values, or "
            "fit a sample of the rows"
        )
    tallied, count, left_out = _complete(tallied, keys, outcome.text, dropna)
    if means is None or value is None:
        return Tally(tallied.drop(columns=_COUNT), count, left_out)
    rows, count = _stand_ins(tallied, count, outcome.text, means.back)
    return Tally(rows, count, left_out)


def _pushed(outcome: Expression, frame: Any, own: Collection[str]) -> Any:
    """Return the response as an expression of the engine; None if the engine has none."""
    import narwhals as nw

    schema = frame.collect_schema()

    def walk(node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and schema[node.id].is_numeric():
            return nw.col(node.id).cast(nw.Float64)
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return nw.lit(float(node.value))
        if isinstance(node, ast.BinOp):
            return _ARITHMETIC[type(node.op)](walk(node.left), walk(node.right))
        if isinstance(node, ast.UnaryOp):
            return walk(node.operand) * (1.0 if isinstance(node.op, ast.UAdd) else -1.0)
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            return _FUNCTIONS[node.func.id.removeprefix("np.")](walk(node.args[0]))  # type: ignore[attr-defined]
        raise KeyError

    if outcome.words & set(own):  # a function of the user's may have the name of an engine's
        return None
    try:
        return walk(outcome.tree)
    except KeyError:
        return None


def _distinct(frame: Any, used: list[str]) -> pd.DataFrame:
    """Return the distinct rows, and how often each comes."""
    import narwhals as nw

    return _fetched(frame.select(*used).group_by(used).agg(nw.len().alias(_COUNT)), used)


def _moments(frame: Any, keys: list[str], value: Any, read: Iterable[str]) -> pd.DataFrame:
    """Return the distinct rows of the predictors, with the moments of the response in each."""
    import narwhals as nw

    def unknown(name: str) -> Any:
        return nw.col(name).is_null() | nw.col(name).cast(nw.Float64).is_nan()

    there = frame.with_columns(
        value.alias(_VALUE), reduce(operator.or_, map(unknown, read)).alias(_MISSING)
    )
    number = nw.col(_VALUE)
    there = there.with_columns(
        (~nw.col(_MISSING) & (number.is_null() | ~(number.abs() < LARGEST))).alias(_ODD)
    )
    there = there.select(
        *keys,
        nw.when(~nw.col(_MISSING) & ~nw.col(_ODD)).then(number).alias(_VALUE),
        nw.col(_MISSING).cast(nw.Float64),
        nw.col(_ODD).cast(nw.Float64),
    )
    wanted = [
        nw.len().alias(_COUNT),
        nw.col(_MISSING).sum(),
        nw.col(_ODD).sum(),
        number.mean().alias(_MEAN),
        number.var(ddof=1).alias(_VARIANCE),
    ]
    found = _grouped(there, keys, wanted)
    small = found[_VARIANCE] < CANCELS * found[_MEAN] ** 2
    if frame.implementation.name in STABLE or not small.any():
        return found
    return _about_means(there, keys, found)


def _about_means(there: Any, keys: list[str], found: pd.DataFrame) -> pd.DataFrame:
    """Return the moments again, those of distances from the means that are known roughly."""
    import narwhals as nw

    number = nw.col(_VALUE)
    if keys:
        rough = there.group_by(keys).agg(number.mean().alias(_MEAN))
        there = there.join(rough, on=keys, how="inner")
    else:
        there = there.with_columns(nw.lit(float(found[_MEAN].iloc[0])).alias(_MEAN))
    there = there.with_columns((number - nw.col(_MEAN)).alias(_VALUE))
    wanted = [
        nw.col(_MEAN).max(),
        number.mean().alias(_VALUE),
        number.var(ddof=1).alias(_VARIANCE),
    ]
    again = _grouped(there, keys, wanted)
    again[_MEAN] += again.pop(_VALUE)
    rest = found.drop(columns=[_MEAN, _VARIANCE])
    return rest.merge(again, "left", keys) if keys else rest.join(again)


def _grouped(there: Any, keys: list[str], wanted: list) -> pd.DataFrame:
    return _fetched(there.group_by(keys).agg(*wanted) if keys else there.select(*wanted), keys)


def _fetched(grouped: Any, keys: list[str]) -> pd.DataFrame:
    """Run the query; the rows in the order of their keys, whatever the engine's was."""
    try:
        found = grouped.head(MOST_ROWS + 1).collect().to_pandas()
    except Exception as error:  # whatever the engine raises
        raise DataError(f"data: the engine cannot tally the rows: {error}") from error
    order = np.arange(len(found))
    for name in reversed(keys):
        codes, _ = pd.factorize(found[name].iloc[order], sort=True)
        order = order[np.argsort(codes, kind="stable")]
    return found.iloc[order].reset_index(drop=True)


def _complete(
    tallied: pd.DataFrame, keys: list[str], what: str, dropna: bool
) -> tuple[pd.DataFrame, Array, int]:
    """Return the rows without missing values, and how many had some; or refuse them."""
    by_key = {name: tallied[name].isna().to_numpy() for name in keys}
    unknown = np.any([np.zeros(len(tallied), dtype=bool), *by_key.values()], axis=0)
    count = tallied[_COUNT].to_numpy(dtype=float)
    lost = tallied[_MISSING].to_numpy(dtype=float) if _MISSING in tallied else np.zeros(len(count))
    left_out = round(float(count[unknown].sum() + lost[~unknown].sum()))
    if left_out and not dropna:
        missing = [(name, count[bad].sum()) for name, bad in by_key.items()]
        columns = [f"{name!r} ({round(n)})" for name, n in [*missing, (what, lost.sum())] if n]
        raise DataError(
            f"data: missing values in {left_out} of {round(float(count.sum()))} rows; by column: "
            f"{listing(columns, 12)}. Pass dropna=True to leave these rows out"
        )
    kept = ~unknown & (count > lost)
    if not kept.any():
        raise DataError("data: no rows" + (" without missing values" if left_out else ""))
    return tallied[kept].reset_index(drop=True), (count - lost)[kept], left_out


def _stand_ins(
    tallied: pd.DataFrame, count: Array, what: str, back: Callable[[Array], Array]
) -> tuple[pd.DataFrame, Array]:
    """Return rows that have the count, mean and sum of squares of those that they stand for."""
    odd = round(float(tallied[_ODD].sum()))
    if odd:
        raise DataError(
            f"response {what!r}: expected finite numbers below {LARGEST:g}; not so in {odd} of "
            f"{round(float(count.sum()))} rows"
        )
    mean = tallied[_MEAN].to_numpy(dtype=float)
    variance = np.where(count > 1, tallied[_VARIANCE].to_numpy(dtype=float), 0.0)
    distance = np.sqrt(variance * (count - 1) / count)
    place = np.repeat(np.arange(len(count)), np.where(distance > 0, 2, 1))
    upper = np.concatenate([[False], place[1:] == place[:-1]])
    values = mean[place] + np.where(upper, 1, -1) * distance[place]
    frame = tallied.drop(columns=[_COUNT, _MISSING, _ODD, _MEAN, _VARIANCE]).iloc[place]
    halves = count[place] / np.where(distance > 0, 2, 1)[place]
    return frame.reset_index(drop=True).assign(**{what: back(values)}), halves
