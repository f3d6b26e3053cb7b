"""Columns of data <-> arrays of numbers, and JSON for the values that are none.

Nothing is pickled, so that a file can hold data and nothing else.

Letters: N rows.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import StorageError

Array = np.ndarray

#: What JSON has no words for: the type, what stands for a value, and the way back.
_KINDS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "Timestamp": (pd.Timestamp, pd.Timestamp.isoformat, pd.Timestamp),
    "Timedelta": (pd.Timedelta, pd.Timedelta.isoformat, pd.Timedelta),
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
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


def pack_columns(frame: pd.DataFrame) -> tuple[dict[str, Array], list[dict[str, Any]]]:
    """Return every column as numbers, shape (N,), and what they mean; the index comes first.

    Raises
    ------
    StorageError
        If a column holds values of a type that cannot be written.

    Examples
    --------
    >>> frame = pd.DataFrame({"dose": [0.5, 1], "drug": ["b", "a"]})
    >>> arrays, meanings = pack_columns(frame)
    >>> [values.tolist() for values in arrays.values()]
    [[0, 1], [0.5, 1.0], [0, 1]]
    >>> meanings[2]
    {'name': 'drug', 'index': False, 'levels': ['b', 'a'], 'ordered': None}
    >>> unpack_columns(arrays, meanings).equals(frame)
    True
    """
    labels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
    parts = [(own.name, own.to_series(), True) for own in labels]
    parts += [(name, frame[name], False) for name in frame]
    arrays: dict[str, Array] = {}
    meanings: list[dict[str, Any]] = []
    for name, column, in_index in parts:
        values, levels, ordered = np.asarray(column), None, None
        if isinstance(column.dtype, pd.CategoricalDtype):
            values, levels = column.cat.codes.to_numpy(), column.cat.categories
            ordered = bool(column.cat.ordered)
        elif values.dtype.kind not in "biuf":
            values, levels = pd.factorize(column.astype(object), use_na_sentinel=False)
            values = values.astype(np.min_scalar_type(len(levels)))
        arrays[f"column_{len(meanings)}"] = values
        packed = None if levels is None else [pack_value(level) for level in levels]
        found = {"name": pack_value(name), "index": in_index, "levels": packed, "ordered": ordered}
        meanings.append(found)
    return arrays, meanings


def unpack_columns(
    arrays: Mapping[str, Array], meanings: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """Return the frame that ``pack_columns`` packed."""
    index, columns = [], {}
    for number, own in enumerate(meanings):
        values: Any = arrays[f"column_{number}"]
        if own["levels"] is not None:
            levels = pd.Series([unpack_value(level) for level in own["levels"]], dtype=object)
            if own["ordered"] is None:
                values = levels.iloc[values].infer_objects().array
            else:
                categories = pd.Index(levels.tolist(), tupleize_cols=False)
                kind = pd.CategoricalDtype(categories, own["ordered"])
                values = pd.Categorical.from_codes(values, dtype=kind)
        if own["index"]:
            index.append(pd.Index(values, name=unpack_value(own["name"])))
        else:
            columns[own["name"]] = values
    several = pd.MultiIndex.from_arrays(index, names=[own.name for own in index])
    return pd.DataFrame(columns, index[0] if len(index) == 1 else several)


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
