"""Ticks whose labels never meet, whatever the size of the axes.

Labels are chosen and broken when they are drawn, for the room that there is then.  Matplotlib is
imported with this module, which the others therefore import only when they draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import AutoLocator, FixedFormatter, FixedLocator, MaxNLocator

#: Points that are left between neighbouring labels.
GAP = 5.0
#: Points that axes and names have at least, whatever is laid out around them.
LEAST = 30.0
#: Where a name breaks, best first: between words, and between the parts of a word.
_BREAKS = (" ", "_", "-", ".", "/")


@lru_cache(4096)
def text_width(text: str, size: float) -> float:
    """Return the width of a line of text in points.

    Examples
    --------
    >>> text_width("mm", 10.0) == 2 * text_width("m", 10.0)
    True
    """
    font = FontProperties(size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def broken(text: str, room: float, size: float) -> str:
    """Break a name into lines that fit some points, within a word only if one is too long.

    Examples
    --------
    >>> broken("six months follow-up", 60.0, 10.0)
    'six months\\nfollow-up'
    """
    lines: list[str] = []
    for word in _pieces(text, room, size):
        if lines and text_width((lines[-1] + word).rstrip(), size) <= room:
            lines[-1] += word
        elif text_width(word.rstrip(), size) <= room:
            lines.append(word)
        else:
            lines += _hyphenated(word, room, size)
    return "\n".join(line.rstrip() for line in lines)


def _pieces(text: str, room: float, size: float, breaks: Sequence[str] = _BREAKS) -> list[str]:
    """Return parts of a text, each with the sign that it ends in; words alone may be too long."""
    if text_width(text.rstrip(), size) <= room or not breaks:
        return [text]
    first, *others = breaks
    parts = [f"{part}{first}" for part in text.split(first)]
    parts[-1] = parts[-1].removesuffix(first)
    return [piece for part in parts if part for piece in _pieces(part, room, size, others)]


def _hyphenated(word: str, room: float, size: float) -> list[str]:
    """Return parts of a word, with hyphens where it was broken."""
    lines = [""]
    for place, letter in enumerate(word, 1):
        hyphen = "-" if place < len(word.rstrip()) else ""
        if len(lines[-1]) > 1 and text_width(f"{lines[-1]}{letter}{hyphen}".rstrip(), size) > room:
            lines[-1] += "-"
            lines.append("")
        lines[-1] += letter
    return lines


def name_ticks(ax: Axes, at: Sequence[float], names: Sequence[str]) -> None:
    """Put names below the x axis, broken to the room between neighbours."""
    ax.xaxis.set_major_locator(FixedLocator(at))
    ax.xaxis.set_major_formatter(_Names(names))


def upright_ticks(ax: Axes, at: Sequence[float], names: Sequence[str], size: float) -> None:
    """Put names below the x axis, rotated; of those that would meet only the first."""
    ax.xaxis.set_major_locator(_Sparse(at, size))
    known = dict(zip(map(float, at), names, strict=True))
    ax.xaxis.set_major_formatter(lambda value, _: known.get(float(value), ""))
    ax.tick_params(axis="x", labelrotation=90, labelsize=size)


def number_ticks(ax: Axes) -> None:
    """Put as many numbers below the x axis as have room."""
    ax.xaxis.set_major_locator(_Roomy())


def _points(axis: Axis) -> float:
    """Return how long a horizontal axis is."""
    figure: Any = axis.axes.get_figure(root=True)
    return float(axis.axes.bbox.width / figure.dpi * 72)


def _size(axis: Axis) -> float:
    size = axis.get_tick_params().get("labelsize", rcParams["xtick.labelsize"])
    return float(FontProperties(size=size).get_size_in_points())


class _Names(FixedFormatter):
    axis: Any

    def __call__(self, x: float, pos: int | None = None) -> str:
        name = super().__call__(x, pos)
        low, high = self.axis.get_view_interval()
        at = self.axis.get_majorticklocs()
        share = np.diff(at).min() / (high - low) if len(at) > 1 else 1.0
        return broken(name, max(share * _points(self.axis) - GAP, LEAST), _size(self.axis))


class _Sparse(FixedLocator):
    axis: Any
    locs: Any

    def __init__(self, locs: Sequence[float], size: float) -> None:
        super().__init__(locs)
        self.height = 1.25 * size

    def tick_values(self, vmin: float | None, vmax: float | None) -> Any:
        low, high = self.axis.get_view_interval()
        apart = self.height / max(_points(self.axis), LEAST) * (high - low)
        kept: list[float] = []
        for at in np.sort(self.locs):
            if not kept or at - kept[-1] >= apart:
                kept.append(at)
        return kept


class _Roomy(AutoLocator):
    axis: Any

    def tick_values(self, vmin: float, vmax: float) -> Any:
        ticks = self._inside(super().tick_values(vmin, vmax))
        for most in range(len(ticks) - 1, 0, -1):
            if self._fit(ticks):
                return ticks
            fewer = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10], min_n_ticks=1)
            ticks = self._inside(fewer.tick_values(vmin, vmax))
        return ticks if self._fit(ticks) else ticks[:1]

    def _inside(self, ticks: Any) -> Any:
        low, high = sorted(self.axis.get_view_interval())
        room = 1e-9 * (high - low)
        return ticks[(ticks >= low - room) & (ticks <= high + room)]

    def _fit(self, ticks: Any) -> bool:
        if len(ticks) < 2:
            return True
        low, high = sorted(self.axis.get_view_interval())
        labels = self.axis.get_major_formatter().format_ticks(list(ticks))
        widest = max(text_width(label, _size(self.axis)) for label in labels)
        step = float(np.diff(ticks).min()) / (high - low)
        return widest + GAP <= step * max(_points(self.axis), LEAST)
