"""Simulated experiments with and without what ``check_trials`` and ``check_dispersion`` look for.

False alarms are counted in the designs that are most likely to feign it: unit effects,
unit-by-factor effects, overdispersed counts, numbers of trials that differ between cells or
units, few units, small counts, crossed units, covariates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd
from scipy import special

from bambi_anova.screening.screen import check_dispersion, check_trials
from bambi_anova.specification import Specification, specify

Array = np.ndarray


@dataclass(frozen=True)
class Experiment:
    """A split plot with condition between and kind within units, or what is left of it.

    Attributes
    ----------
    units, repeats : int
        Units, and rows of each in each of the two kinds.
    formula : str
    trials : tuple of int
        The least and the most trials of a row.
    by_cell, by_unit : float
        Trials added in condition B and kind y, and the sd of those added by unit.
    rate : float
        On the logit scale (or the log of a count's mean).
    unit_sd, kind_sd, item_sd : float
        Of the effects of units, of units by kind, and of items.
    confounding : float
        Effect of a unit's added trials on its rate: not a dependence within units.
    slope, unit_slope : float
        Effect of a single trial more on the rate: what is to be found, on average and its sd.
    overdispersion : float
        Intra-trial correlation, or the squared coefficient of variation of a count's rates.
    covariate : float
        Effect of a covariate that goes with the number of trials.
    exposure : bool
        Whether counts have exposures.
    """

    units: int = 41
    repeats: int = 50
    formula: str = "p(k, n) ~ condition * kind + Error(unit/kind)"
    family: str = "binomial"
    trials: tuple[int, int] = (10, 15)
    by_cell: float = 0
    by_unit: float = 0
    rate: float = -2.2
    unit_sd: float = 0.5
    kind_sd: float = 0.15
    item_sd: float = 0
    confounding: float = 0
    slope: float = 0
    unit_slope: float = 0
    overdispersion: float = 0
    covariate: float = 0
    exposure: bool = False

    def simulate(self, rng) -> pd.DataFrame:
        """Draw one data set."""
        rows = product(range(self.units), [0, 1], range(self.repeats))
        unit, kind, item = np.array(list(rows)).T
        condition = unit % 2
        added = np.round(rng.normal(0, self.by_unit, self.units))[unit]
        n = rng.integers(self.trials[0], self.trials[1] + 1, len(unit)) + added
        if self.item_sd:  # an item brings its number of trials along
            n = rng.integers(self.trials[0], self.trials[1] + 1, (2, self.repeats))[kind, item]
        n = np.maximum(n + self.by_cell * (condition + kind), 1).astype(int)
        covariate = (n - n.mean()) / max(n.std(), 1) + rng.normal(0, 1, len(unit))
        eta = (
            self.rate
            + 0.2 * condition
            - 0.2 * kind
            + rng.normal(0, self.unit_sd, self.units)[unit]
            + rng.normal(0, self.kind_sd, (self.units, 2))[unit, kind]
            + rng.normal(0, self.item_sd, (2, self.repeats))[kind, item]
            + self.confounding * added
            + (self.slope + rng.normal(0, self.unit_slope, self.units)[unit]) * (n - n.mean())
            + self.covariate * covariate
        )
        hours = rng.uniform(0.5, 2, len(unit)) if self.exposure else np.ones(len(unit))
        k = (
            self._proportions(rng, eta, n)
            if self.family == "binomial"
            else self._counts(rng, eta + np.log(hours))
        )
        return pd.DataFrame(
            {
                "unit": [f"u{i:03d}" for i in unit],
                "condition": np.array(["A", "B"])[condition],
                "kind": np.array(["x", "y"])[kind],
                "item": [f"i{a}{b:03d}" for a, b in zip(kind, item, strict=True)],
                "row": np.arange(len(unit)),
                "z": covariate,
                "hours": hours,
                "n": n,
                "k": k,
            }
        )

    def _proportions(self, rng, eta: Array, n: Array) -> Array:
        rate = special.expit(eta)
        if self.overdispersion:
            total = 1 / self.overdispersion - 1
            rate = rng.beta(rate * total, (1 - rate) * total)
        return rng.binomial(n, rate)

    def _counts(self, rng, eta: Array) -> Array:
        mean = np.exp(eta)
        if self.overdispersion:
            mean = mean * rng.gamma(1 / self.overdispersion, self.overdispersion, len(mean))
        return rng.poisson(mean)

    def read(self, data: pd.DataFrame) -> Specification:
        """Read data as a model does, without its warnings."""
        return specify(self.formula, data, self.family)


def plain(**changes) -> Experiment:
    """Describe an experiment by what differs from the memory experiment."""
    return Experiment(**changes)


SINGLE = {"repeats": 1, "trials": (30, 60)}
CROSSED = {
    "units": 20,
    "repeats": 12,
    "formula": "p(k, n) ~ kind + Error(unit/kind) + Error(item)",
    "unit_sd": 0.4,
    "item_sd": 0.4,
}
COUNTS = {"family": "poisson", "formula": "k ~ condition * kind + Error(unit/kind)", "rate": 1.0}


@dataclass(frozen=True)
class Study:
    """Simulations of one check: those without and those with what it looks for."""

    check: Callable
    absent: Mapping[str, Experiment]
    present: Mapping[str, Experiment] = field(default_factory=dict)


TRIALS = Study(
    check_trials,
    {
        "as memory, without dependence": plain(),
        "strong unit-by-kind effects": plain(unit_sd=1.0, kind_sd=0.7),
        "overdispersed, rho 0.1": plain(overdispersion=0.1),
        "overdispersed, rho 0.3, 12 units of 10 rows": plain(
            units=12, repeats=10, overdispersion=0.3
        ),
        "n differs between cells": plain(by_cell=4),
        "n differs between cells, overdispersed": plain(by_cell=4, overdispersion=0.1),
        "n differs between units": plain(by_unit=3),
        "n goes with the unit's rate": plain(by_unit=3, confounding=0.15),
        "slopes of n differ between units, mean zero": plain(unit_slope=0.1),
        "6 units of 20 rows": plain(units=6, repeats=10),
        "small n and rate": plain(trials=(1, 3), rate=-3, repeats=10),
        "one row a unit and kind": plain(**SINGLE),
        "one row a unit and kind, overdispersed": plain(**SINGLE, overdispersion=0.1),
        "one row a unit and kind, n differs between cells": plain(**SINGLE, by_cell=10),
        "one row a unit and kind, 12 units": plain(**SINGLE, units=12),
        "no units, overdispersed": plain(
            formula="p(k, n) ~ condition * kind",
            units=40,
            repeats=1,
            unit_sd=0,
            kind_sd=0,
            overdispersion=0.1,
        ),
        "crossed units, n belongs to items": plain(**CROSSED),
        "covariate that goes with n": plain(
            covariate=0.3, formula="p(k, n) ~ condition * kind + z + Error(unit/kind)"
        ),
        "a unit for every row": plain(
            repeats=20,
            overdispersion=0.1,
            formula="p(k, n) ~ condition * kind + Error(unit/kind) + Error(row)",
        ),
    },
    {
        "0.10 a marker, as memory": plain(slope=0.10),
        "0.05 a marker": plain(slope=0.05),
        "0.02 a marker": plain(slope=0.02),
        "-0.05 a marker": plain(slope=-0.05),
        "0.05 a marker, overdispersed": plain(slope=0.05, overdispersion=0.1),
        "0.05 a marker, differs by 0.05 between units": plain(slope=0.05, unit_slope=0.05),
        "0.05 a marker, n differs between units": plain(slope=0.05, by_unit=3),
        "0.10 a marker, 12 units of 20 rows": plain(slope=0.1, units=12, repeats=10),
        "small n and rate, 0.3 a trial": plain(trials=(1, 3), rate=-3, repeats=10, slope=0.3),
        "one row a unit and kind, 0.03 a trial": plain(**SINGLE, slope=0.03),
        "crossed units, 0.1 a trial": plain(**CROSSED, slope=0.1),
    },
)

DISPERSION = Study(
    check_dispersion,
    {
        "as memory, without dependence on n": plain(),
        "as memory": plain(slope=0.10),
        "strong unit-by-kind effects": plain(unit_sd=1.0, kind_sd=0.7),
        "many numbers of trials, rate depends on them": plain(
            trials=(5, 60), slope=0.02, repeats=20
        ),
        "6 units of 10 rows": plain(units=6, repeats=5),
        "small n and rate": plain(trials=(1, 3), rate=-3, repeats=10),
        "4 units": plain(units=4, repeats=8),
        "no units": plain(
            formula="p(k, n) ~ condition * kind", units=20, repeats=2, unit_sd=0, kind_sd=0
        ),
        "a row for each unit and kind": plain(
            formula="p(k, n) ~ condition * kind + Error(unit)", repeats=1, kind_sd=0
        ),
        "crossed units, a row for each pair": plain(
            **{**CROSSED, "formula": "p(k, n) ~ kind + Error(unit) + Error(item)"}, kind_sd=0
        ),
        "counts, crossed units": plain(
            **{**CROSSED, **COUNTS, "formula": "k ~ kind + Error(unit) + Error(item)"}, kind_sd=0
        ),
        "covariate in the formula": plain(
            covariate=0.5, formula="p(k, n) ~ condition * kind + z + Error(unit/kind)"
        ),
        "counts": plain(**COUNTS),
        "counts with exposures": plain(
            **{**COUNTS, "formula": COUNTS["formula"] + " + offset(log(hours))"}, exposure=True
        ),
        "counts, rare": plain(**{**COUNTS, "rate": -2.0}, repeats=10),
        "counts, covariate": plain(
            **{**COUNTS, "formula": "k ~ condition * kind + z + Error(unit/kind)"},
            covariate=0.3,
            repeats=10,
        ),
    },
    {
        "rho 0.01": plain(overdispersion=0.01),
        "rho 0.02": plain(overdispersion=0.02),
        "rho 0.05": plain(overdispersion=0.05),
        "rho 0.05, rate depends on n": plain(overdispersion=0.05, slope=0.1),
        "rho 0.1, 12 units of 20 rows": plain(overdispersion=0.1, units=12, repeats=10),
        "rho 0.3, 6 units of 10 rows": plain(overdispersion=0.3, units=6, repeats=5),
        "rho 0.1, many numbers of trials": plain(
            overdispersion=0.1, trials=(5, 60), slope=0.02, repeats=20
        ),
        "rho 0.1, a row for each unit and kind": plain(
            formula="p(k, n) ~ condition * kind + Error(unit)",
            repeats=1,
            kind_sd=0,
            overdispersion=0.1,
        ),
        "rho 0.1, crossed units": plain(
            **{**CROSSED, "formula": "p(k, n) ~ kind + Error(unit) + Error(item)"},
            kind_sd=0,
            overdispersion=0.1,
        ),
        "counts, 1 / alpha 0.05": plain(**COUNTS, overdispersion=0.05),
        "counts, 1 / alpha 0.2": plain(**COUNTS, overdispersion=0.2, repeats=10),
    },
)

STUDIES = {"trials": TRIALS, "dispersion": DISPERSION}
