"""Designs whose responses come from their model, and responses that their model misses.

Letters: N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.families.base import Family
from bambi_anova.families.parameters import Further
from bambi_anova.families.registry import FAMILIES, get_family
from bambi_anova.families.sufficient import unmerged
from bambi_anova.families.values import ResponseValues

Array = np.ndarray
#: (linear predictor, rows, rng) -> response.
Draw = Callable[[Array, pd.DataFrame, np.random.Generator], Array]

#: Priors that are not the default's.  Half of the mass of Kruschke's prior of kappa - 2 lies below
#: 1e-30: it can outweigh the data, which the check finds, rightly.
PRIORS = {"betabinomial_mode": {"kappa_minus_2": ("Gamma", {"alpha": 2.0, "beta": 0.3})}}
#: Trials of a row of successes.
TRIALS = 12


@dataclass(frozen=True)
class Layout:
    """A design: units in groups, tasks, times, and its formula's right-hand side."""

    units: int
    tasks: int
    times: int
    formula: str

    def rows(self) -> pd.DataFrame:
        """Return the rows without a response."""
        tasks = "vwxyz"[: self.tasks]
        made = product(range(self.units), tasks, range(self.times))
        frame = pd.DataFrame(made, columns=["s", "task", "time"])
        return frame.assign(group=np.where(frame["s"] % 2, "A", "B"), n=TRIALS)


LAYOUTS = {
    "split-plot, 200 rows": Layout(20, 2, 5, "group * task + Error(s/task)"),
    "one row a cell of a unit, 48 rows": Layout(12, 4, 1, "group * task + Error(s)"),
    "no units, 60 rows": Layout(60, 1, 1, "group"),
    "many rows, 2,000": Layout(20, 2, 50, "group * task + Error(s/task)"),
}


@dataclass(frozen=True)
class Experiment:
    """A layout with a way to draw its response, and the family that is fitted."""

    layout: Layout
    family: str
    draw: Draw
    sd: float = 0.5
    level: float = 0.0

    def data(self, rng: np.random.Generator) -> tuple[str, pd.DataFrame]:
        """Return formula and data."""
        rows = self.layout.rows()
        eta = self.level + 0.4 * (rows["task"] == "w") + 0.3 * (rows["group"] == "A")
        if "Error" in self.layout.formula:
            unit = rng.normal(size=(self.layout.units, self.layout.tasks + 1)) * self.sd
            eta += unit[rows["s"], 0]
            if "s/task" in self.layout.formula:
                eta += 0.5 * unit[rows["s"], 1 + rows["task"].factorize()[0]]
        family = get_family(self.family)
        left = "p(y, n)" if family.response.trials else "y"
        y = self.draw(eta.to_numpy(), rows, rng)
        return f"{left} ~ {self.layout.formula}", rows.assign(y=y)


def of_family(name: str) -> Draw:
    """Return what draws from a family itself, with some usual further parameters."""
    family = get_family(name)
    link = family.parent.links[0]
    residual = 1.2 if family.thresholds else 0.5
    further = {
        one.name: residual if one.name == family.residual else 4.0 for one in family.auxiliary
    }
    further |= {name: own.prior(None).args["mu"] for name, own in _thresholds(family).items()}
    middle = 3.0 if family.thresholds and family.intercept else 0.0  # of ratings from 1 to 5

    def draw(eta: Array, rows: pd.DataFrame, rng: np.random.Generator) -> Array:
        trials = None
        if family.response.trials or family.response.binary:
            trials = np.full(len(eta), TRIALS if family.response.trials else 1.0)
        made = unmerged(ResponseValues("y", np.zeros(len(eta)), trials), None)
        parameters = family.at((link,), (eta[None] + middle,), further)
        values = family.replicate(parameters, made, rng)[0]
        if name == "beta":  # no proportion may round to a border
            values = np.clip(values, 1e-9, 1 - 1e-9)
        return values

    return draw


def _thresholds(family: Family) -> dict[str, Further]:
    return {one.name: one for one in family.auxiliary if one.name in family.thresholds}


def _noise(make: Callable[[pd.DataFrame, np.random.Generator], Array]) -> Draw:
    return lambda eta, rows, rng: eta + 0.5 * make(rows, rng)


