"""One page with the figures that matter for a design."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from bambi_anova.arguments import own_floats
from bambi_anova.errors import NoMeanWarning
from bambi_anova.estimates.shown_scale import shown_scale
from bambi_anova.plots.cells import default_factors, plot_interaction, plot_means
from bambi_anova.plots.diagnostics import plot_trust, plot_weights
from bambi_anova.plots.differences import Contrasts
from bambi_anova.plots.forest import Forest
from bambi_anova.plots.prior_posterior import plot_priors
from bambi_anova.plots.replicated import plot_predictive
from bambi_anova.plots.style import DEFAULT, Style, make_figure
from bambi_anova.plots.variation import anova_forest
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.tables.interval import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Inches: a page in landscape; scaled to a text width its smallest letters stay legible.
WIDTH = 11.5
#: Inches of means in one panel, of those in a row of panels, and of what stands at the foot.
MEANS, PANELS, FOOT = 3.9, 3.6, 3.1
#: Draws that a predictive check on the page replicates.
CHECKED = 1000
#: Most cells that a check on the page names.
NAMED_CELLS = 6


@own_floats
def plot_page(
    posterior: Posterior,
    population: str = "super",
    scale: str | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    style: Style = DEFAULT,
) -> Figure:
    """Draw one page: what the cells are, what differs, what varies, and whether to believe it.

    Cell means (of up to four factors) and contrasts, those of interactions too, where there are
    factors, the priors where there are none; the ANOVA display; a predictive check of units, or
    of cells without them; importance weights of a quick fit, effective sample sizes of chains.

    Parameters
    ----------
    posterior : Posterior
    population, ci_prob, ci_kind
        As in ``Result.means``.
    scale : {"link", "response", "median"}, optional
        As in ``report``, of means and contrasts; the ANOVA display is on the link scale, where
        units have sds.
    style : Style
        Names, colours and captions; see ``bambi_anova.plots.Style``.

    Returns
    -------
    matplotlib.figure.Figure
        Single figures are in ``bambi_anova.plots``.

    Examples
    --------
    >>> result.plot().savefig("page.pdf")  # doctest: +SKIP
    """
    scale = shown_scale(posterior, population, scale)
    page = _Page(posterior, population, scale, Interval(ci_prob, ci_kind), style)
    factors = len(posterior.design.factors)
    lay_out = _plain_page if factors == 0 else _page if factors <= 2 else _panel_page
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoMeanWarning)  # medians are drawn
        return lay_out(page)


@dataclass(frozen=True)
class _Page:
    """What a page shows, of which posterior and in which way."""

    posterior: Posterior
    population: str
    scale: str
    interval: Interval
    style: Style

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of figures of means."""
        about = {"population": self.population, "scale": self.scale, "style": self.style}
        return about | self.interval.options

    def contrasts(self) -> Forest:
        """Return the contrasts of every factor, and of every interaction of two."""
        asked = Contrasts(self.posterior, population=self.population, scale=self.scale)
        return asked.forest(None, self.interval, style=self.style)

    def anova(self) -> Forest:
        """Return the sources of variation; units have sds on the link scale."""
        return anova_forest(self.posterior, self.population, "link", self.interval, self.style)

    def check(self, ax: Axes) -> None:
        """Check the units against new ones: cells, and these units, are what the model fits."""
        design = self.posterior.design
        by = "unit" if design.units else "cell"
        plot_predictive(
            self.posterior,
            by,
            "new" if by == "unit" else "these",
            **self.interval.options,
            draws=min(CHECKED, prod(self.posterior.draws.sample_shape)),
            random_seed=0,
            ax=ax,
            ordered=by == "unit" or len(design.cells) > NAMED_CELLS,
            style=self.style,
        )

    def diagnose(self, ax: Axes) -> None:
        """Draw what tells whether the draws can be believed."""
        draw = plot_trust if self.posterior.sampling.weighting is None else plot_weights
        draw(self.posterior, ax, style=self.style)

    def foot(self, figure: SubFigure, sds: Forest) -> list[SubFigure]:
        """Draw sds, a predictive check and the diagnostics side by side."""
        left, middle, right = _columns(figure, [1.4, 1, 1])
        sds.draw(left.subplots(), self.style)
        self.check(middle.subplots())
        self.diagnose(right.subplots())
        return [left, middle, right]


def _page(page: _Page) -> Figure:
    """Lay out means beside contrasts, and below sds, a predictive check and the diagnostics."""
    contrasts, sds = page.contrasts(), page.anova()
    figure, (upper, lower) = _rows([max(MEANS, contrasts.height), max(FOOT, sds.height)])
    left, right = _columns(upper, [1, 1])
    plot_means(page.posterior, ax=left.subplots(), **page.options)
    contrasts.draw(right.subplots(), page.style)
    return _lettered(figure, [left, right, *page.foot(lower, sds)])


def _panel_page(page: _Page) -> Figure:
    """Lay out the panels of an interaction, contrasts in two columns, and the foot."""
    factors = default_factors(page.posterior, most=4)
    parts, sds = page.contrasts().halves(), page.anova()
    rows = len(page.posterior.design.levels[factors[2]]) if len(factors) > 3 else 1
    figure, (upper, middle, lower) = _rows(
        [
            PANELS + 2.4 * (rows - 1),
            max(part.height for part in parts),
            max(FOOT, sds.height),
        ]
    )
    plot_interaction(page.posterior, ":".join(factors), figure=upper, **page.options)
    columns = _columns(middle, [1, 1])
    axes = [
        part.draw(column.subplots(), page.style)
        for part, column in zip(parts, columns, strict=True)
    ]
    # Both columns have one scale.
    ends, bottom = [end for ax in axes for end in ax.get_xlim()], max(a.get_ylim()[0] for a in axes)
    for ax in axes:
        ax.set_xlim(min(ends), max(ends))
        ax.set_ylim(bottom, 0)
    return _lettered(figure, [upper, *columns, *page.foot(lower, sds)])


def _plain_page(page: _Page) -> Figure:
    """Lay out what a model without factors has: sds, priors and diagnostics."""
    posterior = page.posterior
    panels = len(posterior.priors.sigmas) + bool(posterior.family.residual)
    bottom = 0.9 + 2.2 * -(-max(panels, 1) // 3)
    sds = page.anova()
    figure, (upper, lower) = _rows([max(FOOT, sds.height), bottom])
    left, right = _columns(upper, [1, 1])
    sds.draw(left.subplots(), page.style)
    page.diagnose(right.subplots())
    plot_priors(page.posterior, figure=lower, style=page.style)
    return _lettered(figure, [left, right, lower])


def _rows(heights: Sequence[float]) -> tuple[Figure, list[SubFigure]]:
    """Return a page with a part for each of some heights in inches."""
    figure: Any = make_figure(None, (WIDTH, sum(heights)))
    return figure, list(figure.subfigures(len(heights), 1, height_ratios=heights))


def _columns(figure: SubFigure, widths: Sequence[float]) -> list[SubFigure]:
    parts: Any = figure.subfigures(1, len(widths), width_ratios=widths)
    return list(parts)


def _lettered(figure: Figure, panels: Sequence[Figure | SubFigure]) -> Figure:
    """Letter the panels, so that a caption can name them."""
    for letter, panel in zip("ABCDEF", panels, strict=False):
        panel.text(0.0, 1.0, letter, fontsize=13, fontweight="bold", ha="left", va="top")
    return figure
