"""How the draws came about: ranks and traces of chains, importance weights of quick fits.

Letters: N draws proposed or kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bambi_anova.arguments import one_of, own_floats
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.accuracy import trust
from bambi_anova.names import parameter_names
from bambi_anova.plots.style import (
    COLOURS,
    DEFAULT,
    GREY,
    PALE,
    Style,
    caption,
    make_axes,
    stacked,
)
from bambi_anova.posterior.importance import Weighting
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import MAX_PARETO_K, MIN_ESS
from bambi_anova.present.wording import joined

if TYPE_CHECKING:
    import xarray as xr
    from arviz_plots import PlotCollection
    from matplotlib.axes import Axes


Array = np.ndarray


@own_floats
def plot_chains(
    posterior: Posterior, kind: str = "rank", backend: str = "matplotlib", **kwargs: Any
) -> PlotCollection:
    """Draw the chains of every scalar parameter: ranks or traces beside their densities.

    Parameters
    ----------
    posterior : Posterior
        Of Markov chains.
    kind : {"rank", "trace"}
        ``arviz_plots.plot_rank_dist`` or ``arviz_plots.plot_trace_dist``.
    backend : {"matplotlib", "bokeh", "plotly"}
    **kwargs
        Handed to arviz-plots, such as ``compact`` or ``combined``.

    Returns
    -------
    arviz_plots.PlotCollection

    Raises
    ------
    ArgumentError
        If ``kind`` is unknown, or the fit has no chains.

    Examples
    --------
    >>> plot_chains(full, "trace")  # doctest: +SKIP
    """
    import arviz_plots
    import xarray as xr

    kinds: dict[str, Any] = {
        "rank": arviz_plots.plot_rank_dist,
        "trace": arviz_plots.plot_trace_dist,
    }
    one_of("kind", kind, kinds)
    if posterior.sampling.weighting is not None:
        raise ArgumentError(
            f"plot_chains: a {posterior.sampling.method} fit has independent draws and no chains; "
            "plot_weights shows what its importance weights are worth"
        )
    chains = _scalars(posterior)
    tree = xr.DataTree.from_dict({"posterior": chains})
    options: dict[str, Any] = {"compact": False, "color": list(COLOURS)}
    if backend == "matplotlib":
        size = (9.0, 0.8 + 1.4 * len(chains.data_vars))
        options["figure_kwargs"] = {"figsize": size, "layout": "constrained"}
    return kinds[kind](tree, backend=backend, **(options | kwargs))


def _scalars(posterior: Posterior) -> xr.Dataset:
    """Return the scalar parameters under names that fit beside a panel."""
    draws = posterior.idata["posterior"].to_dataset()
    known = {
        variable: joined(name.split(":"))
        for variable, name in parameter_names(posterior.design).items()
    }
    names = {
        str(name): stacked(known.get(str(name), str(name)), 16)
        for name in draws
        if draws[name].dims == ("chain", "draw")
    }
    return draws[list(names)].rename(names)


@own_floats
def plot_weights(posterior: Posterior, ax: Axes | None = None, *, style: Style = DEFAULT) -> Axes:
    """Draw the importance weights of a quick fit, largest first, with their Pareto k.

    Of good weights none stands out: the largest is a small share of all, and the curve bends
    down gently.  A few draws that carry much of the weight say that the proposal missed them.

    Parameters
    ----------
    posterior : Posterior
        Of a quick fit.
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If the fit has chains.

    Examples
    --------
    >>> plot_weights(model.fit("laplace"))  # doctest: +SKIP
    """
    weighting = posterior.sampling.weighting
    if weighting is None:
        raise ArgumentError(
            f"plot_weights: a {posterior.sampling.method} fit has chains and no importance "
            "weights; plot_chains shows them"
        )
    ax = make_axes(ax, (5.2, 3.6))
    good = weighting.pareto_k <= MAX_PARETO_K
    colour = style.colour(0 if good else 1)
    relative = kept_weights(weighting)
    ax.plot(np.arange(1, len(relative) + 1), relative, color=colour, linewidth=1.8)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.15 * float(relative[0]))
    ax.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
    ax.text(1.1, 0.97, "average", color=GREY, size=8.5, va="top")
    ax.set_xlabel("rank of the draw kept")
    ax.set_ylabel("weight over average weight")
    about = (
        f"Pareto k {weighting.pareto_k:.2f}, {'below' if good else 'above'} {MAX_PARETO_K}",
        f"{weighting.effective:.0f} effective draws of the hyperparameters",
        f"{len(relative)} different draws kept of {weighting.proposed} proposed",
        "" if good else "not to be trusted",
    )
    caption(ax, style, about)
    return ax


def kept_weights(weighting: Weighting) -> Array:
    """Return the weights of the different proposals that were kept, largest first, mean one."""
    _, first = np.unique(weighting.proposal.ravel(), return_index=True)
    log_weight = weighting.log_weight.ravel()[first]
    weight = np.exp(log_weight - log_weight.max())
    return np.sort(weight / weight.mean())[::-1]


@own_floats
def plot_trust(posterior: Posterior, ax: Axes | None = None, *, style: Style = DEFAULT) -> Axes:
    """Draw the effective sample size of every quantity against what is asked of it.

    Parameters
    ----------
    posterior : Posterior
    ax : matplotlib.axes.Axes, optional
    style : Style

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_trust(result)  # doctest: +SKIP
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    table = trust(posterior)
    table = table[table["sd"] > 0].reset_index(drop=True)
    size = table[["ess_bulk", "ess_tail"]].min(axis=1)
    kind = table["quantity"].str.extract(r"^(mean|deflection) ", expand=False).fillna("parameter")
    group = (kind + " " + table["population"]).str.strip()
    names = list(dict.fromkeys(group))
    jitter = np.random.default_rng(0).uniform(-0.26, 0.26, len(table))
    at = group.map(names.index) + jitter
    ax = make_axes(ax, (5.2, 1.5 + 0.42 * len(names)))
    trusted = table["trusted"]
    for good, face in ((True, style.colour(0)), (False, "white")):
        edge = "white" if good else style.colour(1)
        here = trusted == good
        ax.scatter(
            size[here],
            at[here],
            s=26,
            c=face,
            edgecolors=edge,
            linewidths=1.2 - 0.8 * good,
            zorder=3,
        )
    ax.set_xscale("log")
    ax.axvspan(0.1, MIN_ESS, color=PALE, zorder=0)
    ax.set_xlim(0.7 * min(float(size.min()), MIN_ESS), 1.4 * float(size.max()))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yticks(np.arange(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("effective sample size\n(the lesser of bulk and tail)")
    doubtful = int((~trusted).sum())
    worst = float(np.nanmax([table["r_hat"].max(), -np.inf]))
    about = (
        f"{len(table)} quantities, {doubtful or 'none'} not trusted",
        "hollow: not trusted" if doubtful else "",
        f"band: below {MIN_ESS}",
        f"R-hat up to {worst:.3f}" if np.isfinite(worst) else "",
    )
    caption(ax, style, about, side="right")
    return ax
