"""Default priors for a design, and the user's in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from bambi_anova.design.design import Design
from bambi_anova.errors import ConcentrationWarning, FormulaError
from bambi_anova.families.base import Family
from bambi_anova.families.distributional import predictable
from bambi_anova.priors.assign import Priors, assign, assign_further, lkj
from bambi_anova.priors.distributions import Prior, distribution
from bambi_anova.priors.kruschke import TermPriors

#: Concentration below which a beta distribution is unbounded at 0, at 1 or at both.
NO_MODE = 2.0


def make_priors(
    design: Design,
    family: Family,
    given: Mapping | None = None,
    further: Mapping[str, Design] | None = None,
) -> Priors:
    """Return Kruschke's priors for a design, with the user's in their place.

    Parameters
    ----------
    design : Design
    family : Family
    given : mapping of str to bambi.Prior, optional
        By ``"Intercept"``, covariate, term (its scale), unit term (its scale), or auxiliary
        parameter of the family, such as ``"sigma"``; ``"correlation of dose|s"`` is the eta of the
        LKJ prior of correlations.  Of a parameter that has a predictor, a mapping of its own by
        ``"Intercept"``, covariate and term.
    further : mapping of str to Design, optional
        The auxiliary parameters that have predictors.

    Raises
    ------
    PriorError
        If a name stands for nothing in the model, or a prior cannot be used where it was put.
    """
    response, rows = design.rows.response, design.rows
    exposure = float(rows.size)
    if family.response.counts and rows.offset is not None:
        exposure = float(response.counts @ np.exp(rows.offset))
    scale = family.response.priors(response, exposure, len(design.cells))
    further = further or {}
    auxiliary: dict[str, Prior | float] = {
        one.name: one.prior(response) for one in family.auxiliary if one.name not in further
    }
    refused = {one.derived.name: one.derived.refusal for one in family.auxiliary if one.derived}
    if design.without_residual and family.residual in auxiliary:
        # No less than the prior allows: next to nothing beside the sds of the cells.
        prior = auxiliary[family.residual]
        assert isinstance(prior, Prior)  # for the type checker
        auxiliary |= {family.residual: prior.args["lower"]}
    for name, own in further.items():
        _require_independent(name, own)
        if design.without_residual and name == family.residual:
            raise FormulaError(
                f"{name}: with one row a unit and cell the sds of the cells take its place, so "
                "that it cannot have a formula"
            )
    defaults = _of_predictor(design, scale, auxiliary)
    if not family.intercept:
        defaults = replace(defaults, intercept=None)
    bounds = {one.name: (one.least, one.most) for one in family.auxiliary}
    nested = {
        name: assign_further(
            name, _of_predictor(own, predictable(family, name).priors(response)), given
        )
        for name, own in further.items()
    }
    given = {key: own for key, own in (given or {}).items() if key not in further}
    cells = {slope.name for slope in design.slopes if slope.cell}
    groups = {
        one.name: [name for name in one.members if name in cells]
        for one in design.joints
        if one.factors
    }
    found = assign(defaults, given, refused, family.thresholds, bounds, groups=groups)
    return replace(found, predictors=nested)


def _require_independent(name: str, design: Design) -> None:
    """Refuse effects that vary together in the predictor of a further parameter."""
    if design.joints:
        joint = design.joints[0]
        raise FormulaError(
            f"{name}: its formula has effects of {joint.unit.name!r} that vary together "
            f"({joint.name}), which only the formula of the response can have; write independent "
            f"ones, such as (x||{joint.unit.name}) or Error({joint.unit.name}/A)"
        )


def _of_predictor(
    design: Design, scale: TermPriors, auxiliary: Mapping[str, Prior | float] | None = None
) -> Priors:
    """Return the default priors of one predictor, from where it lies."""
    covariates: dict[str, Prior] = {}
    sigmas: dict[str, Prior] = {}
    for term in design.terms:
        sd = 1.0 if term.covariate is None else design.rows.covariates[term.covariate].sd
        if term.factors:
            sigmas[term.name] = scale.sigma(sd)
        else:
            covariates[term.name] = scale.slope(sd)
    for unit in design.units:
        if not unit.by_cell:
            sigmas[unit.name] = scale.sigma()
    for slope in design.slopes:
        sd = 1.0 if slope.covariate is None else design.rows.covariates[slope.covariate].sd
        sigmas[slope.name] = scale.sigma(sd)
    correlations = {one.name: lkj() for one in design.joints if one.correlated}
    return Priors(
        scale.intercept, covariates, sigmas, dict(auxiliary or {}), correlations=correlations
    )


def check_priors(priors: Priors, family: Family) -> Iterator[ConcentrationWarning]:
    """Yield a warning if a prior of the user's puts most of a beta's concentration below two."""
    prior = priors.auxiliary.get("kappa", np.inf)
    if isinstance(prior, Prior):
        known = None if prior.given is None else distribution(prior)
        share = 0.0 if known is None else known.draw(np.random.default_rng(0), 4000) < NO_MODE
    else:
        share = prior < NO_MODE
    if np.mean(share) > 0.5:
        remedy = "Take one that lies higher, such as bambi.Prior('Gamma', mu=20, sigma=20)"
        if family.response.trials:
            remedy = (
                "Kruschke's Gamma(0.01, 0.01) is the prior of kappa - 2: "
                "family='betabinomial_mode', priors={'kappa_minus_2': ...}"
            )
        yield ConcentrationWarning(
            f"priors['kappa']: {prior} has {np.mean(share):.0%} of its probability below "
            f"{NO_MODE:g}, where a beta distribution piles up at 0, at 1 or at both instead of "
            f"about its mean. {remedy}"
        )
