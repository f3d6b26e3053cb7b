"""What the classical analyses know of a model: its columns, levels, units and terms.

A study holds the coded data and nothing of the model built on them, so that whatever is computed
from it is an independent check.  Letters: N rows, J units of one unit term, C cells of the grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, NotApplicableError, listing, nearest
from bambi_anova.model import Model

Array = np.ndarray
Term = tuple[str, ...]

#: Name of the unit that is a single row.
ROW = "row"


@dataclass(frozen=True)
class StudyUnit:
    """The units of one unit term.

    Attributes
    ----------
    name : str
        Variables joined by colons, or ``"row"``.
    own : tuple of str
        Those of its variables that are not fixed factors.
    codes : ndarray of int, shape (N,)
        Each row's unit.
    first : ndarray of int, shape (J,)
        The first row of each unit.
    labels : tuple of str
        What the J units are called.
    """

    name: str
    own: Term
    codes: Array
    first: Array
    labels: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of units J."""
        return len(self.first)

    def is_constant(self, values: Array) -> bool:
        """Whether some values of the N rows do not vary within any unit."""
        return bool(np.all(values == values[self.first][self.codes]))

    def within(self, coarse: StudyUnit) -> bool:
        """Whether each of these units lies in one unit of another term."""
        return self.is_constant(coarse.codes)


@dataclass(frozen=True)
class Study:
    """The coded data of one design.

    Attributes
    ----------
    formula, family, link : str
    normal : bool
        Whether rows are normal about their means, all with the same sd.
    levels : mapping of str to tuple
        Levels of each factor, in order: the axes of the grid of cells.
    codes : mapping of str to ndarray of int, each of shape (N,)
    terms : tuple of Term
        Fixed terms that are made of factors.
    units : tuple of StudyUnit
        Unit terms as the formula has them, also those that are the residual.
    values : ndarray, shape (N,)
        Response; successes where there are trials.
    trials : ndarray, shape (N,), or None
    numeric : tuple of str
        Covariates, varying slopes and offsets, which the classical analyses do not take.
    """

    formula: str
    family: str
    link: str
    normal: bool
    levels: Mapping[str, tuple]
    codes: Mapping[str, Array]
    terms: tuple[Term, ...]
    units: tuple[StudyUnit, ...]
    values: Array
    trials: Array | None
    numeric: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Levels of each factor."""
        return tuple(len(levels) for levels in self.levels.values())

    @property
    def rows(self) -> int:
        """The number of rows N."""
        return len(self.values)

    @cached_property
    def cells(self) -> Array:
        """Each row's cell in the grid's C order, shape (N,)."""
        if not self.levels:
            return np.zeros(self.rows, dtype=np.int64)
        return np.ravel_multi_index(tuple(self.codes.values()), self.shape)

    @cached_property
    def cell_names(self) -> list[str]:
        """Names of the C cells, such as ``"A:x"``."""
        return [":".join(map(str, levels)) for levels in product(*self.levels.values())]

    @cached_property
    def row(self) -> StudyUnit:
        """The rows as units of their own."""
        every = np.arange(self.rows)
        return StudyUnit(ROW, (ROW,), every, every, tuple(map(str, every)))

    def constant(self, unit: StudyUnit) -> Term:
        """Return the factors that do not vary within any of the units."""
        return tuple(name for name, codes in self.codes.items() if unit.is_constant(codes))

    def unit(self, name: str) -> StudyUnit:
        """Return a unit term by name, or the rows as units."""
        known = {unit.name: unit for unit in self.units} | {ROW: self.row}
        if name not in known:
            raise ArgumentError(f"unit={name!r} is not a unit term{nearest(str(name), known)}")
        return known[name]

    @cached_property
    def tops(self) -> tuple[StudyUnit, ...]:
        """The coarsest unit terms: those that lie in no other; several if units cross."""
        return tuple(
            unit
            for position, unit in enumerate(self.units)
            if not any(
                unit.within(other) and (other.size, index) < (unit.size, position)
                for index, other in enumerate(self.units)
            )
        )

    def terms_of(self, term: str | None) -> tuple[Term, ...]:
        """Return one of the study's terms by name, factors in any order, or all of them."""
        if term is None:
            return self.terms
        wanted = set(str(term).split(":"))
        found = tuple(known for known in self.terms if set(known) == wanted)
        if not found:
            names = [":".join(known) for known in self.terms]
            raise ArgumentError(f"term={term!r} is not in the model{nearest(str(term), names)}")
        return found


def read_study(model: Model) -> Study:
    """Read the columns, levels, units and terms of a model; nothing else of it is used.

    Parameters
    ----------
    model : bambi_anova.Model

    Returns
    -------
    Study

    Examples
    --------
    >>> import bambi_anova as ba
    >>> model = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> [(unit.name, unit.size) for unit in read_study(model).units]
    [('block', 6), ('block:variety', 18)]
    """
    if not isinstance(model, Model):
        raise ArgumentError(f"model: expected a bambi_anova.Model, got {model!r:.60}")
    rows = model.design.rows
    coded = {**rows.groupings, **rows.factors}
    numeric = [*rows.covariates, *(["an offset"] if rows.offset is not None else [])]
    factors = {name: factor.codes for name, factor in rows.factors.items()}
    return Study(
        formula=model.formula.text,
        family=model.family.name,
        link=model.link.name,
        normal=model.family.normal,
        levels={name: factor.levels for name, factor in rows.factors.items()},
        codes=factors,
        terms=tuple(
            tuple(name for name in factors if name in term)
            for term in model.formula.parent.terms
            if set(term) <= set(factors)
        ),
        units=tuple(_read_unit(term, coded, set(factors)) for term in model.formula.parent.units),
        values=rows.response.values,
        trials=rows.response.trials,
        numeric=tuple(numeric),
    )


def _read_unit(term: Iterable[str], coded: Mapping, factors: set[str]) -> StudyUnit:
    names = tuple(term)
    frame = pd.DataFrame({name: coded[name].codes for name in names})
    groups = frame.groupby(list(names), sort=True)
    codes = groups.ngroup().to_numpy()
    first = np.unique(codes, return_index=True)[1]
    labels = [
        ":".join(str(coded[name].levels[code]) for name, code in zip(names, row, strict=True))
        for row in frame.iloc[first].itertuples(index=False)
    ]
    own = tuple(name for name in names if name not in factors)
    return StudyUnit(":".join(names), own, codes, first, tuple(labels))


def require(analysis: str, reason: str | None) -> None:
    """Raise if there is a reason why an analysis does not apply."""
    if reason is not None:
        raise NotApplicableError(f"{analysis} does not apply: {reason}")


def no_numbers(study: Study) -> str | None:
    """Say why an analysis of factors alone cannot take a study, if so."""
    if study.numeric:
        return (
            f"it knows factors only, and the formula has {listing(study.numeric)}; leave that out, "
            "or use model.fit()"
        )
    if not study.terms:
        return "the formula has no factors, so there is nothing to contrast"
    return None


def is_crossed(study: Study) -> str | None:
    """Say which units cross, if any do."""
    if len(study.tops) < 2:
        return None
    names = listing(unit.name for unit in study.tops)
    return (
        f"its units cross ({names}), and it can generalise over one kind only; name it with "
        f"unit={study.tops[0].name!r}, or use model.fit() for all of them"
    )
