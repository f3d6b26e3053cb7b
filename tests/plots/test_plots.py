"""Figures: what they draw is what the tables say, and nothing is clipped or overlaps."""

import warnings
from dataclasses import replace
from itertools import pairwise, product

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import same_color, to_rgba

import bambi_anova as ba
from bambi_anova import plots
from bambi_anova.errors import AnovaWarning, ArgumentError
from bambi_anova.plots.observed import observed_means
from bambi_anova.plots.style import COLOURS, density, stacked
from bambi_anova.posterior.trust import Sampling
from bambi_anova.present.naming import MINUS, TIMES

mpl.use("Agg")
mpl.rcParams["figure.dpi"] = 50  # layout is in inches, the time it takes in dots

DESIGNS = ["memory", "oats", "recall"]
ODD = ["covariate", "no units", "no factors", "empty cell"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def as_chains(result, divergences=0):
    """The same draws, taken for chains."""
    return replace(result, sampling=Sampling("nuts", divergences, seconds=1.0))


def markers(ax):
    """Every scattered collection's places, the last drawn last."""
    return [np.asarray(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection)]


def segments(ax):
    """Every bundle of lines, as arrays (line, end, coordinate)."""
    return [np.array(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection)]


def words(figure):
    """Every text that is visible in a figure, titles and ticks included."""
    return [t for t in figure.findobj(mpl.text.Text) if t.get_visible() and t.get_text().strip()]


def assert_publishable(figure):
    """No text leaves the figure, and no two ticks of an axis overlap."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    for ax in figure.axes:
        if not ax.get_visible():
            continue
        low, high = sorted(ax.get_ylim())
        left, right = sorted(ax.get_xlim())
        shown = [t for t in words(ax) if not _is_off(t, ax, (left, right), (low, high))]
        for text in shown:
            box = text.get_window_extent(renderer)
            inside = box.x0 > -2 and box.y0 > -2 and box.x1 < width + 2 and box.y1 < height + 2
            assert inside, f"{text.get_text()!r} leaves the figure"
        for labels, axis in ((ax.get_yticklabels(), 1), (ax.get_xticklabels(), 0)):
            boxes = [t.get_window_extent(renderer) for t in labels if t in shown]
            spans = sorted((b.y0, b.y1) if axis else (b.x0, b.x1) for b in boxes)
            assert all(one[1] <= other[0] + 1 for one, other in pairwise(spans))


def _is_off(text, ax, across, down):
    """Whether a tick's label stands outside the axis, where it is not drawn."""
    ticks = [
        (ax.get_xticklabels(which="both"), 0, across),
        (ax.get_yticklabels(which="both"), 1, down),
    ]
    for labels, axis, (low, high) in ticks:
        if text in labels:
            return not low - 1e-9 <= text.get_position()[axis] <= high + 1e-9
    return False


def test_the_layout_check_sees_a_clipped_label():
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.set_ylabel("far too long a label for two inches of height, whatever the size of its letters")
    with pytest.raises(AssertionError, match="leaves the figure"):
        assert_publishable(figure)


FIGURES = {
    "means": plots.plot_means,
    "interaction": plots.plot_interaction,
    "deflections": plots.plot_deflections,
    "contrasts": plots.plot_contrasts,
    "posteriors": lambda result: plots.plot_posteriors(result, rope=(-0.1, 0.1)),
    "anova": plots.plot_anova,
    "priors": plots.plot_priors,
    "weights": plots.plot_weights,
    "trust": plots.plot_trust,
    "cells checked": lambda result: plots.plot_predictive(result, draws=200, random_seed=1),
    "units checked": lambda result: plots.plot_predictive(
        result, by="unit", draws=200, random_seed=1
    ),
    "fits": lambda result: plots.plot_fits(result, as_chains(result)),
    "page": lambda result: result.plot(),
}


#: Layouts that the fast tests look at; the others take a minute.
FAST = [("means", "memory"), ("contrasts", "recall"), ("posteriors", "oats"), ("page", "recall")]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kind, name, marks=() if (kind, name) in FAST else pytest.mark.slow)
        for kind, name in product(FIGURES, DESIGNS)
    ],
)
def test_nothing_is_clipped_and_no_ticks_overlap(kind, name, quick_fit):
    drawn = FIGURES[kind](quick_fit(name))
    assert_publishable(drawn.get_figure(root=True))


