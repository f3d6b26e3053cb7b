"""A model before anything runs: formula + data -> one frozen object that all else is made from.

The Bambi model, the quick fits, NUTS, predictions and tables read the same ``Specification``, so
that none of them can hold another model.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bambi_anova.data.frames import Tally, open_frame
from bambi_anova.data.rows import Rows, read_rows
from bambi_anova.design.build import build_design
from bambi_anova.design.design import Design
from bambi_anova.design.margins import (
    DEFLECTIONS,
    LEVELS,
    PRIORS_ON,
    design_margins,
    row_levels,
    term_shape,
)
from bambi_anova.design.priors import make_priors
from bambi_anova.design.sufficient import collapse_rows
from bambi_anova.errors import ArgumentError, DataError, FormulaError, UnsupportedError
from bambi_anova.families.base import Family
from bambi_anova.families.distributional import (
    mean_depends_on,
    predictor_family,
    with_predictors,
)
from bambi_anova.families.links import Link
from bambi_anova.families.registry import get_family
from bambi_anova.families.response import POSITIVE, REAL, UNIT
from bambi_anova.families.sufficient import Collapsed
from bambi_anova.families.transformations import TRANSFORMATIONS, Transformation
from bambi_anova.formula.parse import PARENT, Formula, term_name
from bambi_anova.formula.quoting import parse_for
from bambi_anova.formula.transformed import Transformed, transformed
from bambi_anova.names import INTERCEPT, parameter_names
from bambi_anova.priors.assign import Priors
from bambi_anova.priors.distributions import Prior, is_normal
from bambi_anova.tables.sections import columns, sections

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

#: Offsets from here on, as logs, are of no exposure.
MOST_OFFSET = 300.0
IDENTIFIED, OVERPARAMETERIZED = PARAMETERIZATIONS = ("identified", "overparameterized")


@dataclass(frozen=True)
class LinearPredictor:
    """One linear predictor of the rows' likelihood.

    Attributes
    ----------
    name : str
        The parameter of the likelihood that it gives through the link, such as "mu".
    link : Link
    design : Design
        Its terms, units and slopes.
    further : bool
        Whether it is another one than the parent, so that Bambi puts its name before those of its
        variables.
    """

    name: str
    link: Link
    design: Design
    further: bool = False

    @property
    def prefix(self) -> str:
        """What stands before the names of its variables in the Bambi model."""
        return f"{self.name}_" if self.further else ""

    def key(self, name: str) -> str:
        """Return the name of one of its terms, or scales, among those of all predictors."""
        return f"{self.name}/{name}" if self.further else name


@dataclass(frozen=True)
class Options:
    """What the user chose beside formula, data, family and priors.

    Attributes
    ----------
    collapse : bool
        Whether rows that share every predictor are merged.
    parameterization : {"identified", "overparameterized"}
        The coordinates of the Bambi model; see ``Model``.
    priors_on : {"levels", "deflections"}
        What the prior of a term's effects is about; see ``Model`` and ``design.margins``.
    namespace : mapping of str to object
        The user's names that the formula may use.

    Raises
    ------
    ArgumentError
        If there is no such choice, or free effects of every level are to have the priors of
        deflections.
    """

    collapse: bool = True
    parameterization: str = IDENTIFIED
    priors_on: str = LEVELS
    namespace: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        for name, known in (("parameterization", PARAMETERIZATIONS), ("priors_on", PRIORS_ON)):
            value = getattr(self, name)
            if value not in known:
                raise ArgumentError(f"{name}={value!r}: expected one of {known}")
        if (self.parameterization, self.priors_on) == (OVERPARAMETERIZED, DEFLECTIONS):
            raise ArgumentError(
                f"priors_on={DEFLECTIONS!r}: the over-parameterized form has a free effect for "
                f"every level, and its priors are on these; use parameterization={IDENTIFIED!r}"
            )


@dataclass(frozen=True)
class Coordinates:
    """Fixed coordinates that have one prior: iid normal given the standard deviations.

    Attributes
    ----------
    home : str
        Whose effects they are reported under: "Intercept", a covariate or a factor term.
    margin : str
        The factors that their effects tell apart, joined by colons.
    basis : ndarray, shape (L, K)
        From the K coordinates to the effects of the home's levels; orthonormal.
    variances : mapping of str to float
        What their variance adds up from: by factor term, the factor of its sigma^2.
    prior : Prior or None
        Of the intercept or of a common slope: its mean, and its variance beside the others.
    """

    home: str
    margin: str
    basis: np.ndarray
    variances: Mapping[str, float]
    prior: Prior | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Specification:
    """A model of a design.

    Attributes
    ----------
    family : Family
    predictors : mapping of str to LinearPredictor
        By the likelihood's parameter that each gives; the first is the parent, whose cell means
        the tables are about.
    priors : Priors
    options : Options
    """

    family: Family
    predictors: Mapping[str, LinearPredictor]
    priors: Priors
    options: Options = Options()

    @property
    def parent(self) -> LinearPredictor:
        """The predictor that the tables are about."""
        return next(iter(self.predictors.values()))

    @property
    def design(self) -> Design:
        """The parent's design."""
        return self.parent.design

    @property
    def link(self) -> Link:
        """The parent's link."""
        return self.parent.link

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of all predictors, the parent's first."""
        return tuple(one.link for one in self.predictors.values())

    @property
    def formula(self) -> Formula:
        """The formula, as it was read."""
        return self.design.formula

    @cached_property
    def parts(self) -> tuple[Specification, ...]:
        """Each predictor as the parent of a specification of its own, the parent's first."""
        if len(self.predictors) == 1:
            return (self,)
        first, *others = self.predictors.values()
        own = [Specification(self.family, {first.name: first}, self.priors, self.options)]
        for one in others:
            family = predictor_family(self.family, one.name)
            priors = self.priors.predictors[one.name]
            own.append(Specification(family, {one.name: one}, priors, self.options))
        return tuple(own)

    @property
    def further(self) -> tuple[Specification, ...]:
        """The predictors behind the parent's, each as the parent of a specification."""
        return self.parts[1:]

    def part(self, name: str) -> Specification:
        """Return a predictor as the parent of a specification, by the name of its parameter."""
        return self.parts[list(self.predictors).index(name)]

    @cached_property
    def transformed(self) -> Transformed:
        """What was done to the response."""
        return transformed(self.formula.response.outcome, self.design.rows.namespace)

    @property
    def transformation(self) -> Transformation | None:
        """The response's transformation, if the response scale undoes it."""
        known = TRANSFORMATIONS.get(self.transformed.function)
        return known if self.family.symmetric and self.link.name == "identity" else None

    @property
    def overparameterized(self) -> bool:
        """Whether every level has a free effect, as Kruschke writes the model."""
        return self.options.parameterization == OVERPARAMETERIZED

    def with_design(self, design: Design) -> Specification:
        """Return the same model with another design of its parent."""
        return self.with_designs({self.parent.name: design})

    def with_designs(self, designs: Mapping[str, Design]) -> Specification:
        """Return the same model with other designs of some of its predictors."""
        predictors = {
            name: replace(one, design=designs.get(name, one.design))
            for name, one in self.predictors.items()
        }
        return Specification(self.family, predictors, self.priors, self.options)

    def with_family(self, family: Family) -> Specification:
        """Return the same model with another family of the same parameters."""
        return Specification(family, self.predictors, self.priors, self.options)

    @cached_property
    def coordinates(self) -> tuple[Coordinates, ...]:
        """The coordinates of the intercept, the slopes and the factor terms, term by term."""
        design, found = self.design, []
        covariates = dict.fromkeys(term.covariate for term in design.terms)
        for covariate in (None, *(name for name in covariates if name is not None)):
            found += self._coordinates_of(covariate)
        order = [INTERCEPT, *(term.name for term in design.terms)]
        return tuple(sorted(found, key=lambda one: order.index(one.home)))

    def _coordinates_of(self, covariate: str | None) -> list[Coordinates]:
        """Return those of the means, or of a covariate's slopes."""
        common = covariate or INTERCEPT
        prior = self.priors.intercept if covariate is None else self.priors.covariates.get(common)
        alone = [Coordinates(common, "", np.ones((1, 1)), {}, prior)] if prior else []
        own = [t for t in self.design.terms if t.covariate == covariate and t.factors]
        if self.overparameterized:
            return alone + [
                Coordinates(t.name, term_name(t.factors), np.eye(levels), {t.name: 1.0})
                for t in own
                for levels in [int(np.prod(term_shape(t.factors, self.design)))]
            ]
        # Variances add up only if the common part is normal as well.
        normal = prior is None or is_normal(prior)
        margins = design_margins(self.design, covariate, self.options.priors_on, normal)
        if covariate is None and not self.family.intercept:
            # Thresholds take the grand mean's part, with what effects share of it.
            margins = [margin for margin in margins if margin.factors]
        return (alone if prior is not None and not normal else []) + [
            Coordinates(
                common if m.home is None else m.home,
                m.name,
                m.basis,
                m.variances,
                prior if m.home is None else None,
            )
            for m in margins
        ]

    @cached_property
    def collapsed(self) -> Collapsed:
        """The sufficient rows."""
        design, *further = (one.design for one in self.predictors.values())
        return collapse_rows(design, self.family, self.options.collapse, further)


