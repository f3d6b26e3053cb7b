"""Specification -> a built ``bambi.Model``.

Every factor term and every unit term becomes a group-level term ``(1|A:B)``; covariates become
common terms, centred at their mean over the rows of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import bambi as bmb
import formulae
import numpy as np
import pymc as pm
from bambi.backend.utils import get_distribution_from_prior

from bambi_anova.bambi_model.effects import CommonEffect, Scale
from bambi_anova.bambi_model.frame import BambiFrame, centred_call, centring, make_frame
from bambi_anova.bambi_model.groups import Group, make_groups, variance_of
from bambi_anova.bambi_model.weights import bambi_family
from bambi_anova.design.design import Design, FixedTerm
from bambi_anova.families.base import THRESHOLD
from bambi_anova.names import INTERCEPT, scaled_terms, sigma_name
from bambi_anova.priors.distributions import Prior, normal_of
from bambi_anova.specification import Coordinates, Specification

_BUILT: WeakKeyDictionary[Specification, bmb.Model] = WeakKeyDictionary()


def built(specification: Specification) -> bmb.Model:
    """Return the built Bambi model of a specification, which is built once."""
    if specification not in _BUILT:
        _BUILT[specification] = build_bambi_model(specification)
    return _BUILT[specification]


def build_bambi_model(specification: Specification) -> bmb.Model:
    """Build the Bambi model of a specification.

    Returns
    -------
    bambi.Model
        Built, with the sufficient rows as its data.
    """
    design, family, priors = specification.design, specification.family, specification.priors
    collapsed = specification.collapsed
    frame = make_frame(design, collapsed, family)
    terms = scaled_terms(design)
    scales = {
        sigma_name(term): _scale(priors.sigmas[key])
        for key, term in terms.items()
        if isinstance(term, FixedTerm)
    }
    groups = make_groups(specification, scales)
    common = {one.home: one for one in specification.coordinates if one.prior is not None}
    covariates = [t.covariate for t in design.terms if t.covariate and not t.factors]
    # Plain columns first: the order of the parameters decides which random numbers they get.
    covariates.sort(key=lambda name: "(" in name)
    calls = [centred_call(name, design.rows) for name in covariates]
    text = _formula(frame, ["1" if family.intercept else "0", *calls], groups)

    # formulae writes calls its own way, and Bambi takes priors by that name.
    described = formulae.model_description(text)
    slopes = [term.name for term in described.common_terms if term.name.startswith("centred_")]
    names = [group.name for group in described.group_terms]
    bambi_priors = {
        name: _common_prior(common[name], design, scales) for name in common if name == INTERCEPT
    }
    aliases = {}
    for slope, name in zip(slopes, covariates, strict=True):
        bambi_priors[slope] = _common_prior(common[name], design, scales)
        aliases[slope] = name
    for name, group in zip(names, groups, strict=True):
        sigma, scale = priors.sigmas[group.key], scales.get(sigma_name(terms[group.key]))
        bambi_priors[name] = _group_prior(group, sigma, scale, specification.overparameterized)
        if name != group.name:
            aliases[name] = group.name
    bambi_priors |= _auxiliary_priors(specification)

    model = _call_alone(
        bmb.Model,
        text,
        frame.data,
        family=bambi_family(family, collapsed),
        link=specification.link.bambi or specification.link.name,
        priors=bambi_priors,
        auto_scale=False,
        center_predictors=False,
        extra_namespace=centring(design.rows),
    )
    if aliases:
        model.set_alias(aliases)
    model.build()
    _require_level_order(model, groups)
    return model


def _call(*_: Any, **__: Any) -> Any:
    return _[0](*_[1:], **__)


#: formulae takes names from whoever calls Bambi: here it finds none.
_call_alone = FunctionType(_call.__code__, {})


def _auxiliary_priors(specification: Specification) -> dict[str, Any]:
    """Return the priors of further parameters; thresholds are one ordered vector to Bambi."""
    own, names = specification.priors.auxiliary, specification.family.thresholds
    found = {name: _to_bambi(prior) for name, prior in own.items() if name not in names}
    if names:
        means, sds = np.array([normal_of(own[name]) for name in names]).T
        found[THRESHOLD] = bmb.Prior("Normal", dist=_ordered_normals, mu=means, sigma=sds)
    return found


def _ordered_normals(name: str, mu: np.ndarray, sigma: np.ndarray, dims: str | None = None):
    """Add thresholds to the PyMC model in context; Bambi keeps draws of named dimensions only."""
    if dims is None:
        dims = f"{name}_dim"
        pm.modelcontext(None).add_coord(dims, np.arange(len(mu)))
    ordered = pm.distributions.transforms.ordered
    return pm.Normal(name, mu, sigma, transform=ordered, dims=dims)


def _formula(frame: BambiFrame, common: list[str], groups: list[Group]) -> str:
    offset = [f"offset({frame.offset})"] if frame.offset else []
    parts = [*common, *offset, *(group.text for group in groups)]
    return f"{frame.response} ~ {' + '.join(parts)}"


def _to_bambi(prior: Prior | float):
    if not isinstance(prior, Prior):
        return prior
    given = prior.given
    return given if isinstance(given, bmb.Prior) else bmb.Prior(prior.name, **prior.args)


def _scale(prior: Prior) -> Scale:
    given = _to_bambi(prior)
    return Scale(get_distribution_from_prior(given), given.args)


def _common_prior(own: Coordinates, design: Design, scales: Mapping[str, Scale]) -> bmb.Prior:
    """Return the prior of the intercept or of a common slope."""
    assert own.prior is not None  # for the type checker
    prior = _to_bambi(own.prior)
    if not own.variances:
        return prior
    effect = CommonEffect(variance_of(own, design, scales))
    return bmb.Prior(prior.name, dist=effect, **prior.args)


def _group_prior(
    group: Group, sigma: Prior, scale: Scale | None, overparameterized: bool
) -> bmb.Prior:
    given = _to_bambi(sigma)
    if overparameterized:
        return bmb.Prior("Normal", mu=0, sigma=given)
    if scale is not None:  # of a factor term: other effects may have made it before
        given = bmb.Prior(given.name, dist=scale, **given.args)
    kind = type(group.effects).__name__
    return bmb.Prior(kind, dist=group.effects, sigma=given, noncentered=False)


def _require_level_order(model: bmb.Model, groups: list[Group]) -> None:
    """Make sure that Bambi orders each term's levels as the effects' bases do."""
    for group in groups:
        dims = model.backend.model.named_vars_to_dims[group.name]
        found = tuple(str(label) for label in model.backend.model.coords[dims[-1]])
        if found != group.labels:
            raise RuntimeError(
                f"Bambi orders the levels of {group.name!r} as {found[:5]}..., expected "
                f"{group.labels[:5]}...; this version of Bambi is not supported"
            )
