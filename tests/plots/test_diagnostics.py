"""Chains, importance weights and effective sizes."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import same_color

from bambi_anova import plots
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.style import COLOURS
from bambi_anova.present.wording import TIMES
from tests.plots.drawn import as_chains, markers


def test_weights_are_sorted_about_their_mean(quick_fit):
    result = quick_fit("oats")
    ax = plots.plot_weights(result)
    weights = ax.lines[0].get_ydata()
    assert (np.diff(weights) <= 0).all()
    assert weights.mean() == pytest.approx(1)
    assert f"Pareto k {result.sampling.weighting.pareto_k:.2f}" in ax.get_title("left")
    heavy = replace(result.sampling.weighting, pareto_k=0.9)
    bad = replace(result, sampling=replace(result.sampling, weighting=heavy))
    ax = plots.plot_weights(bad)
    assert "not to be trusted" in " ".join(ax.get_title("left").split())
    assert same_color(ax.lines[0].get_color(), COLOURS[1])


def test_every_moving_quantity_has_a_dot(quick_fit):
    result = quick_fit("memory")
    ax = plots.plot_trust(result)
    table = result.trust()
    sizes = np.sort(np.concatenate(markers(ax))[:, 0])
    np.testing.assert_allclose(sizes, np.sort(table[["ess_bulk", "ess_tail"]].min(axis=1)))


@pytest.mark.parametrize("kind", ["rank", "trace"])
def test_chains_are_drawn_by_arviz_under_readable_names(kind, quick_fit):
    drawn = plots.plot_chains(as_chains(quick_fit("memory")), kind)
    assert type(drawn).__name__ == "PlotCollection"
    names = {str(name).replace("\n", " ") for name in drawn.data.data_vars}
    assert {"Intercept", f"sd of participant {TIMES} trial_type"} <= names


def test_diagnostics_refuse_the_other_kind_of_fit(quick_fit):
    with pytest.raises(ArgumentError, match="plot_weights shows"):
        plots.plot_chains(quick_fit("oats"))
    with pytest.raises(ArgumentError, match="plot_chains shows"):
        plots.plot_weights(as_chains(quick_fit("oats")))
    with pytest.raises(ArgumentError, match="kind='pair'"):
        plots.plot_chains(as_chains(quick_fit("oats")), "pair")
