"""Two fits of one model, quantity by quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.arguments import own_floats, probability, whole_number
from bambi_anova.plots.style import (
    DEFAULT,
    GREY,
    LINE,
    PALE,
    Style,
    caption,
    line_count,
    make_axes,
    wrapped,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import PROMISE
from bambi_anova.prediction.compare import compare_fits

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@own_floats
def plot_fits(
    quick: Posterior,
    full: Posterior,
    ci_prob: float = 0.95,
    rows: int = 30,
    ax: Axes | None = None,
    *,
    style: Style = DEFAULT,
) -> Axes:
    """Draw the intervals of two fits of one model, one above the other, the worst agreement first.

    Every quantity is shifted and scaled by the full fit's mean and sd, so that all fit one axis;
    the grey band is the promise for trusted quantities: means within 0.15 sd.

    Parameters
    ----------
    quick, full : Result
    ci_prob : float
        Probability of the normal intervals drawn.
    rows : int
        How many quantities to show.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If the fits are of different models, or ``rows`` is not positive.

    Examples
    --------
    >>> plot_fits(quick, full)  # doctest: +SKIP
    """
    from scipy import special

    whole_number("rows", rows)
    probability(ci_prob)
    table = compare_fits(quick, full)
    moving = table[table["sd_full"] > 0]
    table = moving.head(rows)
    reach = float(special.ndtri((1 + ci_prob) / 2))
    quantities = (table["quantity"] + " " + table["population"]).str.strip()
    labels = [wrapped(style.label(quantity), 52) for quantity in quantities]
    height = 0.12 + LINE * line_count(labels)
    ax = make_axes(ax, (7.2, 1.5 + height * len(table)))
    y = np.arange(len(table))
    names = [quick.sampling.method, full.sampling.method]
    if names[0] == names[1]:
        names = [f"{names[0]}, first", f"{names[1]}, second"]
    # The full fit is the measure: its own mean is 0 and its sd is 1.
    fits = (
        (table["shift"], table["sd_ratio"], table["trusted_quick"], style.colour(1), "o", -0.17),
        (
            0 * table["shift"],
            0 * table["sd_ratio"] + 1,
            table["trusted_full"],
            style.colour(0),
            "s",
            0.17,
        ),
    )
    ax.axvspan(-PROMISE, PROMISE, color=PALE, zorder=0)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    for name, (mean, sd, trusted, colour, marker, lift) in zip(names, fits, strict=True):
        ax.hlines(y + lift, mean - reach * sd, mean + reach * sd, color=colour, linewidth=1.6)
        faces = [colour if good else "white" for good in trusted]
        ax.scatter(mean, y + lift, c=faces, s=24, marker=marker, zorder=3, edgecolors=colour)
        ax.plot([], [], color=colour, marker=marker, markersize=5, label=name)
    ax.set_yticks(y, labels, fontsize=9)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set_xlabel(f"posterior sds of {names[1]} from its mean")
    hollow = not (table["trusted_quick"].all() and table["trusted_full"].all())
    about = (
        f"lines: mean ± {reach:.2f} sd ({100 * ci_prob:g}% if normal)",
        f"band: ±{PROMISE:g} sd",
        f"{len(table)} of {len(moving)} quantities, the worst first",
        "hollow: not trusted" if hollow else "",
    )
    caption(ax, style, about, side="right", share=0.75)  # the legend leaves that much
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    return ax
