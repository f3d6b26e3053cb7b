"""The columns of all tables: what each means and of what kind it is.

Whatever treats columns by their kind (printing, rounding, setting for print) and whatever keeps
their names free (factors and units have columns of their own in many tables) reads it here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: What all rows of a table often share; what sets rows apart.
CONTEXT, LABEL = "context", "label"
#: Numbers on the scale of the table; shares of draws or of variance; other numbers.
ESTIMATE, SHARE, NUMBER = "estimate", "share", "number"
#: Monte Carlo errors; further diagnostics of draws; verdicts.
ERROR, DIAGNOSTIC, JUDGEMENT = "error", "diagnostic", "judgement"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : str
    meaning : str
    title : str
        What it is called in print, if it has a name of its own there.
    """

    name: str
    kind: str
    meaning: str
    title: str = ""


#: Columns of tables in which factors or units may have columns too: they cannot have these names.
_BESIDE_FACTORS = (
    Column("slope", CONTEXT, "column whose slope it is"),
    Column("term", CONTEXT, "factors of the term, joined by colons", "Term"),
    Column("contrast", LABEL, "what is compared with what", "Contrast"),
    Column("statement", LABEL, "what may hold of the levels"),
    Column("population", CONTEXT, "whom it is about: super, finite or average", "Population"),
    Column("scale", CONTEXT, "link, response or median", "Scale"),
    Column("of", CONTEXT, "what stands on the scale, where its name does not say it"),
    Column("compare", CONTEXT, "how levels are compared, if not by their difference"),
    Column("standardized_by", CONTEXT, "sd that differences are divided by"),
    Column("mean", ESTIMATE, "posterior mean", "Mean"),
    Column("median", ESTIMATE, "posterior median"),
    Column("sd", ESTIMATE, "posterior standard deviation", "SD"),
    Column("pd", SHARE, "probability of direction: of the likelier sign", "P(direction)"),
    Column("below_rope", SHARE, "share of the posterior below the ROPE", "Below ROPE"),
    Column("in_rope", SHARE, "share of the posterior in the ROPE", "In ROPE"),
    Column("above_rope", SHARE, "share of the posterior above the ROPE", "Above ROPE"),
    Column("mcse_rope", ERROR, "largest Monte Carlo error of these shares"),
    Column("comp_val", NUMBER, "value to compare with", "Comparison value"),
    Column("above_comp_val", SHARE, "share of the posterior above it", "Above comparison value"),
    Column("mcse_comp_val", ERROR, "Monte Carlo error of that share"),
    Column("mcse_mean", ERROR, "Monte Carlo error of the mean", "MCSE"),
    Column("ess_bulk", DIAGNOSTIC, "effective sample size of the bulk", "Bulk ESS"),
    Column("ess_tail", DIAGNOSTIC, "effective sample size of the tails", "Tail ESS"),
    Column("r_hat", DIAGNOSTIC, "R-hat of chains", "R-hat"),
    Column("mcse_sd", ERROR, "Monte Carlo error of the sd", "MCSE of SD"),
    Column("mcse_bounds", ERROR, "larger Monte Carlo error of the interval's bounds"),
    Column("pareto_k", DIAGNOSTIC, "tail shape of draws or of importance weights", "Pareto k"),
    Column("pareto_k_sd", DIAGNOSTIC, "tail shape of squared distances from the mean"),
    Column("probability", SHARE, "share of the posterior in which a statement holds"),
    Column("mcse", ERROR, "Monte Carlo error of the probability"),
    Column("supported", JUDGEMENT, "whether it needs no cell without data"),
    Column("trusted", JUDGEMENT, "whether the draws settle it"),
    Column("units", NUMBER, "how many units judge a term; whose effects replicates have", "Units"),
    Column("rows", NUMBER, "rows of the data"),
    Column("observed", ESTIMATE, "mean of the data"),
    Column("tail_probability", SHARE, "that a replicate exceeds what was observed"),
    Column("elpd", NUMBER, "expected log predictive density"),
)
#: Columns of tables without any of factors or units.
_APART = (
    Column("level", LABEL, "levels of a term, joined by colons", "Level"),
    Column("category", LABEL, "category of a rating", "Category"),
    Column("quantile", LABEL, "share of responses that lie below", "Quantile"),
    Column("quantity", LABEL, "name of a quantity", "Quantity"),
    Column("parameter", LABEL, "name of a parameter", "Parameter"),
    Column("variable", LABEL, "its name in the Bambi model and its draws", "Variable"),
    Column("kind", LABEL, "fixed, unit or residual; classical, Bayesian or mistake"),
    Column("stratum", LABEL, "units within which a term varies", "Stratum"),
    Column("df", NUMBER, "degrees of freedom", "df"),
    Column("sigma", ESTIMATE, "mean superpopulation sd of a term", "Superpopulation SD"),
    Column("sigma_sd", ESTIMATE, "posterior sd of it"),
    Column("share", SHARE, "mean share of the variance that a term explains", "% of variance"),
    Column("share_of", CONTEXT, "the finite-population variance of which they are", "Shares of"),
    Column("share_sd", SHARE, "posterior sd of it"),
    Column("Mean", ESTIMATE, "posterior mean"),
    Column("Median", ESTIMATE, "posterior median"),
    Column("Mode", ESTIMATE, "peak of the posterior density"),
    Column("ESS", DIAGNOSTIC, "effective sample size of the mean"),
    Column("HDImass", NUMBER, "probability of the highest-density interval"),
    Column("HDIlow", ESTIMATE, "its lower bound"),
    Column("HDIhigh", ESTIMATE, "its upper bound"),
    Column("CompVal", NUMBER, "value to compare with"),
    Column("PcntGtCompVal", NUMBER, "percent of the posterior above it"),
    Column("ROPElow", NUMBER, "lower bound of the ROPE"),
    Column("ROPEhigh", NUMBER, "upper bound of the ROPE"),
    Column("PcntLtROPE", NUMBER, "percent of the posterior below the ROPE"),
    Column("PcntInROPE", NUMBER, "percent of the posterior in the ROPE"),
    Column("PcntGtROPE", NUMBER, "percent of the posterior above the ROPE"),
    Column("mean_quick", ESTIMATE, "posterior mean of the quick fit"),
    Column("mean_full", ESTIMATE, "posterior mean of the full fit"),
    Column("sd_quick", ESTIMATE, "posterior sd of the quick fit"),
    Column("sd_full", ESTIMATE, "posterior sd of the full fit"),
    Column("shift", NUMBER, "how far a mean moves, in posterior sds"),
    Column("sd_ratio", NUMBER, "sd of the quick fit over that of the full fit"),
    Column("trusted_quick", JUDGEMENT, "whether the draws of the quick fit settle it"),
    Column("trusted_full", JUDGEMENT, "whether the draws of the full fit settle it"),
    Column("prior", LABEL, "whose prior it is"),
    Column("sensitivity", NUMBER, "sensitivity to that prior"),
    Column("likelihood", NUMBER, "sensitivity to the likelihood"),
    Column("moved", NUMBER, "how far another prior moves a mean, in posterior sds"),
    Column("exchange", LABEL, "what the prior is exchanged for"),
    Column("how", LABEL, "how that is known"),
    Column("prior_sd", NUMBER, "prior standard deviation"),
    Column("near", NUMBER, "a small difference"),
    Column("prior_near", SHARE, "prior probability of a difference smaller than that"),
    Column("diagnosis", JUDGEMENT, "what the two mean together"),
    Column("feature", LABEL, "what of the data a model may miss"),
    Column("expected", NUMBER, "what the model expects"),
    Column("where", LABEL, "which rows, cells or units show it most"),
    Column("missed", JUDGEMENT, "whether it is clear and large enough to matter"),
    Column("advice", LABEL, "what to try instead"),
    Column("model", LABEL, "name of a model"),
    Column("effect_size", LABEL, "how much of which variance is explained"),
    Column("denominator", LABEL, "what the variances are of that it is a part of"),
    Column("goal", LABEL, "what a planned study is to reach"),
    Column("simulations", NUMBER, "how many data sets were simulated"),
    Column("method", LABEL, "how a number was computed"),
    Column("log_marginal_likelihood", NUMBER, "log probability of the data under a model"),
    Column("prior_probability", NUMBER, "of a model, or of all models with a term"),
    Column("posterior_probability", NUMBER, "of a model, or of all models with a term"),
    Column("bf_model", NUMBER, "change of the odds of a model against all others"),
    Column("bf", NUMBER, "Bayes factor"),
    Column("log_bf", NUMBER, "its natural logarithm"),
    Column("bf_complement", NUMBER, "Bayes factor against all else"),
    Column("multiple", NUMBER, "what the scale of a prior is multiplied by"),
    Column("models", NUMBER, "how many models are compared"),
    Column("by", LABEL, "what is left out at a time"),
    Column("se", NUMBER, "standard error of an elpd or of an estimate"),
    Column("p", NUMBER, "effective number of parameters; of tests, the p-value"),
    Column("elpd_diff", NUMBER, "elpd less that of the best model"),
    Column("se_diff", NUMBER, "standard error of that difference"),
    Column("cov", LABEL, "covariance of units' effects"),
    Column("trusted_elpd", JUDGEMENT, "whether the draws settle the elpd"),
    Column("trusted_bf", JUDGEMENT, "whether the Bayes factor is exact enough"),
    Column("effect", LABEL, "effect of units in a cell, or slope"),
    Column("other_effect", LABEL, "effect that it goes together with"),
    Column("weight", SHARE, "weight of a model in a stack of all"),
    Column("analysis", LABEL, "name of an analysis"),
    Column("estimate", ESTIMATE, "point estimate, or posterior mean"),
    Column("lower", ESTIMATE, "lower bound of its interval"),
    Column("upper", ESTIMATE, "upper bound of its interval"),
    Column("seconds", NUMBER, "time of the whole analysis"),
)
COLUMNS: Mapping[str, Column] = {column.name: column for column in (*_BESIDE_FACTORS, *_APART)}


