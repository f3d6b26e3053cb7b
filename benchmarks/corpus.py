"""Designs on which quick approximate fits are judged against long NUTS.

A design is a formula, a family, a *layout* (which rows there are) and a *truth* (how their
responses came about).  Everything is simulated with a seed made of the design's name, so a row
of the table below is all there is to know about it.  Factors are ``A``, ``B``, ``C`` with levels
``a1``, ``a2``, ...; units are ``s``, and ``item``, ``block`` and ``plot`` where there are others.

``quantities`` lists everything that a result reports, under names that do not depend on how the
result was made.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, product

import bambi as bmb
import numpy as np
import pandas as pd

import bambi_anova as ba
from bambi_anova.families.base import LINKS, get_family, get_link
from bambi_anova.posterior.summary import summarise
from bambi_anova.result import Result

POPULATIONS = ("super", "finite")


def levels(text: str) -> dict[str, list[str]]:
    """Read factors with their numbers of levels.

    Examples
    --------
    >>> levels("A2 B3")
    {'A': ['a1', 'a2'], 'B': ['b1', 'b2', 'b3']}
    """
    return {
        word[0]: [f"{word[0].lower()}{level + 1}" for level in range(int(word[1:]))]
        for word in text.split()
    }


def cells(text: str) -> pd.DataFrame:
    """Return the crossing of factors given as text, one row a cell; one row for no factors."""
    factors = levels(text)
    return pd.DataFrame(list(product(*factors.values())), columns=list(factors))


def assign(names: list[str], column: str, text: str, unequal: bool = False) -> pd.DataFrame:
    """Give units the cells of their between factors in turn, or later cells more units."""
    grid = cells(text)
    weights = np.arange(1, len(grid) + 1) if unequal else np.ones(len(grid), dtype=int)
    turns = np.resize(np.repeat(np.arange(len(grid)), weights), len(names))
    return pd.concat(
        [pd.DataFrame({column: names}), grid.iloc[turns].reset_index(drop=True)], axis=1
    )


def numbered(letter: str, size: int) -> list[str]:
    """Return names of units that sort by their numbers."""
    return [f"{letter}{number:03d}" for number in range(1, size + 1)]


def thin(frame: pd.DataFrame, keys: list[str], share: float, rng) -> pd.DataFrame:
    """Leave out a share of the combinations of some columns."""
    groups = frame.groupby(keys, sort=False).ngroup().to_numpy()
    kept = rng.random(groups.max() + 1) >= share
    return frame[kept[groups]].reset_index(drop=True)


@dataclass(frozen=True)
class Split:
    """Units with factors between them and within them.

    Attributes
    ----------
    units : int
    between, within : str
        Factors with their numbers of levels, such as ``"A2 B3"``.
    copies : int
        Rows of a unit in each of its cells.
    unequal : bool
        Groups of 1 : 2 : 3 : ... units instead of equal ones.
    missing : float
        Share of unit-by-cell combinations without rows.
    empty : str
        Query for cells without any rows.
    """

    units: int
    between: str = ""
    within: str = ""
    copies: int = 1
    unequal: bool = False
    missing: float = 0.0
    empty: str = ""

    @property
    def factors(self) -> dict[str, list[str]]:
        """All factors with their levels."""
        return levels(f"{self.between} {self.within}")

    def rows(self, rng) -> pd.DataFrame:
        """Return the rows without response."""
        units = assign(numbered("s", self.units), "s", self.between, self.unequal)
        frame = units.merge(cells(self.within), how="cross")
        if self.missing:
            frame = thin(frame, ["s", *levels(self.within)], self.missing, rng)
        if self.empty:
            frame = frame[~frame.eval(self.empty)]
        return frame.loc[frame.index.repeat(self.copies)].reset_index(drop=True)


@dataclass(frozen=True)
class Crossed:
    """Subjects who see items; a factor may lie between subjects, between items or within both."""

    subjects: int
    items: int
    by_subject: str = ""
    by_item: str = ""
    within: str = ""
    missing: float = 0.0

    @property
    def factors(self) -> dict[str, list[str]]:
        """All factors with their levels."""
        return levels(f"{self.by_subject} {self.by_item} {self.within}")

    def rows(self, rng) -> pd.DataFrame:
        """Return the rows without response."""
        subjects = assign(numbered("s", self.subjects), "s", self.by_subject)
        items = assign(numbered("i", self.items), "item", self.by_item)
        frame = subjects.merge(items, how="cross").merge(cells(self.within), how="cross")
        return thin(frame, ["s", "item"], self.missing, rng) if self.missing else frame


@dataclass(frozen=True)
class Nested:
    """Plots within blocks; the names of plots come back in every block."""

    blocks: int
    plots: int
    by_block: str = ""
    by_plot: str = ""
    within: str = ""
    copies: int = 1

    @property
    def factors(self) -> dict[str, list[str]]:
        """All factors with their levels."""
        return levels(f"{self.by_block} {self.by_plot} {self.within}")

    def rows(self, rng) -> pd.DataFrame:
        """Return the rows without response."""
        blocks = assign(numbered("block", self.blocks), "block", self.by_block)
        plots = assign(numbered("plot", self.plots), "plot", self.by_plot)
        frame = blocks.merge(plots, how="cross").merge(cells(self.within), how="cross")
        return frame.loc[frame.index.repeat(self.copies)].reset_index(drop=True)


@dataclass(frozen=True)
class Shipped:
    """A data set of the package, with its own response."""

    name: str

    def rows(self, rng) -> pd.DataFrame:
        """Return the data set."""
        return ba.load_data(self.name)


@dataclass(frozen=True)
class Truth:
    """How responses come about, on the link scale.

    Attributes
    ----------
    base : float
        Grand mean.
    effect : float
        Half the range of each main effect, whose levels are equally spaced; interactions of two
        factors are products of these spacings times 0.4 of it.
    sds : mapping of str to float
        Standard deviations of unit terms such as ``"s:B"`` and of slopes such as ``"dose|s"``.
    slopes : mapping of str to float
        Of ``"age"``, which differs between units, and ``"dose"``, which differs between rows.
    noise : float
        Residual standard deviation of a gaussian response.
    trials, hours : (low, high)
        Bounds of the trials of a proportion and the exposure of a count.
    forced : mapping of str to float
        Queries for cells in which every response is 0, or every trial a success (1).
    """

    base: float = 0.0
    effect: float = 0.5
    sds: Mapping[str, float] = field(default_factory=dict)
    slopes: Mapping[str, float] = field(default_factory=dict)
    noise: float = 1.0
    trials: tuple[int, int] = (10, 10)
    hours: tuple[float, float] | None = None
    forced: Mapping[str, float] = field(default_factory=dict)

    def predictor(self, frame: pd.DataFrame, factors: Mapping, rng) -> np.ndarray:
        """Return the linear predictor of each row; adds the covariates to the frame."""
        spaced = {
            name: frame[name].map(dict(zip(labels, np.linspace(-1, 1, len(labels)), strict=True)))
            for name, labels in factors.items()
        }
        eta = self.base + self.effect * np.sum(list(spaced.values()), axis=0)
        for first, second in combinations(spaced.values(), 2):
            eta = eta + 0.4 * self.effect * (first * second).to_numpy()
        for name, slope in self.slopes.items():
            frame[name] = COVARIATES[name](frame, rng)
            eta = eta + slope * (frame[name] - frame[name].mean()).to_numpy()
        for name, sd in self.sds.items():
            slope_of, _, unit = name.rpartition("|")
            codes = frame.groupby(unit.split(":")).ngroup().to_numpy()
            effects = rng.normal(0, sd, codes.max() + 1)[codes]
            eta = eta + effects * (frame[slope_of].to_numpy() if slope_of else 1)
        return eta

    def respond(self, frame: pd.DataFrame, factors: Mapping, family: str, link, rng) -> None:
        """Add the response to the frame, with trials or hours where it needs them."""
        eta = self.predictor(frame, factors, rng)
        trials = np.ones(len(frame))
        if family == "gaussian":
            response = rng.normal(eta, self.noise)
        elif family == "poisson":
            hours = np.ones(len(frame))
            if self.hours is not None:
                hours = frame["hours"] = rng.uniform(*self.hours, len(frame))
            response = rng.poisson(hours * np.exp(eta))
        else:
            if family == "binomial":
                low, high = self.trials
                trials = frame["n"] = rng.integers(low, high + 1, len(frame))
            response = rng.binomial(trials.astype(int), LINKS[link].inverse(eta))
        name = "k" if family == "binomial" else "y"
        frame[name] = response
        for query, value in self.forced.items():
            where = frame.eval(query).to_numpy()
            frame.loc[where, name] = (value * np.asarray(trials)[where]).astype(int)


def _age(frame: pd.DataFrame, rng) -> np.ndarray:
    codes = frame.groupby("s").ngroup().to_numpy()
    return rng.normal(40, 10, codes.max() + 1).round()[codes]


def _dose(frame: pd.DataFrame, rng) -> np.ndarray:
    return rng.uniform(0, 4, len(frame)).round(2)


COVARIATES = {"age": _age, "dose": _dose}


@dataclass(frozen=True)
class Design:
    """One line of the corpus."""

    name: str
    family: str
    formula: str
    layout: Split | Crossed | Nested | Shipped
    truth: Truth = field(default_factory=Truth)
    link: str | None = None
    priors: Mapping[str, bmb.Prior] = field(default_factory=dict)

    def data(self) -> pd.DataFrame:
        """Return the simulated data, the same every time."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        frame = self.layout.rows(rng)
        if not isinstance(self.layout, Shipped):
            link = get_link(get_family(self.family), self.link).name
            self.truth.respond(frame, self.layout.factors, self.family, link, rng)
        return frame

    def model(self) -> ba.Model:
        """Return the model; what it would warn of is meant to be so."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ba.errors.AnovaWarning)
            return ba.Model(
                self.formula,
                self.data(),
                family=self.family,
                link=self.link,
                priors=dict(self.priors),
            )


def half_normal(sigma: float) -> bmb.Prior:
    """Return a prior of a standard deviation."""
    return bmb.Prior("HalfNormal", sigma=sigma)


def exponential(mean: float) -> bmb.Prior:
    """Return a prior of a standard deviation, by its mean."""
    return bmb.Prior("Exponential", lam=1 / mean)


def normal(mu: float, sigma: float) -> bmb.Prior:
    """Return a prior of an intercept."""
    return bmb.Prior("Normal", mu=mu, sigma=sigma)


_gaussian = partial(Design, family="gaussian")
_binary = partial(Design, family="bernoulli")
_binomial = partial(Design, family="binomial")
_count = partial(Design, family="poisson")

# fmt: off
_ALL = [
    # Gaussian: noise of 1.
    _gaussian(
        "gaussian rich split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3", copies=4), truth=Truth(10, sds={"s": 1, "s:B": 0.5})),
    _gaussian(
        "gaussian sparse split plot", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"), truth=Truth(sds={"s": 1})),
    _gaussian(
        "gaussian unequal split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(41, "A3", "B2", copies=2, unequal=True, missing=0.15),
        truth=Truth(sds={"s": 0.7, "s:B": 0.4})),
    _gaussian(
        "gaussian between", formula="y ~ A + Error(s)",
        layout=Split(8, "A2", copies=3), truth=Truth(sds={"s": 0.5})),
    _gaussian(
        "gaussian within", formula="y ~ A * B + Error(s/(A*B))",
        layout=Split(8, within="A2 B3", copies=2),
        truth=Truth(sds={"s": 1, "s:A": 0.5, "s:B": 0.3, "s:A:B": 0.2})),
    _gaussian(
        "gaussian within, one row a cell", formula="y ~ A * B + Error(s/(A*B))",
        layout=Split(12, within="A2 B2"), truth=Truth(sds={"s": 1, "s:A": 0.3, "s:B": 0.6})),
    _gaussian(
        "gaussian 4 units", formula="y ~ A * B + Error(s/B)",
        layout=Split(4, "A2", "B2", copies=3), truth=Truth(sds={"s": 1, "s:B": 0.3})),
    _gaussian(
        "gaussian 6 units within", formula="y ~ A + Error(s)",
        layout=Split(6, within="A3"), truth=Truth(effect=1, sds={"s": 1})),
    _gaussian(
        "gaussian 400 units", formula="y ~ A * B + Error(s)",
        layout=Split(400, "A2", "B2"), truth=Truth(effect=0.2, sds={"s": 1})),
    _gaussian(
        "gaussian no units, 5 groups", formula="y ~ A",
        layout=Split(40, "A5"), truth=Truth(effect=1)),
    _gaussian(
        "gaussian no units, unequal", formula="y ~ A * B",
        layout=Split(24, "A2 B2", unequal=True), truth=Truth(100)),
    _gaussian(
        "gaussian units alike", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B2", copies=3), truth=Truth(sds={"s": 0, "s:B": 0})),
    _gaussian(
        "gaussian units far apart", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B3", copies=2), truth=Truth(sds={"s": 8})),
    _gaussian(
        "gaussian 3 factors", formula="y ~ A * B * C + Error(s/(B*C))",
        layout=Split(12, "A2", "B2 C3", copies=2),
        truth=Truth(sds={"s": 1, "s:B": 0.4, "s:C": 0.4, "s:B:C": 0.2})),
    _gaussian(
        "gaussian crossed 10x8", formula="y ~ A + (1|s) + (1|item)",
        layout=Crossed(10, 8, within="A2"), truth=Truth(sds={"s": 0.7, "item": 0.5})),
    _gaussian(
        "gaussian crossed 60x24", formula="y ~ A * B + (1|s) + (1|item)",
        layout=Crossed(60, 24, "A2", "B2"), truth=Truth(sds={"s": 0.7, "item": 0.4})),
    _gaussian(
        "gaussian varying slope", formula="y ~ A + dose + Error(s) + (dose|s)",
        layout=Split(20, "A2", copies=6),
        truth=Truth(sds={"s": 0.7, "dose|s": 0.3}, slopes={"dose": 0.4})),
    _gaussian(
        "gaussian covariate, own priors", formula="y ~ A * B + age + Error(s/B)",
        layout=Split(12, "A2", "B2", copies=2),
        truth=Truth(5, sds={"s": 0.7, "s:B": 0.3}, slopes={"age": 0.05}),
        priors={"Intercept": normal(5, 2), "s": half_normal(1), "s:B": half_normal(0.5)}),
    _gaussian(
        "gaussian empty cell", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B3", copies=2, empty="A == 'a2' and B == 'b3'"),
        truth=Truth(sds={"s": 0.5})),
    _gaussian(
        "oats", formula="yield ~ variety * nitrogen + Error(block/variety)",
        layout=Shipped("oats")),
    # Binary rows.
    _binary(
        "bernoulli rich split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B2", copies=12), truth=Truth(sds={"s": 0.7, "s:B": 0.4})),
    _binary(
        "bernoulli 100 units, 4 rows each", formula="y ~ A * B + Error(s)",
        layout=Split(100, "A2", "B2", copies=2), truth=Truth(sds={"s": 1})),
    _binary(
        "bernoulli 400 units, 2 rows each", formula="y ~ A + Error(s)",
        layout=Split(400, "A2", copies=2), truth=Truth(-1, sds={"s": 1})),
    _binary(
        "bernoulli 400 units, 3 rows within", formula="y ~ A + Error(s)",
        layout=Split(400, within="A3"), truth=Truth(1, sds={"s": 1.5})),
    _binary(
        "bernoulli 4 units", formula="y ~ A + Error(s)",
        layout=Split(4, within="A2", copies=5), truth=Truth(sds={"s": 1})),
    _binary(
        "bernoulli 4 units split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(4, "A2", "B2", copies=6), truth=Truth(sds={"s": 0.7, "s:B": 0.5})),
    _binary(
        "bernoulli units far apart", formula="y ~ A * B + Error(s)",
        layout=Split(41, "A2", "B2", copies=3), truth=Truth(sds={"s": 3})),
    _binary(
        "bernoulli units alike", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2", copies=4), truth=Truth(sds={"s": 0})),
    _binary(
        "bernoulli cell of zeros", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=4),
        truth=Truth(sds={"s": 0.7}, forced={"A == 'a1' and B == 'b1'": 0})),
    _binary(
        "bernoulli cell of ones", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3", copies=4),
        truth=Truth(0.5, sds={"s": 0.7, "s:B": 0.3}, forced={"A == 'a2' and B == 'b3'": 1})),
    _binary(
        "bernoulli crossed 10x8", formula="y ~ A + (1|s) + (1|item)",
        layout=Crossed(10, 8, by_item="A2"), truth=Truth(sds={"s": 0.8, "item": 0.6})),
    _binary(
        "bernoulli crossed 60x24", formula="y ~ A * B + (1|s) + (1|item)",
        layout=Crossed(60, 24, "A2", "B2", missing=0.1),
        truth=Truth(0.5, sds={"s": 1, "item": 0.7})),
    _binary(
        "bernoulli no units", formula="y ~ A * B",
        layout=Split(48, "A3 B2"), truth=Truth(effect=1)),
    _binary(
        "bernoulli unequal groups", formula="y ~ A * B + Error(s)",
        layout=Split(41, "A3", "B2", copies=3, unequal=True, missing=0.2),
        truth=Truth(-1, sds={"s": 0.8})),
    _binary(
        "bernoulli probit", formula="y ~ A * B + Error(s)", link="probit",
        layout=Split(20, "A2", "B2", copies=5), truth=Truth(0.3, sds={"s": 0.6})),
    _binary(
        "bernoulli varying slope", formula="y ~ A + dose + Error(s) + (dose|s)",
        layout=Split(20, "A2", copies=12),
        truth=Truth(sds={"s": 0.5, "dose|s": 0.4}, slopes={"dose": 0.5})),
    _binary(
        "bernoulli 5 levels within", formula="y ~ A + Error(s/A)",
        layout=Split(12, within="A5", copies=6), truth=Truth(sds={"s": 0.7, "s:A": 0.4})),
    # Proportions.
    _binomial(
        "memory",
        formula="p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
        layout=Shipped("memory")),
    _binomial(
        "binomial rich split plot", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3"),
        truth=Truth(-1, sds={"s": 0.6, "s:B": 0.3}, trials=(50, 50))),
    _binomial(
        "binomial 3 trials", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2"), truth=Truth(sds={"s": 0.7, "s:B": 0.3}, trials=(3, 3))),
    _binomial(
        "binomial unequal trials", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(41, "A3", "B2", unequal=True, missing=0.2),
        truth=Truth(-0.5, sds={"s": 0.8, "s:B": 0.4}, trials=(1, 30))),
    _binomial(
        "binomial 4 units", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(4, "A2", "B2"), truth=Truth(sds={"s": 0.7}, trials=(15, 20))),
    _binomial(
        "binomial 6 units within", formula="p(k, n) ~ A * B + Error(s/(A*B))",
        layout=Split(6, within="A2 B2", copies=2),
        truth=Truth(sds={"s": 0.8, "s:A": 0.4, "s:B": 0.4, "s:A:B": 0.2}, trials=(12, 12))),
    _binomial(
        "binomial between, one row a unit", formula="p(k, n) ~ A + Error(s)",
        layout=Split(8, "A2"), truth=Truth(1, sds={"s": 0.6}, trials=(20, 40))),
    _binomial(
        "binomial no units", formula="p(k, n) ~ A",
        layout=Split(24, "A4", unequal=True), truth=Truth(effect=0.8, trials=(2, 12))),
    _binomial(
        "binomial cell of zeros", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2"),
        truth=Truth(-1, sds={"s": 0.6}, trials=(8, 8), forced={"A == 'a1' and B == 'b1'": 0})),
    _binomial(
        "binomial level of ones", formula="p(k, n) ~ A + Error(s/A)",
        layout=Split(20, within="A3"),
        truth=Truth(0.5, sds={"s": 0.7, "s:A": 0.3}, trials=(5, 10), forced={"A == 'a3'": 1})),
    _binomial(
        "binomial units far apart", formula="p(k, n) ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2"), truth=Truth(sds={"s": 3}, trials=(10, 10))),
    _binomial(
        "binomial units alike", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B2"), truth=Truth(sds={"s": 0, "s:B": 0}, trials=(25, 25))),
    _binomial(
        "binomial crossed 12x10", formula="p(k, n) ~ A * B + (1|s) + (1|item)",
        layout=Crossed(12, 10, "A2", "B2"),
        truth=Truth(sds={"s": 0.6, "item": 0.5}, trials=(4, 6))),
    _binomial(
        "binomial cloglog", formula="p(k, n) ~ A * B + Error(s)", link="cloglog",
        layout=Split(20, "A2", "B2"), truth=Truth(-0.8, sds={"s": 0.5}, trials=(15, 15))),
    _binomial(
        "binomial own priors", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2"), truth=Truth(-1, sds={"s": 0.5, "s:B": 0.2}, trials=(20, 20)),
        priors={"Intercept": normal(-1, 1), "A": half_normal(1), "B": half_normal(1),
                "s": half_normal(1), "s:B": exponential(0.5)}),
    _binomial(
        "binomial 100 units", formula="p(k, n) ~ A * B + Error(s/B)",
        layout=Split(100, "A2", "B3"), truth=Truth(sds={"s": 0.8, "s:B": 0.4}, trials=(2, 8))),
    _binomial(
        "binomial plots in blocks", formula="p(k, n) ~ A * B + Error(block/plot)",
        layout=Nested(6, 3, by_plot="A3", within="B2"),
        truth=Truth(sds={"block": 0.5, "block:plot": 0.4}, trials=(20, 30))),
    _binomial(
        "binomial 3 factors", formula="p(k, n) ~ A * B * C + Error(s/(B*C))",
        layout=Split(12, "A2", "B2 C2"),
        truth=Truth(sds={"s": 0.8, "s:B": 0.3, "s:C": 0.3, "s:B:C": 0.2}, trials=(12, 12))),
    _binomial(
        "binomial covariate", formula="p(k, n) ~ A * B + age + Error(s)",
        layout=Split(20, "A2", "B2"),
        truth=Truth(sds={"s": 0.6}, slopes={"age": 0.03}, trials=(10, 15))),
    # Counts; the base is the log of their mean.
    _count(
        "poisson rich split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(20, "A2", "B3", copies=2), truth=Truth(3, sds={"s": 0.5, "s:B": 0.2})),
    _count(
        "poisson sparse split plot", formula="y ~ A * B + Error(s/B)",
        layout=Split(12, "A2", "B2", copies=2), truth=Truth(-0.5, sds={"s": 0.5, "s:B": 0.2})),
    _count(
        "poisson unequal groups", formula="y ~ A * B + Error(s/B)",
        layout=Split(41, "A3", "B2", copies=2, unequal=True, missing=0.2),
        truth=Truth(1, sds={"s": 0.6, "s:B": 0.3})),
    _count(
        "poisson 4 units", formula="y ~ A * B + Error(s/B)",
        layout=Split(4, "A2", "B2", copies=3), truth=Truth(1.5, sds={"s": 0.5, "s:B": 0.2})),
    _count(
        "poisson between, one row a unit", formula="y ~ A + Error(s)",
        layout=Split(12, "A3"), truth=Truth(2, sds={"s": 0.5})),
    _count(
        "poisson within", formula="y ~ A * B + Error(s/(A*B))",
        layout=Split(8, within="A2 B2", copies=2),
        truth=Truth(2, sds={"s": 0.6, "s:A": 0.3, "s:B": 0.3, "s:A:B": 0.2})),
    _count(
        "poisson no units", formula="y ~ A * B",
        layout=Split(30, "A2 B3"), truth=Truth(1)),
    _count(
        "poisson cell of zeros", formula="y ~ A * B + Error(s)",
        layout=Split(12, "A2", "B2", copies=2),
        truth=Truth(0.5, sds={"s": 0.4}, forced={"A == 'a1' and B == 'b1'": 0})),
    _count(
        "poisson level of zeros within", formula="y ~ A + Error(s/A)",
        layout=Split(20, within="A3", copies=2),
        truth=Truth(1, sds={"s": 0.5, "s:A": 0.3}, forced={"A == 'a1'": 0})),
    _count(
        "poisson units alike", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2", copies=2), truth=Truth(1.5, sds={"s": 0})),
    _count(
        "poisson units far apart", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A2", "B2", copies=2), truth=Truth(1, sds={"s": 2})),
    _count(
        "poisson exposure", formula="y ~ A * B + offset(log(hours)) + Error(s)",
        layout=Split(20, "A2", "B2", copies=3), truth=Truth(0.5, sds={"s": 0.5}, hours=(0.5, 8))),
    _count(
        "poisson crossed 24x16", formula="y ~ A * B + (1|s) + (1|item)",
        layout=Crossed(24, 16, "A2", "B2"), truth=Truth(0.5, sds={"s": 0.5, "item": 0.4})),
    _count(
        "poisson 100 units", formula="y ~ A * B + Error(s/B)",
        layout=Split(100, "A2", "B2", copies=2), truth=Truth(0.5, sds={"s": 0.6, "s:B": 0.3})),
    _count(
        "poisson 400 sparse units", formula="y ~ A * B + Error(s)",
        layout=Split(400, "A2", "B2"), truth=Truth(-0.7, sds={"s": 0.7})),
    _count(
        "poisson varying slope", formula="y ~ A + dose + Error(s) + (dose|s)",
        layout=Split(20, "A2", copies=6),
        truth=Truth(1, sds={"s": 0.4, "dose|s": 0.2}, slopes={"dose": 0.2})),
    _count(
        "poisson own priors", formula="y ~ A * B + Error(s)",
        layout=Split(8, "A2", "B2", copies=2), truth=Truth(1, sds={"s": 0.5}),
        priors={"Intercept": normal(1, 1), "s": exponential(0.5), "A": exponential(1)}),
    _count(
        "poisson classes in schools", formula="y ~ A * B + Error(block/plot)",
        layout=Nested(8, 4, "A2", "B2", copies=3),
        truth=Truth(1.5, sds={"block": 0.4, "block:plot": 0.3})),
    _count(
        "poisson 5 x 4 levels", formula="y ~ A * B + Error(s)",
        layout=Split(20, "A5", "B4"), truth=Truth(1.5, sds={"s": 0.4})),
]
# fmt: on

DESIGNS: dict[str, Design] = {design.name: design for design in _ALL}


def chosen(names: list[str] | None) -> list[Design]:
    """Return the designs of some names, all by default, and stop at a name that there is not."""
    unknown = [name for name in names or [] if name not in DESIGNS]
    if unknown:
        raise SystemExit(f"no such design: {', '.join(unknown)}\nknown: {', '.join(DESIGNS)}")
    return [DESIGNS[name] for name in names or DESIGNS]


def quantities(result: Result) -> pd.DataFrame:
    """List every quantity that a result reports.

    Parameters
    ----------
    result : Result
        Of any method.

    Returns
    -------
    pandas.DataFrame
        ``quantity`` (such as "contrast A: a1 - a2 | finite | response"), ``mean``, ``sd``,
        ``mcse_mean``, ``ess`` (bulk), ``supported`` and ``trusted``: the means of every term and
        of the cells, the deflections and the pairwise contrasts of every factor on the link
        scale; the cell means and the contrasts on the response scale; all of them for both
        populations; and both standard deviations of every row of the ANOVA table.
    """
    factors = list(result.design.levels)
    terms = [
        ":".join(name for name in factors if name in term.factors)
        for term in result.design.terms
        if term.factors and not term.covariate
    ]
    tables = []
    for population in POPULATIONS:
        for term in dict.fromkeys([*terms, ":".join(factors)]):
            tables.append(_means(result, term, population, "link"))
        tables.append(_deflections(result, population))
        tables.append(_means(result, ":".join(factors), population, "response"))
        for factor, scale in product(factors, ("link", "response")):
            table = result.contrasts(factor, population=population, scale=scale)
            tables.append(_named(table, f"contrast {factor}: " + table["contrast"]))
    tables += _anova(result)
    found = pd.concat(tables, ignore_index=True)
    assert found["quantity"].is_unique
    return found


def _means(result: Result, term: str, population: str, scale: str) -> pd.DataFrame:
    table = result.means(term, population=population, scale=scale)
    shown = table[term.split(":")].astype(str).agg(":".join, axis=1)
    return _named(table, f"mean {term}: " + shown)


def _deflections(result: Result, population: str) -> pd.DataFrame:
    table = result.deflections(population=population)
    return _named(table, "deflection " + table["term"] + ": " + table["level"])


def _anova(result: Result) -> list[pd.DataFrame]:
    """Return the finite-population sds and the sigmas of the ANOVA table."""
    table = result.anova()
    sigmas = table.drop(columns=["mean", "sd", "mcse_mean", "ess_bulk"]).rename(
        columns={"sigma": "mean", "sigma_sd": "sd"}
    )
    draws = result.draws.sigmas | {"residual": result.draws.auxiliary.get("sigma")}
    # The table's own diagnostics are those of the finite-population sd.
    checks = summarise(np.stack([draws[term] for term in table["term"]], axis=-1))
    sigmas[["mcse_mean", "ess_bulk"]] = checks[["mcse_mean", "ess_bulk"]]
    finite = table[table["mean"].notna()]  # the residual has none
    return [
        _named(finite, "finite-population sd of " + finite["term"]),
        _named(sigmas, "sigma of " + sigmas["term"]),
    ]


def _named(table: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    quantity = names + " | " + table["population"] + " | " + table["scale"]
    named = table.rename(columns={"ess_bulk": "ess"}).assign(quantity=quantity)
    return named[["quantity", "mean", "sd", "mcse_mean", "ess", "supported", "trusted"]]