@pytest.mark.parametrize(
    "name", ["covariate", "no units", *(pytest.param(n, marks=pytest.mark.slow) for n in ODD[2:])]
)
def test_unusual_designs_have_a_page(name, quick_fit):
    result = quick_fit(name)
    page = result.plot()
    assert_publishable(page)
    # Without factors there are no means and contrasts, but the priors.
    panels = len([ax for ax in page.get_figure(root=True).axes if ax.get_visible()])
    sigmas = len(result.priors.sigmas) + ("sigma" in result.priors.auxiliary)
    assert panels == (5 if result.design.factors else 2 + sigmas)


# -- Cell means ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["memory", "oats"])
@pytest.mark.parametrize("population", ["super", "finite"])
def test_means_and_intervals_are_the_tables(name, population, quick_fit):
    result = quick_fit(name)
    colour, axis = result.design.levels
    ax = plots.plot_means(result, population=population)
    table = result.means(population=population, scale="response")
    # For each level in colour: dots of the units, then the means.
    places = markers(ax)[1::2]
    assert len(places) == len(result.design.levels[colour])
    for level, drawn, lines in zip(result.design.levels[colour], places, segments(ax), strict=True):
        part = table[table[colour] == level]
        np.testing.assert_allclose(drawn[:, 1], part["mean"])
        np.testing.assert_allclose(lines[:, 0, 1], part["hdi95_lb"])
        np.testing.assert_allclose(lines[:, 1, 1], part["hdi95_ub"])
    assert ax.get_xlabel() == axis
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        str(level) for level in result.design.levels[colour]
    ]


def test_raw_dots_are_the_means_of_units(quick_fit):
    memory = ba.load_data("memory")
    sums = memory.groupby(["participant", "condition", "trial_type"])[["errors", "markers"]].sum()
    by_hand = np.sort(sums["errors"] / sums["markers"])
    observed = observed_means(quick_fit("memory"), ["condition", "trial_type"])
    np.testing.assert_allclose(np.sort(observed["mean"]), by_hand)
    assert observed["weight"].sum() == memory["markers"].sum()
    ax = plots.plot_means(quick_fit("memory"))
    np.testing.assert_allclose(np.sort(np.concatenate(markers(ax)[::2])[:, 1]), by_hand)


def test_the_last_factor_written_is_on_the_axis(quick_fit):
    ax = plots.plot_means(quick_fit("memory"), "trial_type:condition")
    assert ax.get_xlabel() == "condition"
    assert ax.get_legend().get_title().get_text() == "trial_type"


def test_axes_carry_the_users_names_and_the_scale(quick_fit):
    assert plots.plot_means(quick_fit("memory")).get_ylabel() == "probability of errors"
    link = plots.plot_means(quick_fit("memory"), scale="link")
    assert link.get_ylabel() == "logit of the probability of errors"
    assert plots.plot_means(quick_fit("oats")).get_ylabel() == "yield"


@pytest.mark.parametrize(
    ("population", "words"), [("super", "new units"), ("finite", "these units")]
)
def test_captions_name_population_and_interval(population, words, quick_fit):
    result = quick_fit("memory")
    for draw in (plots.plot_means, plots.plot_deflections, plots.plot_contrasts, plots.plot_anova):
        ax = draw(result, population=population, ci_prob=0.9, ci_kind="eti")
        said = " ".join((ax.get_title("left") + ax.get_title("right")).split())
        assert words in said
        assert "90% ETI" in said


def test_without_units_there_is_no_population_to_name(quick_fit):
    ax = plots.plot_means(quick_fit("no units"))
    assert "population" not in ax.get_title("left")
    assert "36 observations" in ax.get_title("left")


def test_axes_are_drawn_into_if_given(quick_fit):
    _, ax = plt.subplots()
    assert plots.plot_means(quick_fit("oats"), ax=ax) is ax
    assert plots.plot_deflections(quick_fit("oats"), ax=ax) is ax
    assert plots.plot_anova(quick_fit("oats"), ax=ax) is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("term", ["encouragement:modality:delay", "a:b:c"])