def variable_names(model: Specification) -> dict[str, str]:
    """Return what readers call the parameters of a model, by Bambi's names.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = specify("yield ~ variety + Error(block); sigma ~ variety", oats)
    >>> variable_names(model)["sigma_1|variety_sigma"]
    'sigma: sd of variety'
    """
    found = dict(parameter_names(model.design))
    for part in model.further:
        prefix, name = part.parent.prefix, part.parent.name
        own = {INTERCEPT: INTERCEPT, **parameter_names(part.design)}
        found |= {prefix + variable: f"{name}: {label}" for variable, label in own.items()}
    return found


def same_model(one: Specification, other: Specification) -> str | None:
    """Tell in what two models differ, in words; nothing if they are the same.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> one = specify("yield ~ variety + Error(block)", oats)
    >>> same_model(one, specify("yield ~ variety + Error(block)", oats, "t"))
    "family 'gaussian' and 't'"
    """
    for what, own, theirs in (
        ("formula", one.formula.text, other.formula.text),
        ("family", one.family.name, other.family.name),
        ("link", one.link.name, other.link.name),
        ("levels", one.design.levels, other.design.levels),
        ("units", _sizes(one), _sizes(other)),
    ):
        if own != theirs:
            return f"{what} {own!r} and {theirs!r}"
    return None


