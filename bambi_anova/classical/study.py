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

from bambi_anova.design.build import read_unit
from bambi_anova.design.design import Unit, nested
from bambi_anova.errors import ArgumentError, NotApplicableError, listing, nearest
from bambi_anova.model import Model

Array = np.ndarray
Term = tuple[str, ...]

#: Name of the unit that is a single row.
ROW = "row"
EVERY = slice(None)


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
    units : tuple of Unit
        Unit terms as the formula has them, also those that are the residual.
    labels : mapping of str to tuple of str
        By unit term, what its units are called.
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
    units: tuple[Unit, ...]
    labels: Mapping[str, tuple[str, ...]]
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
        return self.cells_of(self.levels)

    def cells_of(self, names: Iterable[str], at: Array | slice = EVERY) -> Array:
        """Return the cell of some factors in some rows, by default in all of them."""
        cells = np.zeros(self.rows, dtype=np.int64)[at]
        for name in names:
            cells = cells * len(self.levels[name]) + self.codes[name][at]
        return cells

    @cached_property
    def cell_names(self) -> list[str]:
        """Names of the C cells, such as ``"A:x"``."""
        return [":".join(map(str, levels)) for levels in product(*self.levels.values())]

    @cached_property
    def row(self) -> Unit:
        """The rows as units of their own."""
        every = np.arange(self.rows)
        return Unit((ROW,), (ROW,), every, every, tuple(self.levels))

    def unit(self, name: str) -> Unit:
        """Return a unit term by name, or the rows as units."""
        known = {unit.name: unit for unit in self.units} | {ROW: self.row}
        if name not in known:
            raise ArgumentError(f"unit={name!r} is not a unit term{nearest(str(name), known)}")
        return known[name]

    @cached_property
    def tops(self) -> tuple[Unit, ...]:
        """The coarsest unit terms: those that lie in no other; several if units cross."""
        return tuple(
            unit
            for position, unit in enumerate(self.units)
            if not any(
                nested(unit, other) and (other.size, index) < (unit.size, position)
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

    Examples
    --------
    >>> import bambi_anova as ba
    >>> model = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> [(unit.name, unit.size) for unit in read_study(model).units]
    [('block', 6), ('block:variety', 18)]
    """
    if not isinstance(model, Model):
        raise ArgumentError(f"model: expected a bambi_anova.Model, got {model!r:.60}")
    rows, predictor = model.design.rows, model.formula.parent
    rows.require_single("a classical analysis")
    factors = {name: factor.codes for name, factor in rows.factors.items()}
    units = tuple(read_unit(term, rows) for term in predictor.units)
    names = {unit.name: rows.labels(unit.variables, unit.first) for unit in units}
    return Study(
        formula=model.formula.text,
        family=model.family.name,
        link=model.link.name,
        normal=model.family.normal,
        levels=model.design.levels,
        codes=factors,
        terms=tuple(
            tuple(name for name in factors if name in term)
            for term in predictor.terms
            if set(term) <= set(factors)
        ),
        units=units,
        labels={
            name: tuple(":".join(map(str, row)) for row in frame.itertuples(index=False))
            for name, frame in names.items()
        },
        values=rows.response.values,
        trials=rows.response.trials,
        numeric=(*rows.covariates, *(["an offset"] if rows.offset is not None else [])),
    )


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
