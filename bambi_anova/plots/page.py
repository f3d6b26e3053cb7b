"""One page with the figures that matter for a design."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import TYPE_CHECKING, Any

from bambi_anova.plots.cells import plot_interaction, plot_means
from bambi_anova.plots.diagnostics import plot_trust, plot_weights
from bambi_anova.plots.forest import plot_contrasts
from bambi_anova.plots.prior_posterior import plot_priors
from bambi_anova.plots.replicated import plot_predictive
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


def plot_page(
    posterior: Posterior,
    population: str = "super",
    scale: str = "response",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
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

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> plot_page(result)  # doctest: +SKIP
    """
    factors = len(posterior.design.factors)
    lay_out = _plain_page if factors == 0 else _page if factors <= 2 else _panel_page
    return lay_out(posterior, population, scale, ci_prob, ci_kind)


def _page(
    posterior: Posterior, population: str, scale: str, ci_prob: float, ci_kind: str
) -> Figure:
    """Lay out means beside contrasts, and below sds, a predictive check and the diagnostics."""
    options: dict[str, Any] = {"population": population, "ci_prob": ci_prob, "ci_kind": ci_kind}
    top, bottom = max(3.9, _contrast_height(posterior)), max(3.1, _anova_height(posterior))
    figure = _new_figure((WIDTH, top + bottom))
    upper, lower = _rows(figure, [top, bottom])
    left, right = _columns(upper, [1, 1])
    plot_means(posterior, scale=scale, ax=left.subplots(), **options)
    plot_contrasts(posterior, scale=scale, ax=right.subplots(), **options)
    sds, check, trust = _columns(lower, [1.4, 1, 1])
    plot_anova(posterior, ax=sds.subplots(), **options)
    _check(posterior, ci_prob, ci_kind, check.subplots())
    _diagnose(posterior, trust.subplots())
    _letter([left, right, sds, check, trust])
    return figure


def _panel_page(
    posterior: Posterior, population: str, scale: str, ci_prob: float, ci_kind: str
) -> Figure:
    """Lay out the panels of an interaction, contrasts beside sds, a check beside diagnostics."""
    options: dict[str, Any] = {"population": population, "ci_prob": ci_prob, "ci_kind": ci_kind}
    shown = list(posterior.design.levels)[:4]
    panels = len(posterior.design.levels[shown[2]]) if len(shown) > 3 else 1
    heights = [
        3.6 + 2.4 * (panels - 1),
        max(_anova_height(posterior), _contrast_height(posterior)),
        3.1,
    ]
    figure = _new_figure((WIDTH, sum(heights)))
    upper, middle, lower = _rows(figure, heights)
    plot_interaction(posterior, ":".join(shown), scale=scale, figure=upper, **options)
    left, right = _columns(middle, [1, 1])
    plot_contrasts(posterior, scale=scale, ax=left.subplots(), **options)
    plot_anova(posterior, ax=right.subplots(), **options)
    check, trust = _columns(lower, [1, 1])
    _check(posterior, ci_prob, ci_kind, check.subplots())
    _diagnose(posterior, trust.subplots())
    _letter([upper, left, right, check, trust])
    return figure


def _plain_page(
    posterior: Posterior, population: str, scale: str, ci_prob: float, ci_kind: str
) -> Figure:
    """Lay out what a model without factors has: sds, priors and diagnostics."""
    del scale  # there are no cell means
    panels = len(posterior.priors.sigmas) + ("sigma" in posterior.priors.auxiliary)
    top, bottom = max(2.9, _anova_height(posterior)), 0.9 + 2.2 * -(-max(panels, 1) // 3)
    figure = _new_figure((WIDTH, top + bottom))
    upper, lower = _rows(figure, [top, bottom])
    left, right = _columns(upper, [1, 1])
    plot_anova(posterior, population, ci_prob, ci_kind, ax=left.subplots())
    _diagnose(posterior, right.subplots())
    plot_priors(posterior, figure=lower)
    _letter([left, right, lower])
    return figure


def _new_figure(size: tuple[float, float]) -> Figure:
    from matplotlib import pyplot as plt

    return plt.figure(figsize=size, layout="constrained")


def _rows(figure: Figure, heights: Sequence[float]) -> list[SubFigure]:
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    return list(parts)


def _columns(figure: SubFigure, widths: Sequence[float]) -> list[SubFigure]:
    parts: Any = figure.subfigures(1, len(widths), width_ratios=widths)
    return list(parts)


def _contrast_height(posterior: Posterior) -> float:
    """Return the inches that pairwise contrasts of every factor take."""
    levels = posterior.design.levels.values()
    longest = max(len(str(level)) for factor in levels for level in factor)
    lines = 1 + (2 * longest > 44)
    return 1.1 + sum(0.3 + (0.08 + 0.165 * lines) * comb(len(factor), 2) for factor in levels)


def _anova_height(posterior: Posterior) -> float:
    design = posterior.design
    strata = len(design.units) + 1
    return 1.1 + 0.32 * strata + 0.25 * (len(design.terms) + len(design.units) + 1)


def _check(posterior: Posterior, ci_prob: float, ci_kind: str, ax: Axes) -> None:
    """Check the units if there are any: cells are what the model fits best."""
    by = "unit" if posterior.design.units else "cell"
    options: dict[str, Any] = {
        "ci_prob": ci_prob,
        "ci_kind": ci_kind,
        "draws": CHECKED,
        "random_seed": 0,
    }
    ordered = by == "unit" or len(posterior.design.cells) > NAMED_CELLS
    plot_predictive(posterior, by, ax=ax, ordered=ordered, **options)


def _diagnose(posterior: Posterior, ax: Axes) -> None:
    """Draw what tells whether the draws can be believed."""
    if posterior.sampling.weighting is None:
        plot_trust(posterior, ax)
    else:
        plot_weights(posterior, ax)


def _letter(panels: Sequence[Figure | SubFigure]) -> None:
    """Letter the panels, so that a caption can name them."""
    for letter, panel in zip("ABCDEF", panels, strict=False):
        panel.text(0.0, 1.0, letter, fontsize=13, fontweight="bold", ha="left", va="top")
