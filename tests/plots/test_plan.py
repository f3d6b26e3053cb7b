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
