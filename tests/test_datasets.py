"""The shipped data: their size, their source, and that every call gives a fresh copy."""

import importlib.util
from importlib.resources import files

import pandas as pd
import pytest

from bambi_anova.datasets import DATASETS, load_data
from bambi_anova.errors import ArgumentError


def script(name):
    """The function that made a file, from the script next to it."""
    path = files("bambi_anova").joinpath("datasets", f"simulate_{name}.py")
    spec = importlib.util.spec_from_file_location(f"simulate_{name}", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.simulate


@pytest.fixture(scope="module")
def simulate():
    """The function that made ``memory.csv``."""
    return script("memory")


@pytest.mark.parametrize("name", ["memory", "times", "ratings"])
def test_simulated_data_are_what_their_scripts_simulate(name):
    pd.testing.assert_frame_equal(load_data(name), script(name)(), check_exact=True)


def test_another_seed_simulates_other_data(simulate):
    other = simulate(seed=1)
    assert other.shape == load_data("memory").shape
    assert not other["errors"].equals(load_data("memory")["errors"])


def test_memory_is_a_split_plot_of_41_participants():
    memory = load_data("memory")
    assert len(memory) == 4_100
    by_person = memory.groupby("participant")
    people = memory[["participant", "condition"]].drop_duplicates()
    assert people["condition"].value_counts().to_dict() == {"A": 21, "B": 20}
    assert people["participant"].is_unique
    assert (memory.groupby(["participant", "trial_type"]).size() == 50).all()
    assert all(sorted(trials) == [*range(1, 101)] for _, trials in by_person["trial"])
    assert memory["markers"].between(10, 15).all()
    assert memory["errors"].between(0, memory["markers"]).all()
    assert (memory["positions"] == 40).all()


def test_the_grid_adds_up_to_the_trials():
    memory, grid = load_data("memory"), load_data("memory_grid")
    assert len(grid) == 164_000
    assert grid[["marker", "error"]].isin([0, 1]).all(axis=None)
    assert (grid["error"] <= grid["marker"]).all()
    trial = ["participant", "condition", "trial_type", "trial"]
    assert not grid.duplicated([*trial, "position"]).any()
    assert set(grid["position"]) == set(range(1, 41))
    sums = grid.groupby(trial, sort=False, as_index=False).agg(
        positions=("position", "size"),
        markers=("marker", "sum"),
        errors=("error", "sum"),
        noted=("markers", "first"),
    )
    pd.testing.assert_series_equal(sums["noted"], sums["markers"], check_names=False)
    pd.testing.assert_frame_equal(sums.drop(columns="noted"), memory)


def test_markers_and_errors_stand_at_random_positions():
    """Uniform over the 40 positions: chi-squared with 39 degrees of freedom stays below 80."""
    grid = load_data("memory_grid")
    for column in ("marker", "error"):
        counts = grid.groupby("position")[column].sum()
        expected = counts.mean()
        assert 10 < ((counts - expected) ** 2 / expected).sum() < 80


def test_oats_is_complete():
    oats = load_data("oats")
    assert list(oats.columns) == ["block", "variety", "nitrogen", "yield"]
    assert len(oats) == 72
    assert oats[["block", "variety", "nitrogen"]].nunique().tolist() == [6, 3, 4]
    assert (oats.groupby(["block", "variety", "nitrogen"]).size() == 1).all()
    assert not pd.api.types.is_numeric_dtype(oats["nitrogen"])
    assert sorted(oats["nitrogen"].unique()) == ["0.0", "0.2", "0.4", "0.6"]
    # The means of Yates (1935), in quarter pounds.
    means = oats.groupby("nitrogen")["yield"].mean()
    assert means.round(2).tolist() == [79.39, 98.89, 114.22, 123.39]
    assert oats["yield"].mean() == pytest.approx(103.97, abs=0.005)


@pytest.mark.parametrize("name", DATASETS)
def test_every_call_gives_a_fresh_copy(name):
    first = load_data(name)
    before = first.copy(deep=True)
    first.iloc[:, -1] = 0
    first["new"] = 1
    pd.testing.assert_frame_equal(load_data(name), before)
    assert not first.equals(before)


def test_the_list_tells_the_rows_of_each():
    table = load_data()
    assert list(table.columns) == ["name", "rows", "source", "purpose"]
    assert dict(zip(table["name"], table["rows"], strict=True)) == {
        name: len(load_data(name)) for name in DATASETS
    }
    assert (table["source"].str.len() > 10).all()
    assert table.loc[table["name"] == "oats", "source"].str.contains("10.2307/2983638").all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memry", "name='memry' is not a data set; did you mean 'memory'"),
        ("zzz", "known: 'memory', 'memory_grid', 'oats'"),
        (3, "name=3 is not a data set"),
        (["oats"], "is not a data set"),
    ],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(ArgumentError, match=message):
        load_data(name)
