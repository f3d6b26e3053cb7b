"""Rows: columns, missing values, coding, covariates and their centring."""

import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bambi_anova.data.rows import RESERVED_FOR_DRAWS, read_rows
from bambi_anova.errors import DataError, FormulaError
from bambi_anova.families.registry import get_family, parameter_names
from bambi_anova.formula.parse import parse_formula
from bambi_anova.tables.columns import RESERVED


@pytest.fixture
def data():
    """24 rows with columns of every kind."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "y": rng.normal(size=24),
            "z": rng.normal(size=24),
            "x": rng.uniform(1, 9, 24),
            "my x": rng.uniform(1, 9, 24),
            "dose (mg)": rng.uniform(1, 9, 24),
            "A": np.tile(["a2", "a1"], 12),
            "s": np.repeat(list("fedcba"), 4),
            "day": np.tile([10, 9, 2], 8),
            "k": rng.integers(1, 4, 24),
            "n": 10,
        },
        index=range(100, 124),
    )


# -- Roles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["y ~ x + (1|x)", "y ~ log(x) + (1|s:x)", "y ~ x + (x|x)"])
def test_a_column_is_read_as_numbers_or_as_units(read, data, formula):
    with pytest.raises(FormulaError, match=r"column 'x'.*data.assign\(x_level=data\['x'\]"):
        read(formula, data)
    data = data.assign(x_level=data["x"].astype(str))
    rows = read("y ~ log(x) + (1|x_level)", data)
    assert (set(rows.covariates), set(rows.groupings)) == ({"log(x)"}, {"x_level"})


def test_columns_play_the_parts_that_the_formula_gives_them(read, data):
    rows = read("y ~ A * x + C(day) + (z|s)", data)
    assert set(rows.factors) == {"A", "day"}
    assert set(rows.covariates) == {"x", "z"}
    assert set(rows.groupings) == {"s"}
    assert rows.offset is None
    np.testing.assert_array_equal(rows.response.values, data["y"])


def test_numeric_columns_become_factors_on_request(read, data):
    assert set(read("y ~ day", data).covariates) == {"day"}
    for rows in (
        read("y ~ C(day)", data),
        read("y ~ day", data, categorical=["day"]),
        read("y ~ day", data, categorical="day"),
    ):
        assert rows.factors["day"].levels == (2, 9, 10)
        assert not rows.covariates


def test_numeric_units_are_labels(read, data):
    data["s"] = data["s"].map(ord)
    assert read("y ~ A + Error(s)", data).groupings["s"].levels == tuple(range(97, 103))


def test_true_and_false_are_a_factor(read, data):
    data["late"] = data["day"] > 5
    assert read("y ~ late", data).factors["late"].levels == (False, True)


def test_a_factor_inside_a_unit_term_is_the_same_factor(read, data):
    rows = read("y ~ A + Error(s/A)", data)
    assert rows.groupings["A"] is rows.factors["A"]


def test_offsets_add_up(read, data):
    rows = read("y ~ A + offset(log(n)) + offset(x)", data)
    np.testing.assert_allclose(rows.offset, np.log(10) + data["x"])


def test_the_data_are_not_changed(read, data):
    data["A"] = data["A"].astype("category")
    data.loc[105, "x"] = np.nan
    before = data.copy(deep=True)
    read("y ~ A * scale(x) + C(day) + Error(s/A) + offset(log(n))", data, dropna=True)
    pd.testing.assert_frame_equal(data, before)


# -- Expressions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("y - z", lambda d: d["y"] - d["z"]),
        ("y - 1", lambda d: d["y"] - 1),
        ("-y", lambda d: -d["y"]),
        ("y / 2", lambda d: d["y"] / 2),
        ("y * z", lambda d: d["y"] * d["z"]),
        ("y ** 2", lambda d: d["y"] ** 2),
        ("log(k) - log(n)", lambda d: np.log(d["k"] / d["n"])),
        ("log(x)", lambda d: np.log(d["x"])),
        ("np.sqrt(x)", lambda d: np.sqrt(d["x"])),
        ("I(y - z)", lambda d: d["y"] - d["z"]),
        ("{y - z}", lambda d: d["y"] - d["z"]),
        ("log(`my x`)", lambda d: np.log(d["my x"])),
    ],
)
def test_a_response_expression_is_arithmetic_not_algebra_of_terms(read, data, expression, values):
    found = read(f"{expression} ~ A", data).response.values
    np.testing.assert_allclose(found, values(data))


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("x - z", lambda d: d["x"] - d["z"]),
        ("2 * x", lambda d: 2 * d["x"]),
        ("log(n) - log(x)", lambda d: np.log(d["n"] / d["x"])),
        ("`my x`", lambda d: d["my x"]),
    ],
)
def test_an_offset_is_arithmetic(read, data, expression, values):
    np.testing.assert_allclose(read(f"y ~ A + offset({expression})", data).offset, values(data))


def test_trials_may_be_a_number_or_an_expression(read, data):
    fixed = read("p(k, 40) ~ A", data, "binomial").response
    np.testing.assert_array_equal(fixed.trials, np.full(24, 40.0))
    fewer = read("p(k - 1, n - 2) ~ A", data, "binomial").response
    np.testing.assert_array_equal(fewer.values, data["k"] - 1)
    np.testing.assert_array_equal(fewer.trials, data["n"] - 2)


def test_names_of_the_namespace_are_known(read, data):
    rows = read("y ~ double(x)", data, namespace={"double": lambda x: 2 * x})
    np.testing.assert_allclose(rows.covariates["double(x)"].values, 2 * data["x"])
    with pytest.raises(DataError, match=r"'double\(x\)' cannot be evaluated"):
        read("y ~ double(x)", data)


@pytest.mark.parametrize("text", ["y ~ own(x)", "y ~ A * scale(own(x))", "y ~ A + (own(x)|s)"])
def test_functions_of_whole_columns_are_refused(read, data, text):
    for own in (lambda x: x.rank(), lambda x: x - x.mean(), lambda x: np.cumsum(x)):
        with pytest.raises(FormulaError, match=r"'own\(x\)' has other values .* data frame"):
            read(text, data, namespace={"own": own})


def test_an_expression_of_many_columns_is_refused(read, data):
    with pytest.raises(
        FormulaError,
        match=r"'poly\(x, 2\)' calls poly\(\), which makes several columns; expected one",
    ):
        read("y ~ poly(x, 2)", data)


# -- Covariates --------------------------------------------------------------------------------

CENTRED = {
    "x": lambda d: d["x"],
    "`my x`": lambda d: d["my x"],
    "`dose (mg)`": lambda d: d["dose (mg)"],
    "_u": lambda d: d["_u"],
    "log(x)": lambda d: np.log(d["x"]),
    "np.sqrt(x)": lambda d: np.sqrt(d["x"]),
    "I(x ** 2)": lambda d: d["x"] ** 2,
    "{x - `my x`}": lambda d: d["x"] - d["my x"],
    "I(-1 * x)": lambda d: -d["x"],
}
INSIDE_SCALE = {
    "x": lambda d: d["x"],
    "log(x)": lambda d: np.log(d["x"]),
    "`my x`": lambda d: d["my x"],
    "`dose (mg)`": lambda d: d["dose (mg)"],
    "x - `my x`": lambda d: d["x"] - d["my x"],
    "x * 2": lambda d: d["x"] * 2,
}


def some_rows(seed, rows=15):
    rng = np.random.default_rng(seed)
    columns = ["y", "x", "my x", "dose (mg)", "_u"]
    return pd.DataFrame(rng.uniform(1, 50, (rows, len(columns))), columns=columns)


@pytest.mark.parametrize("written", CENTRED)
def test_new_rows_are_centred_at_the_old_mean(read, written):
    old, new, value = some_rows(1), some_rows(2, rows=4), CENTRED[written]
    written = "`_u`" if written == "_u" else written
    rows = read(f"y ~ {written}", old)
    (covariate,) = rows.covariates.values()
    assert covariate.mean == pytest.approx(value(old).mean())
    assert covariate.sd == pytest.approx(value(old).std(ddof=1))
    np.testing.assert_allclose(covariate.values, value(old))
    np.testing.assert_allclose(
        rows.centred(covariate.name, new), value(new) - value(old).mean(), atol=1e-9
    )


@pytest.mark.parametrize("written", INSIDE_SCALE)
@pytest.mark.parametrize("function", ["scale", "center"])
def test_new_rows_are_scaled_by_the_old_numbers(read, function, written):
    old, new, value = some_rows(1), some_rows(2, rows=4), INSIDE_SCALE[written]
    rows = read(f"y ~ {function}({written})", old)
    (covariate,) = rows.covariates.values()
    unit = value(old).std(ddof=0) if function == "scale" else 1.0
    expected = (value(new) - value(old).mean()) / unit
    np.testing.assert_allclose(rows.centred(covariate.name, new), expected, atol=1e-9)
    np.testing.assert_allclose(covariate.values, (value(old) - value(old).mean()) / unit, atol=1e-9)


@given(
    st.lists(st.floats(-1e9, 1e9, width=32), min_size=3, max_size=20),
    st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=5),
)
def test_centring_survives_numbers_of_any_size(old, new):
    assume(np.std(old) > 1e-6 * (1 + np.max(np.abs(old))))
    old = pd.DataFrame({"x": old, "y": range(len(old))})
    new = pd.DataFrame({"x": new})
    rows = read_rows(parse_formula("y ~ x"), old, get_family("gaussian"))
    found = rows.centred("x", new)
    np.testing.assert_allclose(found, new["x"] - old["x"].mean(), rtol=1e-12, atol=1e-12)


def test_scale_inside_another_call_is_refused(read, data):
    with pytest.raises(FormulaError, match=r"scale\(\) and center\(\) cannot stand inside"):
        read("y ~ I(scale(x))", data)


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("y ~ A + y", "gaussian"),
        ("y ~ A * log(y)", "gaussian"),
        ("log(y) ~ A + y", "gaussian"),
        ("y ~ A + offset(y)", "gaussian"),
        ("y ~ A + Error(y)", "gaussian"),
        ("y ~ A + (I(2 * y)|s)", "gaussian"),
        ("y - z ~ A + y + z", "gaussian"),
        ("p(k, n) ~ A + k", "binomial"),
        ("p(k, x) ~ A + log(x - k)", "binomial"),
    ],
)
def test_predictors_that_tell_the_response_are_refused(read, data, text, family):
    with pytest.raises(FormulaError, match=r"would explain the response .* by itself; leave out"):
        read(text, data, family)


def test_trials_and_what_a_response_starts_from_may_be_predictors(read, data):
    data["n"] = 10 + data.index % 3
    assert set(read("p(k, n) ~ A + n", data, "binomial").covariates) == {"n"}
    assert set(read("y - z ~ A + z", data).covariates) == {"z"}


def test_a_constant_covariate_is_refused(read, data):
    with pytest.raises(DataError, match=r"covariate 'n' is constant \(10\)"):
        read("y ~ n", data)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_a_covariate_must_be_finite(read, data, bad):
    data.loc[[104, 107], "x"] = bad
    with pytest.raises(DataError, match=r"column 'x': expected finite.* 2 of 24 .* 104, 107"):
        read("y ~ x", data)


@pytest.mark.parametrize("text", ["y ~ {3}", "y ~ A + f(2)"])
def test_a_covariate_reads_a_column(read, data, text):
    with pytest.raises(DataError, match="reads no column of the data"):
        read(text, data, namespace={"f": lambda n: np.arange(24.0)})


@pytest.mark.parametrize("text", ["y ~ A * I(x * 1e308)", "y * 1e200 ~ A", "y ~ A + offset(1e300)"])
def test_numbers_that_would_overflow_are_refused(read, data, text):
    with pytest.raises(DataError, match=r"expected finite numbers below 1e\+100"):
        read(text, data)


def test_an_offset_must_be_finite_numbers(read, data):
    with pytest.raises(DataError, match="column 's': expected numbers"):
        read("y ~ A + offset(s)", data)
    data.loc[103, "x"] = 0
    with (
        pytest.raises(DataError, match=r"column 'log\(x\)': expected finite.* at index 103"),
        np.errstate(divide="ignore"),
    ):
        read("y ~ A + offset(log(x))", data)


def test_the_cells_of_a_factor_that_is_no_term_are_refused_with_what_to_write(read, data):
    with pytest.raises(FormulaError, match=r"\(A\|s\): 'A' is a factor that is no term .*Add A to"):
        read("y ~ x + (A|s)", data)


# -- Coding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (["b", "a", "c"], ("a", "b", "c")),
        ([10, 9, 2], (2, 9, 10)),
        ([0.5, 10.0, 9.0], (0.5, 9.0, 10.0)),
        ([1, "b", "a"], (1, "a", "b")),
        (pd.Categorical(["lo", "hi", "mid"], ["lo", "mid", "hi"]), ("lo", "mid", "hi")),
        (pd.Categorical(["lo", "hi", "hi"], ["none", "lo", "hi"]), ("lo", "hi")),
        (pd.array([3, 1, 2], dtype="Int64"), (1, 2, 3)),
    ],
)
def test_levels_keep_the_order_of_categories_or_are_sorted(read, values, levels):
    data = pd.DataFrame({"y": np.arange(6.0), "F": pd.Series(values).repeat(2).to_numpy()})
    if isinstance(values, pd.Categorical):
        data["F"] = pd.Categorical(data["F"], values.categories)
    coded = read("y ~ C(F)", data).factors["F"]
    assert coded.levels == levels
    assert [coded.levels[code] for code in coded.codes] == list(data["F"])
    assert coded.labels == tuple(map(str, levels))


@given(
    st.lists(
        st.tuples(st.sampled_from("pqr"), st.sampled_from("abc"), st.integers(0, 2)),
        min_size=4,
        max_size=30,
    )
)
def test_combinations_are_numbered_in_level_order(triples):
    data = pd.DataFrame(triples, columns=["s", "A", "B"]).assign(y=range(len(triples)))
    assume(all(len(set(values)) > 1 for values in zip(*triples, strict=True)))
    formula = parse_formula("y ~ A * C(B) + Error(s/(A*B))")
    rows = read_rows(formula, data, get_family("gaussian"))
    for variables in (["s"], ["A", "B"], ["s", "B"], ["s", "A", "B"]):
        codes, first = rows.codes(variables)
        np.testing.assert_array_equal(codes, data.groupby(variables).ngroup())
        expected = data.reset_index().groupby(variables)["index"].min()
        np.testing.assert_array_equal(first, expected)


@pytest.mark.parametrize("text", ["y ~ A + B", "y ~ B + Error(A)"])
def test_one_level_is_refused(read, data, text):
    data = data.assign(B=data["A"], A="only")
    with pytest.raises(DataError, match="factor 'A' has one level, 'only'; expected 2 or more"):
        read(text, data)


def test_one_level_left_by_missing_values_is_refused(read, data):
    data["y"] = data["y"].where(data["A"] == "a1")
    with pytest.raises(DataError, match="factor 'A' has one level, 'a1'"):
        read("y ~ A", data, dropna=True)


def test_levels_that_read_the_same_are_refused(read, data):
    data["A"] = pd.Series([1, "1"] * 12, dtype=object, index=data.index)
    with pytest.raises(DataError, match="factor 'A': two levels read the same"):
        read("y ~ A", data)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_of_the_tables_are_refused_for_factors_and_units(read, data, name):
    renamed = data.rename(columns={"A": name})
    for text in (f"y ~ {name}", f"y ~ s + Error({name})"):
        with pytest.raises(DataError, match=f"'{name}'.* rename the column"):
            read(text, renamed)


@pytest.mark.parametrize("name", sorted(RESERVED_FOR_DRAWS | parameter_names()))
def test_names_of_parameters_are_refused_for_covariates(read, data, name):
    with pytest.raises(DataError, match=f"'{name}'.* rename the column"):
        read(f"y ~ A * {name}", data.rename(columns={"x": name}))


def test_columns_of_the_tables_and_of_the_cells_are_among_the_refused_names():
    assert {"term", "contrast", "mean", "sd", "rows", "chain", "draw"} <= RESERVED
    assert {"mu", "sigma", "kappa"} <= parameter_names()


def test_a_unit_may_be_called_p(read, data):
    assert read("y ~ A + Error(p)", data.rename(columns={"s": "p"})).groupings["p"].labels


def test_a_dot_is_no_name(read, data):
    for text, old in (("y ~ `.`", "A"), ("y ~ A * `.`", "x"), ("y ~ A + Error(`.`)", "s")):
        with pytest.raises(DataError, match=r"column '\.': a file cannot hold this name"):
            read(text, data.rename(columns={old: "."}))


def test_a_bar_in_a_name_is_refused(read, data):
    with pytest.raises(DataError, match=r"column 'a\|b'.* rename the column"):
        read("y ~ `a|b`", data.rename(columns={"A": "a|b"}))


# -- Columns that are not there ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "family", "unknown", "meant"),
    [
        ("yy ~ A", "gaussian", "yy", "y"),
        ("p(k, nn) ~ A", "binomial", "nn", "n"),
        ("y ~ A * dayy", "gaussian", "dayy", "day"),
        ("y ~ A + Error(ss)", "gaussian", "ss", "s"),
        ("y ~ A + (1|ss:A)", "gaussian", "ss", "s"),
        ("y ~ A + (xx|s)", "gaussian", "xx", "x"),
        ("y ~ A + offset(xx)", "gaussian", "xx", "x"),
        ("y ~ `my xx`", "gaussian", "my xx", "my x"),
    ],
)
def test_an_unknown_column_is_named_with_the_nearest(read, data, text, family, unknown, meant):
    with pytest.raises(DataError, match=f"no column '{unknown}'; did you mean '{meant}'"):
        read(text, data, family)


def test_an_unknown_categorical_column_is_named(read, data):
    with pytest.raises(DataError, match="no column 'dayy'; did you mean 'day'"):
        read("y ~ day", data, categorical=["dayy"])


def test_nothing_near_lists_the_columns(read, data):
    with pytest.raises(DataError, match="no column 'wool'; known: 'y', 'z'"):
        read("y ~ wool", data)


def test_an_unknown_column_inside_an_expression_is_named_with_the_nearest(read, data):
    with pytest.raises(DataError, match=r"'log\(dayy\)' cannot be evaluated.*did you mean 'day'"):
        read("y ~ log(dayy)", data)


def test_two_columns_of_one_name_are_refused_if_they_are_used(read, data):
    twice = pd.concat([data, data[["x"]]], axis=1)
    assert len(read("y ~ A", twice).data) == 24
    with pytest.raises(DataError, match="several columns named 'x'"):
        read("y ~ x", twice)


def test_something_else_than_a_data_frame_is_refused(read, data):
    with pytest.raises(DataError, match="expected a pandas DataFrame, got dict"):
        read("y ~ A", data.to_dict("list"))


# -- Missing values ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("hole ~ A", "gaussian"),
        ("p(hole, n) ~ A", "binomial"),
        ("p(k, hole) ~ A", "binomial"),
        ("y ~ hole", "gaussian"),
        ("y ~ C(hole)", "gaussian"),
        ("y ~ log(hole)", "gaussian"),
        ("y ~ A + Error(hole)", "gaussian"),
        ("y ~ A + (hole|s)", "gaussian"),
        ("y ~ A + offset(log(hole))", "gaussian"),
    ],
)
def test_missing_values_are_counted_and_located_wherever_they_are(read, data, text, family):
    data["hole"] = data["k"] + 1.0
    data.loc[[103, 119], "hole"] = np.nan
    with pytest.raises(
        DataError, match=r"missing values in 2 of 24 rows, at index 103, 119.*'hole' \(2\)"
    ):
        read(text, data, family)
    kept = read(text, data, family, dropna=True)
    assert list(kept.data.index) == [i for i in data.index if i not in (103, 119)]
    assert len(kept.response.values) == 22
    assert kept.left_out == 2


def test_missing_values_are_counted_by_column(read, data):
    data.loc[[101, 102, 103], "A"] = None
    data.loc[[103], "y"] = np.nan
    with pytest.raises(DataError, match=r"in 3 of 24 rows.*'y' \(1\), 'A' \(3\).*dropna=True"):
        read("y ~ A", data)


def test_missing_values_of_unused_columns_do_not_matter(read, data):
    data["unused"] = np.nan
    assert len(read("y ~ A + log(x)", data).data) == 24


def test_long_lists_of_rows_are_cut(read, data):
    data.loc[data["A"] == "a1", "x"] = np.nan
    with pytest.raises(DataError, match=r"101, 103, .* \(12 in all\)"):
        read("y ~ x", data)


def test_no_rows_left_is_an_error(read, data):
    data["x"] = np.nan
    with pytest.raises(DataError, match="no rows without missing values"):
        read("y ~ x", data, dropna=True)
    with pytest.raises(DataError, match=r"no rows$"):
        read("y ~ A", data.iloc[:0])


def test_levels_that_only_missing_rows_have_are_gone(read, data):
    data["day"] = pd.Categorical(data["day"], [2, 9, 10])
    data.loc[data["day"] == 9, "y"] = np.nan
    assert read("y ~ day", data, dropna=True).factors["day"].levels == (2, 10)


@pytest.mark.parametrize("name", ["Intercept", "sigma", "super", "observed", "units", "base"])
def test_factors_cannot_have_the_names_of_parameters_and_tables(name, read):
    frame = pd.DataFrame({"y": [1.0, 2, 3, 5], name: list("aabb")})
    with pytest.raises(DataError, match=f"column '{name}'.*rename"):
        read(f"y ~ {name}", frame)


@pytest.mark.parametrize("values", [[1, 2], [decimal.Decimal("1.5"), decimal.Decimal(2)]])
def test_numbers_held_as_objects_are_no_levels_unless_asked(read, values):
    frame = pd.DataFrame({"y": [1.0, 2, 4, 5], "x": pd.Series(values * 2, dtype=object)})
    with pytest.raises(DataError, match=r"'x': its numbers are held as objects .* categorical='x'"):
        read("y ~ x", frame)
    assert read("y ~ x", frame, categorical="x").factors["x"].levels == tuple(values)
    assert read("y ~ C(x)", frame).factors
