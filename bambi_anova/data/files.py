"""A file -> a data frame: what its name and its first bytes say of it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from bambi_anova.errors import DataError

#: By the first bytes of a file.
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_UTF8 = "utf-8-sig"
_LATIN = "latin-1"


def read_data(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a data file of any kind that is known by its name.

    Returns
    -------
    pandas.DataFrame
    list of str
        What had to be assumed, in words.

    Raises
    ------
    DataError
        If there is no such file, its kind is not known, or it cannot be read.
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise DataError(f"{path}: expected a file named {', '.join(READERS)}")
    try:
        data, notes = read(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (ValueError, OSError, BadZipFile) as error:
        reason = str(error).strip().splitlines()
        raise DataError(f"{path} cannot be read: {reason[0] if reason else error!r}") from error
    return data, [f"{path}: {note}" for note in notes]


def _read_text(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read values between commas, semicolons or tabs, whichever part the header."""
    with path.open("rb") as file:
        encoding = _MARKS.get(file.read(2), _UTF8)
    notes = []
    try:
        header = _first_line(path, encoding)
        separator = _separator(header)
        data = pd.read_csv(path, sep=separator, encoding=encoding)
    except UnicodeDecodeError:
        encoding = _LATIN
        separator = _separator(_first_line(path, encoding))
        data = pd.read_csv(path, sep=separator, encoding=encoding)
        notes.append("it is not UTF-8 and was read as Latin-1; check letters with accents")
    if separator == ";":
        commas = list(_with_decimal_commas(data))
        for name in commas:
            data[name] = data[name].str.replace(",", ".").astype(float)
        if commas:
            notes.append(f"commas were read as decimal points in {', '.join(commas)}")
    return data, notes


def _first_line(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding) as file:
        return file.readline()


def _separator(header: str) -> str:
    """Return the mark that parts a header into most columns; a comma if none does."""
    return max(",;\t", key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))


def _with_decimal_commas(data: pd.DataFrame) -> Iterator[str]:
    """Yield the columns of text in which every value is a number with or without a comma."""
    for name in data.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in data.dtypes]]:
        values = data[name].dropna()
        if len(values) and values.astype(str).str.fullmatch(r"\s*[+-]?\d*,?\d+\s*").all():
            yield name


def _read_parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    return pd.read_parquet(path), []


def _read_excel(path: Path) -> tuple[pd.DataFrame, list[str]]:
    try:
        with pd.ExcelFile(path, engine="openpyxl") as book:
            first, *others = book.sheet_names
            notes = [f"read sheet {first!r}, the first of {len(others) + 1}"] if others else []
            return pd.read_excel(book, sheet_name=first), notes
    except ImportError as error:
        raise ValueError(
            "it needs the package openpyxl (pip install openpyxl); or save the sheet as .csv"
        ) from error


READERS: dict[str, Callable[[Path], tuple[pd.DataFrame, list[str]]]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".tab": _read_text,
    ".txt": _read_text,
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".xlsx": _read_excel,
}