def _sizes(model: Specification) -> dict[str, int]:
    return {unit.name: unit.size for unit in model.design.units}


def describe(model: Specification) -> str:
    """Return the printout of a model: design, family and priors."""
    rows, kept = model.design.rows.size, len(model.collapsed.first)
    merged = f" -> {kept} sufficient rows" if kept < rows else ""
    left_out = model.design.rows.left_out
    missing = f" ({left_out} with missing values left out)" if left_out else ""
    family = f"{model.family.name}, {model.link.name} link; {rows} rows{missing}{merged}"
    head = sections(
        ("Formula", [model.formula.text]),
        ("Family", [f"{family}; {model.options.parameterization}"]),
    )
    return f"{head}\n{model.design}\n{sections(('Priors', columns(model.priors.rows())))}"


def specify(
    formula: str,
    data: IntoFrame | Tally | str | os.PathLike,
    family: str = "gaussian",
    priors: Mapping[str, Any] | None = None,
    link: str | dict | None = None,
    categorical: str | Sequence[str] | None = None,
    dropna: bool = False,
    options: Options | None = None,
    left_out: int = 0,
) -> Specification:
    """Read a formula, its data and the user's choices; ``Model`` says what they may be.

    ``left_out`` counts rows with missing values that are no longer among the data.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> specify("yield ~ variety + Error(block/variety)", oats).design.unit("block").size
    6
    """
    options = options or Options()
    source = open_frame(data)
    parsed, known = parse_for(formula, source.columns), get_family(family)
    chosen = known.link(_of_parent(link, parsed))
    names = [name for name in parsed.predictors if name != PARENT]
    _require_no_offsets(parsed, names)
    rows = read_rows(
        parsed, source, known, categorical or (), dropna, options.namespace, options.collapse
    )
    rows = replace(rows, left_out=rows.left_out + left_out)
    known = known.suited_to(rows.response, chosen)
    _require_one_formula(known, parsed, names)
    names = [*names, *known.always]
    _require_parameterization(known, options)
    _require_offset_on_link(rows, chosen)
    design = build_design(parsed.only(PARENT), rows, known)
    if not names:
        return of_design(design, known, chosen, make_priors(design, known, priors), options)
    whole = with_predictors(known, names)
    first = LinearPredictor(known.parent.name, chosen, replace(design, formula=parsed))
    found = {first.name: first}
    for one in whole.predicted[1:]:
        terms = PARENT if one.name in known.always else one.name
        own = build_design(parsed.only(terms), rows, predictor_family(whole, one.name))
        found[one.name] = LinearPredictor(one.name, one.links[0], own, further=True)
    _require_other_names(rows, list(found))
    given = make_priors(design, known, priors, {name: found[name].design for name in names})
    made = Specification(whole, found, given, options)
    _require_means(made)
    _require_scatter(made)
    return made