def _with_outliers(rows: pd.DataFrame, rng: np.random.Generator) -> Array:
    noise = rng.normal(size=len(rows))
    few = rng.choice(len(rows), max(1, len(rows) // 100), replace=False)
    noise[few] += 7 * rng.choice([-1, 1], len(few))
    return noise


def _probability(eta: Array) -> Array:
    return 1 / (1 + np.exp(-eta))


def _scattered(eta: Array, rows: pd.DataFrame, rng: np.random.Generator) -> Array:
    share = _probability(eta)
    return rng.binomial(TRIALS, rng.beta(4 * share, 4 * (1 - share))).astype(float)


def _u_shaped(eta: Array, rows: pd.DataFrame, rng: np.random.Generator) -> Array:
    share = _probability(eta)
    return np.clip(rng.beta(0.8 * share, 0.8 * (1 - share)), 1e-9, 1 - 1e-9)


def _u_shaped_counts(eta: Array, rows: pd.DataFrame, rng: np.random.Generator) -> Array:
    return rng.binomial(TRIALS, _u_shaped(eta, rows, rng)).astype(float)


def _zero_inflated(eta: Array, rows: pd.DataFrame, rng: np.random.Generator) -> Array:
    return rng.poisson(np.exp(1.5 + eta)) * (rng.uniform(size=len(eta)) > 0.25).astype(float)


def _overdispersed(eta: Array, rows: pd.DataFrame, rng: np.random.Generator) -> Array:
    return rng.poisson(np.exp(1 + eta) * rng.gamma(2, 0.5, len(eta))).astype(float)


#: By what is amiss: the family that is fitted, and how the response is drawn.
WRONG: dict[str, tuple[str, Draw]] = {
    "lognormal times (sd of log .5) as gaussian": (
        "gaussian",
        lambda eta, rows, rng: np.exp(6 + 0.3 * eta + 0.5 * rng.normal(size=len(eta))),
    ),
    "exponentially modified normal times as gaussian": (
        "gaussian",
        _noise(lambda rows, rng: rng.normal(size=len(rows)) + 2 * rng.exponential(size=len(rows))),
    ),
    "t with 3 degrees of freedom as gaussian": (
        "gaussian",
        _noise(lambda rows, rng: rng.standard_t(3, len(rows))),
    ),
    "1% outliers, 7 sd off, as gaussian": ("gaussian", _noise(_with_outliers)),
    "residual sd twice as large in one group, as gaussian": (
        "gaussian",
        _noise(lambda rows, rng: rng.normal(size=len(rows)) * np.where(rows["group"] == "A", 2, 1)),
    ),
    "U-shaped proportions as gaussian": ("gaussian", _u_shaped),
    "lognormal times (sd of log 1) as gamma": (
        "gamma",
        lambda eta, rows, rng: np.exp(6 + 0.3 * eta + rng.normal(size=len(eta))),
    ),
    "lognormal times (sd of log .5) as t": (
        "t",
        lambda eta, rows, rng: np.exp(6 + 0.3 * eta + 0.5 * rng.normal(size=len(eta))),
    ),
    "negative binomial counts (alpha 2) as poisson": ("poisson", _overdispersed),
    "counts with a quarter of zeros put in, as poisson": ("poisson", _zero_inflated),
    "counts with a quarter of zeros put in, as negativebinomial": (
        "negativebinomial",
        _zero_inflated,
    ),
    "beta-binomial successes (kappa 4) as binomial": ("binomial", _scattered),
    "U-shaped shares of successes as binomial": ("binomial", _u_shaped_counts),
}


def experiments() -> tuple[dict[tuple[str, str], Experiment], dict[tuple[str, str], Experiment]]:
    """Return those whose model is right, and those whose model is wrong, by title and layout."""
    small = [name for name in LAYOUTS if not name.startswith("many")]
    right = {
        (name, layout): Experiment(LAYOUTS[layout], name, of_family(name))
        for name in FAMILIES
        for layout in LAYOUTS
        if layout in small or name in ("gaussian", "binomial", "negativebinomial")
    }
    wrong = {
        (name, layout): Experiment(LAYOUTS[layout], family, draw)
        for name, (family, draw) in WRONG.items()
        for layout in small
    }
    return right, wrong
