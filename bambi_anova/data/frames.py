"""A frame or table of any engine -> columns in pandas: the one door for data.

What pandas did not make goes through narwhals: Polars and PyArrow tables, and lazy frames such as
DuckDB's, of which only the columns that are asked for are ever computed.

Letters: T tallied rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.data.databases import is_address, open_table
from bambi_anova.errors import DataError

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame


Array = np.ndarray


@dataclass(frozen=True)
class Tally:
    """Rows that stand for several rows of the data each.

    Attributes
    ----------
    frame : pandas.DataFrame
        Shape (T, columns): the columns that the formula reads, or the response under its text.
    count : ndarray, shape (T,)
        How many rows of the data each stands for.
    left_out : int
        Rows with missing values that were left out.
    """

    frame: pd.DataFrame
    count: Array
    left_out: int = 0


@dataclass(frozen=True)
class Source:
    """Data that have not been read yet.

    Attributes
    ----------
    columns : list
        The names of all columns.
    take : function
        From some of the names to a pandas data frame; a data frame of pandas is taken as it is.
    lazy : narwhals.LazyFrame, optional
        The table, if nothing of it has been computed yet.
    tally : Tally, optional
        The rows, if they were tallied before.
    """

    columns: list
    take: Callable[[Collection[str]], pd.DataFrame]
    lazy: Any = None
    tally: Tally | None = None


def open_frame(data: IntoFrame | Source | Tally | str | os.PathLike) -> Source:
    """Find the columns of a frame or table, or of Parquet files.

    Parameters
    ----------
    data : DataFrame, table or path
        Of pandas or any engine that narwhals knows; or the path of Parquet files, in which ``*``
        may stand for parts of names, read by DuckDB or Polars where one of them is installed;
        or a table of a database, such as ``"duckdb:///trials.db::rt"`` (``databases``).

    Raises
    ------
    DataError
        If it is none, or its columns have several levels.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"y": [1.5, 2.5], "A": ["a", "b"], "unused": [None, None]})
    >>> open_frame(table).take(["y", "A"])
         y  A
    0  1.5  a
    1  2.5  b
    """
    if isinstance(data, Source):  # opened before
        return data
    if isinstance(data, Tally):
        return Source(list(data.frame.columns), _whole(data.frame), tally=data)
    if isinstance(data, pd.DataFrame):
        if isinstance(data.columns, pd.MultiIndex):
            raise DataError(
                f"data: expected columns of one level, found {data.columns.nlevels}; join the "
                "names, such as data.columns = ['_'.join(names) for names in data.columns]"
            )
        return Source(list(data.columns), _whole(data))
    import narwhals as nw

    if isinstance(data, (str, os.PathLike)):
        data = _scanned(os.fspath(data))
    try:
        frame = nw.from_native(data, pass_through=True)
        schema = frame.collect_schema() if isinstance(frame, (nw.DataFrame, nw.LazyFrame)) else None
    except Exception as error:  # whatever the engine raises, such as for names that come twice
        raise DataError(
            f"data: the columns of a {type(data).__name__} cannot be read: {error}"
        ) from error
    if schema is None:
        raise DataError(
            f"data: expected a pandas DataFrame, got {type(data).__name__}; tables of Polars, "
            "PyArrow, DuckDB and other engines that narwhals knows will do as well"
        )
    lazy = _plain(frame, schema) if isinstance(frame, nw.LazyFrame) else None
    return Source(list(schema), lambda names: _taken(frame, schema, names), lazy)


def _scanned(path: str) -> Any:
    """Return the lazy table of Parquet files, or of a database."""
    import narwhals as nw

    if is_address(path):
        return open_table(path)
    if not path.endswith((".parquet", ".parq", ".pq")):
        raise DataError(
            f"data: expected a data frame, the path of Parquet files, or a table of a database "
            f"such as 'duckdb:///trials.db::rt', got {path!r}; read other files with pandas, such "
            "as pandas.read_csv"
        )
    try:
        if find_spec("duckdb"):
            return nw.scan_parquet(path, backend="duckdb")
        if find_spec("polars"):
            return nw.scan_parquet(path, backend="polars")
    except Exception as error:  # whatever the engine raises
        raise DataError(f"data: {path!r} cannot be read: {error}") from error
    raise DataError(
        f"data: reading {path!r} needs DuckDB or Polars; pip install 'bambi-anova[duckdb]'"
    )


def _whole(frame: pd.DataFrame) -> Callable[[Collection[str]], pd.DataFrame]:
    return lambda names: frame


def _taken(frame: Any, schema: Any, names: Collection[str]) -> pd.DataFrame:
    import narwhals as nw

    try:
        chosen = _plain(frame, {name: schema[name] for name in schema if name in names})
        return (chosen.collect() if isinstance(chosen, nw.LazyFrame) else chosen).to_pandas()
    except Exception as error:  # whatever the engine raises
        raise DataError(f"data: the columns {list(names)} cannot be read: {error}") from error


def _plain(frame: Any, schema: Any) -> Any:
    """Select columns; pandas has no numbers of some exact types."""
    import narwhals as nw

    exact = (nw.Decimal, nw.Int128, nw.UInt128)
    return frame.select(
        nw.col(name).cast(nw.Float64) if isinstance(kind, exact) else nw.col(name)
        for name, kind in schema.items()
    )
