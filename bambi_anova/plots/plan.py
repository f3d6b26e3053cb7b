"""How often a planned design reaches its goals, and when it may stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bambi_anova.arguments import own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.plots.style import DEFAULT, GREY, MARKERS, Style, caption, make_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bambi_anova.planning.plan import Plan
    from bambi_anova.planning.sequential import Sequential

#: Misleading answers as rare as this are not drawn.
RARE = 0.002


@own_floats
def plot_plan(plan: Plan, ax: Axes | None = None, *, style: Style = DEFAULT) -> Axes:
    """Draw the probability of every goal over the number of units.

    Parameters
    ----------
    plan : Plan
        Of ``bambi_anova.plan``; several numbers of rows, trials or further units are lines of
        their own.
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
    from bambi_anova.planning.plan import Plan  # heavy

    if not isinstance(plan, Plan):
        raise ArgumentError(f"plan: expected what bambi_anova.plan returns, got {plan!r:.60}")
    ax = make_axes(ax, (7.0, 3.6))
    across, *others = [name for name in plan.table if name in plan.size_columns]
    told = [name for name in others if plan.table[name].nunique() > 1]
    for place, (key, own) in enumerate(plan.table.groupby(["goal", *others], sort=False)):
        goal, *sizes = key
        own = own.sort_values(across)
        parts = [f"{size} {name}" for name, size in zip(others, sizes, strict=True) if name in told]
        label = ", ".join([style.label(goal), *parts])
        marker, colour = MARKERS[place % len(MARKERS)], style.colour(place)
        ax.fill_between(
            own[across], own["lower"], own["upper"], color=colour, alpha=0.15, linewidth=0
        )
        ax.plot(own[across], own["probability"], color=colour, marker=marker, lw=1.5, label=label)
        if own["misleading"].max() > RARE:
            ax.plot(own[across], own["misleading"], color=colour, lw=1.0, linestyle="--")
    ax.axhline(0.8, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    ax.set_xticks(sorted(plan.table[across].unique()))
    ax.set_xlabel(across if plan.layout.units[0].name else "rows in all")
    ax.set_ylabel("probability")
    simulations = int(plan.table["simulations"].iloc[0])
    about = (
        f"{style.contrast(plan.contrast)} of {style.term(plan.term)}, {plan.assumption}",
        f"{simulations} simulated studies",
        "shade: 95% Monte Carlo bands",
        *(["dashed: misleading"] if plan.table["misleading"].max() > RARE else []),
    )
    return _finish(ax, style, about)


@own_floats
def plot_sequential(
    sequential: Sequential, ax: Axes | None = None, *, style: Style = DEFAULT
) -> Axes:
    """Draw how many studies have stopped by each look, and for what.

    Parameters
    ----------
    sequential : Sequential
        Of ``plan.sequential()``.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If that is no sequential design.

    Examples
    --------
    >>> plot_sequential(found.sequential())  # doctest: +SKIP
    """
    from bambi_anova.planning.sequential import Sequential  # heavy

    if not isinstance(sequential, Sequential):
        raise ArgumentError(
            f"sequential: expected what plan.sequential() returns, got {sequential!r:.60}"
        )
    ax = make_axes(ax, (7.0, 3.6))
    looks = sequential.looks.pivot_table(index="units", columns="goal", values="probability")
    floor = looks.iloc[:, 0] * 0
    for place, goal in enumerate(dict.fromkeys(sequential.looks["goal"])):
        top = floor + looks[goal]
        ax.fill_between(
            looks.index, floor, top, step="post", color=style.colour(place), alpha=0.35, lw=0
        )
        ax.step(
            looks.index,
            top,
            where="post",
            color=style.colour(place),
            lw=1.5,
            marker=MARKERS[place % len(MARKERS)],
            label=style.label(goal),
        )
        floor = top
    ax.set_xticks(list(looks.index))
    ax.set_xlabel(f"units ({sequential.unit})" if sequential.unit else "rows in all")
    ax.set_ylabel("studies that have stopped")
    wrong = float(sequential.table["misleading"].sum())
    about = (
        f"on average {sequential.mean_units:.1f} units",
        f"misleading {wrong:.1%}",
        f"{int(sequential.table['simulations'].iloc[0])} simulated studies",
    )
    return _finish(ax, style, about)


def _finish(ax: Axes, style: Style, about: tuple[str, ...]) -> Axes:
    ax.set_ylim(-0.02, 1.02)
    caption(ax, style, about)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    return ax
