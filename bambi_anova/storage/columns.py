"""Columns of data <-> bytes in Arrow's format, and JSON for values that Arrow has no type for.

Nothing is pickled, so that a file can hold data and nothing else.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import StorageError

Array = np.ndarray

#: What JSON has no words for: the type, what stands for a value, and the way back.
_KINDS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "Timestamp": (pd.Timestamp, pd.Timestamp.isoformat, pd.Timestamp),
    "Timedelta": (pd.Timedelta, pd.Timedelta.isoformat, pd.Timedelta),
    "datetime": (
        datetime.datetime,
        datetime.datetime.isoformat,
        datetime.datetime.fromisoformat,
    ),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "Period": (
        pd.Period,
        lambda value: [str(value), value.freqstr],
        lambda parts: pd.Period(parts[0], freq=parts[1]),
    ),
    "Interval": (
        pd.Interval,
        lambda value: [pack_value(value.left), pack_value(value.right), value.closed],
        lambda parts: pd.Interval(unpack_value(parts[0]), unpack_value(parts[1]), parts[2]),
    ),
    "tuple": (
        tuple,
        lambda value: [pack_value(part) for part in value],
        lambda parts: tuple(unpack_value(part) for part in parts),
    ),
}


def pack_columns(frame: pd.DataFrame) -> tuple[Array, dict[str, Any]]:
    """Return a frame as bytes, and what has to be said beside them as JSON.

    Raises
    ------
    StorageError
        If a column holds values of a type that cannot be written.
    """
    frame, coded = frame.copy(), {}
    frame.attrs = {}
    for name in frame:
        column = frame[name]
        if not _survives(column):
            frame[name], coded[str(name)] = _coded(column)
    try:
        return _to_arrow(frame), coded
    except Exception:  # Arrow refuses an index of mixed labels
        frame.index = frame.index.map(str)
        return _to_arrow(frame), coded


def unpack_columns(data: Array, coded: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the frame that ``pack_columns`` packed."""
    frame = _from_arrow(data)
    for name, own in coded.items():
        levels = pd.Series([unpack_value(value) for value in own["levels"]], dtype=object)
        codes = frame[name].to_numpy()
        if own["ordered"] is None:
            values = levels.iloc[codes].infer_objects().array
        else:
            kind = pd.CategoricalDtype(
                pd.Index(levels.tolist(), tupleize_cols=False), own["ordered"]
            )
            values = pd.Categorical.from_codes(codes, dtype=kind)
        frame[name] = pd.Series(values, index=frame.index)
    return frame


def _survives(column: pd.Series) -> bool:
    """Tell whether Arrow gives a column back as it was."""
    try:
        back = _from_arrow(_to_arrow(column.to_frame("x").reset_index(drop=True)))["x"]
    except Exception:  # Arrow and pandas have a dozen ways to refuse
        return False
    if column.dtype != object:
        return bool(back.dtype == column.dtype)
    return all(type(a) is type(b) and a == b for a, b in zip(back, column, strict=True))


def _coded(column: pd.Series) -> tuple[Array, dict[str, Any]]:
    """Return codes of a column's values, and the values."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, levels = column.cat.codes.to_numpy(), column.cat.categories
        ordered: bool | None = bool(column.cat.ordered)
    else:
        codes, levels = pd.factorize(column.astype(object), use_na_sentinel=False)
        ordered = None
    return codes, {"levels": [pack_value(value) for value in levels], "ordered": ordered}


def _to_arrow(frame: pd.DataFrame) -> Array:
    """Return a frame as bytes; unlike Parquet, Arrow's format keeps unused categories."""
    import pyarrow as pa

    table, sink = pa.Table.from_pandas(frame), io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return np.frombuffer(sink.getvalue(), dtype=np.uint8)


def _from_arrow(data: Array) -> pd.DataFrame:
    import pyarrow as pa

    with pa.ipc.open_file(pa.BufferReader(data.tobytes())) as reader:
        return reader.read_all().to_pandas()


def pack_value(value: object) -> Any:
    """Write a value as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (str, int, float, bool):
        return value
    for name, (kind, pack, _) in _KINDS.items():
        if type(value) is kind:
            return {name: pack(value)}
    raise StorageError(
        f"the level {value!r} is a {type(value).__name__}, which cannot be saved; turn the column "
        "into text before the fit"
    )


def unpack_value(packed: Any) -> Any:
    """Return the value that ``pack_value`` wrote."""
    if isinstance(packed, dict):
        ((name, content),) = packed.items()
        return _KINDS[name][2](content)
    return packed
