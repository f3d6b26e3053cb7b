"""Cell means: what is drawn is what the tables say."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bambi_anova as ba
from bambi_anova import plots
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.cells import default_factors
from bambi_anova.plots.comparing import comparing
from bambi_anova.plots.observed import observed_means
from tests.plots.drawn import markers, segments


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
    # And lines: of the units, of the intervals, of comparisons along the axis.
    for level, drawn, lines in zip(
        result.design.levels[colour], places, segments(ax)[1::3], strict=True
    ):
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
    levels = result.design.levels["delay"]
    assert [ax.get_title().replace("\n", " ") for ax in figure.axes] == [
        f"delay: {level}" for level in levels
    ]
    for ax, level in zip(figure.axes, levels, strict=True):
        means = np.concatenate(markers(ax)[1::2])[:, 1]
        rows = table[table["delay"] == level].sort_values("modality", kind="stable")
        np.testing.assert_allclose(means, rows["mean"])
        assert ax.get_xlabel() == "encouragement"


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")
def test_a_fourth_factor_has_rows_of_panels():
    rng = np.random.default_rng(5)
    data = pd.DataFrame(product("ab", "cd", "efg", "hi", range(2)))
    data.columns = [*"ABCD", "copy"]
    model = ba.Model("y ~ A + B + C + D", data.assign(y=rng.normal(size=len(data))))
    result = model.fit("laplace", random_seed=1)
    figure = plots.plot_interaction(result, "A:B:C:D")
    assert len(figure.axes) == 3 * 2
    assert figure.axes[0].get_title() == "B: c\nC: e"
    assert plots.plot_interaction(result).axes[0].get_title() == "B: c\nD: h"


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("memory", "trial_type"),  # as many levels: the last one of the model
        ("oats", "nitrogen"),  # numbers
        ("recall", "encouragement"),  # most levels
        ("ordered time", "time"),  # an ordered category
        ("log rt", "delay"),
    ],
)
def test_an_ordered_factor_or_the_longest_is_on_the_axis(name, axis, quick_fit):
    result = quick_fit(name)
    assert plots.plot_means(result).get_xlabel() == axis
    assert default_factors(result)[-1] == axis
    assert set(default_factors(result)) == set(result.design.levels)


def joining(ax):
    """Whether lines join the means."""
    return any(line.get_linewidth() > 0 for line in ax.lines if len(line.get_xdata()) > 1)


@pytest.mark.parametrize(("name", "ordered"), [("oats", True), ("log rt", False)])
def test_lines_join_ordered_levels_or_by_choice(name, ordered, quick_fit):
    result = quick_fit(name)
    assert joining(plots.plot_means(result)) == ordered
    assert joining(plots.plot_means(result, lines=not ordered)) != ordered
    assert joining(plots.plot_interaction(result, lines=True).axes[0])


# -- Comparisons along the axis -----------------------------------------------------------------


def test_comparison_intervals_hold_what_the_contrasts_hold(quick_fit):
    """Of every group the mean square of their sds is a quarter of that of pairwise contrasts."""
    for name, axis, group in (
        ("oats", "nitrogen", "variety"),
        ("memory", "trial_type", "condition"),
    ):
        result = quick_fit(name)
        means = result.draws_of("means", f"{group}:{axis}")
        codes = pd.factorize(means[group].to_numpy())[0]
        values = comparing(means.to_numpy(), codes)
        np.testing.assert_allclose(values.mean((0, 1)), means.mean(("chain", "draw")))
        pairs = result.draws_of("contrasts", axis, by=group)
        for code, level in enumerate(result.design.levels[group]):
            own = values[..., codes == code].var((0, 1)).mean()
            theirs = pairs.sel(quantity=pairs[group] == level).var(("chain", "draw")).mean()
            np.testing.assert_allclose(own, float(theirs) / 4)


def test_two_that_touch_differ_as_their_contrast_does():
    rng = np.random.default_rng(1)
    unit, a, b = rng.normal(0, 50, 40_000), rng.normal(0, 1, 40_000), rng.normal(3, 2, 40_000)
    draws = np.stack([unit + a, unit + b], axis=-1)[None]
    values = comparing(draws, np.zeros(2, int))[0]
    upper, lower = np.quantile(values[:, 0], 0.975), np.quantile(values[:, 1], 0.025)
    low = np.quantile(b - a, 0.025)
    assert lower - upper == pytest.approx(low, abs=0.05)


@pytest.mark.parametrize(
    ("name", "term", "shown"),
    [
        ("memory", None, True),
        ("oats", None, True),
        ("ordered time", "treatment:time", True),
        ("recall", "delay:encouragement", False),  # between persons
        ("no units", None, False),
    ],
)
def test_comparisons_are_drawn_where_the_axis_lies_within_units(name, term, shown, quick_fit):
    result = quick_fit(name)
    ax = plots.plot_means(result, term)
    assert ("thick: for comparisons along" in " ".join(ax.get_title("left").split())) == shown
    paths = [c for c in ax.collections if type(c).__name__ == "LineCollection"]
    groups = 1 if ax.get_legend() is None else len(ax.get_legend().get_texts())
    assert len(paths) == groups * (3 if shown else 1)  # joined dots, thin lines, thick lines
    other = plots.plot_means(result, term, within=not shown)
    assert ("thick" in other.get_title("left")) != shown


def test_joined_dots_are_those_of_one_unit(quick_fit):
    ax = plots.plot_means(quick_fit("memory"))
    joined = next(c for c in ax.collections if type(c).__name__ == "LineCollection")
    data = ba.load_data("memory").query("condition == 'A'")
    sums = data.groupby(["trial_type", "participant"])[["errors", "markers"]].sum()
    rates = sums["errors"] / sums["markers"]
    by_hand = np.column_stack([rates["x"], rates["y"]])
    drawn = np.array([path[:, 1] for path in joined.get_segments()])
    order, own = np.lexsort(by_hand.T), np.lexsort(drawn.T)
    np.testing.assert_allclose(drawn[own], by_hand[order])


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_names_with_colons_are_drawn():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(product(range(6), "ab", "cd"), columns=["s", "le:vel", "B"])
    model = ba.Model("y ~ `le:vel` * B + Error(s)", data.assign(y=rng.normal(size=len(data))))
    result = model.fit("laplace", draws=100, random_seed=1, progressbar=False)
    assert plots.plot_interaction(result).axes[0].get_xlabel() == "B"
    assert plots.plot_means(result, "le:vel").get_xlabel() == "le:vel"


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_raw_dots_of_categories_are_shares_of_the_one_that_is_shown():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(product(["s1", "s2", "s3", "s4"], "xy", range(6)), columns=["s", "c", "t"])
    data["k"] = rng.choice(["red", "green", "blue"], len(data))
    model = ba.Model("k ~ c + Error(s)", data, family="categorical")
    result = model.fit("laplace", draws=50, random_seed=1, progressbar=False)
    of = result.means("c", scale="response")["of"].iloc[0]
    (shown,) = (name for name in ("red", "green", "blue") if name in of)
    found = observed_means(result, ["c"]).set_index(["c", "unit"])["mean"]
    shares = (data["k"] == shown).groupby([data["c"], data["s"].factorize()[0]]).mean()
    np.testing.assert_allclose(found.sort_index(), shares.sort_index())
