"""Columns of data as numbers and JSON, and back."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bambi_anova.errors import StorageError
from bambi_anova.storage.coded_columns import pack_columns, pack_value, unpack_columns, unpack_value

SIMPLE = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.datetimes(min_value=datetime.datetime(1700, 1, 1), max_value=datetime.datetime(2200, 1, 1)),
    st.dates(),
    st.tuples(st.text(max_size=3), st.integers()),
)


@settings(max_examples=40)
@given(SIMPLE)
def test_levels_survive_json(value):
    back = unpack_value(json.loads(json.dumps(pack_value(value))))
    assert back == value
    assert type(back) is type(value)


COLUMNS = st.one_of(
    st.lists(st.floats(allow_nan=False), min_size=4, max_size=4),
    st.lists(st.integers(-(2**60), 2**60), min_size=4, max_size=4),
    st.lists(st.text(max_size=4), min_size=4, max_size=4),
    st.lists(SIMPLE.filter(lambda value: value is not None), min_size=4, max_size=4),
    st.lists(st.sampled_from("abc"), min_size=4, max_size=4).map(
        lambda values: pd.Categorical(values, categories=list("xcbay"), ordered=True)
    ),
)


@settings(max_examples=30)
@given(st.lists(COLUMNS, min_size=1, max_size=3))
def test_frames_survive(columns):
    frame = pd.DataFrame({f"c{i}": pd.Series(values) for i, values in enumerate(columns)})
    data, coded = pack_columns(frame)
    back = unpack_columns(data, json.loads(json.dumps(coded)))
    for name in frame:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            assert frame[name].dtype == back[name].dtype
        assert list(back[name]) == list(frame[name])


def back(frame):
    arrays, meanings = pack_columns(frame)
    assert all(values.dtype.kind in "biuf" for values in arrays.values())
    return unpack_columns(arrays, json.loads(json.dumps(meanings)))


@pytest.mark.parametrize(
    "kind", ["int8", "uint64", "float32", "bool", "Int64", "boolean", "double[pyarrow]", ">f8"]
)
def test_numbers_stay_numbers(kind):
    column = pd.Series([0, 1, 1]).astype(kind)
    found = back(pd.DataFrame({"x": column}))["x"]
    assert pd.api.types.is_numeric_dtype(found)
    assert found.tolist() == column.tolist()


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["b", "a", "a"], name="id"),
        pd.Index([1, "one", 2.5]),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", None]),
        pd.to_datetime(["2024-01-01", "2024-03-01", "2024-02-01"]),
        pd.RangeIndex(5, 8),
    ],
    ids=str,
)
def test_an_index_of_any_labels_comes_back(index):
    found = back(pd.DataFrame({"x": [1.0, 2, 3]}, index=index))
    pd.testing.assert_index_equal(found.index, index, exact=False)


def test_attributes_of_a_frame_are_not_kept():
    frame = pd.DataFrame({"x": [1.0]})
    frame.attrs["secret"] = object()
    assert back(frame).attrs == {}


@pytest.mark.parametrize("value", [1j, b"x", object(), frozenset()])
def test_what_cannot_be_written_is_named(value):
    frame = pd.DataFrame({"x": np.array([value, value], dtype=object)})
    with pytest.raises(StorageError, match=f"is a {type(value).__name__}, which cannot be saved"):
        pack_columns(frame)
