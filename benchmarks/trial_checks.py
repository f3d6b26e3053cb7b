"""False alarms, power and coverage of ``Model.check_trials`` and ``Model.check_dispersion``.

Data are simulated with and without what the checks look for; false alarms are counted where it
is absent, in the designs that are most likely to feign it: unit effects, unit-by-factor effects,
overdispersed counts, numbers of trials that differ between cells or units, few units, small
counts, crossed units, covariates.  ``found`` is the check's own verdict (95% interval), ``warned``
that of a model that is made (p < 0.01 and more than 5% of the odds for one sd).

Run ``python benchmarks/trial_checks.py``; see ``--help``.

Letters: S simulations.
"""

import argparse
import platform
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special, stats
from trust_corpus import PACKAGES, markdown

from bambi_anova.data.rows import read_rows
from bambi_anova.design.design import build_design
from bambi_anova.families.base import get_family, get_link
from bambi_anova.formula.parse import parse_formula
from bambi_anova.priors.defaults import make_priors
from bambi_anova.screening.answers import NotChecked
from bambi_anova.screening.screen import check_dispersion, check_trials, warn_of_trials
from bambi_anova.specification import Specification, of_design

Array = np.ndarray

#: The most false alarms, and what 200 or more simulations may show of them by chance.
MOST_ALARMS = 0.05
CHANCE = 0.001


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
        """Read data as a model does, without its priors and warnings."""
        formula, family = parse_formula(self.formula), get_family(self.family)
        design = build_design(formula, read_rows(formula, data, family), family)
        priors = make_priors(design, family)
        return of_design(design, family, get_link(family, None), priors)


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


def main() -> None:
    """Simulate, print, and fail if there are more false alarms than chance explains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=200, metavar="S", help="each; 200")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=STUDIES, help="checks; all by default")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    options = parser.parse_args()
    tables = {name: run(name, options) for name in options.only or STUDIES}
    text = report(tables, options)
    print(text)
    if options.report:
        options.report.parent.mkdir(exist_ok=True)
        options.report.write_text(text)
    raise SystemExit(any(len(excessive(absent, options)) for absent, _ in tables.values()))


def run(name: str, options: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate a study; a row for each experiment without and with what is looked for."""
    study = STUDIES[name]
    return tuple(
        pd.DataFrame([summary(study, title, made, options) for title, made in group.items()])
        for group in (study.absent, study.present)
    )


def summary(
    study: Study, title: str, experiment: Experiment, options: argparse.Namespace
) -> dict[str, object]:
    """Simulate one experiment; each simulation has its own seed."""
    print(title, file=sys.stderr, flush=True)
    found, warned, covered, estimates, seconds, silent = [], [], [], [], [], 0
    truth = experiment.slope if study is TRIALS else experiment.overdispersion
    for simulation in range(options.simulations):
        rng = np.random.default_rng([options.seed, zlib.crc32(title.encode()), simulation])
        model = experiment.read(experiment.simulate(rng))
        started = time.perf_counter()
        answer = study.check(model)
        seconds.append(time.perf_counter() - started)
        if study is TRIALS:
            warned.append(bool(list(warn_of_trials(model))))
        if isinstance(answer, NotChecked):
            silent += 1
            found.append(False)
            continue
        row = answer.table.iloc[-1]
        found.append(answer.found)
        estimates.append(row["estimate"])
        covered.append(row["low"] <= truth <= row["high"])
    rows = experiment.units * 2 * experiment.repeats
    extra = {"warned": np.mean(warned)} if study is TRIALS else {}
    return {
        "experiment": title,
        "rows": rows,
        "found": np.mean(found),
        **extra,
        "truth": truth,
        "median": np.median(estimates) if estimates else np.nan,
        "covered": np.mean(covered) if covered else np.nan,
        "not checked": silent,
        "ms": 1e3 * np.median(seconds),
    }


def excessive(absent: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Return the experiments with more false alarms than chance explains at the nominal rate."""
    most = stats.binom.ppf(1 - CHANCE, options.simulations, MOST_ALARMS) / options.simulations
    return absent[absent["found"] > most]


def report(tables, options: argparse.Namespace) -> str:
    """Write the report."""
    titles = {
        "trials": "Informative numbers of trials (`check_trials`; truth: log odds a trial)",
        "dispersion": "Overdispersion (`check_dispersion`; truth: rho, or 1 / alpha of counts)",
    }
    parts = [
        "# Checks of trials and of dispersion\n",
        f"{options.simulations} simulations of each experiment, seed {options.seed}; "
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        + ".\n",
        "`found`: share whose 95% interval leaves out no effect; without an effect these are false "
        "alarms.  `warned`: share in which making the model warns (p < 0.01 and 5% of the odds).  "
        "`covered`: share of the intervals that hold the truth.  `ms`: median of a check.\n",
    ]
    for name, (absent, present) in tables.items():
        pooled = absent["found"].mean()
        parts += [
            f"## {titles[name]}\n",
            f"### Without it: false alarms ({pooled:.1%} on average, "
            f"{absent['found'].max():.1%} at most)\n",
            markdown(_shown(absent)) + "\n",
            "### With it: power\n",
            markdown(_shown(present)) + "\n",
        ]
        bad = excessive(absent, options)
        if len(bad):
            parts.append(f"**Too many false alarms:** {', '.join(bad['experiment'])}\n")
    return "\n".join(parts)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Round for print."""
    shown = table.copy()
    for name in ("found", "warned", "covered"):
        if name in shown:
            shown[name] = [f"{value:.1%}" for value in shown[name]]
    for name in ("truth", "median"):
        shown[name] = [f"{value:.3f}" for value in shown[name]]
    shown["ms"] = [f"{value:.1f}" for value in shown["ms"]]
    return shown


if __name__ == "__main__":
    main()
