"""The families: one line each."""

from __future__ import annotations

from functools import lru_cache

from bambi_anova.errors import ArgumentError
from bambi_anova.families.base import THRESHOLD, Family
from bambi_anova.families.beta import BETA
from bambi_anova.families.betabinomial import BETA_BINOMIAL, BETA_BINOMIAL_MODE
from bambi_anova.families.binomial import BERNOULLI, BINOMIAL
from bambi_anova.families.categorical import CATEGORICAL, CONDITIONAL_LOGISTIC
from bambi_anova.families.cumulative import CUMULATIVE, THRESHOLDED_NORMAL
from bambi_anova.families.elsewhere import advice, plain
from bambi_anova.families.exgaussian import EX_GAUSSIAN
from bambi_anova.families.gamma import GAMMA
from bambi_anova.families.gaussian import GAUSSIAN
from bambi_anova.families.laplace import LAPLACE
from bambi_anova.families.likelihood import MakeCompiled
from bambi_anova.families.lognormal import LOG_NORMAL
from bambi_anova.families.negativebinomial import NEGATIVE_BINOMIAL
from bambi_anova.families.ordered_beta import ORDERED_BETA
from bambi_anova.families.poisson import POISSON
from bambi_anova.families.shifted_lognormal import SHIFTED_LOG_NORMAL
from bambi_anova.families.skewnormal import SKEW_NORMAL
from bambi_anova.families.sratio import SRATIO
from bambi_anova.families.student import STUDENT
from bambi_anova.families.wald import WALD
from bambi_anova.families.weibull import EXPONENTIAL, WEIBULL
from bambi_anova.families.zero_metric import HURDLE_GAMMA, HURDLE_LOG_NORMAL
from bambi_anova.families.zeros import (
    HURDLE_NEGATIVE_BINOMIAL,
    HURDLE_POISSON,
    ZERO_INFLATED_BINOMIAL,
    ZERO_INFLATED_NEGATIVE_BINOMIAL,
    ZERO_INFLATED_POISSON,
)
from bambi_anova.plugins import FAMILIES as PLUGINS
from bambi_anova.plugins import load_plugin, plugin_names

FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Add a family to those that users may name.

    Raises
    ------
    ArgumentError
        If something about it is missing or does not fit together, or its name is taken.
    """
    if family.name in FAMILIES:
        raise ArgumentError(f"family {family.name!r}: there is one of this name already")
    family.require_complete()
    FAMILIES[family.name] = family


def get_family(name: str) -> Family:
    """Look a family up by its name, however it is spelled: "Gamma", "poisson()".

    Families that other packages add are registered when they are first asked for.

    Raises
    ------
    ArgumentError
        If the family is not known here; what other programs call it is answered with our name.

    Examples
    --------
    >>> [link.name for link in get_family("binomial").parent.links]
    ['logit', 'probit', 'cloglog']
    >>> get_family("negative_binomial").name
    'negativebinomial'
    """
    if isinstance(name, str):
        if name in FAMILIES:
            return FAMILIES[name]
        spelled = plain(name.strip().removesuffix("()"))
        for own, family in FAMILIES.items():
            if plain(own) == spelled:
                return family
        added = load_plugin(PLUGINS, spelled, plain)
        if added is not None:
            return _add(name, added)
    known = [*FAMILIES, *plugin_names(PLUGINS)]
    raise ArgumentError(f"family={name!r} is not supported{advice(name, known)}")


def _add(name: str, family: object) -> Family:
    """Register what another package has under a family's name."""
    if not isinstance(family, Family) or plain(family.name) != plain(name):
        raise ArgumentError(
            f"family={name!r}: another package adds it ({PLUGINS}); expected a Family of that "
            f"name, found {getattr(family, 'name', family)!r:.80}"
        )
    register(family)
    return family


@lru_cache(maxsize=1)
def compiled_rows() -> tuple[MakeCompiled, ...]:
    """Return what makes the compiled rows, each once; its place is a row's number.

    The kernel is compiled for these: families that are registered later go without.
    """
    forms = [form for family in FAMILIES.values() for form in family.likelihoods.values()]
    made = [form.compiled for form in forms]
    made += [one.joint.compiled for one in forms if one.joint and one.joint.expanded]
    return tuple(dict.fromkeys(one for one in made if one is not None))


@lru_cache(maxsize=1)
def compiled_joints() -> tuple[MakeCompiled, ...]:
    """Return what makes the compiled rows of several predictors, each once."""
    forms = [form for family in FAMILIES.values() for form in family.likelihoods.values()]
    made = [one.joint.compiled for one in forms if one.joint and not one.joint.expanded]
    return tuple(dict.fromkeys(one for one in made if one is not None))


def parameter_names() -> frozenset[str]:
    """Return the names of all parameters of all families."""
    names = {name for family in FAMILIES.values() for name in family.parameters}
    return frozenset(names | {THRESHOLD})


register(GAUSSIAN)
register(BERNOULLI)
register(BINOMIAL)
register(POISSON)
register(STUDENT)
register(LAPLACE)
register(SKEW_NORMAL)
register(NEGATIVE_BINOMIAL)
register(GAMMA)
register(LOG_NORMAL)
register(WALD)
register(BETA)
register(ORDERED_BETA)
register(BETA_BINOMIAL)
register(BETA_BINOMIAL_MODE)
register(ZERO_INFLATED_POISSON)
register(ZERO_INFLATED_NEGATIVE_BINOMIAL)
register(ZERO_INFLATED_BINOMIAL)
register(HURDLE_POISSON)
register(HURDLE_NEGATIVE_BINOMIAL)
register(HURDLE_GAMMA)
register(HURDLE_LOG_NORMAL)
register(EX_GAUSSIAN)
register(SHIFTED_LOG_NORMAL)
register(WEIBULL)
register(EXPONENTIAL)
register(CUMULATIVE)
register(SRATIO)
register(THRESHOLDED_NORMAL)
register(CATEGORICAL)
register(CONDITIONAL_LOGISTIC)
