"""The command line: what it prints, what it writes, and how it ends."""

import subprocess
import sys

import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.cli import main

PLAN = ["plan", "y ~ A", "--levels", "A=a,b", "--units", "20", "--sds", "sigma=1", "--quiet"]


@pytest.fixture
def oats_csv(tmp_path):
    path = tmp_path / "oats.csv"
    ba.load_data("oats").to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "y ~ a", "nowhere.csv"], ["nowhere.csv", "no such file"]),
        (["fit", "yield ~ varety", "{oats}"], ["'varety'", "did you mean 'variety'"]),
        (["fit", "yield ~ variety +", "{oats}"], ["cannot be read"]),
        (["fit", "yield ~ variety", "{oats}", "--family", "gausian"], ["gausian", "'gaussian'"]),
        (["fit", "yield ~ variety", "{oats}", "--contrasts", "nitro"], ["'nitro'", "not a factor"]),
        (["fit", "yield ~ variety", "{oats}", "--method", "magic"], ["--method magic"]),
        (["fit", "yield ~ variety", "{oats}", "--draws", "0"], ["--draws 0: expected"]),
        ([*PLAN, "--means", "a=0", "b=one"], ["--means one: expected a number"]),
        ([*PLAN, "--means", "a=0"], ["cell 'b' is missing"]),
        ([*PLAN, "--means", "a"], ["--means a: expected NAME=VALUE"]),
    ],
)
def test_bad_input_ends_with_one_line_and_status_2(arguments, words, oats_csv, capsys):
    status = main([argument.format(oats=oats_csv) for argument in arguments])
    captured = capsys.readouterr()
    complaint = [line for line in captured.err.splitlines() if "note:" not in line]
    assert status == 2
    assert len(complaint) == 1
    assert all(word in complaint[0] for word in words)


def test_bad_file_ends_with_one_line_and_status_2(tmp_path, capsys):
    path = tmp_path / "broken.parquet"
    path.write_text("not a parquet file")
    assert main(["fit", "y ~ a", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_unknown_file_kind_is_refused(tmp_path, capsys):
    path = tmp_path / "data.sav"
    path.write_text("")
    assert main(["fit", "y ~ a", str(path)]) == 2
    assert "expected a file named .csv, .tsv" in capsys.readouterr().err


def test_messages_name_options_of_the_command_line(tmp_path, capsys):
    path = tmp_path / "oats.csv"
    ba.load_data("oats").assign(acre=[None, *range(71)]).to_csv(path, index=False)
    assert main(["fit", "yield ~ variety + acre", str(path)]) == 2
    complaint = capsys.readouterr().err
    assert "Pass --dropna to leave these rows out" in complaint
    assert "dropna=True" not in complaint


def test_version_and_module(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"bambi-anova {ba.__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "bambi_anova", "--version"], capture_output=True, text=True
    )
    assert done.stdout == f"bambi-anova {ba.__version__}\n"


def test_nothing_is_overwritten_unless_told(oats_csv, tmp_path, capsys, monkeypatch):
    """It is refused before anything is computed."""
    monkeypatch.setattr(ba.Model, "fit", lambda *args, **kwargs: pytest.fail("a fit"))
    out = tmp_path / "answers"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    command = ["fit", "yield ~ variety", str(oats_csv), "--out", str(out)]
    assert main(command) == 2
    assert "pass --overwrite" in capsys.readouterr().err
    assert main([*command[:-1], str(oats_csv)]) == 2
    assert "expected a directory, found a file" in capsys.readouterr().err
    with pytest.raises(pytest.fail.Exception, match="a fit"):
        main([*command, "--overwrite"])


def test_usage_errors_end_with_status_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit"])
    assert stop.value.code == 2


@pytest.mark.slow
def test_fit_prints_answers_and_writes_tables_draws_and_figures(tmp_path, capsys):
    data = tmp_path / "oats.parquet"
    ba.load_data("oats").to_parquet(data)
    out = tmp_path / "answers"
    formula = "yield ~ variety * nitrogen + Error(block/variety)"
    options = ["--contrasts", "nitrogen", "--out", str(out), "--seed", "1", "--quiet"]
    assert main(["fit", formula, str(data), *options]) == 0
    printed = capsys.readouterr().out
    assert "stratum block:variety" in printed
    assert "0.0 - 0.6" in printed
    names = {path.name for path in out.iterdir()}
    assert {"anova.csv", "draws.nc", "means.png", "deflections.png", "anova.png"} <= names
    assert "<h2>Results</h2>" in (out / "report.html").read_text(encoding="utf-8")
    assert "## Results" in (out / "report.md").read_text(encoding="utf-8").replace("###", "##")
    assert (out / "page.png").stat().st_size > 10_000
    assert ba.load(out / "draws.nc").verdict == "trusted"
    table = pd.read_csv(out / "contrasts_of_nitrogen_super_population.csv")
    assert len(table) == 6
    import xarray as xr

    with xr.open_datatree(out / "draws.nc", engine="h5netcdf") as tree:
        assert tree["posterior"].sizes["draw"] == 3000  # as many as its long tails call for
        assert set(tree["cells"].data_vars) == {"super", "finite"}


def test_plans_are_printed_with_their_sentence(capsys):
    arguments = ["--means", "a=0", "b=3", "--simulations", "2", "--seed", "1", "--width", "9"]
    assert main([*PLAN, *arguments]) == 0
    printed = capsys.readouterr().out
    for words in ("a - b of A", "excludes zero", "narrower than 9", "None of the planned sizes"):
        assert words in printed


def test_parquet_files_of_one_pattern_are_one_table(tmp_path, capsys):
    oats = ba.load_data("oats")
    oats.iloc[:40].to_parquet(tmp_path / "a.parquet")
    oats.iloc[40:].to_parquet(tmp_path / "b.parquet")
    formula = "yield ~ variety + Error(block/variety)"
    asked = [
        "fit",
        formula,
        str(tmp_path / "*.parquet"),
        "--quick",
        "--draws",
        "200",
        "--seed",
        "1",
    ]
    assert main([*asked, "--quiet"]) == 0
    assert "72 rows" in capsys.readouterr().out
    assert main(["fit", formula, str(tmp_path / "*.csv")]) == 2
    assert "path of Parquet files" in capsys.readouterr().err