def test_means_refuse_what_does_not_fit_one_panel(term, quick_fit):
    with pytest.raises(ArgumentError, match="term="):
        plots.plot_means(quick_fit("recall"), term)


def test_a_third_factor_has_panels(quick_fit):
    result = quick_fit("recall")
    figure = plots.plot_interaction(result)
    table = result.means(scale="response")
    levels = result.design.levels["modality"]
    assert [ax.get_title().replace("\n", " ") for ax in figure.axes] == [
        f"modality: {level}" for level in levels
    ]
    for ax, level in zip(figure.axes, levels, strict=True):
        means = np.concatenate(markers(ax)[1::2])[:, 1]
        np.testing.assert_allclose(
            means, table.loc[table["modality"] == level, "mean"].sort_index()
        )


def test_a_fourth_factor_has_rows_of_panels():
    rng = np.random.default_rng(5)
    data = pd.DataFrame(product("ab", "cd", "efg", "hi", range(2)))
    data.columns = [*"ABCD", "copy"]
    model = ba.Model("y ~ A + B + C + D", data.assign(y=rng.normal(size=len(data))))
    figure = plots.plot_interaction(model.fit("laplace", random_seed=1))
    assert len(figure.axes) == 3 * 2
    assert figure.axes[0].get_title() == "B: c\nC: e"


# -- Forests ---------------------------------------------------------------------------------


def rows_of(ax):
    """Places of a forest's means, its thin and its thick lines."""
    outer, inner = segments(ax)
    return markers(ax)[0], outer, inner


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


@pytest.mark.parametrize("name", DESIGNS)
def test_contrasts_of_all_factors_are_the_tables(name, quick_fit):
    result = quick_fit(name)
    ax = plots.plot_contrasts(result, rope=(-0.2, 0.1))
    table = pd.concat([result.contrasts(factor) for factor in result.design.levels])
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
def test_the_anova_display_is_the_table_by_stratum(name, quick_fit):
    result = quick_fit(name)
    ax = plots.plot_anova(result)
    table = result.anova().set_index("term")
    shown = table["mean"].fillna(table["sigma"])
    means = markers(ax)[0][:, 0]
    np.testing.assert_allclose(np.sort(means), np.sort(shown))
    names = [t.get_text().replace("\n", " ") for t in ax.get_yticklabels()]
    heads = [name for name in names if name.startswith("stratum: ")]
    assert len(heads) == table["stratum"].nunique()
    first = result.design.units[0].name
    assert heads[0] == f"stratum: {first}"
    for term, df in table["df"].items():
        assert any(f"{term.replace(':', f' {TIMES} ')} ({df})" in name for name in names)


# -- Marks -----------------------------------------------------------------------------------


def faces(ax, which=0):
    collections = [c for c in ax.collections if isinstance(c, PathCollection)]
    return collections[which].get_facecolors()


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
    table = pd.concat([result.contrasts(factor) for factor in result.design.levels])
    (lines, _) = [c for c in ax.collections if isinstance(c, LineCollection)]
    dashed = [style[1] is not None for style in lines.get_linestyles()]
    assert dashed == (~table["supported"]).tolist()
    assert 0 < sum(dashed) < len(dashed)
    assert "cells without data" in " ".join(ax.get_title("right").split())


# -- Posteriors ------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("point", "value"), [("mean", 2.0), ("median", 1.678), ("mode", 1.0)])
def test_a_gamma_has_its_mean_median_and_mode(point, value):
    draws = np.random.default_rng(1).gamma(2.0, size=200_000)
    ax = plots.plot_posterior(draws, "x", point=point)
    (text,) = [t.get_text() for t in ax.texts if t.get_text().startswith(point)]
    assert float(text.split()[1]) == pytest.approx(value, abs=0.06)


def test_a_histogram_holds_all_draws():
    draws = np.random.default_rng(1).normal(size=3000)
    ax = plots.plot_posterior(draws, kind="histogram")
    area = sum(bar.get_width() * bar.get_height() for bar in ax.patches)
    assert area == pytest.approx(1)


