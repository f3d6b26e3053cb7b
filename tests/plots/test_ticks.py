"""Ticks whose labels never meet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from bambi_anova.plots.style import make_axes
from bambi_anova.plots.ticks import broken, name_ticks, text_width, upright_ticks
from tests.plots.drawn import assert_publishable

names = st.text("abcdefghi _-.", min_size=1, max_size=40).filter(str.strip)


@given(text=names, room=st.floats(20, 200))
def test_a_broken_name_fits_and_is_whole(text, room):
    lines = broken(text, room, 10.0).split("\n")
    assert all(text_width(line, 10.0) <= room for line in lines)
    bare = [sign for sign in "".join(lines) if sign not in " -"]  # hyphens are added
    assert bare == [sign for sign in text if sign not in " -"]


def test_words_stay_whole_where_they_fit():
    assert broken("six months follow-up", 60.0, 10.0).split("\n") == ["six months", "follow-up"]
    assert "\n" not in broken("six months follow-up", 600.0, 10.0)


@pytest.mark.parametrize("width", [1.2, 2.0, 4.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 1e4])
def test_numbers_never_meet(width, scale):
    figure, ax = plt.subplots(figsize=(width, 1.5), layout="constrained")
    make_axes(ax, (0, 0))
    ax.set_xlim(-0.155 * scale, 0.058 * scale)
    assert_publishable(figure)
    low, high = ax.get_xlim()
    assert ((ax.get_xticks() >= low) & (ax.get_xticks() <= high)).any()


@pytest.mark.parametrize("width", [2.0, 3.0, 6.0])
def test_names_never_meet(width):
    levels = ["before treatment", "after treatment", "six months follow-up", "a_quite_long_name"]
    figure, ax = plt.subplots(figsize=(width, 3), layout="constrained")
    name_ticks(ax, range(4), levels)
    ax.set_xlim(-0.5, 3.5)
    assert_publishable(figure)
    shown = [label.get_text().replace("-\n", "") for label in ax.get_xticklabels()]
    bare = ["".join(text.split()).replace("-", "") for text in levels]
    assert ["".join(text.split()).replace("-", "") for text in shown] == bare


def test_upright_names_that_would_meet_are_left_out():
    figure, ax = plt.subplots(figsize=(2, 3), layout="constrained")
    upright_ticks(ax, [0, 1, 2, 3, 40], [f"unit {i}" for i in range(5)], size=8)
    ax.set_xlim(-0.5, 60)
    assert_publishable(figure)
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert shown[0] == "unit 0"
    assert shown[-1] == "unit 4"
    assert len(shown) < 5
    assert np.diff(ax.get_xticks()).min() > 1
