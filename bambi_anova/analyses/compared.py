"""All analyses that apply to a model, side by side: classical, Bayesian, and one mistake.

The classical ones are those of ``bambi_anova.classical``.  The Bayesian ones are the model as it
is and its variants: other forms of the same data, beta-binomial rows, the other
parameterization.  The mistake is to read contrasts off the coefficients of an over-parameterized
model: where a term is part of an interaction, they trade off with the interaction's, and only sums
of both, the cell means, are known.

Letters: H chains, D draws, L levels of a term, K contrasts.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.analyses.printout import AnalysesTable
from bambi_anova.analyses.variants import LITERAL, MISTAKES, OWN, RAW, VARIANTS
from bambi_anova.arguments import one_of, own_floats
from bambi_anova.classical import ANALYSES, applicable
from bambi_anova.classical.hierarchical import GRID_ERROR
from bambi_anova.design.design import FixedTerm
from bambi_anova.errors import ArgumentError, ConvergenceWarning, NotApplicableError, nearest, warn
from bambi_anova.estimates.contrast_families import Weights, pairwise_weights
from bambi_anova.estimates.effects import Grid, Key, contrasts_of_means
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.model import Model
from bambi_anova.names import effects_name
from bambi_anova.posterior.response_scale import is_transformed
from bambi_anova.result import Result
from bambi_anova.tables.columns import COMPARED_ANALYSES
from bambi_anova.tables.interval import Interval

SCALES = ("link", "response")
#: Links on whose scale the classical analyses compare means.
CLASSICAL_LINKS = ("identity", "logit")


@own_floats
def compare_analyses(
    model: Model,
    term: str | Sequence[str] | None = None,
    analyses: str | Sequence[str] | None = None,
    scale: str = "link",
    inference_method: str = "laplace",
    random_seed: int | None = None,
    ci_prob: float = 0.95,
    progressbar: bool = False,
    **kwargs: Any,
) -> pd.DataFrame:
    """Answer the same questions by every analysis that applies to a model.

    Parameters
    ----------
    model : Model
    term : str or sequence of str, optional
        Factors joined by colons; every term made of factors by default.
    analyses : str or sequence of str, optional
        Names as in ``applicable_analyses``; all that apply by default.
    scale : {"link", "response"}
    inference_method : str
        How the Bayesian models are fitted, as for ``Model.fit``.
    random_seed : int, optional
    ci_prob : float
        Probability of the intervals: confidence intervals of classical analyses, highest-density
        intervals of Bayesian ones.
    progressbar : bool
    **kwargs
        Further arguments of ``Model.fit``.

    Returns
    -------
    pandas.DataFrame
        A row for each pairwise contrast, analysis and population: ``term``, ``contrast``,
        ``analysis``; ``kind`` ("classical", "Bayesian" or "mistake"); ``population`` ("super" for
        new units, "finite" for these units, "rows" for new rows as if they were independent,
        "none" for what is no contrast of means); ``scale``; ``estimate``, ``lower``, ``upper``;
        ``p`` (classical) or ``pd`` (probability of direction); ``supported``; ``trusted`` (missing
        where there are no Monte Carlo errors to judge); ``seconds`` of the whole analysis, all
        its contrasts together, modules loaded.

    Raises
    ------
    ArgumentError
        If a term or an analysis is not known, or the model has no factors.
    NotApplicableError
        If an analysis is asked for by name that does not apply.

    Warns
    -----
    ConvergenceWarning
        If a row is not trusted.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ nitrogen + Error(block/nitrogen)", oats)
    >>> table = compare_analyses(model, analyses="permutation test", random_seed=1)
    >>> table[["contrast", "population"]].iloc[0].tolist()
    ['0.0 - 0.2', 'super']
    """
    interval = Interval(ci_prob)
    known = applicable_analyses(model, scale)
    terms = _terms(model, term)
    options = {"inference_method": inference_method, "random_seed": random_seed, **kwargs}
    fits = _Fits(model, {**options, "progressbar": progressbar})
    classical = {"scale": scale, "random_seed": random_seed, "ci_prob": ci_prob}
    _load_modules()
    parts = []
    for name in _chosen(analyses, known):
        if name in ANALYSES:
            part = _classical(name, model, terms, classical)
        elif name in MISTAKES:
            part = _raw_coefficients(name, fits, _marginal(terms, model), interval)
        else:
            part = _bayesian(name, fits, terms, scale, interval)
        # On an identity link both scales are one.
        parts.append(part.assign(analysis=name, scale=scale))
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)[COMPARED_ANALYSES]
    # One contrast after the other, each by all analyses in their order.
    place = {name: number for number, name in enumerate(terms)}
    contrasts = {name: number for number, name in enumerate(dict.fromkeys(table["contrast"]))}
    order = table["term"].map(place) * len(contrasts) + table["contrast"].map(contrasts)
    table = table.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)
    _warn_of(table)
    return AnalysesTable(table)


@own_floats
def applicable_analyses(model: Model, scale: str = "link") -> pd.DataFrame:
    """Tell which analyses ``compare_analyses`` has for a model, and why not the others.

    Parameters
    ----------
    model : Model
    scale : {"link", "response"}

    Returns
    -------
    pandas.DataFrame
        A row an analysis: ``analysis``, ``kind`` ("classical", "Bayesian" or "mistake"),
        ``applies``, ``about`` (what sets it apart) and ``reason`` (empty if it applies).

    Examples
    --------
    >>> import bambi_anova as ba
    >>> model = ba.Model("yield ~ nitrogen + Error(block/nitrogen)", ba.load_data("oats"))
    >>> table = applicable_analyses(model)
    >>> table.loc[table["applies"], "analysis"].tolist()[:2]
    ['permutation test', 'split-plot ANOVA']
    """
    if not isinstance(model, Model):
        raise ArgumentError(f"model: expected a bambi_anova.Model, got {model!r:.60}")
    one_of("scale", scale, SCALES)
    classical = applicable(model)
    rows = [
        (name, "classical", ANALYSES[name].about, reason or _no_scale(model, scale))
        for name, reason in zip(classical["analysis"], classical["reason"], strict=True)
    ]
    for name, variant in VARIANTS.items():
        rows.append((name, "Bayesian", variant.about, variant.obstacle(model)))
    for name, variant in MISTAKES.items():
        reason = _no_raw(model, scale) or variant.obstacle(model)
        rows.append((name, "mistake", variant.about, reason))
    table = pd.DataFrame(rows, columns=["analysis", "kind", "about", "reason"])
    table.insert(2, "applies", table["reason"] == "")
    return table


def _no_scale(model: Model, scale: str) -> str:
    """Say why a classical analysis cannot answer on a scale, if so."""
    if scale == "response" and is_transformed(model):
        return f"it compares means of {model.design.rows.response.name}; use scale='link'"
    if scale == "response" or model.link.name in CLASSICAL_LINKS:
        return ""
    return f"its link scale is not that of the model ({model.link.name}); use scale='response'"


def _load_modules() -> None:
    """Load what the analyses need, which is no part of their seconds."""
    for name in ("statsmodels.api", "arviz_stats.base", "bambi_anova.engine.methods"):
        import_module(name)


@dataclass(frozen=True)
class _Fits:
    """Fits of the variants, each made once, with their seconds."""

    model: Model
    options: Mapping[str, Any]
    done: dict[str, tuple[Result, float]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[Result, float]:
        """Return the fit of a variant and its seconds."""
        known = {**VARIANTS, **MISTAKES}
        if name == RAW:
            # A model that is over-parameterized already is its own variant.
            name = OWN if VARIANTS[LITERAL].obstacle(self.model) else LITERAL
        if name not in self.done:
            start = perf_counter()
            with warnings.catch_warnings():
                # Of all that a fit holds only the rows of the table matter here: ``_warn_of``.
                warnings.simplefilter("ignore", ConvergenceWarning)
                result = known[name].make(self.model).fit(**self.options)
            self.done[name] = result, perf_counter() - start
        return self.done[name]


# -- Rows of the table -------------------------------------------------------------------------


def _bayesian(
    name: str, fits: _Fits, terms: Iterable[str], scale: str, interval: Interval
) -> pd.DataFrame:
    result, seconds = fits.of(name)
    populations = VARIANTS[name].populations if result.design.units else ("super",)
    parts = [
        result.contrasts(term, population=population, scale=scale, **interval.options)
        for population in populations
        for term in terms
    ]
    return _of_posterior(pd.concat(parts, ignore_index=True), "Bayesian", seconds, interval)


def _of_posterior(
    table: pd.DataFrame, kind: str, seconds: float, interval: Interval
) -> pd.DataFrame:
    lower, upper = interval.bounds
    names = {"mean": "estimate", lower: "lower", upper: "upper"}
    found = table.rename(columns=names).assign(kind=kind, p=np.nan, seconds=seconds)
    return found.astype({"trusted": "boolean"})


def _classical(
    name: str, model: Model, terms: Mapping[str, FixedTerm], options: Mapping[str, Any]
) -> pd.DataFrame:
    found = ANALYSES[name].run(model, **options)
    own = {frozenset(term.factors): known for known, term in terms.items()}
    found["term"] = [own.get(frozenset(term.split(":"))) for term in found["term"]]
    # An omnibus test has no estimate to set beside others.
    found = found[found["term"].notna() & found["estimate"].notna()]
    found = found.assign(kind="classical", supported=True)
    if "pd" not in found:
        found["pd"] = np.nan
    # Only the quadrature can be inexact enough to tell.
    error = found["grid_error"] if "grid_error" in found else pd.Series(np.nan, found.index)
    return found.assign(trusted=(error <= GRID_ERROR).astype("boolean").where(error.notna()))


def _raw_coefficients(
    name: str, fits: _Fits, terms: Mapping[str, FixedTerm], interval: Interval
) -> pd.DataFrame:
    """Return differences of the raw coefficients of terms, as if they were contrasts."""
    result, seconds = fits.of(name)
    parts = []
    for own, term in terms.items():
        levels = {factor: result.design.levels[factor] for factor in term.factors}
        pairs: dict[Key, Weights] = {f: pairwise_weights(known) for f, known in levels.items()}
        effects = contrasts_of_means(Grid(levels), pairs).effects
        raw = result.idata["posterior"][effects_name(term)].to_numpy()  # (H, D, L)
        good = np.ones(len(effects.labels), dtype=bool)
        found = Quantities(effects.labels, effects.of(raw), good, "none", "link")
        parts.append(quantity_table(found, result.sampling, interval).assign(term=own))
    if not parts:
        return pd.DataFrame()
    return _of_posterior(pd.concat(parts, ignore_index=True), "mistake", seconds, interval)


def _marginal(terms: Mapping[str, FixedTerm], model: Model) -> dict[str, FixedTerm]:
    """Return those terms that are part of a larger one; others share their cells with none."""
    larger = [set(term.factors) for term in model.design.terms if not term.covariate]
    return {
        name: term
        for name, term in terms.items()
        if any(set(term.factors) < factors for factors in larger)
    }


def _no_raw(model: Model, scale: str) -> str:
    if scale == "response" and (model.link.name != "identity" or is_transformed(model)):
        return "coefficients are on the link scale"
    if not _marginal(_factor_terms(model), model):
        return "no term is part of another, so that differences of coefficients are contrasts"
    return ""


def _factor_terms(model: Model) -> dict[str, FixedTerm]:
    grid = Grid(model.design.levels)
    terms = model.design.factor_terms
    return {":".join(grid.factors(":".join(term.factors))): term for term in terms}


def _terms(model: Model, wanted: str | Sequence[str] | None) -> dict[str, FixedTerm]:
    known = _factor_terms(model)
    if not known:
        raise ArgumentError("model: it has no term of factors, so there is nothing to contrast")
    if wanted is None:
        return known
    names = {frozenset(term.factors): name for name, term in known.items()}
    found = {}
    for text in [wanted] if isinstance(wanted, str) else wanted:
        name = names.get(frozenset(str(text).split(":")))
        if name is None:
            raise ArgumentError(f"term={text!r} is not in the model{nearest(str(text), known)}")
        found[name] = known[name]
    return found


def _chosen(analyses: str | Sequence[str] | None, known: pd.DataFrame) -> list[str]:
    reasons = dict(zip(known["analysis"], known["reason"], strict=True))
    if analyses is None:
        return [name for name, reason in reasons.items() if not reason]
    names = [analyses] if isinstance(analyses, str) else list(analyses)
    if not names:
        raise ArgumentError("analyses: expected at least one, got none")
    for name in names:
        if name not in reasons:
            raise ArgumentError(f"analyses: {name!r} is not known{nearest(str(name), reasons)}")
        if reasons[name]:
            raise NotApplicableError(f"{name} does not apply: {reasons[name]}")
    return names


def _warn_of(table: pd.DataFrame) -> None:
    bad = table[table["trusted"].eq(False).fillna(False)]
    if len(bad):
        names = [f"{row.contrast} by {row.analysis}" for row in bad.itertuples()]
        warn(
            ConvergenceWarning(
                f"not trusted: {'; '.join(names)}. Pass inference_method='nuts', or more draws"
            )
        )
