"""Priors of parameters, and beside them posteriors: how much the data have said about each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.arguments import generator, own_floats, whole_number
from bambi_anova.names import SD_OF, parameter_names
from bambi_anova.plots.style import (
    DEFAULT,
    GREY,
    Style,
    density,
    head_caption,
    make_axes,
    make_figure,
    make_panels,
    wrapped,
)
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.prior_draws import draw_prior
from bambi_anova.present.wording import joined
from bambi_anova.priors.distributions import Prior, distribution
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


Array = np.ndarray

#: Draws into axes.
Panel = Callable[["Axes"], None]

#: How much of the posterior the axis holds: the tails of vague sigmas reach far.
SHOWN = 0.99


@own_floats
def plot_priors(
    model: Specification | Posterior,
    columns: int = 3,
    figure: Figure | SubFigure | None = None,
    *,
    draws: int = 5000,
    random_seed: int | None = 0,
    style: Style = DEFAULT,
) -> Figure | SubFigure:
    """Draw the priors of a model, or of a result the prior and the posterior of each sigma.

    Parameters
    ----------
    model : Model or Result
    columns : int
        Panels in a row.
    figure : matplotlib.figure.Figure, optional
    draws : int
        Of a model's priors: the intercept's has a share of all effects' and so no formula.
    random_seed : int, optional
        Of these draws.
    style : Style

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take.

    Examples
    --------
    >>> model.plot_priors()  # doctest: +SKIP
    >>> result.plot_priors()  # doctest: +SKIP
    """
    if isinstance(model, Posterior):
        panels = _sigmas(model, style)
        what, shown = "standard deviation", f"axes hold {100 * SHOWN:g}% of each posterior"
    else:
        whole_number("draws", draws)
        panels = _priors(model, draws, generator(random_seed), style)
        what = ""
        shown = (
            f"{draws:,} draws; axes hold {100 * SHOWN:g}% of each prior; the intercept is the mean "
            "of all cells, effects' priors included"
        )
    columns = min(whole_number("columns", columns), len(panels))
    size = (3.1 * columns + 0.4, 2.3 * -(-len(panels) // columns) + 0.6)
    figure = make_figure(figure, size)
    axes = make_panels(figure, len(panels), columns)
    for ax, draw in zip(axes, panels, strict=True):
        draw(make_axes(ax, size))
    if isinstance(model, Posterior):
        # Beside the first panel there is room on the right, where densities have come down.
        axes[0].legend(frameon=False, fontsize=8.5, loc="upper right")
    parts = [what] if what else []
    parts += [] if model.link.name == "identity" else [f"{model.link.name} scale"]
    figure.supxlabel(", ".join(parts), fontsize=10)
    head_caption(figure, style, [shown], size[0])
    return figure


def _sigmas(posterior: Posterior, style: Style) -> list[Panel]:
    """Return the panels of every sigma that has a prior."""
    found = [
        (SD_OF.format(style.term(name)), prior, posterior.draws.sigmas[name])
        for name, prior in posterior.priors.sigmas.items()
    ]
    name = posterior.family.residual
    residual = posterior.priors.auxiliary.get(name)
    if isinstance(residual, Prior):
        found.append((style.label(name), residual, posterior.draws.auxiliary[name]))
    return [partial(_draw, name, prior, draws.ravel(), style) for name, prior, draws in found]


def _priors(
    model: Specification, draws: int, rng: np.random.Generator, style: Style
) -> list[Panel]:
    """Return the panels of every parameter that has a prior, in the order of their printout."""
    made = draw_prior(model, draws, rng)
    called = parameter_names(model.design)
    by_name = {called.get(str(name), str(name)): made[name].to_numpy().ravel() for name in made}
    return [
        partial(_draw_prior, name, prior, by_name[name], style)
        for name, prior in model.priors.rows()
        if name in by_name
    ]


def _draw_prior(name: str, prior: str, flat: Array, style: Style, ax: Axes) -> None:
    positive = bool(flat.min() >= 0)
    tail = 1 - SHOWN
    low, high = np.quantile(flat, (0, SHOWN) if positive else (tail / 2, 1 - tail / 2))
    x, y = density(flat[(flat >= low) & (flat <= high)], lower=0.0 if positive else -np.inf)
    ax.fill_between(x, y, color=style.colour(1), alpha=0.18, linewidth=0)
    ax.plot(x, y, color=style.colour(1), linewidth=1.5, linestyle="--")
    lines = (style.label(joined(name.split(":"))), prior)
    ax.set_title("\n".join(wrapped(line, 40) for line in lines), fontsize=9, loc="left")
    ax.set_ylim(0, 1.12 * float(y.max()))
    ax.set_yticks([])
    ax.spines["left"].set_color(GREY)


def _draw(name: str, prior: Prior, flat: Array, style: Style, ax: Axes) -> None:
    end = 1.15 * float(np.quantile(flat, SHOWN))
    x, y = density(flat, lower=0.0)
    kept = x <= end
    ax.fill_between(x[kept], y[kept], color=style.colour(0), alpha=0.22, linewidth=0)
    ax.plot(x[kept], y[kept], color=style.colour(0), linewidth=1.5, label="posterior")
    title = wrapped(name, 34)
    known = distribution(prior)
    if known is None:
        title += f"\nprior {prior.name}: no curve here"
    else:
        at = np.linspace(end / 400, end, 400)
        with np.errstate(divide="ignore"):  # outside the support
            height = np.exp(known.log_density(at))
        ax.plot(at, height, color=style.colour(1), linewidth=1.5, linestyle="--", label="prior")
    ax.set_title(title, fontsize=9.5, loc="left")
    ax.set_xlim(0, end)
    ax.set_ylim(0, 1.12 * float(y[kept].max()))
    ax.set_yticks([])
    ax.spines["left"].set_color(GREY)
