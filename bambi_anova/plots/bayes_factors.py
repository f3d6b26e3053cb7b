"""What Bayes factors say: the evidence for each term, and how likely each model is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.prior_scale import NEITHER
from bambi_anova.plots.style import DEFAULT, GREY, PALE, Style, caption, make_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bambi_anova.evidence.bayes_factors import BayesFactors

#: Models beyond these are left to the table.
MOST_MODELS = 20
_HOLLOW = "hollow: not trusted"


@own_floats
def plot_inclusion(
    found: BayesFactors, ax: Axes | None = None, *, matched: bool = True, style: Style = DEFAULT
) -> Axes:
    """Draw the inclusion Bayes factor of every term.

    Parameters
    ----------
    found : BayesFactors
        Of ``bambi_anova.bayes_factors``.
    ax : matplotlib.axes.Axes, optional
    matched : bool
        As for ``BayesFactors.terms``.
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If these are no Bayes factors.

    Examples
    --------
    >>> plot_inclusion(ba.bayes_factors(model))  # doctest: +SKIP
    """
    table = _checked(found).terms(matched).iloc[::-1]
    ax = make_axes(ax, (6.0, 1.0 + 0.35 * len(table)))
    x, error = table["log_bf"] / np.log(10), 2 * table["mcse"] / np.log(10)
    y, reach, colour = np.arange(len(table)), np.log10(NEITHER), style.colour(0)
    ax.axvspan(-reach, reach, color=PALE, zorder=0)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    faces = [colour if good else "white" for good in table["trusted"]]
    ax.hlines(y, x - error, x + error, color=colour, linewidth=1.5)
    ax.scatter(x, y, c=faces, edgecolors=colour, s=30, zorder=3)
    ax.set_yticks(y, [style.term(term) for term in table["term"]])
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.set_xlabel("log10 inclusion Bayes factor (right: for the term)")
    about = (
        "matched models" if matched else "all models",
        f"band: between 1/{NEITHER:g} and {NEITHER:g}",
        "bars: ±2 Monte Carlo errors",
        "" if table["trusted"].all() else _HOLLOW,
    )
    caption(ax, style, about)
    return ax


@own_floats
def plot_models(found: BayesFactors, ax: Axes | None = None, *, style: Style = DEFAULT) -> Axes:
    """Draw the posterior probability of every model beside its prior one.

    Parameters
    ----------
    found : BayesFactors
        Of ``bambi_anova.bayes_factors``; of more than 20 models the likeliest are drawn.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If these are no Bayes factors.

    Examples
    --------
    >>> plot_models(ba.bayes_factors(model))  # doctest: +SKIP
    """
    whole = _checked(found).models().sort_values("posterior_probability", ascending=False)
    table = whole.head(MOST_MODELS).iloc[::-1]
    ax = make_axes(ax, (7.0, 1.0 + 0.3 * len(table)))
    y, colour = np.arange(len(table)), style.colour(0)
    faces = [colour if good else "white" for good in table["trusted"]]
    ax.barh(y, table["posterior_probability"], color=faces, edgecolor=colour, height=0.6)
    ax.scatter(
        table["prior_probability"], y, marker="|", s=120, color="black", zorder=3, linewidths=1.5
    )
    names = [" + ".join(style.term(term) for term in name.split(" + ")) for name in table["model"]]
    ax.set_yticks(y, names)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.set_xlim(0, 1)
    ax.set_xlabel("posterior probability of the model")
    about = (
        "mark: prior probability",
        "" if len(table) == len(whole) else f"the likeliest {len(table)} of {len(whole)}",
        "" if table["trusted"].all() else _HOLLOW,
    )
    caption(ax, style, about)
    return ax


def _checked(found: BayesFactors) -> BayesFactors:
    from bambi_anova.evidence.bayes_factors import BayesFactors  # heavy

    if not isinstance(found, BayesFactors):
        raise ArgumentError(f"found: expected what ba.bayes_factors returns, got {found!r:.60}")
    return found
