"""Fits side by side: what is printed first in a narrow terminal."""

import pytest

import bambi_anova as ba


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def columns(table):
    """Return the names of the printed columns, of which the first block alone is checked."""
    lines = repr(table).splitlines()
    return next(line.split() for line in lines if line.split()[0] in table.columns)


@pytest.mark.parametrize("name", ["memory", "recall"])
def test_shift_and_sd_ratio_of_fits_come_first(name, quick_fit):
    shown = columns(ba.compare_fits(quick_fit(name), quick_fit(name)))
    assert shown[:2] == ["shift", "sd_ratio"]


def test_differences_of_models_come_first(quick_fit):
    full = quick_fit("oats")
    less = ba.Model("yield ~ variety + nitrogen + Error(block/variety)", ba.load_data("oats"))
    table = ba.compare([full, less.fit("laplace", random_seed=1, progressbar=False)])
    assert columns(table)[:3] == ["elpd_diff", "se_diff", "model"]