def of_kind(kind: str) -> tuple[str, ...]:
    """Return the columns of a kind, in their order."""
    return tuple(column.name for column in COLUMNS.values() if column.kind == kind)


#: Names that factors and units cannot have: of columns, and of dimensions and variables of draws.
RESERVED = frozenset(column.name for column in _BESIDE_FACTORS) | {
    "chain",
    "draw",
    "quantity",
    "super",
    "finite",
    "base",
}
#: Diagnostics of every table of quantities, and those that verdicts need besides.
DIAGNOSTICS = ("mcse_mean", "ess_bulk", "ess_tail", "r_hat")
FOR_VERDICTS = ("mcse_sd", "mcse_bounds", "pareto_k", "pareto_k_sd")
#: Tables whose columns have one order.
TRUST = (
    "quantity population mean sd mcse_mean mcse_sd mcse_bounds ess_bulk ess_tail r_hat pareto_k "
    "pareto_k_sd trusted".split()
)
KRUSCHKE = (
    "Mean Median Mode ESS HDImass HDIlow HDIhigh CompVal PcntGtCompVal ROPElow ROPEhigh "
    "PcntLtROPE PcntInROPE PcntGtROPE supported trusted".split()
)
#: Behind the labels of what is left out.
LOO = "rows elpd p pareto_k trusted".split()
COMPARED_FITS = (
    "shift sd_ratio quantity population trusted_quick trusted_full mean_quick mean_full sd_quick "
    "sd_full".split()
)
COMPARED_MODELS = "elpd_diff se_diff model by elpd se p weight pareto_k trusted".split()
COMPARED_COVARIANCES = (
    "cov elpd_diff se_diff elpd se pareto_k trusted_elpd log_bf mcse log_marginal_likelihood "
    "trusted_bf".split()
)
POWER_SCALED = "prior quantity sensitivity likelihood shift diagnosis".split()
SENSITIVITY = (
    "prior quantity sensitivity likelihood shift moved sd_ratio exchange how prior_sd near "
    "prior_near diagnosis".split()
)
MISFIT = "by feature observed expected p where missed advice".split()
CLASSICAL = "analysis term contrast estimate lower upper p scale population seconds".split()
COMPARED_ANALYSES = (
    "term contrast analysis kind population scale estimate lower upper p pd supported trusted "
    "seconds".split()
)

#: Bounds of intervals are named by kind and probability, as by ArviZ; factors may be named "hdi".
_BOUND = re.compile(r"(?P<of>sigma_|share_)?(?P<kind>hdi|eti)(?P<prob>[\d.e-]+)_(?P<side>[lu]b)")


def bound(name: str) -> dict[str, str] | None:
    """Take the name of an interval's bound apart; nothing for other columns.

    Examples
    --------
    >>> bound("sigma_hdi95_lb")
    {'of': 'sigma_', 'kind': 'hdi', 'prob': '95', 'side': 'lb'}
    >>> bound("hdi") is None
    True
    """
    found = _BOUND.fullmatch(name)
    return {key: value or "" for key, value in found.groupdict().items()} if found else None


def kind_of(name: str) -> str | None:
    """Return the kind of a column, bounds of intervals included; nothing for users' columns.

    Examples
    --------
    >>> kind_of("ess_bulk"), kind_of("hdi95_lb"), kind_of("share_eti50_ub"), kind_of("hdi")
    ('diagnostic', 'estimate', 'share', None)
    """
    parts = bound(name)
    if parts:
        return SHARE if parts["of"] == "share_" else ESTIMATE
    return COLUMNS[name].kind if name in COLUMNS else None
