"""Colours, names and what the layout's check sees."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection
from matplotlib.colors import same_color, to_rgba

from bambi_anova import plots
from bambi_anova.plots.style import COLOURS, GREY, density, stacked
from bambi_anova.present.wording import MINUS, TIMES
from tests.plots.drawn import assert_publishable, words


def test_the_layout_check_sees_a_clipped_label():
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.set_ylabel("far too long a label for two inches of height, whatever the size of its letters")
    with pytest.raises(AssertionError, match="leaves the figure"):
        assert_publishable(figure)


def test_the_layout_check_sees_what_overlaps():
    figure, ax = plt.subplots(figsize=(4, 2))
    ax.set_xticks(range(4), ["before", "after treatment", "six months follow-up", "later"])
    with pytest.raises(AssertionError, match="overlaps"):
        assert_publishable(figure)


def test_colours_are_told_apart_without_hue():
    """Okabe and Ito's first ones differ in lightness; shapes tell the others."""
    lightness = [np.dot(to_rgba(colour)[:3], [0.2126, 0.7152, 0.0722]) for colour in COLOURS[:4]]
    gaps = [abs(a - b) for i, a in enumerate(lightness) for b in lightness[:i]]
    assert min(gaps) > 0.02


@pytest.mark.parametrize("width", [10, 20, 60])
def test_breaking_a_name_keeps_its_words(width):
    name = f"Spoken presentation aloud {TIMES} One week after {MINUS} Immediately"
    assert stacked(name, width).split() == name.split()


def test_products_of_contrasts_break_between_them_first():
    name = f"(congruent {MINUS} incongruent) : (long {MINUS} medium)"
    lines = stacked(name, 42).split("\n")
    assert lines == [f"(congruent {MINUS} incongruent) :", f"(long {MINUS} medium)"]


def test_a_density_reflected_at_zero_is_that_of_a_half_normal():
    draws = np.abs(np.random.default_rng(2).normal(size=50_000))
    x, y = density(draws, lower=0.0)
    assert x.min() >= 0
    assert np.trapezoid(y, x) == pytest.approx(1, abs=0.01)
    truth = np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)
    np.testing.assert_allclose(y[x < 2], truth[x < 2], atol=0.03)


def texts(figure):
    return " ".join(text.get_text().replace("\n", " ") for text in words(figure))


def test_labels_stand_for_names_everywhere(quick_fit):
    labels = {"condition": "Group", "trial_type": "Difficulty", "x": "easy", "y": "hard"}
    style = plots.Style(labels={**labels, "probability of errors": "Error rate"})
    result = quick_fit("memory")
    page = texts(plots.plot_page(result, style=style))
    for new in (*style.labels.values(), f"easy {MINUS} hard", f"Group {TIMES} Difficulty"):
        assert new in page
    for old in ("condition", "trial_type", "probability of errors"):
        assert old not in page.replace("logit of the Error rate", "")
    assert f"easy {MINUS} hard" in texts(plots.plot_posteriors(result, style=style))
    assert "Group: A" in texts(
        plots.plot_contrasts(result, "trial_type", by="condition", style=style).figure
    )


def test_labels_are_whole_names():
    style = plots.Style(labels={"x": "easy", "a b": "c", "x - y": "gain"})
    assert style.label("max x") == "max easy"
    assert style.label("x_1") == "x_1"
    assert style.contrast("(a b - x)") == f"(c {MINUS} easy)"
    assert style.label("x - y") == "gain"


def test_colours_are_those_given(quick_fit):
    style = plots.Style(colours=("red", "blue"))
    ax = plots.plot_means(quick_fit("oats"), style=style)
    found = [c.get_facecolor()[0] for c in ax.collections if isinstance(c, PathCollection)][1::2]
    assert [same_color(a, b) for a, b in zip(found, ["red", "blue", "red"], strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize(
    "draw",
    [
        plots.plot_means,
        plots.plot_interaction,
        plots.plot_deflections,
        plots.plot_contrasts,
        plots.plot_posteriors,
        plots.plot_anova,
        plots.plot_priors,
        plots.plot_weights,
        plots.plot_trust,
        plots.plot_predictive,
    ],
)
def test_captions_can_be_left_out(draw, quick_fit):
    def captions(style):
        drawn = draw(quick_fit("oats"), style=style)
        return [t for t in words(drawn.get_figure(root=True)) if t.get_color() == GREY]

    average = 1 if draw is plots.plot_weights else 0
    assert len(captions(plots.Style())) == 1 + average
    assert len(captions(plots.Style(caption=False))) == average
