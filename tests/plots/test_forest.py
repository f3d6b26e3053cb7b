"""Forests, and the marks of doubtful rows."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import same_color

from bambi_anova import plots
from bambi_anova.plots.differences import Contrasts
from bambi_anova.tables.interval import Interval
from tests.plots.drawn import as_chains, faces, rows_of

DESIGNS = ["memory", "oats", "recall"]


@pytest.mark.parametrize("name", DESIGNS)
def test_deflections_are_the_tables_from_the_top_down(name, quick_fit):
    result = quick_fit(name)
    ax = plots.plot_deflections(result)
    table, half = result.deflections(), result.deflections(ci_prob=0.5)
    means, outer, inner = rows_of(ax)
    np.testing.assert_allclose(means[:, 0], table["mean"])
    np.testing.assert_allclose(outer[:, :, 0], table[["hdi95_lb", "hdi95_ub"]])
    np.testing.assert_allclose(inner[:, :, 0], half[["hdi50_lb", "hdi50_ub"]])
    assert (np.diff(means[:, 1]) > 0).all()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    names = [t.get_text().replace("\n", " ") for t in ax.get_yticklabels()]
    bold = [t for t in ax.get_yticklabels() if t.get_fontweight() == "bold"]
    assert len(bold) == table["term"].nunique()
    assert names[1] == next(iter(result.design.levels.values()))[0]


@pytest.mark.parametrize("draw", [plots.plot_deflections, plots.plot_contrasts, plots.plot_anova])
def test_what_is_not_trusted_is_hollow_and_said_to_be(draw, quick_fit):
    good, bad = quick_fit("oats"), as_chains(quick_fit("oats"), divergences=3)
    assert good.verdict == "trusted"
    assert not any(same_color(face, "white") for face in faces(draw(good)))
    assert "hollow" not in draw(good).get_title("right")
    assert all(same_color(face, "white") for face in faces(draw(bad)))
    assert "hollow: not trusted" in " ".join(draw(bad).get_title("right").split())


def test_what_rests_on_the_prior_is_dashed(quick_fit):
    result = quick_fit("empty cell")
    ax = plots.plot_contrasts(result)
    terms = [*result.design.levels, ":".join(result.design.levels)]
    table = pd.concat([result.contrasts(term) for term in terms])
    (lines, _) = [c for c in ax.collections if isinstance(c, LineCollection)]
    dashed = [style[1] is not None for style in lines.get_linestyles()]
    assert dashed == (~table["supported"]).tolist()
    assert 0 < sum(dashed) < len(dashed)
    assert "cells without data" in " ".join(ax.get_title("right").split())


def test_markers_do_not_cut_the_bars(quick_fit):
    """An edge in another colour would break the thick lines in two."""
    ax = plots.plot_contrasts(quick_fit("oats"))
    thick = [c for c in ax.collections if isinstance(c, LineCollection)][1]
    (dots,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    for bar, edge in zip(thick.get_colors(), dots.get_edgecolors(), strict=True):
        assert same_color(bar[:3], edge[:3])


def test_halves_keep_headings_whole(quick_fit):
    whole = Contrasts(quick_fit("recall")).forest(None, Interval())
    one, other = whole.halves()
    assert [*one.labels, *other.labels] == list(whole.labels)
    assert not set(one.heads) & set(other.heads)
    assert max(one.height, other.height) < whole.height