def _require_other_names(rows: Rows, names: Sequence[str]) -> None:
    """Refuse covariates that share their name with a parameter or a further one's variable."""
    taken = {f"{name}_{own}": own for name in names[1:] for own in (INTERCEPT, *rows.covariates)}
    for column in rows.covariates:
        if column in names:
            raise DataError(f"column {column!r}: this name is a parameter's; rename the column")
        if column in taken:
            raise DataError(
                f"column {column!r}: the draws call the {taken[column]!r} of a further parameter "
                "so; rename the column"
            )


def _require_scatter(model: Specification) -> None:
    """Refuse a spread of its own for rows that do not differ: nothing bounds it from below."""
    if model.family.response not in (REAL, POSITIVE, UNIT):
        return
    values, cells = model.design.rows.response.values, model.design.cell_codes
    _, first, codes = np.unique(cells, return_index=True, return_inverse=True)
    alike = values == values[first][codes]
    for part in model.further:
        for term in part.design.factor_terms:
            group = row_levels(term.factors, part.design)
            rows = np.bincount(group)
            constant = np.bincount(group, ~alike, minlength=len(rows)) == 0
            held = np.bincount(group[first], minlength=len(rows))
            bad = np.flatnonzero(constant & (rows > held))
            if len(bad):
                at = int(np.flatnonzero(group == bad[0])[0])
                own = model.design.rows.labels(term.factors, np.array([at])).iloc[0]
                raise DataError(
                    f"{part.parent.name} ~ {term.name}: the response does not vary in the "
                    f"{rows[bad[0]]} rows of {':'.join(map(str, own))}, so that nothing says how "
                    f"small their spread may be; leave out {term.name!r} there, or these rows"
                )


def _require_means(model: Specification) -> None:
    """Refuse units that differ in a parameter that means depend on.

    Their average over new units is not taken; of lognormal rows it would be infinite.
    """
    for part in model.further:
        name, design = part.parent.name, part.design
        if name in (model.family.plain or model.family).always:
            continue  # averages over units are those of all predictors together
        random = [unit.name for unit in design.units] + [slope.name for slope in design.slopes]
        bent = model.transformation is not None and name == model.family.residual
        if random and (bent or mean_depends_on(model.family, name)):
            raise UnsupportedError(
                f"{name} ~ ... ({random[0]}): the mean of {model.design.rows.response.name} "
                f"depends on {name} and is not averaged over units that differ in it; leave units "
                f"out of the formula of {name}"
            )


def _of_parent(link: str | dict | None, formula: Formula) -> str | dict | None:
    """Return the link of the mean alone; those of further parameters have one choice."""
    if not isinstance(link, dict) or len(link) < 2:
        return link
    return {name: own for name, own in link.items() if name not in formula.predictors} or {
        PARENT: link[PARENT]
    }


def _require_no_offsets(formula: Formula, names: Sequence[str]) -> None:
    for name in names:
        if formula.predictors[name].offsets:
            raise FormulaError(
                f"{formula.text!r}: offset() stands in the formula of the mean alone; leave it out "
                f"of that of {name!r}"
            )


def _require_offset_on_link(rows: Rows, link: Link) -> None:
    """Refuse offsets whose rate or odds are beyond any number: exposures without their log."""
    most = 0.0 if rows.offset is None else float(np.abs(rows.offset).max(initial=0.0))
    if link.name != "identity" and most > MOST_OFFSET:
        raise DataError(
            f"offset(): expected values on the {link.name} scale, found up to {most:.3g}; "
            "exposures stand in it by their logs, as in offset(log(hours))"
        )


def _require_one_formula(family: Family, formula: Formula, names: Sequence[str]) -> None:
    """Refuse what belongs to one predictor alone where all have the same terms."""
    if family.always and formula.predictors[PARENT].offsets:
        raise FormulaError(
            f"{formula.text!r}: offset() would be one of all log odds of family={family.name!r}; "
            "leave it out"
        )
    if family.always and names:
        raise FormulaError(
            f"{names[0]} ~ ...: the log odds of all categories of family={family.name!r} have the "
            "terms of the response's formula; leave this one out"
        )


def _require_parameterization(family: Family, options: Options) -> None:
    if options.parameterization == OVERPARAMETERIZED and not family.intercept:
        raise ArgumentError(
            f"parameterization={OVERPARAMETERIZED!r}: the thresholds of family={family.name!r} "
            f"lie about a mean of all cells of zero, which a free effect of every level has not; "
            f"use parameterization={IDENTIFIED!r}"
        )


def of_design(
    design: Design, family: Family, link: Link, priors: Priors, options: Options | None = None
) -> Specification:
    """Return the specification of a design that has been read before."""
    parent = LinearPredictor(family.parent.name, link, design)
    return Specification(family, {parent.name: parent}, priors, options or Options())
