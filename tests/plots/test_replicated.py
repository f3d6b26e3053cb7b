"""Observed means over replicated ones."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from bambi_anova import plots
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.style import COLOURS
from tests.plots.drawn import assert_publishable, faces, markers

DESIGNS = ["memory", "oats", "recall"]


@pytest.mark.parametrize("by", ["cell", "unit"])
@pytest.mark.parametrize("name", DESIGNS)
def test_checks_show_what_was_observed(by, name, quick_fit):
    result = quick_fit(name)
    ax = plots.plot_predictive(result, by, draws=200, random_seed=1)
    observed = markers(ax)[1]
    table = result.predictive_check(by, draws=200, random_seed=1)
    column = observed[:, 0] if by == "cell" else observed[:, 1]
    np.testing.assert_allclose(np.sort(column), np.sort(table["observed"]))
    if by == "unit":
        assert (np.diff(column) >= 0).all()


@pytest.mark.parametrize("by", ["cell", "block:variety"])
def test_groups_can_be_drawn_either_way(by, quick_fit):
    options = {"by": by, "draws": 100, "random_seed": 1}
    side = plots.plot_predictive(quick_fit("oats"), ordered=True, **options)
    rows = plots.plot_predictive(quick_fit("oats"), ordered=False, **options)
    np.testing.assert_allclose(markers(side)[1][:, 1], np.sort(markers(rows)[1][:, 0]))
    assert_publishable(rows.get_figure())


def test_what_the_model_does_not_replicate_is_orange(quick_fit, monkeypatch):
    result = quick_fit("memory")
    check = result.predictive_check("unit", draws=200, random_seed=1)
    strange = check.assign(tail_probability=[0.001, *check["tail_probability"][1:]])
    monkeypatch.setattr(
        "bambi_anova.plots.replicated.predictive_check",
        lambda fit, by, units, ci_prob, **rest: strange.rename(
            columns=lambda name: name.replace("hdi95", f"hdi{100 * ci_prob:g}")
        ),
    )
    ax = plots.plot_predictive(result, "unit")
    orange = [same_color(face, COLOURS[1]) for face in faces(ax, 1)]
    assert sum(orange) == 1
    assert "1 of 41" in " ".join(ax.get_title("left").split())


def test_checks_are_repeatable(quick_fit):
    one, two = (
        plots.plot_predictive(quick_fit("oats"), draws=100, random_seed=3) for _ in range(2)
    )
    np.testing.assert_array_equal(markers(one)[0], markers(two)[0])
    with pytest.raises(ArgumentError, match="by='row'"):
        plots.plot_predictive(quick_fit("oats"), by="row")
