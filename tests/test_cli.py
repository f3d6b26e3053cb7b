"""The command line: what it prints, what it writes, and how it ends."""

import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.cli import main


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
        (["fit", "yield ~ variety", "{oats}", "--method", "magic"], ["magic"]),
        (["fit", "yield ~ variety", "{oats}", "--draws", "0"], ["draws=0"]),
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
    path = tmp_path / "data.xlsx"
    path.write_text("")
    assert main(["fit", "y ~ a", str(path)]) == 2
    assert ".csv or .parquet" in capsys.readouterr().err


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
    assert "## Results" in (out / "report.md").read_text(encoding="utf-8").replace("###", "##")
    assert (out / "page.png").stat().st_size > 10_000
    assert ba.load(out / "draws.nc").verdict == "trusted"
    table = pd.read_csv(out / "contrasts_of_nitrogen_super_population.csv")
    assert len(table) == 6
    import xarray as xr

    with xr.open_datatree(out / "draws.nc", engine="h5netcdf") as tree:
        assert tree["posterior"].sizes["draw"] == 1000
        assert set(tree["cells"].data_vars) == {"super", "finite"}
