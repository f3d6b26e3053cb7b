"""What a careful colleague would say about a design before it is fitted.

Each check returns warnings; none of them stops the analysis.  Letters: N rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from bambi_anova.design.build import one_draw
from bambi_anova.design.design import RESIDUAL, Design, Unit
from bambi_anova.design.margins import held_margins
from bambi_anova.design.membership import nested_units
from bambi_anova.errors import (
    AnovaWarning,
    CovariateWarning,
    DroppedUnitWarning,
    IncompleteUnitsWarning,
    MissingUnitTermWarning,
    PseudoreplicationWarning,
    ReplicationWarning,
    SimilarLevelsWarning,
    SuccessLevelWarning,
    UnsupportedCellWarning,
    listing,
)
from bambi_anova.families.base import Family
from bambi_anova.formula.algebra import Term
from bambi_anova.formula.expression import quote
from bambi_anova.formula.parse import term_name

#: A covariate with so few distinct values is probably a factor.
FEW_VALUES = 5


def check_design(design: Design, family: Family) -> list[AnovaWarning]:
    """Return every warning that a design deserves."""
    return [
        *_guessed_success(design),
        *_similar_levels(design),
        *_few_valued_covariates(design),
        *_dropped_units(design),
        *_missing_unit_of_term(design),
        *_forgotten_unit(design),
        *_missing_unit_by_factor(design, family),
        *_too_few_units(design),
        *_empty_cells(design),
        *_incomplete_units(design),
    ]


def _guessed_success(design: Design) -> Iterator[AnovaWarning]:
    response = design.rows.response
    if response.guessed:
        name = design.formula.response.outcome
        yield SuccessLevelWarning(
            f"response {response.name!r} is text: {response.success!r} was taken as success. "
            f"Write {name}['{response.success}'] or the other level to say so yourself"
        )


def _similar_levels(design: Design) -> Iterator[AnovaWarning]:
    """Levels that may be one, but for how they were typed."""
    for name, coded in design.rows.coded.items():
        typed: dict[str, list[str]] = {}
        for label in coded.labels:
            typed.setdefault(" ".join(label.split()).casefold(), []).append(label)
        alike = [" and ".join(map(repr, same)) for same in typed.values() if len(same) > 1]
        if alike:
            yield SimilarLevelsWarning(
                f"column {name!r}: levels that differ by blanks or capitals alone are taken for "
                f"different ones: {listing(alike)}. If they are the same, correct the data, such "
                f"as by data[{name!r}].str.strip() or .str.lower()"
            )


def _few_valued_covariates(design: Design) -> Iterator[AnovaWarning]:
    for name, covariate in design.rows.covariates.items():
        values = np.unique(covariate.values)
        if len(values) <= FEW_VALUES:
            yield CovariateWarning(
                f"{name!r} is numeric and enters as a covariate (a straight line), with only "
                f"{len(values)} distinct values: {listing(f'{v:g}' for v in values)}. "
                f"If it is a factor, write {_as_factors(design, name)}"
            )


def _as_factors(design: Design, name: str) -> str:
    """Write a covariate's column, or the columns of its expression, as factors."""
    read = design.rows.covariates[name].columns
    return " + ".join(f"C({quote(column)})" for column in read)


def _written(design: Design, variables: Iterable[str], joined: str = "/") -> str:
    """Write variables for a formula, columns in backticks where they need them."""
    return joined.join(
        own.written if (own := design.formula.variables.get(name)) else quote(name)
        for name in variables
    )


def _dropped_units(design: Design) -> Iterator[AnovaWarning]:
    for unit in design.dropped:
        what = "the residual" if unit.name == RESIDUAL else f"unit term {unit.name!r}"
        yield DroppedUnitWarning(f"{what} was dropped: {unit.reason}")


def _missing_unit_of_term(design: Design) -> Iterator[AnovaWarning]:
    """A unit named only together with a factor, while a term is constant within it."""
    present = {unit.own for unit in design.units if unit.own == unit.variables}
    dropped = {unit.name for unit in design.dropped}
    for own in dict.fromkeys(unit.own for unit in design.units):
        name = term_name(own)
        if own in present or name in dropped:
            continue
        codes, first = design.rows.codes(own)
        unit = Unit(own, own, codes, first, ())
        whole = [
            factor.name
            for factor in design.factors
            if unit.is_constant(design.rows.factors[factor.name].codes)
        ]
        terms = [name for name, factors in _effects(design) if set(factors) <= set(whole)]
        if terms:
            yield PseudoreplicationWarning(
                f"{listing(map(repr, terms))}: constant within each of the {unit.size} levels of "
                f"{name!r}, which has no unit term of its own, so its rows pass for independent "
                f"evidence (pseudoreplication). Add Error({_written(design, own)}) or "
                f"(1|{_written(design, own, ':')})"
            )


def _effects(design: Design) -> list[tuple[str, Term]]:
    """Return the terms with factors, and margins that they hold: ``W in A:W``."""
    sizes = {name: len(levels) for name, levels in design.levels.items()}
    found = []
    for covariate in dict.fromkeys(term.covariate for term in design.terms):
        own = {t.name: t.factors for t in design.terms if t.covariate == covariate and t.factors}
        for name, margins in (held_margins(own, sizes) if own else {}).items():
            for margin in filter(None, margins):
                whole = margin == own[name]
                found.append((name if whole else f"{term_name(margin)} in {name}", margin))
    return found


