"""One page with the figures that matter for a design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, prod
from typing import TYPE_CHECKING, Any

from bambi_anova.arguments import own_floats
from bambi_anova.plots.cells import plot_interaction, plot_means
from bambi_anova.plots.diagnostics import plot_trust, plot_weights
from bambi_anova.plots.differences import plot_contrasts
from bambi_anova.plots.prior_posterior import plot_priors
from bambi_anova.plots.replicated import plot_predictive
from bambi_anova.plots.style import DEFAULT, Style, make_figure
from bambi_anova.plots.variation import plot_anova
from bambi_anova.posterior.posterior import Posterior

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Inches: a page in landscape; scaled to a text width its smallest letters stay legible.
WIDTH = 11.5
#: Draws that a predictive check on the page replicates.
CHECKED = 1000
#: Most cells that a check on the page names.
NAMED_CELLS = 6


@own_floats
def plot_page(
    posterior: Posterior,
    population: str = "super",
    scale: str = "response",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    *,
    style: Style = DEFAULT,
) -> Figure:
    """Draw one page: what the cells are, what differs, what varies, and whether to believe it.

    Cell means (of up to four factors) and contrasts where there are factors, the priors where
    there are none; the ANOVA display; a predictive check of units, or of cells without them;
    importance weights of a quick fit, effective sample sizes of chains.

    Parameters
    ----------
    posterior : Posterior
    population, ci_prob, ci_kind
        As in ``Result.means``.
    scale : {"link", "response"}
        Of means and contrasts; the ANOVA display is on the link scale, where units have sds.
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
    intervals: dict[str, Any] = {"ci_prob": ci_prob, "ci_kind": ci_kind, "style": style}
    page = _Page(posterior, {"population": population, **intervals}, intervals, scale)
    factors = len(posterior.design.factors)
    lay_out = _plain_page if factors == 0 else _page if factors <= 2 else _panel_page
    return lay_out(page)


@dataclass(frozen=True)
class _Page:
    """What a page shows of which posterior, and with which options."""

    posterior: Posterior
    options: dict[str, Any]
    intervals: dict[str, Any]
    scale: str

    def means(self, ax: Axes) -> None:
        plot_means(self.posterior, scale=self.scale, ax=ax, **self.options)

    def interaction(self, figure: SubFigure, factors: Sequence[str]) -> None:
        term = ":".join(factors)
        plot_interaction(self.posterior, term, scale=self.scale, figure=figure, **self.options)

    def contrasts(self, ax: Axes) -> None:
        plot_contrasts(self.posterior, scale=self.scale, ax=ax, **self.options)

    def anova(self, ax: Axes) -> None:
        plot_anova(self.posterior, ax=ax, **self.options)

    def check(self, ax: Axes) -> None:
        """Check the units if there are any: cells are what the model fits best."""
        design = self.posterior.design
        by = "unit" if design.units else "cell"
        ordered = by == "unit" or len(design.cells) > NAMED_CELLS
        draws = min(CHECKED, prod(self.posterior.draws.sample_shape))
        options = {"draws": draws, "random_seed": 0, "ordered": ordered, **self.intervals}
        plot_predictive(self.posterior, by, ax=ax, **options)

    def diagnose(self, ax: Axes) -> None:
        """Draw what tells whether the draws can be believed."""
        draw = plot_trust if self.posterior.sampling.weighting is None else plot_weights
        draw(self.posterior, ax, style=self.options["style"])

    def priors(self, figure: SubFigure) -> None:
        plot_priors(self.posterior, figure=figure, style=self.options["style"])

    def contrast_height(self) -> float:
        """Return the inches that pairwise contrasts of every factor take."""
        levels = self.posterior.design.levels.values()
        longest = max(len(str(level)) for factor in levels for level in factor)
        lines = 1 + (2 * longest > 44)
        return 1.1 + sum(0.3 + (0.08 + 0.165 * lines) * comb(len(factor), 2) for factor in levels)

    def anova_height(self) -> float:
        design = self.posterior.design
        strata = len(design.units) + 1
        return 1.1 + 0.32 * strata + 0.25 * (len(design.terms) + len(design.units) + 1)


def _page(page: _Page) -> Figure:
    """Lay out means beside contrasts, and below sds, a predictive check and the diagnostics."""
    top, bottom = max(3.9, page.contrast_height()), max(3.1, page.anova_height())
    figure, (upper, lower) = _rows([top, bottom])
    left, right = _columns(upper, [1, 1])
    page.means(left.subplots())
    page.contrasts(right.subplots())
    sds, check, trust = _columns(lower, [1.4, 1, 1])
    page.anova(sds.subplots())
    page.check(check.subplots())
    page.diagnose(trust.subplots())
    return _lettered(figure, [left, right, sds, check, trust])


def _panel_page(page: _Page) -> Figure:
    """Lay out the panels of an interaction, contrasts beside sds, a check beside diagnostics."""
    levels = page.posterior.design.levels
    shown = list(levels)[:4]
    panels = len(levels[shown[2]]) if len(shown) > 3 else 1
    middle_height = max(page.anova_height(), page.contrast_height())
    figure, (upper, middle, lower) = _rows([3.6 + 2.4 * (panels - 1), middle_height, 3.1])
    page.interaction(upper, shown)
    left, right = _columns(middle, [1, 1])
    page.contrasts(left.subplots())
    page.anova(right.subplots())
    check, trust = _columns(lower, [1, 1])
    page.check(check.subplots())
    page.diagnose(trust.subplots())
    return _lettered(figure, [upper, left, right, check, trust])


def _plain_page(page: _Page) -> Figure:
    """Lay out what a model without factors has: sds, priors and diagnostics."""
    priors = page.posterior.priors
    panels = len(priors.sigmas) + ("sigma" in priors.auxiliary)
    bottom = 0.9 + 2.2 * -(-max(panels, 1) // 3)
    figure, (upper, lower) = _rows([max(2.9, page.anova_height()), bottom])
    left, right = _columns(upper, [1, 1])
    page.anova(left.subplots())
    page.diagnose(right.subplots())
    page.priors(lower)
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
