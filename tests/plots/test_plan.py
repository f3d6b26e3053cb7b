"""How often a planned design reaches its goals."""

import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova import plots
from bambi_anova.errors import ArgumentError


def test_every_goal_is_a_line_over_the_units():
    found = ba.plan(
        "y ~ A",
        {"A": ["a", "b"]},
        {"a": 0.0, "b": 2.0},
        {"sigma": 1.0},
        units=[4, 8],
        simulations=3,
        random_seed=1,
        progressbar=False,
    )
    ax = plots.plot_plan(found)
    drawn = {line.get_label(): line for line in ax.get_lines()}
    for goal, own in found.table.groupby("goal"):
        np.testing.assert_allclose(drawn[goal].get_xdata(), own["units"])
        np.testing.assert_allclose(drawn[goal].get_ydata(), own["probability"])
    assert ax.get_xlabel() == "rows in all"
    with pytest.raises(ArgumentError, match="expected what"):
        plots.plot_plan(found.table)


def test_stopped_studies_pile_up_over_the_looks():
    found = ba.plan(
        "y ~ A",
        {"A": ["a", "b"]},
        {"a": 0.0, "b": 1.0},
        {"sigma": 1.0},
        units=[4, 8, 16],
        bf=3,
        simulations=4,
        random_seed=1,
        progressbar=False,
    ).sequential()
    ax = plots.plot_sequential(found)
    tops = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    by_look = found.looks.pivot_table(index="units", columns="goal", values="probability")
    first, second = dict.fromkeys(found.looks["goal"])
    np.testing.assert_allclose(tops[first], by_look[first])
    np.testing.assert_allclose(tops[second], by_look[first] + by_look[second])
    with pytest.raises(ArgumentError, match="expected what"):
        plots.plot_sequential(found.table)
