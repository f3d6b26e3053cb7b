"""Specification -> a built ``bambi.Model``.

Every factor term and every unit term becomes a group-level term ``(1|A:B)``; covariates become
common terms, centred at their mean over the rows of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import bambi as bmb
import formulae
import numpy as np
import pymc as pm

from bambi_anova.bambi_model.effects import CommonEffect, JointEffects, Scale
from bambi_anova.bambi_model.frame import (
    BambiFrame,
    cell_functions,
    centred_call,
    centring,
    make_frame,
)
from bambi_anova.bambi_model.groups import Group, correlated_terms, make_groups, variance_of
from bambi_anova.bambi_model.weights import bambi_family, refuse_new_rows
from bambi_anova.design.design import FixedTerm
from bambi_anova.families.bambi_api import distribution_of_prior, is_rewritten
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
    family, collapsed = specification.family, specification.collapsed
    further = [part.design for part in specification.further]
    frame = make_frame(specification.design, collapsed, family, further)
    parts = [_read_part(part, frame) for part in specification.parts]
    first, *others = parts
    priors = first.priors | _auxiliary_priors(specification)
    priors |= {one.specification.parent.name: one.priors for one in others}
    links = {one.name: one.link.bambi or one.link.name for one in specification.predictors.values()}
    model = _call_alone(
        bmb.Model,
        bmb.Formula(first.text, *(one.text for one in others)) if others else first.text,
        frame.data,
        family=bambi_family(family, collapsed),
        link=links if others else next(iter(links.values())),
        priors=priors,
        auto_scale=False,
        center_predictors=False,
        extra_namespace=centring(specification.design.rows) | cell_functions(specification.design),
    )
    aliases: dict[str, Any] = first.aliases
    if others:
        aliases = {one.specification.parent.name: one.aliases for one in parts if one.aliases}
    if aliases:
        model.set_alias(aliases)
    model.build()
    if is_rewritten() and collapsed.merged:
        refuse_new_rows(model)
    for one in parts:
        _require_level_order(model, one.groups, one.specification.parent.prefix)
    return model


@dataclass(frozen=True)
class _Part:
    """What Bambi is told of one predictor.

    Attributes
    ----------
    specification : Specification
    groups : list of Group
    text : str
        Its formula.
    priors : dict
    aliases : dict
        From what formulae makes of names to ours.
    """

    specification: Specification
    groups: list[Group]
    text: str
    priors: dict[str, Any]
    aliases: dict[str, str]


def _read_part(part: Specification, frame: BambiFrame) -> _Part:
    design, predictor = part.design, part.parent
    terms, correlated = scaled_terms(design), correlated_terms(design)
    scales = {
        predictor.prefix + sigma_name(term): _scale(part.priors.sigmas[key])
        for key, term in terms.items()
        if isinstance(term, FixedTerm) or key in correlated
    }
    groups = make_groups(part, scales)
    common = {one.home: one for one in part.coordinates if one.prior is not None}
    covariates = [t.covariate for t in design.terms if t.covariate and not t.factors]
    # Plain columns first: the order of the parameters decides which random numbers they get.
    covariates.sort(key=lambda name: "(" in name)
    calls = [centred_call(name, design.rows) for name in covariates]
    one = ["1" if part.family.intercept else "0", *calls]
    text = (
        _further(predictor.name, one, groups) if predictor.further else _formula(frame, one, groups)
    )

    # formulae writes calls its own way, and Bambi takes priors by that name.
    described = formulae.model_description(text)
    slopes = [term.name for term in described.common_terms if term.name.startswith("centred_")]
    names = [group.name for group in described.group_terms]
    priors = {
        name: _common_prior(common[name], part, scales) for name in common if name == INTERCEPT
    }
    aliases = {}
    for slope, name in zip(slopes, covariates, strict=True):
        priors[slope] = _common_prior(common[name], part, scales)
        aliases[slope] = predictor.prefix + name
    for name, group in zip(names, groups, strict=True):
        sigma = part.priors.sigmas[group.key]
        scale = scales.get(predictor.prefix + sigma_name(terms[group.key]))
        priors[name] = _group_prior(group, sigma, scale, part.overparameterized)
        if name != group.name:
            aliases[name] = predictor.prefix + group.name
    return _Part(part, groups, text, priors, aliases)


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
        dist = _ordered_normals if specification.family.in_order else _normals
        found[THRESHOLD] = bmb.Prior("Normal", dist=dist, mu=means, sigma=sds)
    return found


def _ordered_normals(name: str, mu: np.ndarray, sigma: np.ndarray, dims: str | None = None):
    """Add thresholds in order to the PyMC model in context."""
    ordered = pm.distributions.transforms.ordered
    return _normals(name, mu, sigma, dims, transform=ordered)


def _normals(name: str, mu: np.ndarray, sigma: np.ndarray, dims: str | None = None, **options: Any):
    """Add thresholds to the PyMC model in context; Bambi keeps draws of named dimensions only."""
    if dims is None:
        dims = f"{name}_dim"
        pm.modelcontext(None).add_coord(dims, np.arange(len(mu)))
    return pm.Normal(name, mu, sigma, dims=dims, **options)


def _formula(frame: BambiFrame, common: list[str], groups: list[Group]) -> str:
    offset = [f"offset({frame.offset})"] if frame.offset else []
    parts = [*common, *offset, *(group.text for group in groups)]
    return f"{frame.response} ~ {' + '.join(parts)}"


def _further(name: str, common: list[str], groups: list[Group]) -> str:
    return f"{name} ~ {' + '.join([*common, *(group.text for group in groups)])}"


def _to_bambi(prior: Prior | float):
    if not isinstance(prior, Prior):
        return prior
    given = prior.given
    return given if isinstance(given, bmb.Prior) else bmb.Prior(prior.name, **prior.args)


def _scale(prior: Prior) -> Scale:
    given = _to_bambi(prior)
    return Scale(distribution_of_prior(given), given.args)


def _common_prior(own: Coordinates, part: Specification, scales: Mapping[str, Scale]) -> bmb.Prior:
    """Return the prior of the intercept or of a common slope."""
    assert own.prior is not None  # for the type checker
    prior = _to_bambi(own.prior)
    if not own.variances:
        return prior
    effect = CommonEffect(variance_of(own, part, scales))
    return bmb.Prior(prior.name, dist=effect, **prior.args)


def _group_prior(
    group: Group, sigma: Prior, scale: Scale | None, overparameterized: bool
) -> bmb.Prior:
    given = _to_bambi(sigma)
    if overparameterized and not isinstance(group.effects, JointEffects):
        return bmb.Prior("Normal", mu=0, sigma=given)
    if scale is not None:  # other effects may have made it before
        given = bmb.Prior(given.name, dist=scale, **given.args)
    kind = type(group.effects).__name__
    return bmb.Prior(kind, dist=group.effects, sigma=given, noncentered=False)


def _require_level_order(model: bmb.Model, groups: list[Group], prefix: str) -> None:
    """Make sure that Bambi orders each term's levels as the effects' bases do."""
    for group in groups:
        dims = model.backend.model.named_vars_to_dims[prefix + group.name]
        levels = [map(str, model.backend.model.coords[dim]) for dim in dims]
        found = tuple(map(":".join, product(*levels)))
        if found != group.labels:
            raise RuntimeError(
                f"Bambi orders the levels of {group.name!r} as {found[:5]}..., expected "
                f"{group.labels[:5]}...; this version of Bambi is not supported"
            )
