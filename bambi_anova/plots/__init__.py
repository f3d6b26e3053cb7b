"""Figures of a posterior, on matplotlib and arviz-plots.

Functions of one panel draw into ``ax`` and return the axes; those of several take ``figure`` and
return it; those of arviz-plots take ``backend`` and return its ``PlotCollection``.  Captions name
the population and the interval; hollow markers are not trusted, dashed lines rest on the prior.
A ``Style`` gives other names and colours, or leaves the captions out.
"""

from bambi_anova.plots.bayes_factors import plot_inclusion, plot_models
from bambi_anova.plots.cells import plot_interaction, plot_means
from bambi_anova.plots.densities import plot_posterior
from bambi_anova.plots.diagnostics import plot_chains, plot_trust, plot_weights
from bambi_anova.plots.differences import plot_contrasts, plot_posteriors
from bambi_anova.plots.forest import plot_deflections
from bambi_anova.plots.page import plot_page
from bambi_anova.plots.plan import plot_plan, plot_sequential
from bambi_anova.plots.prior_posterior import plot_priors
from bambi_anova.plots.prior_scale import plot_prior_scale
from bambi_anova.plots.replicated import plot_predictive
from bambi_anova.plots.style import Style
from bambi_anova.plots.two_fits import plot_fits
from bambi_anova.plots.variation import plot_anova

__all__ = [
    "Style",
    "plot_anova",
    "plot_chains",
    "plot_contrasts",
    "plot_deflections",
    "plot_fits",
    "plot_inclusion",
    "plot_interaction",
    "plot_means",
    "plot_models",
    "plot_page",
    "plot_plan",
    "plot_posterior",
    "plot_posteriors",
    "plot_predictive",
    "plot_prior_scale",
    "plot_priors",
    "plot_sequential",
    "plot_trust",
    "plot_weights",
]
