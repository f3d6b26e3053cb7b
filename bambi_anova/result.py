"""The user's result: a table of contents of what can be asked of a posterior."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from bambi_anova.arguments import with_own_floats
from bambi_anova.bambi_model.graph import graph as draw_graph
from bambi_anova.estimates.accuracy import complaints, diagnostics, trust, verdict
from bambi_anova.estimates.anova import anova
from bambi_anova.estimates.categories import category_contrasts, category_probabilities, superiority
from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.estimates.deflections import deflections
from bambi_anova.estimates.draws_of import draws_of
from bambi_anova.estimates.explained import explained
from bambi_anova.estimates.kruschke import kruschke
from bambi_anova.estimates.means import means
from bambi_anova.estimates.parameters import summary
from bambi_anova.estimates.quantiles import quantiles
from bambi_anova.estimates.slopes import slopes, unit_slopes
from bambi_anova.estimates.statements import orders, probability
from bambi_anova.estimates.unit_effects import sphericity, unit_correlations
from bambi_anova.estimates.zeros import zeros
from bambi_anova.evidence.marginal_likelihood import marginal_likelihood
from bambi_anova.evidence.restrictions import order_bayes_factor, savage_dickey
from bambi_anova.plots.page import plot_page
from bambi_anova.plots.prior_posterior import plot_priors
from bambi_anova.posterior.parameter import of_parameter
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.loo import loo
from bambi_anova.prediction.misfit import misfit
from bambi_anova.prediction.new_rows import predict
from bambi_anova.prediction.predictive import posterior_predictive, prior_predictive
from bambi_anova.prediction.predictive_check import predictive_check
from bambi_anova.prediction.sensitivity import sensitivity
from bambi_anova.present.overview import result_html, result_text
from bambi_anova.present.publish import table, to_latex, to_markdown
from bambi_anova.report.report import report
from bambi_anova.specification import Specification
from bambi_anova.storage.saving import save

if TYPE_CHECKING:
    import graphviz


@with_own_floats
@dataclass(frozen=True, repr=False, eq=False)
class ParameterResult(Posterior):
    """What a fit says of one further parameter; made by ``Result.parameter``.

    Its tables are those of ``Result``, on the scale of the parameter ("response") or on that of its
    link: for sigma on the sd or its log.
    """

    means = means
    deflections = deflections
    contrasts = contrasts
    slopes = slopes
    unit_slopes = unit_slopes
    anova = anova
    probability = probability
    orders = orders
    draws_of = draws_of
    summary = summary
    trust = trust
    verdict = property(verdict)

    def __repr__(self) -> str:
        word, formula = self.family.scale.word, self.design.formula.text
        return f"{self.specification.parent.name} ({word}) of {formula}"


@with_own_floats
@dataclass(frozen=True, repr=False, eq=False)
class Result(Posterior):
    """Posterior of a model, and the tables that answer the researcher's questions.

    Made by ``Model.fit``.  Every table takes ``population`` ("super", "finite" or "average"),
    ``scale`` ("link" or "response"), ``ci_prob`` and ``ci_kind`` ("hdi" or "eti"), and says in
    its columns what it is about and what may be believed:

    - ``population``, ``scale``;
    - ``mean``, ``median``, ``sd``, interval bounds named as in ArviZ (``hdi95_lb``,
      ``hdi95_ub``), ``pd`` (probability of direction);
    - ``mcse_mean``, ``ess_bulk``, ``ess_tail``, ``r_hat``;
    - ``supported``: False where the quantity needs a cell without data, so that part of it
      rests on the prior alone;
    - ``trusted``: whether that quantity meets the thresholds of ``posterior.trust``; of chains
      no divergence, R-hat <= 1.01, bulk and tail ESS >= 400.

    Attributes
    ----------
    idata : xarray.DataTree
        Draws under Bambi's names, with our group ``cells`` added: the cell means of the linear
        predictor, ``super`` and ``finite``, with the factors as dimensions.
    design : Design
    family : Family
    link : Link
    draws : Draws
        The same draws as plain arrays.
    sampling : Sampling
    priors : Priors
    """

    means = means
    deflections = deflections
    contrasts = contrasts
    slopes = slopes
    unit_slopes = unit_slopes
    category_probabilities = category_probabilities
    category_contrasts = category_contrasts
    superiority = superiority
    zeros = zeros
    quantiles = quantiles
    anova = anova
    explained = explained
    sphericity = sphericity
    unit_correlations = unit_correlations
    probability = probability
    orders = orders
    kruschke = kruschke
    draws_of = draws_of

    summary = summary
    verdict = property(verdict)
    complaints = property(complaints)
    diagnostics = property(diagnostics)
    trust = trust

    predict = predict
    posterior_predictive = posterior_predictive
    predictive_check = predictive_check
    prior_predictive = prior_predictive
    misfit = misfit
    loo = loo
    sensitivity = sensitivity
    marginal_likelihood = marginal_likelihood
    savage_dickey = savage_dickey
    order_bayes_factor = order_bayes_factor
    save = save

    plot = plot_page
    plot_priors = plot_priors
    table = table
    to_markdown = to_markdown
    to_latex = to_latex
    report = report
    __repr__ = result_text
    _repr_html_ = result_html

    def parameter(self, name: str) -> ParameterResult:
        """Return the tables of a further parameter that has a formula, such as "sigma".

        Parameters
        ----------
        name : str

        Returns
        -------
        ParameterResult
            With the methods of a result that are about a linear predictor; figures of
            ``bambi_anova.plots`` take it too.

        Raises
        ------
        ArgumentError
            If no formula gives that parameter.

        Examples
        --------
        >>> spread = result.parameter("sigma")  # doctest: +SKIP
        >>> spread.contrasts("group", compare="ratio")  # doctest: +SKIP
        """
        found = of_parameter(self, name)
        return ParameterResult(**{one.name: getattr(found, one.name) for one in fields(found)})

    def graph(self, *args: Any, **kwargs: Any) -> graphviz.Digraph:
        """Draw the variables of the Bambi model that was fitted; see ``Model.graph``."""
        return draw_graph(self.specification, *args, **kwargs)

    @property
    def model(self) -> Specification:
        """The model that was fitted; it can be fitted again, ``model.fit(init=result)``."""
        return self.specification
