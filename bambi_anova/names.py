"""A term of a design -> its variables, their dimensions and labels in the PyMC model.

Whatever has a standard deviation of its own is a group-level term to Bambi, factors as well as
units: the effects of ``A:B`` are ``1|A:B``, those of ``A:x`` with a covariate x are ``x|A``.
Whoever writes or reads draws under Bambi's names asks here.

Letters: L levels of a term.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np

from bambi_anova.design.design import Design, FixedTerm, Joint, Slope, Unit
from bambi_anova.formula.parse import Term, term_name

INTERCEPT = "Intercept"
#: What readers call parameters of terms and covariates; others have their own names.
SD_OF, SLOPE_OF = "sd of {}", "slope of {}"
CORRELATION_OF = "correlation of {} and {}"
ModelTerm = FixedTerm | Unit | Slope


def scaled_terms(design: Design) -> dict[str, ModelTerm]:
    """Return the terms that have a standard deviation, by their names in ``Priors.sigmas``."""
    terms: list[ModelTerm] = [term for term in design.terms if term.factors]
    terms += [unit for unit in design.units if not unit.by_cell]
    return {term.name: term for term in [*terms, *design.slopes]}


def effects_name(term: ModelTerm) -> str:
    """Return the name of a term's effects; of a covariate without factors, that of its slope.

    Examples
    --------
    >>> effects_name(FixedTerm("A:B", ("A", "B"), None, ("residual",), 24, 2))
    '1|A:B'
    """
    covariate, variables = _parts(term)
    if isinstance(term, Slope):
        covariate = term.of
    return f"{covariate or 1}|{term_name(variables)}" if variables else str(covariate)


def sigma_name(term: ModelTerm) -> str:
    """Return the name of the standard deviation of a term's effects.

    Examples
    --------
    >>> sigma_name(FixedTerm("A:B", ("A", "B"), None, ("residual",), 24, 2))
    '1|A:B_sigma'
    """
    return f"{effects_name(term)}_sigma"


def correlation_name(joint: str) -> str:
    """Return the name of the correlation matrix of effects that vary together.

    Examples
    --------
    >>> correlation_name("dose|participant")
    'dose|participant_correlation'
    """
    return f"{joint}_correlation"


def correlation_dimensions(joint: str) -> tuple[str, str]:
    """Return the names of its dimensions."""
    return f"{joint}__effect_dim", f"{joint}__other_effect_dim"


def correlated_pairs(design: Design) -> dict[str, tuple[Joint, int, int]]:
    """Return where correlations stand in their matrices, by what readers call them."""
    return {
        CORRELATION_OF.format(joint.members[i], joint.members[j]): (joint, i, j)
        for joint in design.joints
        if joint.correlated
        for i, j in combinations(range(len(joint.members)), 2)
    }


def parameter_names(design: Design) -> dict[str, str]:
    """Return what readers call the parameters of a design, by Bambi's names.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> model = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> parameter_names(model.design)["1|block:variety_sigma"]
    'sd of block:variety'
    """
    names = {sigma_name(term): SD_OF.format(n) for n, term in scaled_terms(design).items()}
    alone = [str(term.covariate) for term in design.terms if not term.factors]
    return names | {name: SLOPE_OF.format(name) for name in alone}


def effects_dimension(term: ModelTerm) -> str:
    """Return the name of the dimension of a term's effects.

    Examples
    --------
    >>> effects_dimension(FixedTerm("A:B", ("A", "B"), None, ("residual",), 24, 2))
    'A:B__factor_dim'
    """
    return f"{effects_name(term).removeprefix('1|')}__factor_dim"


def effects_labels(term: ModelTerm, design: Design) -> list[str]:
    """Return the labels of a term's L effects: combinations of levels, or units."""
    parts = [design.rows.coded[name] for name in _parts(term)[1]]
    if isinstance(term, FixedTerm):
        return [":".join(levels) for levels in product(*(part.labels for part in parts))]
    first = term.first if isinstance(term, Unit) else term.unit.first
    columns = [np.array(part.labels, dtype=object)[part.codes[first]] for part in parts]
    return [":".join(labels) for labels in zip(*columns, strict=True)]


def _parts(term: ModelTerm) -> tuple[str | None, Term]:
    """Return the covariate of a term, and the variables whose combinations have effects."""
    match term:
        case Unit():
            return None, term.variables
        case Slope():
            return term.covariate, term.unit.variables
        case _:
            return term.covariate, term.factors
