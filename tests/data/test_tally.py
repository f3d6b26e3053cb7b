"""Lazy tables: what an engine tallies says the same as the rows themselves."""

import re
import shutil
import warnings

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bambi_anova as ba
from bambi_anova.data import tally as tally_module
from bambi_anova.errors import AnovaWarning, DataError

pytestmark = [
    pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]

ENGINES = {
    "duckdb": lambda frame: duckdb.from_df(frame),
    "polars": lambda frame: pl.from_pandas(frame).lazy(),
}


def dask(frame):
    return pytest.importorskip("dask.dataframe").from_pandas(frame, npartitions=3)


def ibis(frame):
    return pytest.importorskip("ibis").memtable(frame)


def spark(frame):
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("Spark needs a Java runtime")
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = session.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    return session.createDataFrame(frame.astype(object).where(frame.notna(), None))


#: Among them engines that those who work on the package need not have.
ALL = [
    *(pytest.param(make, id=name) for name, make in ENGINES.items()),
    *(dask, ibis, pytest.param(spark, marks=pytest.mark.slow)),
]
#: The formula and family of each kind of collapse.
MODELS = [
    ("y ~ A * B + Error(s/B)", "gaussian"),
    ("log(rt) ~ A * B + scale(x) + Error(s/B)", "gaussian"),
    ("y - x ~ A * center(x) + (x|s)", "gaussian"),
    ("rt ~ A * B + Error(s)", "lognormal"),
    ("score ~ A + Error(s)", "t"),
    ("score ~ A * B + Error(s)", "cumulative"),
    ("yes ~ A * B + Error(s/B)", "bernoulli"),
    ("word['b'] ~ A * B + Error(s)", "bernoulli"),
    ("p(k, n) ~ A * B + Error(s/B)", "binomial"),
    ("count ~ A * B + Error(s)", "poisson"),
    ("count ~ A * B + offset(log(n)) + Error(s/B)", "poisson"),
    ("count ~ A + log(n) + Error(s)", "negativebinomial"),
]


def trials(seed=0, rows=400, units=8):
    """Return rows of every kind of response."""
    rng = np.random.default_rng(seed)
    unit = rng.integers(0, units, rows)
    frame = pd.DataFrame(
        {
            "s": np.char.add("s", unit.astype(str)),
            "A": np.where(unit % 2, "a", "b"),
            "B": rng.choice(["x", "y", "z"], rows),
            "x": rng.integers(0, 4, rows),
            "n": rng.integers(1, 4, rows),
            "y": rng.normal(100, 1, rows) + unit,
        }
    )
    return frame.assign(
        rt=np.exp(rng.normal(size=rows)),
        score=rng.integers(1, 8, rows),
        yes=rng.random(rows) < 0.4,
        word=rng.choice(["a", "b"], rows),
        k=rng.binomial(frame["n"], 0.4),
        count=rng.poisson(1.5, rows),
    )


def _printed(found):
    """Return the printout; what is zero but for rounding is zero."""
    return re.sub(r"-?\d(\.\d+)?e-1[5-9]", "0", str(found))


def model(*arguments, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        return ba.Model(*arguments, **keywords)


def assert_same(one, other, rtol=1e-9):
    """Assert that two models have the same sufficient rows, design and priors."""
    a, b = one.collapsed, other.collapsed
    for name in ("values", "trials", "offset", "n", "within"):
        mine, theirs = getattr(a, name), getattr(b, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None and not a.merged:  # rows by themselves stay in the data's order
            mine, theirs = np.sort(mine), np.sort(theirs)
        if mine is not None:
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-9, err_msg=name)
    assert _printed(one) == _printed(other)
    assert one.design.cells.equals(other.design.cells)
    for name, own in one.design.rows.covariates.items():
        theirs = other.design.rows.covariates[name]
        x, z = own.values[a.first], theirs.values[b.first]
        x, z = (x, z) if a.merged else (np.sort(x), np.sort(z))
        np.testing.assert_allclose(x, z, atol=1e-9)
        assert (own.mean, own.sd) == pytest.approx((theirs.mean, theirs.sd), abs=1e-12)
        assert (own.origin, own.unit) == pytest.approx((theirs.origin, theirs.unit))


@pytest.mark.parametrize("engine", ALL)
@pytest.mark.parametrize(("formula", "family"), MODELS)
def test_an_engine_tallies_the_sufficient_rows_of_pandas(engine, formula, family):
    frame = trials()
    assert_same(model(formula, frame, family), model(formula, engine(frame), family))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60), st.sampled_from(MODELS))
def test_any_rows_are_tallied_as_they_are(seed, rows, chosen):
    formula, family = chosen
    frame = trials(seed, rows, units=4)
    try:
        expected = model(formula, frame, family)
    except ba.errors.AnovaError as refused:
        with pytest.raises(type(refused)):
            model(formula, ENGINES["polars"](frame), family)
        return
    assert_same(expected, model(formula, ENGINES["polars"](frame), family))


@pytest.mark.parametrize(("formula", "family"), [MODELS[1], MODELS[8], MODELS[10], MODELS[4]])
def test_quick_fits_are_those_of_the_rows(formula, family):
    frame = trials()
    one, two = (
        model(formula, data, family).fit("laplace", draws=100, random_seed=1, progressbar=False)
        for data in (frame, ENGINES["duckdb"](frame))
    )
    for name in one.idata["posterior"].data_vars:
        a, b = one.idata["posterior"][name], two.idata["posterior"][name]
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7, err_msg=name)
    assert one.log_evidence.value == pytest.approx(two.log_evidence.value, abs=1e-6)
    for weights in ("equal", "observed"):
        a, b = (fit.means("A", weights=weights, scale="response") for fit in (one, two))
        np.testing.assert_allclose(a["mean"], b["mean"], rtol=1e-6)
    assert str(one.anova()) == str(two.anova())


