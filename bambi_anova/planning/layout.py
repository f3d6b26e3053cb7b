"""Data of a planned design: its frame, and responses drawn from assumed parameters.

The formula says how units lie.  A unit variable is *inside* of what else its smallest unit term
names: in ``Error(school/class)`` a class lies inside a school, while ``(1|s) + (1|item)`` are
crossed.  Factors that stand in no term with the first unit variable lie between its units, and
every combination of them gets as many; all others vary within units, in every combination, unless
they are said to lie between the units of a further variable, such as words of two kinds.

A smaller size is a part of a larger one, the first units and the first rows of each cell, so that
a study can grow.

Letters: N rows, C cells, J units of one unit term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
#: Stands for the unit variable of a formula that has none: every row is its own.
ROW = ""
#: The number of a row in its cell of a unit, while a frame is made.
_NUMBER = "row number"


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
class Size:
    """How large a study is.

    Attributes
    ----------
    units : mapping of str to int
        Of each unit variable; of one that lies inside of others, in each of these.
    rows : int
        In each cell of a unit.
    trials : int
        Of every row of a proportion.
    """

    units: Mapping[str, int]
    rows: int = 1
    trials: int = 1


@dataclass(frozen=True)
class UnitVariable:
    """A variable that names units.

    Attributes
    ----------
    name : str
    inside : tuple of str
        Other variables of its smallest unit term.
    between : tuple of str
        Factors whose levels each unit has one of.
    """

    name: str
    inside: tuple[str, ...]
    between: tuple[str, ...]


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
    between : mapping of str to sequence of str
        All factors that are said to lie between the units of a variable.
    """

    formula: Formula
    levels: Mapping[str, Sequence]
    family: Family
    link: Link
    between: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no data can be drawn for.

        Raises
        ------
        ArgumentError
            If the formula names a covariate, an offset or a slope that varies by unit, or
            ``between`` does not fit it.
        """
        parent = self.formula.parent
        odd = [name for term in parent.terms for name in term if name not in self.levels]
        odd += [term_name(term) for bar in parent.bars for term in bar.slopes]
        odd += [f"offset({own.text})" for own in parent.offsets]
        if odd:
            raise ArgumentError(
                f"formula: planning draws data of factors and units, and {odd[0]!r} is neither; "
                f"name its levels, or leave it out{nearest(odd[0], self.levels)}"
            )
        if parent.structured:
            raise ArgumentError(
                f"formula: planning draws units' effects under compound symmetry, not under "
                f"cov={parent.structured[0][1]!r}; leave cov= out"
            )
        names = [unit.name for unit in self.units]
        for name, factors in self.between.items():
            if name not in names:
                raise ArgumentError(
                    f"between: {name!r} names no units of this formula{nearest(str(name), names)}"
                )
            for factor in factors:
                if factor not in self.levels or factor in self._named_with(name):
                    why = "varies within them" if factor in self.levels else "is no factor"
                    raise ArgumentError(
                        f"between[{name!r}]: expected factors that lie between {name}; "
                        f"{factor!r} {why} by the formula"
                    )

    @cached_property
    def units(self) -> tuple[UnitVariable, ...]:
        """The unit variables, outer ones in front of those inside."""
        terms = self.formula.parent.units
        names = dict.fromkeys(name for own in terms for name in own if name not in self.levels)
        if not names:
            return (UnitVariable(ROW, (), tuple(self.levels)),)
        placed = {factor for factors in self.between.values() for factor in factors}
        found = []
        for place, name in enumerate(names):
            smallest = min((term for term in terms if name in term), key=len)
            own = set(self.between.get(name, ()))
            if place == 0 and name not in self.between:
                own |= set(self.levels) - self._named_with(name) - placed
            inside = tuple(other for other in smallest if other != name)
            between = tuple(factor for factor in self.levels if factor in own)
            found.append(UnitVariable(name, inside, between))
        return tuple(sorted(found, key=lambda unit: len(unit.inside)))

    def _named_with(self, unit: str) -> set[str]:
        """Return what stands in a unit term with a unit variable."""
        return {name for term in self.formula.parent.units if unit in term for name in term}

    @property
    def has_trials(self) -> bool:
        """Whether rows are proportions of some trials."""
        return self.formula.response.trials is not None

    def frame(self, size: Size) -> pd.DataFrame:
        """Return the rows of a size, without responses.

        Raises
        ------
        ArgumentError
            If the combinations of the factors between units cannot have as many of them each.
        """
        return self.part(self.numbered(size), size)

    def numbered(self, size: Size) -> pd.DataFrame:
        """Return the rows of a size with the numbers that ``part`` tells smaller sizes by."""
        frame = pd.DataFrame(list(product(*self.levels.values())), columns=list(self.levels))
        for unit in self.units:
            own = _instances(frame, unit, size.units[unit.name])
            shared = [*unit.inside, *unit.between]
            frame = frame.merge(own, on=shared) if shared else frame.merge(own, how="cross")
        numbers = pd.DataFrame({_NUMBER: range(size.rows)})
        order = [_number_of(unit.name) for unit in self.units]
        found = frame.merge(numbers, how="cross").sort_values(order, kind="stable")
        return found.reset_index(drop=True)

    def part(self, frame: pd.DataFrame, size: Size) -> pd.DataFrame:
        """Return the rows of a smaller size, of a frame with numbers."""
        kept = frame[_NUMBER] < size.rows
        for unit in self.units:
            kept &= frame[_number_of(unit.name)] < size.units[unit.name]
        numbers = [_NUMBER, *(_number_of(unit.name) for unit in self.units)]
        left_out = numbers if self.units[0].name else [*numbers, ROW]
        own = frame[kept].drop(columns=left_out).reset_index(drop=True)
        order = [unit.name for unit in self.units if unit.name]
        return own[[*order, *(name for name in own if name not in order)]]

    def draw(
        self, frame: pd.DataFrame, assumed: Assumed, rng: np.random.Generator, trials: int = 1
    ) -> pd.DataFrame:
        """Return the frame with responses drawn anew; factors have their levels' order."""
        cell = np.zeros(len(frame), dtype=int)
        for name, levels in self.levels.items():
            cell = cell * len(levels) + frame[name].map({v: i for i, v in enumerate(levels)})
        eta = assumed.cells[np.asarray(cell)]
        for term in self.formula.parent.units:
            codes, first = group_rows([frame[name].to_numpy() for name in term], len(frame))
            eta = eta + rng.normal(0, assumed.sds[term_name(term)], len(first))[codes]
        of_rows = self.family.response.trials or self.family.response.binary
        counts = np.full(len(frame), float(trials)) if of_rows else None
        blank = ResponseValues(self.formula.response.text, np.zeros(len(frame)), counts)
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
            drawn[response.trials.text] = np.full(len(frame), trials)
        ordered = {
            name: pd.Categorical(frame[name], list(levels)) for name, levels in self.levels.items()
        }
        return frame.assign(**ordered, **drawn)


def _instances(frame: pd.DataFrame, unit: UnitVariable, count: int) -> pd.DataFrame:
    """Return the units of one variable, with their numbers and their levels between them."""
    names = [*unit.inside, *unit.between]
    places = frame[names].drop_duplicates() if names else frame.iloc[:1, :0]
    outer = places.groupby(list(unit.inside), sort=False) if unit.inside else [((), places)]
    parts = []
    for _, own in outer:
        if count % len(own):
            raise ArgumentError(
                f"units={count}: expected a multiple of {len(own)}, the combinations of "
                f"{', '.join(unit.between)} that {unit.name or 'rows'} lie in"
            )
        chosen = own.iloc[np.arange(count) % len(own)].copy()
        chosen[_number_of(unit.name)] = np.arange(count)
        parts.append(chosen)
    found = pd.concat(parts, ignore_index=True)
    found[unit.name] = [f"{unit.name}{number + 1}" for number in range(len(found))]
    return found


def _number_of(name: str) -> str:
    return f"{name} number"


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
