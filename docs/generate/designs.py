"""Designs by name: formula, strata, and what judges what, as the package itself says it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd

import bambi_anova as ba
from bambi_anova.design.design import RESIDUAL, Design, FixedTerm, Unit, nested

from . import DOCS, write

PAGE = DOCS / "howto" / "designs.md"


@dataclass(frozen=True)
class Case:
    """A design as somebody would say it, its data's layout, and its formula."""

    title: str
    says: str
    formula: str
    data: Callable[[], pd.DataFrame]
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def code(self) -> str:
        """Return the call that makes the model."""
        further = "".join(f", {name}={value!r}" for name, value in self.options.items())
        formula = self.formula.replace('"', "'")
        return f'ba.Model("{formula}", data' + further.replace("'", '"') + ")"

    def model(self) -> ba.Model:
        """Return the model of simulated data."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ba.Model(self.formula, self.data(), **self.options)


def grid(rows: int = 1, **factors: int | str) -> pd.DataFrame:
    """Return every combination of levels, ``rows`` times, with responses of several kinds.

    A factor is given by its levels, or by how many it has; these are then called by its name's
    first letter and a number.
    """
    levels = [
        value.split() if isinstance(value, str) else [f"{name[0]}{i + 1}" for i in range(value)]
        for name, value in factors.items()
    ]
    cells = list(product(*levels)) * rows
    return respond(pd.DataFrame(cells, columns=list(factors)))


def respond(data: pd.DataFrame) -> pd.DataFrame:
    """Add responses and covariates, which have nothing to do with the design."""
    noise = np.random.default_rng(1)
    n = len(data)
    return data.assign(
        y=noise.normal(50, 10, n).round(1),
        rt=noise.lognormal(6.2, 0.3, n).round(),
        count=noise.poisson(4, n),
        hours=noise.integers(1, 9, n),
        correct=noise.integers(0, 2, n),
        rating=1 + np.arange(n) % 5,
        errors=noise.binomial(12, 0.2, n),
        markers=12,
    )


def by_unit(data: pd.DataFrame, unit: str, name: str, levels: str) -> pd.DataFrame:
    """Add a factor that differs between units: its levels are dealt out in turn."""
    names = levels.split()
    codes = pd.factorize(data[unit])[0]
    return data.assign(**{name: [names[code % len(names)] for code in codes]})


def number_of(data: pd.DataFrame, factor: str, name: str, spread: float = 0.0) -> pd.DataFrame:
    """Add a number that belongs to the levels of a factor."""
    noise = np.random.default_rng(2)
    codes = pd.factorize(data[factor])[0]
    values = codes + spread * noise.normal(size=codes.max() + 1)[codes]
    return data.assign(**{name: values.round(2)})


def latin_square() -> pd.DataFrame:
    """Return a square of five rows and columns, each treatment once in each."""
    data = grid(row=5, column=5)
    cells = product(range(5), range(5))
    return data.assign(treatment=["ABCDE"[(row + column) % 5] for row, column in cells])


def crossover() -> pd.DataFrame:
    """Return two periods of people who get the treatments in either order."""
    data = by_unit(grid(person=16, period="first second"), "person", "order", "AB BA")
    at = (data["period"] == "second").astype(int)
    return data.assign(treatment=[order[i] for order, i in zip(data["order"], at, strict=True)])


def classes() -> pd.DataFrame:
    """Return pupils of classes of schools; a class has one method."""
    data = grid(pupil=12, school=6, room=4)
    data["class"] = data["school"] + data["room"]
    return by_unit(data, "room", "method", "old new")


CASES = [
    Case(
        "Groups, each person measured once",
        "People were assigned to one of three groups.",
        "y ~ group",
        lambda: grid(12, group="a b c"),
    ),
    Case(
        "Groups that differ in spread, too",
        "As before, and no reason to think that the groups scatter alike.",
        "y ~ group",
        lambda: grid(12, group="a b c"),
        {"sigma": "group"},
        '`result.parameter("sigma").contrasts("group", compare="ratio")` compares the sds.',
    ),
    Case(
        "Two factors between people",
        "Each person has one drug and one dose.",
        "y ~ drug * dose",
        lambda: grid(8, drug="placebo verum", dose="low mid high"),
    ),
    Case(
        "Groups, and a measurement before",
        "Analysis of covariance: people differ before the treatment begins.",
        "y ~ group + before",
        lambda: respond(
            number_of(by_unit(grid(person=24), "person", "group", "a b"), "person", "before", 3)
        ),
    ),
    Case(
        "One factor within people, one value each",
        "Everybody does both tasks, or each task's trials were averaged.",
        "y ~ task + Error(person/task)",
        lambda: grid(person=16, task="easy hard"),
    ),
    Case(
        "One factor within people, many trials",
        "Everybody does many trials of both tasks, and all trials are rows.",
        "y ~ task + Error(person/task)",
        lambda: grid(10, person=16, task="easy hard"),
    ),
    Case(
        "Times whose scatter and correlations differ",
        "Scatter grows with time, and neighbours in time are more alike: no sphericity.",
        "y ~ time + Error(person/time, cov='unstructured')",
        lambda: grid(person=16, time="first second third"),
        note="Each time has a standard deviation of its own, each pair of times a correlation.",
    ),
    Case(
        "Two factors within people",
        "Everybody does every combination of load and side.",
        "y ~ load * side + Error(person/(load*side))",
        lambda: grid(5, person=12, load="low high", side="left mid right"),
    ),
    Case(
        "Groups, measured again and again: the split plot",
        "Two groups of people, each person at three times.",
        "y ~ group * time + Error(person/time)",
        lambda: by_unit(grid(3, person=20, time="before after later"), "person", "group", "a b"),
        note="Where each person has one row a time, `person:time` is the residual, and is dropped.",
    ),
    Case(
        "Right or wrong, trial by trial",
        "Two conditions of people, two types of trials, each trial right or wrong.",
        "correct ~ condition * trial + Error(person/trial)",
        lambda: by_unit(grid(20, person=20, trial="x y"), "person", "condition", "A B"),
        {"family": "bernoulli"},
    ),
    Case(
        "So many errors out of so many",
        "The same with a number of chances to err in each trial.",
        "p(errors, markers) ~ condition * trial + Error(person/trial)",
        lambda: by_unit(grid(20, person=20, trial="x y"), "person", "condition", "A B"),
        {"family": "binomial"},
    ),
    Case(
        "People and words",
        "Everybody reads all words, of which some are rare: two kinds of units, which cross.",
        "rt ~ kind + Error(person/kind) + Error(word)",
        lambda: by_unit(grid(person=20, word=16), "word", "kind", "rare common"),
        {"family": "lognormal"},
    ),
    Case(
        "Ratings of texts",
        "Everybody rates every text from 1 to 5; a text has one author.",
        "rating ~ author + Error(person/author) + Error(text)",
        lambda: by_unit(grid(person=15, text=12), "text", "author", "human machine"),
        {"family": "cumulative"},
    ),
    Case(
        "Blocks, each treatment once in each",
        "Randomised complete blocks.",
        "y ~ treatment + Error(block)",
        lambda: grid(block=6, treatment="A B C D"),
    ),
    Case(
        "A field split into plots, and plots into subplots",
        "Varieties were sown on whole plots, nitrogen was given to subplots.",
        "y ~ variety * nitrogen + Error(block/variety)",
        lambda: grid(block=6, variety="v w x", nitrogen="0 1 2 3"),
    ),
    Case(
        "Split once more",
        "Irrigation on plots, variety on subplots, nitrogen on parts of these.",
        "y ~ water * variety * nitrogen + Error(block/water/variety)",
        lambda: grid(block=4, water="dry wet", variety="v w x", nitrogen="0 1"),
    ),
    Case(
        "Strips that cross",
        "Ploughing along, manure across: each block is a grid of strips.",
        "y ~ plough * manure + Error(block/(plough*manure))",
        lambda: grid(block=5, plough="deep flat", manure="none some much"),
        note="`block:plough:manure` is the residual.",
    ),
    Case(
        "A Latin square",
        "Every treatment once in every row and once in every column.",
        "y ~ treatment + Error(row) + Error(column)",
        latin_square,
    ),
    Case(
        "Pupils in classes in schools",
        "A class is taught by one method; both methods are in every school.",
        "y ~ method + Error(school/class)",
        classes,
    ),
    Case(
        "A crossover",
        "Everybody gets both treatments, in either order.",
        "y ~ treatment + period + Error(person)",
        crossover,
    ),
    Case(
        "Counts in unequal times",
        "Visits to plants of two kinds, watched for some hours, again and again at each site.",
        "count ~ plant + offset(log(hours)) + Error(site/plant)",
        lambda: grid(6, site=10, plant="wild sown"),
        {"family": "poisson"},
    ),
    Case(
        "Growth",
        "Animals on two diets, weighed every week; each grows at a rate of its own.",
        "y ~ diet * week + (week|animal)",
        lambda: number_of(
            by_unit(grid(animal=14, visit=6), "animal", "diet", "low high"), "visit", "week"
        ),
    ),
]


def strata(design: Design) -> str:
    """Return the picture of a design: boxes in boxes, each with the terms that it judges."""
    units = sorted(design.units, key=lambda unit: unit.size)
    terms = {name: [] for name in [*(unit.name for unit in units), RESIDUAL]}
    for term in design.terms:
        for stratum in term.strata:
            terms.setdefault(stratum, []).append(term)
    parents = {unit.name: _parent(unit, units) for unit in units}
    chain = all(parents[fine.name] == coarse.name for coarse, fine in pairwise(units))
    rows = _box("rows, the residual", len(design.cell_codes), terms[RESIDUAL])
    inner = rows if chain else ""
    drawn = "".join(_boxes(None, units, parents, terms, inner))
    return f'<div class="strata">\n{drawn or rows}{"" if chain or not units else rows}</div>'


def _parent(unit: Unit, units: Sequence[Unit]) -> str | None:
    """Return the smallest unit that others lie in, the nearest one."""
    around = [one for one in units if one is not unit and one.size < unit.size]
    holding = [one for one in around if nested(unit, one)]
    return max(holding, key=lambda one: one.size).name if holding else None


def _boxes(
    parent: str | None,
    units: Sequence[Unit],
    parents: dict[str, str | None],
    terms: dict[str, list[FixedTerm]],
    innermost: str,
) -> list[str]:
    """Return the boxes that lie directly in a unit's."""
    found = []
    for unit in units:
        if parents[unit.name] == parent:
            inside = "".join(_boxes(unit.name, units, parents, terms, innermost))
            if not inside:
                inside = innermost
            found.append(_box(unit.name, unit.size, terms[unit.name], inside))
    return found


def _box(name: str, size: int, terms: Sequence[FixedTerm], inside: str = "") -> str:
    chips = "".join(f"<code>{escape(term.name)}</code> " for term in terms)
    return (
        f'<div class="stratum"><p><b>{escape(name)}</b> <small>{size}</small> {chips}</p>'
        f"{inside}</div>\n"
    )


def block(number: int, case: Case) -> str:
    """Return what the page says of one design."""
    model = case.model()
    return "\n\n".join(
        part
        for part in (
            f"## {number}. {case.title}",
            case.says,
            f"```python\n{case.code()}\n```",
            strata(model.design),
            f"```text\n{model.design}\n```",
            case.note,
        )
        if part
    )


def page() -> str:
    """Return the page."""
    head = (
        "# My design is ...\n\n"
        "Each box is a kind of unit, with how many there are in the example; coloured are the "
        "terms that it *judges*: as many units as it says are compared, however many rows there "
        "are. Boxes lie in the units that hold them, the smallest where there are several. "
        "What is printed below a box is what `print(model.design)` says."
    )
    return "\n\n".join([head, *(block(i + 1, case) for i, case in enumerate(CASES))]) + "\n"


def make() -> None:
    """Write the page."""
    write(PAGE, page())