@pytest.mark.parametrize("engine", ALL)
def test_large_numbers_keep_their_variance(engine):
    """Sums of squares would lose it: 1e9 apart from zero, sd 1."""
    frame = trials()
    frame["y"] += 1e9
    assert_same(*(model(MODELS[0][0], data) for data in (frame, engine(frame))), rtol=1e-6)
    frame["y"] += np.where(frame["A"] == "a", 1e11, 0)
    for formula in (MODELS[0][0], "y ~ 1"):
        assert_same(*(model(formula, data) for data in (frame, engine(frame))), rtol=1e-4)


@pytest.mark.parametrize("engine", ALL)
@pytest.mark.parametrize("outcome", ["y", "count"])
def test_missing_values_are_counted_and_left_out(engine, outcome):
    frame = trials().astype({"count": float})
    frame.loc[[3, 4, 5], outcome] = np.nan
    frame.loc[[5, 7], "B"] = None
    family = {"y": "gaussian", "count": "poisson"}[outcome]
    data, formula = engine(frame), f"{outcome} ~ A * B + Error(s/B)"
    pattern = r"missing values in 4 of 400 rows; by column: .*'B' \(2\).*"
    with pytest.raises(DataError, match=pattern) as refused:
        model(formula, data, family)
    assert f"'{outcome}' (3)" in str(refused.value)
    found = model(formula, data, family, dropna=True)
    assert found.design.rows.left_out == 4
    assert_same(model(formula, frame, family, dropna=True), found)


def test_a_row_for_every_value_is_refused_beyond_a_limit(monkeypatch):
    monkeypatch.setattr(tally_module, "MOST_ROWS", 50)
    with pytest.raises(DataError, match=r"more than 50 rows are left .* Round or bin"):
        model("count ~ A + rt + Error(s)", ENGINES["duckdb"](trials()), "poisson")


def test_rows_stay_by_themselves_if_asked():
    found = model(MODELS[0][0], ENGINES["polars"](trials()), collapse=False)
    assert not found.design.rows.tallied
    assert len(found.collapsed.first) == 400


def test_a_function_of_the_user_is_not_the_engines():
    frame = trials()
    own = {"log": lambda x: x + 1}
    arguments = ("log(score) ~ A + Error(s)",)
    one, two = (
        model(*arguments, data, extra_namespace=own) for data in (frame, ENGINES["polars"](frame))
    )
    assert_same(one, two)


def test_what_needs_rows_says_so():
    formula, family = MODELS[-1]
    fit = model(formula, ENGINES["polars"](trials()), family).fit(
        "laplace", draws=50, random_seed=1, progressbar=False
    )
    for asked in (lambda: fit.loo(by="row"), lambda: fit.predictive_check(random_seed=1)):
        with pytest.raises(DataError, match="needs the rows themselves"):
            asked()
    assert len(fit.loo(by="unit").table) == 8


def test_saved_fits_keep_their_tally(tmp_path):
    for formula, family in (MODELS[1], MODELS[10]):
        own = model(formula, ENGINES["polars"](trials()), family)
        fit = own.fit("laplace", draws=50, random_seed=1, progressbar=False)
        fit.save(tmp_path / f"{family}.nc")
        loaded = ba.load(tmp_path / f"{family}.nc")
        assert_same(own, loaded.model)
        assert str(loaded.means()) == str(fit.means())


def test_parquet_files_are_tallied_by_name(tmp_path):
    frame = trials()
    frame.iloc[:100].to_parquet(tmp_path / "a.parquet")
    frame.iloc[100:].to_parquet(tmp_path / "b.parquet")
    assert_same(model(MODELS[0][0], frame), model(MODELS[0][0], str(tmp_path / "*.parquet")))
    assert model(MODELS[0][0], tmp_path / "a.parquet").design.rows.size == 100
    for path, complaint in (("none*.parquet", "cannot be read"), ("x.csv", "path of Parquet")):
        with pytest.raises(DataError, match=complaint):
            model(MODELS[0][0], tmp_path / path)


def test_informative_trials_are_seen_in_a_tally():
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(40), 50)
    n = rng.integers(5, 15, len(unit))
    frame = pd.DataFrame({"s": unit, "A": np.where(unit % 2, "a", "b"), "n": n})
    frame["k"] = rng.binomial(n, 1 / (1 + np.exp(-(n - 10) / 5)))
    formula = "p(k, n) ~ A + Error(s)"
    found = [
        model(formula, data, "binomial").check_trials()
        for data in (frame, ENGINES["polars"](frame))
    ]
    assert str(found[0]) == str(found[1])
    with pytest.warns(ba.errors.InformativeTrialsWarning):
        ba.Model(formula, ENGINES["duckdb"](frame), "binomial")


@pytest.mark.parametrize("engine", ALL)
def test_what_the_transformation_makes_of_numbers_is_not_missing(engine):
    frame = trials()
    frame["y"] -= 100
    data = engine(frame)
    with pytest.raises(DataError, match=r"'log\(y\)': expected finite numbers .* of 400 rows"):
        model("log(y) ~ A + Error(s)", data, dropna=True)
    frame.loc[3, "y"] = np.inf
    with pytest.raises(DataError, match=r"expected finite numbers .* not so in 1 of 400 rows"):
        model("y ~ A + Error(s)", engine(frame))


def test_text_is_no_number_for_an_engine_either():
    frame = trials().assign(word="12")
    for data in (frame, ENGINES["duckdb"](frame)):
        with pytest.raises(DataError, match=r"response 'word': expected numbers"):
            model("word ~ A + Error(s)", data, "gaussian")