def _forgotten_unit(design: Design) -> Iterator[AnovaWarning]:
    """A column that the formula leaves out, though treatments were given to its levels."""
    rows = design.rows
    in_rows = {term.name for term in design.terms if RESIDUAL in term.strata}
    suspects = [(n, own) for n, own in _effects(design) if n.split(" in ")[-1] in in_rows]
    if not suspects:
        return
    named = design.formula.columns(rows.data.columns)
    for position, name in enumerate(rows.data.columns):
        if name in named:
            continue
        unit = _as_unit(rows.data.iloc[:, position], len(rows.data))
        if unit is None:
            continue
        whole = {f.name for f in design.factors if unit.is_constant(rows.factors[f.name].codes)}
        terms = [name for name, factors in suspects if set(factors) <= whole]
        cells = np.prod([len(design.factor(f).levels) for f in whole], dtype=int)
        if terms and unit.size > cells:
            yield PseudoreplicationWarning(
                f"{listing(map(repr, terms))}: constant within each of the {unit.size} "
                f"levels of column {name!r}, which the formula does not name. If these are the "
                f"units that were treated, rows within them are not independent evidence "
                f"(pseudoreplication): add Error({_written(design, [name])})"
            )


def _as_unit(column: pd.Series, size: int) -> Unit | None:
    """Take an unused column for units if its values are labels that come back."""
    if pd.api.types.is_float_dtype(column):
        return None
    try:
        codes, found = pd.factorize(column, use_na_sentinel=False)
    except TypeError:  # values such as lists cannot be labels
        return None
    if not 2 < len(found) <= size // 2:
        return None
    first = np.unique(codes, return_index=True)[1]
    return Unit((str(column.name),), (str(column.name),), codes, first, ())


def _missing_unit_by_factor(design: Design, family: Family) -> Iterator[AnovaWarning]:
    """A factor that varies within a unit although no unit-by-factor term lets it."""
    owns = list(dict.fromkeys(unit.own for unit in design.units))
    finest = [own for own in owns if not any(set(own) < set(other) for other in owns)]
    for own in finest:
        chain = [unit for unit in design.units if set(unit.own) <= set(own)]
        named = {name for unit in chain for name in unit.variables}
        named |= {name for unit in design.dropped for name in unit.name.split(":")}
        missing = [
            factor.name
            for factor in design.factors
            if factor.name not in named
            and any(factor.name in term.factors for term in design.terms)
            and not all(factor.name in unit.constant for unit in chain if unit.own == own)
            and not _is_residual(design, family, [*named & set(design.rows.groupings), factor.name])
        ]
        if missing:
            variables = [*named & set(design.rows.groupings), *missing]
            # All of their crossings would have one row a level: that one is the residual.
            joined = " + " if _is_residual(design, family, variables) else "*"
            inside = _written(design, missing, joined)
            inside = inside if len(missing) == 1 else f"({inside})"
            unit = _written_unit(design, own)
            yield MissingUnitTermWarning(
                f"{listing(map(repr, missing))} varies within {term_name(own)!r}, yet the formula "
                f"gives every unit the same effect of it; its contrasts will look too certain if "
                f"units differ. Add Error({unit}/{inside}). Or, if one label of "
                f"{term_name(own)!r} means another unit at each level of {missing[0]!r}, write "
                f"Error({_renamed(design, missing[0], own)}), or give every unit its own label"
            )


def _renamed(design: Design, between: str, own: Term) -> str:
    """Write units that are told apart by a factor as well, with the factors within them."""
    chain = [unit for unit in design.units if unit.own == own]
    named = dict.fromkeys(name for unit in chain for name in unit.variables)
    inner = [name for name in named if name in design.rows.factors]
    inside = _written(design, inner, " * ")
    inside = f"/({inside})" if len(inner) > 1 else f"/{inside}" if inner else ""
    return f"{_written(design, [between, *own], ':')}{inside}"


def _written_unit(design: Design, own: Term) -> str:
    """Write the unit that a factor may vary in: ``block/plot``, or ``group:subject``."""
    terms = [set(unit.variables) for unit in design.units if unit.own == own]
    coarsest = [term for term in terms if not any(other < term for other in terms)]
    if len(coarsest) == 1 and coarsest[0] != set(own):
        unit = next(unit for unit in design.units if set(unit.variables) == coarsest[0])
        return _written(design, unit.variables, ":")
    return _written(design, own)


def _is_residual(design: Design, family: Family, variables: list[str]) -> bool:
    """Whether a unit-by-factor term would have one row a level, as the residual has."""
    levels = len(design.rows.codes(variables)[1])
    return one_draw(design.rows, family) and levels == design.rows.size


def _too_few_units(design: Design) -> Iterator[AnovaWarning]:
    for unit in design.units:
        cells = design.rows.codes(unit.constant)[1].size if unit.constant else 1
        if unit.size <= cells:
            yield ReplicationWarning(
                f"unit term {unit.name!r} has {unit.size} units for {cells} combinations of "
                f"{listing(unit.constant) or 'nothing'}: without replication their variance and "
                "the contrasts between them rest on the priors"
            )


def _empty_cells(design: Design) -> Iterator[AnovaWarning]:
    empty = design.empty_cells
    if empty:
        yield UnsupportedCellWarning(
            f"no data in {len(empty)} of {len(design.cells)} cells "
            f"({':'.join(f.name for f in design.factors)}): {listing(empty)}. Tables mark with "
            "supported=False what rests on the prior alone"
        )


def _incomplete_units(design: Design) -> Iterator[AnovaWarning]:
    lacking = [lack for nested in nested_units(design) for lack in nested.lacking]
    names = list(dict.fromkeys(name for lack in lacking for name in lack.names(design)))
    if names:
        yield IncompleteUnitsWarning(
            f"not observed: {listing(names)}. These units count there all the same, so that means "
            "of the units of this study (population='finite') compare the same units everywhere: "
            "their effects there are drawn from N(0, sigma). Estimates hold if nothing but what "
            "was observed decided who is missing"
        )
