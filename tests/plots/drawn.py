"""What was drawn: places of markers and lines, texts and whether they overlap."""

from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection, PathCollection

from bambi_anova.posterior.trust import Sampling


def as_chains(result, divergences=0):
    """The same draws, taken for chains."""
    return replace(result, sampling=Sampling("nuts", divergences, seconds=1.0))


def markers(ax):
    """Every scattered collection's places, the last drawn last."""
    return [np.asarray(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection)]


def segments(ax):
    """Every bundle of lines, as arrays (line, end, coordinate); all of a bundle as long."""
    return [np.array(c.get_segments()) for c in ax.collections if isinstance(c, LineCollection)]


def rows_of(ax):
    """Places of a forest's means, its thin and its thick lines."""
    outer, inner = segments(ax)
    return markers(ax)[0], outer, inner


def faces(ax, which=0):
    collections = [c for c in ax.collections if isinstance(c, PathCollection)]
    return collections[which].get_facecolors()


def words(figure):
    """Every text that is visible in a figure, titles and ticks included."""
    return [t for t in figure.findobj(mpl.text.Text) if t.get_visible() and t.get_text().strip()]


def assert_publishable(figure):
    """No text leaves the figure, and none overlaps another."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    off = {text for ax in figure.axes for text in _off(ax)}
    boxes = {t: t.get_window_extent(renderer) for t in dict.fromkeys(words(figure)) if t not in off}
    for text, box in boxes.items():
        inside = box.x0 > -2 and box.y0 > -2 and box.x1 < width + 2 and box.y1 < height + 2
        assert inside, f"{text.get_text()!r} leaves the figure"
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, down) < 2, f"{one.get_text()!r} overlaps {other.get_text()!r}"


def _off(ax):
    """Return the labels of ticks that stand outside of the axis, where they are not drawn."""
    texts = []
    for labels, axis, limits in (
        (ax.get_xticklabels(which="both"), 0, ax.get_xlim()),
        (ax.get_yticklabels(which="both"), 1, ax.get_ylim()),
    ):
        low, high = sorted(limits)
        texts += [t for t in labels if not low - 1e-9 <= t.get_position()[axis] <= high + 1e-9]
    return texts if ax.get_visible() else words(ax)
