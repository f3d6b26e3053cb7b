"""Prior against posterior of each standard deviation: how much the data have said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.arguments import own_floats
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
from bambi_anova.priors.distributions import Prior, distribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


Array = np.ndarray

#: How much of the posterior the axis holds: the tails of vague sigmas reach far.
SHOWN = 0.99


@own_floats
def plot_priors(
    posterior: Posterior,
    columns: int = 3,
    figure: Figure | SubFigure | None = None,
    *,
    style: Style = DEFAULT,
) -> Figure | SubFigure:
    """Draw the prior and the posterior of each sigma, a panel each.

    Parameters
    ----------
    posterior : Posterior
    columns : int
        Panels in a row.
    figure : matplotlib.figure.Figure, optional
    style : Style

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> plot_priors(result)  # doctest: +SKIP
    """
    found = _sigmas(posterior, style)
    columns = min(columns, len(found))
    size = (3.1 * columns + 0.4, 2.3 * -(-len(found) // columns) + 0.6)
    figure = make_figure(figure, size)
    panels = make_panels(figure, len(found), columns)
    for ax, (name, prior, draws) in zip(panels, found, strict=True):
        _draw(make_axes(ax, size), name, prior, draws.ravel(), style)
    # Beside the first panel there is room on the right, where densities have come down.
    panels[0].legend(frameon=False, fontsize=8.5, loc="upper right")
    scale = "" if posterior.link.name == "identity" else f", {posterior.link.name} scale"
    figure.supxlabel(f"standard deviation{scale}", fontsize=10)
    head_caption(figure, style, [f"axes hold {100 * SHOWN:g}% of each posterior"], size[0])
    return figure


def _sigmas(posterior: Posterior, style: Style) -> list[tuple[str, Prior, Array]]:
    """Return title, prior and draws of every sigma that has a prior."""
    found = [
        (f"sd of {style.term(name)}", prior, posterior.draws.sigmas[name])
        for name, prior in posterior.priors.sigmas.items()
    ]
    name = posterior.family.residual
    residual = posterior.priors.auxiliary.get(name)
    if isinstance(residual, Prior):
        found.append(("residual sd", residual, posterior.draws.auxiliary[name]))
    return found


def _draw(ax: Axes, name: str, prior: Prior, flat: Array, style: Style) -> None:
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
