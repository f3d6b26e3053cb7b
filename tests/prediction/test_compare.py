"""Fits side by side: what is printed first in a narrow terminal."""

import pytest

import bambi_anova as ba


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", ["memory", "recall"])
def test_shift_and_sd_ratio_of_fits_come_first(name, quick_fit):
    lines = repr(ba.compare_fits(quick_fit(name), quick_fit(name))).splitlines()
    assert lines[0].split()[:2] == ["shift", "sd_ratio"]
    assert all(len(line) <= 80 for line in lines[:3])


def test_differences_of_models_come_first(quick_fit):
    full = quick_fit("oats")
    less = ba.Model("yield ~ variety + nitrogen + Error(block/variety)", ba.load_data("oats"))
    table = ba.compare([full, less.fit("laplace", random_seed=1, progressbar=False)])
    lines = [line for line in repr(table).splitlines() if line != "all trusted"]
    assert lines[0].split()[:2] == ["elpd_diff", "se_diff"]
    assert "model" in lines[0]
    assert all(len(line) <= 80 for line in lines[:3])
