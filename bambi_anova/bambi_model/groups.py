"""Factor terms, unit terms and varying slopes -> Bambi's group-level terms.

Letters: J units, G groups of units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bambi_anova.bambi_model.effects import (
    Anchor,
    Children,
    JointEffects,
    MarginEffects,
    Scale,
    UnitEffects,
    Variance,
)
from bambi_anova.bambi_model.frame import cell_call, centred_call, is_complete
from bambi_anova.bambi_model.geometry import link_means, term_information, unit_information
from bambi_anova.design.design import Design, FixedTerm, Slope, Unit
from bambi_anova.design.margins import row_levels, slope_values
from bambi_anova.families.base import Family
from bambi_anova.formula.algebra import Term
from bambi_anova.formula.expression import quote
from bambi_anova.names import (
    INTERCEPT,
    correlation_dimensions,
    correlation_name,
    effects_labels,
    effects_name,
    scaled_terms,
    sigma_name,
)
from bambi_anova.specification import Coordinates, Specification

Array = np.ndarray


@dataclass(frozen=True)
class Group:
    """One group-level term.

    Attributes
    ----------
    key : str
        Our name of the term, as in ``Priors.sigmas``.
    name : str
        Name of its effects among those of its predictor, such as ``"1|condition"``; see
        ``LinearPredictor.prefix``.
    text : str
        The term in Bambi's formula.
    labels : tuple of str
        Its levels, in order.
    effects : MarginEffects, UnitEffects or JointEffects
    """

    key: str
    name: str
    text: str
    labels: tuple[str, ...]
    effects: MarginEffects | UnitEffects | JointEffects


def make_groups(specification: Specification, scales: Mapping[str, Scale]) -> list[Group]:
    """Return the group-level terms in the order in which they refer to each other.

    Units refer to the factors, and coarser units to the finer ones.

    Parameters
    ----------
    specification : Specification
    scales : mapping of str to Scale
        The standard deviations of the factor terms, by their variables.
    """
    design = specification.design
    terms = [term for term in design.terms if term.factors]
    units = sorted(design.units, key=lambda unit: -unit.size)
    return [
        *(_factor_group(term, specification, scales) for term in terms),
        *(
            _joint_group(unit, specification, scales) or _unit_group(unit, specification)
            for unit in units
            if not unit.by_cell
        ),
        *(
            _joint_group(slope, specification, scales) or _slope_group(slope, specification)
            for slope in design.slopes
        ),
    ]


def correlated_terms(design: Design) -> set[str]:
    """Return the terms whose effects have correlations with others."""
    return {name for joint in design.joints if joint.correlated for name in joint.members}


def _joint_group(
    term: Unit | Slope, specification: Specification, scales: Mapping[str, Scale]
) -> Group | None:
    """Return the group of effects that vary together with others; nothing if they do not."""
    design, terms = specification.design, scaled_terms(specification.design)
    joint = next(
        (own for own in design.joints if own.correlated and term.name in own.members), None
    )
    if joint is None:
        return None
    sds = [sigma_name(terms[name]) for name in joint.members]
    effects = JointEffects(
        joint.name,
        tuple(effects_name(terms[name]) for name in joint.members),
        {name: scales[name] for name in sds},
        specification.priors.correlations[joint.name].args["eta"],
        joint.unit.size,
        (correlation_name(joint.name), *correlation_dimensions(joint.name)),
        joint.members,
    )
    labels = tuple(effects_labels(term, design))
    unit = term.unit if isinstance(term, Slope) else term
    expr = "1" if isinstance(term, Unit) else _slope_expression(term, design)[0]
    text = f"({expr}|{_unit_grouping(unit, design)})"
    return Group(term.name, effects_name(term), text, labels, effects)


def variance_of(
    own: Coordinates, specification: Specification, scales: Mapping[str, Scale]
) -> Variance:
    """Return what the variance of some coordinates adds up from."""
    terms, prefix = scaled_terms(specification.design), specification.parent.prefix
    return Variance(
        {prefix + sigma_name(terms[key]): k for key, k in own.variances.items()}, scales
    )


def _factor_group(
    term: FixedTerm, specification: Specification, scales: Mapping[str, Scale]
) -> Group:
    design, family = specification.design, specification.family
    margins = {one.margin: one for one in specification.coordinates if one.home == term.name}
    labels = tuple(effects_labels(term, design))
    expr, weight = _expression(term.covariate, design)
    information = term_information(term, design, family, len(labels))
    return Group(
        term.name,
        effects_name(term),
        f"({expr}|{_grouping(term.factors)})",
        labels,
        MarginEffects(
            {name: one.basis for name, one in margins.items()},
            {name: variance_of(one, specification, scales) for name, one in margins.items()},
            weight * information,
        ),
    )


def _unit_group(unit: Unit, specification: Specification) -> Group:
    design, family = specification.design, specification.family
    prefix = specification.parent.prefix
    parent = _parent(unit, design)
    children = tuple(
        Children(prefix + effects_name(child), unit.codes[child.first])
        for child in design.units
        if not child.by_cell and _parent(child, design) is unit
    )
    if parent is not None:
        groups, location = parent.codes[unit.first], np.zeros(parent.size)
        anchors: list[Anchor] = []
    else:
        groups, anchors, location = _anchored(unit, specification)
    effects = UnitEffects(
        groups,
        _mean_in(groups, unit_information(unit, design, family)),
        _estimates(unit, groups, design, family),
        tuple(anchors),
        location,
        children,
    )
    return Group(
        unit.name,
        effects_name(unit),
        f"(1|{_unit_grouping(unit, design)})",
        tuple(effects_labels(unit, design)),
        effects,
    )


def _parent(unit: Unit, design: Design) -> Unit | None:
    """Return the finest of the coarser unit terms: the data see its effect in the unit's."""
    return max(design.coarser(unit), key=lambda other: other.size, default=None)


