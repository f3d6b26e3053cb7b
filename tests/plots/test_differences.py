"""Contrasts as forests and as densities: what is drawn is what the tables say."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova import plots
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.differences import PAIRS, PANELS
from bambi_anova.present.wording import MINUS, TIMES
from tests.plots.drawn import markers, rows_of

DESIGNS = ["memory", "oats", "recall"]


@pytest.mark.parametrize("name", DESIGNS)
def test_contrasts_of_factors_and_interactions_are_the_tables(name, quick_fit):
    result = quick_fit(name)
    ax = plots.plot_contrasts(result, rope=(-0.2, 0.1))
    tables = [result.contrasts(factor) for factor in result.design.levels]
    for one, other in combinations(result.design.levels, 2):
        pairs = result.contrasts(f"{one}:{other}")
        many = len(pairs) > PAIRS
        tables.append(result.contrasts(f"{one}:{other}", "consec") if many else pairs)
    table = pd.concat(tables)
    means, outer, _ = rows_of(ax)
    np.testing.assert_allclose(means[:, 0], table["mean"])
    np.testing.assert_allclose(outer[:, 1, 0], table["hdi95_ub"])
    (band,) = ax.patches
    np.testing.assert_allclose([band.get_x(), band.get_width()], [-0.2, 0.3])
    assert "ROPE" in ax.get_title("right")


def test_simple_effects_stand_under_their_levels(quick_fit):
    result = quick_fit("oats")
    ax = plots.plot_contrasts(result, "variety", by="nitrogen")
    bold = [t.get_text() for t in ax.get_yticklabels() if t.get_fontweight() == "bold"]
    assert bold == [f"variety, nitrogen: {level}" for level in result.design.levels["nitrogen"]]
    table = result.contrasts("variety", by="nitrogen").sort_values("nitrogen", kind="stable")
    np.testing.assert_allclose(markers(ax)[0][:, 0], table["mean"])


def test_ratios_are_compared_with_one(quick_fit):
    options = {"scale": "response", "compare": "ratio"}
    ax = plots.plot_contrasts(quick_fit("memory"), "trial_type", **options)
    assert [line.get_xdata()[0] for line in ax.lines] == [1.0]
    assert ax.get_xlabel().startswith("ratio")


@pytest.mark.parametrize("name", DESIGNS)
def test_posteriors_state_what_the_table_says(name, quick_fit):
    result = quick_fit(name)
    factor = next(iter(result.design.levels))
    rope = (-0.1, 0.1)
    table = result.contrasts(factor, rope=rope, comp_val=0.0)
    figure = plots.plot_posteriors(result, factor, rope=rope)
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert len(axes) == len(table)
    for ax, row in zip(axes, table.to_dict("records"), strict=True):
        assert ax.get_title("left").replace("\n", " ") == row["contrast"].replace("-", MINUS)
        bar = ax.lines[-1].get_xdata()
        np.testing.assert_allclose(bar, [row["hdi95_lb"], row["hdi95_ub"]])
        said = [text.get_text() for text in ax.texts]
        inside = next(text for text in said if text.startswith("ROPE"))
        shares = [part.split("%")[0].split()[-1] for part in inside.split(",")]
        expected = 100 * np.array([row["below_rope"], row["in_rope"], row["above_rope"]])
        np.testing.assert_allclose([float(share) for share in shares], expected, atol=0.51)
        above = next(text for text in said if "below 0" in text).split(", ")[1]
        assert float(above.strip("> ").split("%")[0]) == pytest.approx(
            100 * row["above_comp_val"], abs=0.51
        )


@pytest.mark.parametrize("method", ["consec", "trt_vs_ctrl"])
def test_a_method_that_is_asked_for_is_that_of_every_factor(method, quick_fit):
    result = quick_fit("oats")
    table = pd.concat([result.contrasts(factor, method) for factor in result.design.levels])
    np.testing.assert_allclose(
        markers(plots.plot_contrasts(result, method=method))[0][:, 0], table["mean"]
    )


def test_posteriors_of_all_terms_have_panels(quick_fit):
    figure = plots.plot_posteriors(quick_fit("memory"))
    titles = [ax.get_title("left") for ax in figure.axes if ax.get_visible()]
    a, x = f"A {MINUS} B", f"x {MINUS} y"
    assert titles == [a, x, f"({a}) : ({x})"]
    assert "left out" not in figure.get_suptitle()


def test_terms_that_do_not_fit_are_named(quick_fit):
    figure = plots.plot_posteriors(quick_fit("ordered time"))
    assert len([ax for ax in figure.axes if ax.get_visible()]) <= PANELS
    assert f"left out: treatment {TIMES} clinic" in figure.get_suptitle()


def test_what_has_no_factors_has_no_contrasts(quick_fit):
    for draw in (plots.plot_contrasts, plots.plot_posteriors):
        with pytest.raises(ArgumentError, match="this model has no factors"):
            draw(quick_fit("no factors"))


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_a_factor_of_many_levels_is_shown_against_the_grand_mean():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"A": [f"level {i}" for i in range(20)] * 4, "y": rng.normal(size=80)})
    result = ba.Model("y ~ A", data).fit("laplace", draws=100, random_seed=1, progressbar=False)
    ax = plots.plot_contrasts(result)
    assert len([t for t in ax.get_yticklabels() if t.get_text().endswith("effect")]) == 20
    figure = plots.plot_posteriors(result)
    assert len([ax for ax in figure.axes if ax.get_visible()]) == PANELS
    assert "left out: 5 more of A" in " ".join(figure.get_suptitle().split())
    with pytest.raises(ArgumentError, match="190 contrasts have no room"):
        plots.plot_posteriors(result, "A")
