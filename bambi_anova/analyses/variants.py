"""The user's model and its variants: the same design, one thing changed; and two mistakes.

What is changed is the form of the data, the family of its rows, or the parameterization.  The
mistakes are fits of the over-parameterized model whose coefficients are taken for effects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bambi_anova.analyses.data_forms import outcomes, totals
from bambi_anova.design.build import build_design
from bambi_anova.design.margins import LEVELS
from bambi_anova.design.priors import make_priors
from bambi_anova.families.base import Family
from bambi_anova.families.registry import get_family
from bambi_anova.model import Model
from bambi_anova.priors.assign import Priors
from bambi_anova.specification import IDENTIFIED, OVERPARAMETERIZED, Options, of_design

#: Single outcomes that are worth the memory.
MOST_OUTCOMES = 5_000_000
OWN = "Bayesian ANOVA"
LITERAL = "Bayesian, over-parameterized"
RAW = "raw coefficients"
QUESTION = "as in the question"


@dataclass(frozen=True)
class Variant:
    """A model of the same design that differs from the user's in one thing.

    Attributes
    ----------
    about : str
        In what it differs.
    populations : tuple of str
        What its contrasts are reported for.
    obstacle : callable
        From a model to the reason why there is no such variant of it; empty if there is.
    make : callable
        From a model to the variant.
    """

    about: str
    populations: tuple[str, ...]
    obstacle: Callable[[Model], str]
    make: Callable[[Model], Model]


def _like(model: Model, options: Options | None = None, **changes: Any) -> Model:
    """Return the model with some of its parts exchanged."""
    parts = {name: getattr(model, name) for name in ("design", "family", "link", "priors")}
    return Model.of(of_design(**{**parts, **changes}, options=options or model.options))


def _priors(family: Family, model: Model) -> Priors:
    """Return the model's priors with those of another family's further parameters."""
    return replace(model.priors, auxiliary=make_priors(model.design, family).auxiliary)


def _with_family(name: str) -> Callable[[Model], Model]:
    def make(model: Model) -> Model:
        family = get_family(name)
        return _like(model, family=family, priors=_priors(family, model))

    return make


def _as_data(form: Callable, name: str) -> Callable[[Model], Model]:
    def make(model: Model) -> Model:
        family, design = get_family(name), form(model.design)
        priors = _priors(family, model)
        options = replace(model.options, collapse=True)
        return _like(model, options, design=design, family=family, priors=priors)

    return make


def _with_parameterization(name: str) -> Callable[[Model], Model]:
    return lambda model: _like(model, replace(model.options, parameterization=name))


def _in_the_question(model: Model) -> Model:
    """Return the model that tutorial 2 writes out: of units only those that nothing crosses."""
    family, formula = get_family("betabinomial_mode"), model.formula
    terms = formula.parent.units
    units = tuple(own for own in terms if not any(set(other) < set(own) for other in terms))
    parent = {next(iter(formula.predictors)): replace(formula.parent, units=units)}
    formula = replace(formula, predictors={**formula.predictors, **parent})
    design = build_design(formula, model.design.rows, family)
    options = replace(model.options, parameterization=OVERPARAMETERIZED, priors_on=LEVELS)
    priors = _priors(family, model)
    kept = make_priors(design, family).sigmas
    priors = replace(priors, sigmas={name: priors.sigmas[name] for name in kept})
    return _like(model, options, design=design, family=family, priors=priors)


def _no_outcomes(model: Model) -> str:
    if not model.family.response.trials:
        return "it needs p(successes, trials) to take apart"
    trials = model.design.rows.response.trials
    assert trials is not None  # of a proportion
    if trials.sum() > MOST_OUTCOMES:
        return (
            f"{trials.sum():,.0f} outcomes take much memory to give the posterior of the binomial "
            "model once more"
        )
    return ""


def _no_totals(model: Model) -> str:
    if not (model.family.response.trials or model.family.response.binary):
        return "it needs yes-or-no data"
    merged = len(totals(model.design).rows.data) < len(model.design.rows.data)
    return "" if merged else "no two rows share their predictors: they are totals already"


def _no_scatter(model: Model) -> str:
    if not model.family.response.trials:
        return "it needs p(successes, trials), with several trials a row"
    trials = model.design.rows.response.trials
    assert trials is not None  # of a proportion
    if trials.max() < 2:
        return "no row has more than one trial, so rows cannot show scatter of their own"
    return ""


def _no_beta(name: str) -> Callable[[Model], str]:
    own = get_family(name)
    return lambda model: "it is the model itself" if model.family is own else _no_scatter(model)


def _is_itself(parameterization: str) -> Callable[[Model], str]:
    return lambda model: (
        "it is the model itself" if model.options.parameterization == parameterization else ""
    )


#: By the name of the analysis that fits them.
VARIANTS = {
    OWN: Variant(
        "the model as it is, for new units and for these",
        ("super", "finite"),
        lambda model: "",
        lambda model: model,
    ),
    "Bayesian, Bernoulli rows": Variant(
        "a row for each single trial; the posterior of the binomial model",
        ("super",),
        _no_outcomes,
        _as_data(outcomes, "bernoulli"),
    ),
    "Bayesian, binomial totals": Variant(
        "a row for all trials that share their predictors; the posterior of the binomial model",
        ("super",),
        _no_totals,
        _as_data(totals, "binomial"),
    ),
    "Bayesian, beta-binomial by mean": Variant(
        "a probability of its own for each row, about the mean; another model",
        ("super",),
        _no_beta("betabinomial"),
        _with_family("betabinomial"),
    ),
    "Bayesian, beta-binomial by mode": Variant(
        "the same about the mode, as Kruschke writes it; another model",
        ("super",),
        _no_beta("betabinomial_mode"),
        _with_family("betabinomial_mode"),
    ),
    "Bayesian, sum-to-zero": Variant(
        "effects that sum to zero from the start",
        ("super",),
        _is_itself(IDENTIFIED),
        _with_parameterization(IDENTIFIED),
    ),
    LITERAL: Variant(
        "a free effect for each level, cell means compared afterwards",
        ("super",),
        _is_itself(OVERPARAMETERIZED),
        _with_parameterization(OVERPARAMETERIZED),
    ),
}

#: Mistakes: fits whose raw coefficients are taken for effects, by the name of the analysis.
MISTAKES = {
    RAW: Variant(
        "differences of over-parameterized coefficients, which are no contrasts of means",
        ("none",),
        lambda model: "",
        _with_parameterization(OVERPARAMETERIZED),
    ),
    QUESTION: Variant(
        "the same of a model by hand (tutorial 2): beta-binomial by mode, one effect a unit",
        ("none",),
        _no_scatter,
        _in_the_question,
    ),
}