def _anchored(unit: Unit, specification: Specification) -> tuple[Array, list[Anchor], Array]:
    """Anchor the units on the fixed terms of their stratum, and on the intercept."""
    design, family = specification.design, specification.family
    prefix = specification.parent.prefix
    terms = [t for t in design.terms if not t.covariate and t.strata[0] == unit.name]
    codes, first = design.rows.codes(_factors_of(terms))
    location = link_means(codes, design, family)
    anchors = [_anchor(term, specification, first) for term in terms]
    if unit is _intercept_unit(design) and family.intercept:
        anchors = [Anchor(prefix + INTERCEPT, None), *anchors]
    else:
        location = location - location.mean()
    return codes[unit.first], anchors, location


def _estimates(unit: Unit, groups: Array, design: Design, family: Family) -> Array:
    """Estimate unit effects about the means of their cells, then of their groups."""
    means = link_means(unit.codes, design, family)
    cells = design.rows.codes(unit.constant)[0][unit.first]
    for codes in (cells, groups):
        means = means - _mean_in(codes, means)[codes]
    return means


def _mean_in(groups: Array, values: Array) -> Array:
    """Return the mean of some values in each group, shape (G,)."""
    return np.bincount(groups, values) / np.bincount(groups)


def _slope_group(slope: Slope, specification: Specification) -> Group:
    """Anchor the units' slopes on the common slope and on the factors that change it."""
    design, family = specification.design, specification.family
    prefix = specification.parent.prefix
    unit, name = slope.unit, slope.of
    same = [term for term in design.terms if term.covariate == name]
    terms = [term for term in same if term.factors and set(term.factors) <= set(unit.constant)]
    codes, first = design.rows.codes(_factors_of(terms))
    if slope.cell is not None:  # one more effect in its cell: nothing is anchored on it
        same, terms, codes = [], [], np.zeros_like(codes)
    common = [Anchor(prefix + name, None)] if any(not term.factors for term in same) else []
    anchors = [*common, *(_anchor(term, specification, first) for term in terms)]
    expr, weight = _slope_expression(slope, design)
    groups = codes[unit.first]
    information = weight * _mean_in(groups, unit_information(unit, design, family))
    return Group(
        slope.name,
        effects_name(slope),
        f"({expr}|{_unit_grouping(unit, design)})",
        tuple(effects_labels(slope, design)),
        UnitEffects(groups, information, np.zeros(unit.size), tuple(anchors)),
    )


def _intercept_unit(design: Design) -> Unit | None:
    """The unit term whose mean trades off most with the intercept: the one with fewest units."""
    return min(design.units, key=lambda unit: unit.size, default=None)


def _factors_of(terms: list[FixedTerm]) -> Term:
    return tuple(dict.fromkeys(name for term in terms for name in term.factors))


def _anchor(term: FixedTerm, specification: Specification, rows: Array) -> Anchor:
    """Refer to a term's effects at the levels that it has in some rows."""
    levels = row_levels(term.factors, specification.design)[rows]
    return Anchor(specification.parent.prefix + effects_name(term), levels)


def _expression(covariate: str | None, design: Design) -> tuple[str, float]:
    """Return the left side of the bar, and the variance that it carries."""
    if covariate is None:
        return "1", 1.0
    call = centred_call(covariate, design.rows)
    return f"0 + {call}", design.rows.covariates[covariate].sd ** 2


def _slope_expression(slope: Slope, design: Design) -> tuple[str, float]:
    """Return the left side of a slope's bar, and the variance that it carries."""
    if slope.cell is None:
        return _expression(slope.covariate, design)
    return f"0 + {cell_call(slope, design)}", float(slope_values(slope, design).mean())


def _grouping(variables: Term) -> str:
    return ":".join(quote(name) for name in variables)


def _unit_grouping(unit: Unit, design: Design) -> str:
    return _grouping(unit.variables) if is_complete(unit, design) else quote(unit.name)
