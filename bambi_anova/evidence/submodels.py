"""The sub-models of a model: which fixed terms they keep, and the rest that they all share.

All models of a comparison are of one family on the same rows, and share the grid of cells, every
unit term and varying slope, and the prior of whatever they have in common, as it is in the full
model: priors that are made of the data (Kruschke's for counts depend on the number of cells) are
made once.  Unit terms never go with a fixed term: without a unit's own effect of A the evidence
for A is that of rows, not of units (van Doorn et al. 2023, doi:10.1007/s42113-021-00113-2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from bambi_anova.design.design import Design, FixedTerm
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.priors.assign import Priors
from bambi_anova.specification import Specification

#: Fits beyond which a comparison is refused.
MOST_MODELS = 600
NULL = "null"
HIERARCHICAL = "hierarchical"


@dataclass(frozen=True)
class SubModel:
    """Some of the fixed terms of a model.

    Attributes
    ----------
    terms : tuple of FixedTerm
        In the order of the formula.
    """

    terms: tuple[FixedTerm, ...]

    @property
    def name(self) -> str:
        """Its terms, joined by plus signs; "null" if there are none."""
        return " + ".join(self.names) or NULL

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its terms."""
        return tuple(term.name for term in self.terms)


def variables_of(term: FixedTerm) -> frozenset[str]:
    """Return the factors of a term, and its covariate."""
    return frozenset((*term.factors, *((term.covariate,) if term.covariate else ())))


def above(term: FixedTerm, design: Design) -> tuple[FixedTerm, ...]:
    """Return the interactions that a term is a part of."""
    own = variables_of(term)
    return tuple(other for other in design.terms if own < variables_of(other))


def below(term: FixedTerm, design: Design) -> tuple[FixedTerm, ...]:
    """Return the terms of the design that are parts of a term."""
    own = variables_of(term)
    return tuple(other for other in design.terms if variables_of(other) < own)


def _every(design: Design, free: Sequence[FixedTerm]) -> list[frozenset[str]]:
    """Return all sets of the free terms."""
    if 2 ** len(free) > MOST_MODELS:
        return []
    names = [term.name for term in free]
    return [frozenset(c) for size in range(len(names) + 1) for c in combinations(names, size)]


def _hierarchical(design: Design, free: Sequence[FixedTerm]) -> list[frozenset[str]]:
    """Return the sets in which no term is without its parts, as far as the formula has them."""
    names = {term.name for term in free}
    found: set[frozenset[str]] = {frozenset()}
    # From small terms to large: a term can join the sets that hold all of its parts.
    for term in sorted(free, key=lambda one: len(variables_of(one))):
        needed = {one.name for one in below(term, design)} & names
        found |= {own | {term.name} for own in found if needed <= own}
        if len(found) > MOST_MODELS:
            return []
    return sorted(found, key=lambda own: (len(own), sorted(own)))


def _top(design: Design, free: Sequence[FixedTerm]) -> list[frozenset[str]]:
    """Return the full set, and the full set less one term at a time."""
    names = frozenset(term.name for term in free)
    return [*(names - {term.name} for term in free), names]


#: Which sub-models to compare.
KINDS: dict[str, Callable[[Design, Sequence[FixedTerm]], list[frozenset[str]]]] = {
    HIERARCHICAL: _hierarchical,
    "top": _top,
    "all": _every,
}


def submodels(design: Design, kind: str, keep: Sequence[str] = ()) -> list[SubModel]:
    """Return the sub-models of a design, small ones first.

    Parameters
    ----------
    design : Design
    kind : {"hierarchical", "top", "all"}
    keep : sequence of str
        Terms that all of them have.

    Raises
    ------
    ArgumentError
        If a term to keep is none of the design's, nothing is left to compare, or there are too
        many models.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * C(nitrogen) + Error(block/variety)", oats)
    >>> len(submodels(model.design, "hierarchical")), len(submodels(model.design, "all"))
    (5, 8)
    """
    known = [term.name for term in design.terms]
    kept = {_known(name, design, known) for name in ([keep] if isinstance(keep, str) else keep)}
    if kind == HIERARCHICAL:
        kept |= {t.name for name in set(kept) for t in below(find_term(name, design), design)}
    free = [term for term in design.terms if term.name not in kept]
    if not free:
        raise ArgumentError("model: there is no fixed term to compare models by")
    chosen = KINDS[kind](design, free)
    if not chosen:
        raise ArgumentError(
            f"models={kind!r}: more than {MOST_MODELS} models; name terms that all of them have by "
            "keep=[...], or use models='top'"
        )
    sets = [own | kept for own in chosen]
    return [SubModel(tuple(t for t in design.terms if t.name in own)) for own in sets]


def _known(name: object, design: Design, known: Sequence[str]) -> str:
    """Return a term's name as the design writes it, whatever the order of its factors."""
    if name in known:
        return str(name)
    wanted = frozenset(str(name).split(":"))
    for term in design.terms:
        if variables_of(term) == wanted:
            return term.name
    raise ArgumentError(f"{name!r} is not a fixed term of this model{nearest(str(name), known)}")


def find_term(name: object, design: Design) -> FixedTerm:
    """Return a fixed term by its name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    own = _known(name, design, [term.name for term in design.terms])
    return next(term for term in design.terms if term.name == own)


def sub_specification(full: Specification, model: SubModel) -> Specification:
    """Return the specification of a sub-model: the same rows, cells, units and priors.

    Formulas of further parameters stay as they are.
    """
    design, names = full.design, model.names
    formula = design.formula
    mean = formula.parent
    variables = {variables_of(term) for term in model.terms}
    kept = tuple(term for term in mean.terms if frozenset(term) in variables)
    parent = next(iter(formula.predictors))
    predictors = {**formula.predictors, parent: replace(mean, terms=kept)}
    random = formula.text[formula.end_of_terms :]
    offsets = [f"offset({one.text})" for one in mean.offsets if "offset(" not in random]
    right = " + ".join([*names, *offsets]) or "1"
    text = f"{formula.response.text} ~ {right}{random}"
    own = replace(
        design, terms=model.terms, formula=replace(formula, text=text, predictors=predictors)
    )
    units = {unit.name for unit in design.units} | {slope.name for slope in design.slopes}
    priors = Priors(
        full.priors.intercept,
        {name: prior for name, prior in full.priors.covariates.items() if name in names},
        {
            name: prior
            for name, prior in full.priors.sigmas.items()
            if name in names or name in units
        },
        full.priors.auxiliary,
        full.priors.predictors,
        full.priors.correlations,
    )
    return replace(full.with_design(own), priors=priors)