def test_doubtful_posteriors_say_so():
    draws = np.random.default_rng(1).normal(size=3000)
    ax = plots.plot_posterior(draws, "x", trusted=False, supported=False)
    assert ax.get_title("left") == "x (not trusted, prior only)"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "violin"}, "kind='violin'"),
        ({"point": "max"}, "point='max'"),
        ({"rope": (1, -1)}, "rope="),
        ({"ci_prob": 95}, "ci_prob=95"),
    ],
)
def test_posteriors_refuse_what_they_cannot_draw(options, words):
    with pytest.raises(ArgumentError, match=words):
        plots.plot_posterior(np.arange(100.0), **options)


def test_a_density_reflected_at_zero_is_that_of_a_half_normal():
    draws = np.abs(np.random.default_rng(2).normal(size=50_000))
    x, y = density(draws, lower=0.0)
    assert x.min() >= 0
    assert np.trapezoid(y, x) == pytest.approx(1, abs=0.01)
    truth = np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)
    np.testing.assert_allclose(y[x < 2], truth[x < 2], atol=0.03)


# -- Priors, fits, checks, sampling ----------------------------------------------------------


@pytest.mark.parametrize("name", DESIGNS)
def test_priors_are_drawn_as_scipy_knows_them(name, quick_fit):
    from scipy import stats

    result = quick_fit(name)
    figure = plots.plot_priors(result)
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert len(axes) == len(result.priors.sigmas) + ("sigma" in result.priors.auxiliary)
    for ax, (term, prior) in zip(axes, result.priors.sigmas.items(), strict=False):
        line = next(line for line in ax.lines if line.get_label() == "prior")
        x, y = line.get_data()
        gamma = stats.gamma(prior.args["alpha"], scale=1 / prior.args["beta"])
        np.testing.assert_allclose(y, gamma.pdf(x))
        assert ax.get_title("left").replace("\n", " ") == f"sd of {term.replace(':', f' {TIMES} ')}"


def test_fits_are_drawn_as_they_compare(quick_fit):
    quick = quick_fit("memory")
    model = ba.Model(quick.design.formula.text, ba.load_data("memory"), family="binomial")
    other = model.fit("laplace", random_seed=2, draws=500)
    table = ba.compare_fits(quick, other).head(10)
    ax = plots.plot_fits(quick, other, rows=10)
    np.testing.assert_allclose(markers(ax)[0][:, 0], table["shift"])
    np.testing.assert_allclose(markers(ax)[1][:, 0], 0)
    reach = np.ptp(segments(ax)[0][:, :, 0], axis=1) / np.ptp(segments(ax)[1][:, :, 0], axis=1)
    np.testing.assert_allclose(reach, table["sd_ratio"])
    with pytest.raises(ArgumentError, match="rows=0"):
        plots.plot_fits(quick, other, rows=0)


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


def test_many_cells_stand_side_by_side_on_a_page():
    rng = np.random.default_rng(5)
    data = pd.DataFrame(product(["silent room", "noisy room"], "abcdefg", range(2)))
    data.columns = ["environment", "word", "copy"]
    model = ba.Model("y ~ environment * word", data.assign(y=rng.normal(size=len(data))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        page = model.fit("laplace", random_seed=1, progressbar=False).plot()
    assert_publishable(page)
    assert any(ax.get_xlabel() == "cell, ordered (14 cells)" for ax in page.axes)


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


def test_the_page_of_chains_shows_their_effective_sizes(quick_fit):
    page = as_chains(quick_fit("memory")).plot()
    assert_publishable(page)
    assert any("effective sample size" in ax.get_xlabel() for ax in page.axes)
    letters = [t.get_text() for t in words(page) if t.get_text() in tuple("ABCDE")]
    assert set("ABCDE") <= set(letters)


# -- Style -----------------------------------------------------------------------------------


def test_colours_are_told_apart_without_hue():
    """Okabe and Ito's first ones differ in lightness; shapes tell the others."""
    lightness = [np.dot(to_rgba(colour)[:3], [0.2126, 0.7152, 0.0722]) for colour in COLOURS[:4]]
    gaps = [abs(a - b) for i, a in enumerate(lightness) for b in lightness[:i]]
    assert min(gaps) > 0.02


@pytest.mark.parametrize("width", [10, 20, 60])
def test_breaking_a_name_keeps_its_words(width):
    name = f"Spoken presentation aloud {TIMES} One week after {MINUS} Immediately"
    assert stacked(name, width).split() == name.split()
