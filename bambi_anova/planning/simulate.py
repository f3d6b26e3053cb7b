"""Data of a planned design: its frame, and responses drawn from assumed parameters.

Factors that stand in unit terms vary within the units, in every combination; the others lie
between them, and every combination of these has as many units.

Letters: N rows, C cells, J units of one unit term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.families.base import Family
from bambi_anova.families.links import Link
from bambi_anova.families.sufficient import group_rows, unmerged
from bambi_anova.families.values import ResponseValues
from bambi_anova.formula.parse import Formula, term_name

Array = np.ndarray

#: Attempts at drawing data that are no constant.
ATTEMPTS = 20


@dataclass(frozen=True)
class Assumed:
    """What is assumed of the responses.

    Attributes
    ----------
    cells : ndarray, shape (C,)
        The linear predictor of every cell, for a unit effect of zero.
    sds : mapping of str to float
        Of every unit term's effects, on the link scale.
    auxiliary : mapping of str to float
        The family's further parameters.
    """

    cells: Array
    sds: Mapping[str, float]
    auxiliary: Mapping[str, float]


@dataclass(frozen=True)
class Layout:
    """The rows of a design.

    Attributes
    ----------
    formula : Formula
    levels : mapping of str to sequence
        Of every factor, in order; the cells are their product in C order.
    family : Family
    link : Link
    trials : int
        Of every row, for families that have them.
    """

    formula: Formula
    levels: Mapping[str, Sequence]
    family: Family
    link: Link
    trials: int = 1

    @property
    def unit(self) -> str:
        """The variable that names the units."""
        own = [n for term in self.formula.parent.units for n in term if n not in self.levels]
        return own[0] if own else ""

    @property
    def within(self) -> list[str]:
        """The factors that vary within units: those that some unit term names."""
        named = {name for term in self.formula.parent.units for name in term}
        return [name for name in self.levels if name in named]

    @property
    def between(self) -> list[str]:
        """The other factors; without units, all of them."""
        return [name for name in self.levels if name not in self.within]

    def frame(self, units: int, rows: int) -> pd.DataFrame:
        """Return the rows of ``units`` units, ``rows`` of them in each cell of a unit.

        Raises
        ------
        ArgumentError
            If the combinations of the between factors cannot have as many units each.
        """
        groups = list(product(*(self.levels[name] for name in self.between)))
        if units % len(groups):
            raise ArgumentError(
                f"units={units}: expected a multiple of {len(groups)}, the combinations of "
                f"{', '.join(self.between)} that units lie in"
            )
        inside = list(product(*(self.levels[name] for name in self.within)))
        entries = [
            (f"u{number + 1}", *groups[number % len(groups)], *cell)
            for number in range(units)
            for cell in inside
            for _ in range(rows)
        ]
        columns = [self.unit or "_unit", *self.between, *self.within]
        frame = pd.DataFrame(entries, columns=columns)
        return frame if self.unit else frame.drop(columns="_unit")

    def draw(self, frame: pd.DataFrame, assumed: Assumed, rng: np.random.Generator) -> pd.DataFrame:
        """Return the frame with responses drawn anew."""
        cell = np.zeros(len(frame), dtype=int)
        for name, levels in self.levels.items():
            cell = cell * len(levels) + frame[name].map({v: i for i, v in enumerate(levels)})
        eta = assumed.cells[np.asarray(cell)]
        for term in self.formula.parent.units:
            codes, first = group_rows([frame[name].to_numpy() for name in term], len(frame))
            eta = eta + rng.normal(0, assumed.sds[term_name(term)], len(first))[codes]
        trials = np.full(len(frame), float(self.trials)) if self._has_trials else None
        blank = ResponseValues(self.formula.response.text, np.zeros(len(frame)), trials)
        rows = unmerged(blank, None)
        aux = {name: np.full((1, 1), value) for name, value in assumed.auxiliary.items()}
        parameters = self.family.at((self.link,), (eta[None],), aux)
        for _ in range(ATTEMPTS):
            values = self.family.replicate(parameters, rows, rng)[0]
            if np.ptp(values) > 0:
                break
        response = self.formula.response
        drawn = {response.outcome.text: values}
        if response.trials is not None:
            drawn[response.trials.text] = np.full(len(frame), self.trials)
        return frame.assign(**drawn)

    @property
    def _has_trials(self) -> bool:
        return self.family.response.trials or self.family.response.binary


def cell_means(means: Mapping, levels: Mapping[str, Sequence], link: Link) -> Array:
    """Return the linear predictor of every cell from means on the response scale.

    Parameters
    ----------
    means : mapping
        By the cell: its levels joined by colons, or as a tuple, in the order of ``levels``.
    levels : mapping of str to sequence
    link : Link

    Raises
    ------
    ArgumentError
        If a cell has no mean, a name is no cell, or a mean is outside of what the link takes.

    Examples
    --------
    >>> from bambi_anova.families.links import IDENTITY
    >>> cell_means({"a": 1.0, "b": 2.5}, {"A": ["a", "b"]}, IDENTITY).tolist()
    [1.0, 2.5]
    """
    given = {
        ":".join(map(str, key)) if isinstance(key, tuple) else str(key): value
        for key, value in means.items()
    }
    names = [":".join(map(str, cell)) for cell in product(*levels.values())]
    for name in given:
        if name not in names:
            raise ArgumentError(f"means: {name!r} is no cell of the design{nearest(name, names)}")
    for name in names:
        if name not in given:
            raise ArgumentError(f"means: cell {name!r} is missing; expected {', '.join(names)}")
    with np.errstate(all="ignore"):
        found = np.asarray(link.forward(np.array([float(given[name]) for name in names])))
    if not np.isfinite(found).all():
        raise ArgumentError(
            f"means: {means!r} are on the response scale, and the {link.name} link does not take "
            "all of them"
        )
    return found
