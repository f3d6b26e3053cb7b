"""How often a planned design reaches its goals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.planning.plan import Plan
from bambi_anova.plots.style import DEFAULT, GREY, MARKERS, Style, caption, make_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@own_floats
def plot_plan(plan: Plan, ax: Axes | None = None, *, style: Style = DEFAULT) -> Axes:
    """Draw the probability of every goal over the number of units.

    Parameters
    ----------
    plan : Plan
        Of ``bambi_anova.plan``; several numbers of rows are lines of their own.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If that is no plan.

    Examples
    --------
    >>> plot_plan(found)  # doctest: +SKIP
    """
    if not isinstance(plan, Plan):
        raise ArgumentError(f"plan: expected what bambi_anova.plan returns, got {plan!r:.60}")
    ax = make_axes(ax, (7.0, 3.6))
    several = plan.table["rows"].nunique() > 1
    lines = plan.table.groupby(["goal", "rows"], sort=False)
    for place, ((goal, rows), own) in enumerate(lines):
        own = own.sort_values("units")
        label = style.label(goal) + (f", {rows} rows" if several else "")
        marker, colour = MARKERS[place % len(MARKERS)], style.colour(place)
        ax.fill_between(
            own["units"], own["lower"], own["upper"], color=colour, alpha=0.15, linewidth=0
        )
        ax.plot(
            own["units"],
            own["probability"],
            color=colour,
            marker=marker,
            linewidth=1.5,
            label=label,
        )
    ax.axhline(0.8, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xticks(sorted(plan.table["units"].unique()))
    ax.set_xlabel((plan.layout.unit and "units") or "rows in all")
    ax.set_ylabel("probability")
    simulations = int(plan.table["simulations"].iloc[0])
    about = (
        f"{style.contrast(plan.contrast)} of {style.term(plan.term)}, {plan.assumption}",
        f"{simulations} simulations a size",
        "shade: 95% Monte Carlo bands",
    )
    caption(ax, style, about)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    return ax
