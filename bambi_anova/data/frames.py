"""A frame or table of any engine -> columns in pandas: the one door for data.

What pandas did not make goes through narwhals: Polars and PyArrow tables, and lazy frames such as
DuckDB's, of which only the columns that are asked for are ever computed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from bambi_anova.errors import DataError

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame


@dataclass(frozen=True)
class Source:
    """Data that have not been read yet.

    Attributes
    ----------
    columns : list
        The names of all columns.
    take : function
        From some of the names to a pandas data frame; a data frame of pandas is taken as it is.
    """

    columns: list
    take: Callable[[Collection[str]], pd.DataFrame]


def open_frame(data: IntoFrame) -> Source:
    """Find the columns of a frame or table.

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
    if isinstance(data, pd.DataFrame):
        if isinstance(data.columns, pd.MultiIndex):
            raise DataError(
                f"data: expected columns of one level, found {data.columns.nlevels}; join the "
                "names, such as data.columns = ['_'.join(names) for names in data.columns]"
            )
        return Source(list(data.columns), lambda names: data)
    import narwhals as nw

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
    return Source(list(schema), lambda names: _taken(frame, schema, names))


def _taken(frame: Any, schema: Any, names: Collection[str]) -> pd.DataFrame:
    import narwhals as nw

    exact = (nw.Decimal, nw.Int128, nw.UInt128)  # pandas has no numbers of these types
    columns = [
        nw.col(name).cast(nw.Float64) if isinstance(schema[name], exact) else nw.col(name)
        for name in schema
        if name in names
    ]
    try:
        chosen = frame.select(*columns)
        return (chosen.collect() if isinstance(chosen, nw.LazyFrame) else chosen).to_pandas()
    except Exception as error:  # whatever the engine raises
        raise DataError(f"data: the columns {list(names)} cannot be read: {error}") from error
