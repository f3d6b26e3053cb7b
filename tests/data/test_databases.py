"""Tables of databases, named by an address."""

import sys
import types

import duckdb
import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.data.databases import open_table
from bambi_anova.data.frames import open_frame
from bambi_anova.errors import DataError


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {"y": rng.normal(size=40), "a": np.tile(["u", "v"], 20), "s": np.repeat(np.arange(10), 4)}
    )


@pytest.fixture
def database(tmp_path, frame, monkeypatch):
    """A file of DuckDB with a table, one in a schema, and views, one of which reads a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("y,a\n1,u\n2,v\n")
    with duckdb.connect("trials.db") as connection:
        connection.register("frame", frame)
        connection.execute("CREATE TABLE rt AS SELECT * FROM frame")
        connection.execute('CREATE SCHEMA "lab 2"')
        connection.execute('CREATE TABLE "lab 2"."r""t" AS SELECT * FROM frame')
        connection.execute("CREATE VIEW half AS SELECT * FROM rt WHERE s < 5")
        connection.execute("CREATE VIEW spy AS SELECT * FROM read_csv('secret.csv')")
    return tmp_path / "trials.db"


def test_a_table_is_that_of_the_file(database, frame):
    for place in ("trials.db", f"/{database}", str(database)):
        source = open_frame(f"duckdb:///{place}::rt")
        found = source.take(["y", "a", "s"]).sort_values(["s", "a", "y"], ignore_index=True)
        expected = frame.sort_values(["s", "a", "y"], ignore_index=True)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_names_need_no_quotes(database):
    assert len(open_frame('duckdb:///trials.db::lab 2.r"t').take(["y"])) == 40
    assert len(open_frame("duckdb:///trials.db::half").take(["y"])) == 20


def test_a_model_of_a_table_is_that_of_the_frame(database, frame):
    formula = "y ~ a + Error(s/a)"
    one = ba.Model(formula, "duckdb:///trials.db::rt")
    other = ba.Model(formula, frame)
    assert str(one).splitlines()[0] == str(other).splitlines()[0]
    fits = [m.fit("laplace", random_seed=1, progressbar=False) for m in (one, other)]
    means = [fit.means("a")["mean"].to_numpy() for fit in fits]
    np.testing.assert_allclose(means[0], means[1], atol=0.03)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("duckdb:///trials.db", "names no table"),
        ("duckdb:///other.db::rt", "no file 'other.db'"),
        ("duckdb:///trials.db::rtt", "no table 'rtt'; did you mean 'rt'"),
        ("duckdb:///secret.csv::rt", "cannot be opened"),
        ("postgres://user:hidden@host/db::rt", "needs ibis"),
    ],
)
def test_what_cannot_be_is_said(database, address, words, monkeypatch):
    monkeypatch.setattr(
        "bambi_anova.data.databases.find_spec", lambda name: None if name == "ibis" else True
    )
    with pytest.raises(DataError, match=words) as caught:
        open_frame(address)
    assert "hidden" not in str(caught.value)


def test_a_stranger_s_file_can_only_compute(database):
    """Its views reach no other file, nothing can be written, and no setting can be changed."""
    with pytest.raises(DataError, match="Permission"):
        open_frame("duckdb:///trials.db::spy").take(["y"])
    table = open_table("duckdb:///trials.db::rt")
    before = database.read_bytes()
    for attack in (
        lambda: table.insert((1.0, "u", 1)),
        lambda: table.to_csv("copied.csv"),
        lambda: table.query("t", "SET enable_external_access = true"),
    ):
        with pytest.raises(duckdb.Error):
            attack()
    assert database.read_bytes() == before
    assert not (database.parent / "copied.csv").exists()


def test_the_same_file_opens_freely_without_our_settings(database):
    """The control: it is our settings that keep the view from the other file."""
    with duckdb.connect("trials.db", read_only=True) as connection:
        assert len(connection.sql("SELECT * FROM spy").fetchall()) == 2


def test_other_databases_are_reached_through_ibis(monkeypatch, frame):
    opened = []

    class Connection:
        def list_tables(self):
            return ["rt"]

        def table(self, name):
            return frame

    def connect(url):
        opened.append(url)
        if "wrong" in url:
            raise RuntimeError(f"no access to {url}")
        return Connection()

    monkeypatch.setitem(sys.modules, "ibis", types.SimpleNamespace(connect=connect))
    monkeypatch.setattr("bambi_anova.data.databases.find_spec", lambda name: True)
    assert open_table("mysql://me:pw@host/lab::rt") is frame
    assert opened == ["mysql://me:pw@host/lab"]
    with pytest.raises(DataError, match="no table 'x'; known: 'rt'"):
        open_table("mysql://me:pw@host/lab::x")
    with pytest.raises(DataError, match="RuntimeError") as caught:
        open_table("mysql://me:wrong@host/lab::rt")
    assert "wrong" not in str(caught.value)


def test_the_command_line_takes_an_address(database, capsys):
    from bambi_anova.cli import main

    assert main(["fit", "y ~ a + Error(s)", "duckdb:///trials.db::nothing"]) == 2
    assert "no table 'nothing'" in capsys.readouterr().err
    arguments = ["--quick", "--quiet", "--seed", "1", "--draws", "100"]
    assert main(["fit", "y ~ a + Error(s)", "duckdb:///trials.db::rt", *arguments]) == 0
    assert "anova" in capsys.readouterr().out
