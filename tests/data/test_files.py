"""Data files: separators, decimal commas, encodings, and kinds by their names."""

import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.data.files import read_data
from bambi_anova.errors import DataError


@pytest.fixture
def frame():
    return pd.DataFrame({"name, in full": ["Ida", "Åse; B"], "n": [1, 2], "x": [1.5, -0.25]})


@pytest.fixture
def read(tmp_path):
    """Write text to a file of a name and read it."""

    def read(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        data, notes = read_data(path)
        return data, [note.removeprefix(f"{path}: ") for note in notes]

    return read


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.txt", "DATA.CSV"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_says_what_parts_the_columns(frame, read, name, separator):
    data, notes = read(name, frame.to_csv(index=False, sep=separator))
    pd.testing.assert_frame_equal(data, frame)
    assert notes == []


def test_semicolons_may_come_with_decimal_commas(frame, read):
    text = frame.to_csv(index=False, sep=";", decimal=",")
    data, notes = read("data.csv", text)
    pd.testing.assert_frame_equal(data, frame)
    assert notes == ["commas were read as decimal points in x"]


def test_text_with_commas_stays_text(read):
    data, notes = read("data.csv", "a;b\n1,5;x,1\n2;y\n")
    assert data["a"].tolist() == [1.5, 2.0]
    assert data["b"].tolist() == ["x,1", "y"]
    assert notes == ["commas were read as decimal points in a"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(frame, read, encoding):
    data, notes = read("data.csv", frame.to_csv(index=False), encoding)
    pd.testing.assert_frame_equal(data, frame)
    assert [("Latin-1" in note) for note in notes] == [True] * (encoding == "latin-1")


def test_a_letter_that_is_not_utf_8_far_behind_the_header(read):
    data, notes = read("data.csv", "a,b\n" + "1,x\n" * 5000 + "2,\xe5\n", "latin-1")
    assert data["b"].iloc[-1] == "\xe5"
    assert len(notes) == 1


def test_a_single_column(read):
    data, _ = read("data.csv", "y\n1\n2\n")
    assert data["y"].tolist() == [1, 2]


def test_parquet(tmp_path):
    oats = ba.load_data("oats")
    oats.to_parquet(tmp_path / "oats.pq")
    data, notes = read_data(tmp_path / "oats.pq")
    pd.testing.assert_frame_equal(data, oats)
    assert notes == []


def test_excel_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    (tmp_path / "data.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"openpyxl \(pip install openpyxl\).*as \.csv"):
        read_data(tmp_path / "data.xlsx")


def test_excel(tmp_path, frame):
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "data.xlsx") as book:
        frame.to_excel(book, sheet_name="one", index=False)
        frame.to_excel(book, sheet_name="two", index=False)
    data, notes = read_data(tmp_path / "data.xlsx")
    pd.testing.assert_frame_equal(data, frame)
    assert "sheet 'one', the first of 2" in notes[0]
    (tmp_path / "broken.xlsx").write_text("no book")
    with pytest.raises(DataError, match="cannot be read"):
        read_data(tmp_path / "broken.xlsx")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.csv", None, "there is no such file"),
        ("empty.csv", b"", "cannot be read: .?No columns"),
        ("broken.parquet", b"PAR1", "cannot be read"),
        ("data.sav", b"", "expected a file named .csv, .tsv"),
        ("no_suffix", b"", "expected a file named .csv, .tsv"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_data(tmp_path / name)
