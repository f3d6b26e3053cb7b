"""Frames and tables of other engines: the same rows as from pandas, of the named columns alone."""

import datetime
import decimal

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import bambi_anova as ba
from bambi_anova.data.frames import open_frame
from bambi_anova.errors import DataError

FORMULA = "p(hits, shown) ~ group * task + scale(dose) + Error(subject/task)"


@pytest.fixture
def table(split_plot):
    return pa.Table.from_pandas(split_plot.assign(unused=[[1]] * len(split_plot)))


def test_tables_give_the_rows_of_pandas(read, split_plot, table):
    expected = read(FORMULA, split_plot, "binomial")
    for data in (table, nw.from_native(table)):
        rows = read(FORMULA, data, "binomial")
        np.testing.assert_array_equal(rows.response.values, expected.response.values)
        for name, coded in expected.coded.items():
            assert rows.coded[name].levels == coded.levels
            np.testing.assert_array_equal(rows.coded[name].codes, coded.codes)
        for name, covariate in expected.covariates.items():
            np.testing.assert_array_equal(rows.covariates[name].values, covariate.values)


def test_only_columns_that_the_formula_names_are_taken(read, table):
    named = {"hits", "shown", "group", "task", "dose", "subject"}
    assert set(read(FORMULA, table, "binomial").data.columns) == named


def test_data_frames_of_pandas_stay_what_they_are(split_plot):
    assert open_frame(split_plot).take(["y"]) is split_plot


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_draws_are_those_from_pandas(split_plot, table):
    fits = [
        ba.Model(FORMULA, data, family="binomial").fit(
            "laplace", draws=50, random_seed=1, progressbar=False
        )
        for data in (split_plot, table)
    ]
    one, two = (fit.idata["posterior"].to_dataset() for fit in fits)
    assert one.equals(two)


def test_designs_without_a_formula_are_read_from_tables(split_plot, table):
    one, two = (
        ba.Model.from_design(data, "y", "subject", between="group", within="task")
        for data in (split_plot, table)
    )
    assert str(one) == str(two)


def test_missing_values_and_categories_come_along(read):
    table = pa.table(
        {
            "y": [1.0, 2.0, None, 4.0, 6.0],
            "A": pa.array(list("babab")).dictionary_encode(),
            "k": pa.array([decimal.Decimal("1.5"), 2, 3, 4, None], pa.decimal128(5, 1)),
        }
    )
    with pytest.raises(DataError, match=r"missing values in 1 of 5 rows, at index 2"):
        read("y ~ A", table)
    rows = read("y ~ A + k", table, dropna=True)
    assert rows.left_out == 2
    assert rows.factors["A"].levels == ("b", "a")
    np.testing.assert_array_equal(rows.covariates["k"].values, [1.5, 2, 4])


def test_dates_are_levels(read):
    days = [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)] * 3
    assert read("y ~ day", pa.table({"y": [1.0, 2, 3, 4, 5, 7], "day": days})).factors


@pytest.mark.parametrize("data", [{"y": [1.0]}, [1.0], None, np.ones((3, 2)), 3])
def test_what_is_no_frame_is_refused(read, data):
    with pytest.raises(DataError, match=r"expected a pandas DataFrame, got .* narwhals knows"):
        read("y ~ A", data)
    with pytest.raises(DataError, match="expected a pandas DataFrame, got"):
        ba.Model.from_design(data, "y", "s", between="A")


def test_a_series_is_no_frame(read, split_plot):
    for data in (split_plot["y"], pa.chunked_array([[1.0]])):
        with pytest.raises(DataError, match="expected a pandas DataFrame"):
            read("y ~ A", data)


def test_unknown_columns_of_a_table_are_named(read, table):
    with pytest.raises(DataError, match="no column 'taks'; did you mean 'task'"):
        read("y ~ taks", table)
    with pytest.raises(DataError, match=r"known: 'subject', 'task'.*'unused'"):
        read("y ~ C(zzzzzz)", table)


def test_wide_data_are_told_how_to_become_long(read, split_plot):
    wide = split_plot.rename(columns={"y": "pre", "task": "post"})
    with pytest.raises(DataError, match=r"no column 'score'.*from_design.*melt"):
        read("score ~ time + (1|subject)", wide)
    for formula in ("y ~ time", "pree ~ posd"):  # one that is missing, and slips
        with pytest.raises(DataError) as caught:
            read(formula, wide if formula[0] == "p" else split_plot)
        assert "melt" not in str(caught.value)


def test_a_name_that_comes_twice_in_a_table_is_refused(read):
    table = pa.table([[1.0, 2.0], ["a", "b"], ["a", "b"]], names=["y", "A", "A"])
    with pytest.raises(DataError, match=r"(?s)columns of a Table cannot be read.*'A' 2 times"):
        read("y ~ A", table)


# -- Columns of pandas that cannot be read -----------------------------------------------------


def test_columns_of_several_levels_are_refused(read, split_plot):
    split_plot.columns = pd.MultiIndex.from_product([["a"], split_plot.columns])
    with pytest.raises(DataError, match="expected columns of one level, found 2; join"):
        read("y ~ group", split_plot)


@pytest.mark.parametrize("text", ["x ~ group", "y ~ group + x", "y ~ x + (x|subject)"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.arrays.SparseArray(np.arange(72.0) % 5), "sparse columns are not read.*to_dense"),
        (np.arange(72) * 1j, "expected real numbers, found complex"),
    ],
)
def test_sparse_and_complex_columns_are_refused(read, split_plot, text, values, message):
    with pytest.raises(DataError, match=f"column 'x': {message}"):
        read(text, split_plot.assign(x=values))


@pytest.mark.parametrize("text", ["y ~ o", "y ~ group + Error(o)", "y ~ group + (1|o:subject)"])
@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}, (1, 2), np.ones(2)])
def test_values_that_cannot_be_levels_are_refused(read, split_plot, text, value):
    column = pd.Series([value] * len(split_plot), dtype=object)
    with pytest.raises(DataError, match=r"column 'o': values of type \w+ cannot be levels"):
        read(text, split_plot.assign(o=column))


def test_levels_with_the_character_nul_are_refused(read, split_plot):
    split_plot["group"] = [f"{level}\0" for level in split_plot["group"]]
    for text in ("y ~ group", "y ~ task + Error(group)"):
        with pytest.raises(DataError, match=r"level 'A\\x00' holds the character NUL"):
            read(text, split_plot)


@pytest.mark.parametrize("name", ["chain", "draw"])
def test_covariates_cannot_have_the_names_of_dimensions(read, split_plot, name):
    renamed = split_plot.rename(columns={"dose": name})
    for text in (f"y ~ group * {name}", f"y ~ group + ({name}|subject)"):
        with pytest.raises(DataError, match=f"column '{name}': this name is kept for the draws"):
            read(text, renamed)


def test_an_expression_without_values_is_no_factor(read, split_plot):
    with pytest.raises(DataError, match=r"factor 'log\(dose-2\)': it has no value in some rows"):
        read("y ~ group + Error(log(dose - 2))", split_plot)


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
@pytest.mark.parametrize(
    "values",
    [[[1]] * 72, [{}] * 72, [object()] * 72, np.ones(72) * 1j, pd.arrays.SparseArray([0] * 72)],
)
def test_columns_that_no_formula_names_do_not_matter(split_plot, values):
    data = split_plot.assign(other=pd.Series(values))
    model = ba.Model("y ~ group * task + Error(subject/task)", data)
    assert "other" not in model.bambi_model.data
