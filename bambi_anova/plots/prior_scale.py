"""The Bayes factor of a term over the scale of its prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.style import DEFAULT, GREY, PALE, Style, caption, make_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Bayes factors between which neither side has evidence worth mentioning.
NEITHER = 3.0


@own_floats
def plot_prior_scale(
    curve: pd.DataFrame, ax: Axes | None = None, *, style: Style = DEFAULT
) -> Axes:
    """Draw a table of ``prior_scale_curve``.

    Parameters
    ----------
    curve : pandas.DataFrame
        Of one term.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If the table is none of these.

    Examples
    --------
    >>> plot_prior_scale(ba.prior_scale_curve(model, "variety"))  # doctest: +SKIP
    """
    if not (isinstance(curve, pd.DataFrame) and {"multiple", "log_bf", "mcse"} <= set(curve)):
        raise ArgumentError("curve: expected a table of prior_scale_curve")
    ax = make_axes(ax, (5.6, 3.4))
    curve = curve.sort_values("multiple")
    x, height = curve["multiple"].to_numpy(), curve["log_bf"].to_numpy() / np.log(10)
    error = 2 * curve["mcse"].to_numpy() / np.log(10)
    colour, reach = style.colour(0), np.log10(NEITHER)
    ax.axhspan(-reach, reach, color=PALE, zorder=0)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.axvline(1, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    ax.fill_between(x, height - error, height + error, color=colour, alpha=0.22, linewidth=0)
    faces = [colour if good else "white" for good in curve["trusted"]]
    ax.plot(x, height, color=colour, linewidth=1.5)
    ax.scatter(x, height, c=faces, edgecolors=colour, s=24, zorder=3)
    ax.set_xscale("log", base=2)
    ax.set_xticks(x, [f"{value:.4g}" for value in x])
    ax.minorticks_off()
    term = style.term(curve["term"].iloc[0])
    ax.set_xlabel(f"scale of the prior of {term}, as a multiple of the present one")
    ax.set_ylabel("log10 Bayes factor for the term")
    hollow = "" if curve["trusted"].all() else "hollow: not trusted"
    about = (f"band: between 1/{NEITHER:g} and {NEITHER:g}", "shade: ±2 Monte Carlo errors", hollow)
    caption(ax, style, about)
    return ax
