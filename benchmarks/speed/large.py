"""How long large and awkward designs take, and how much memory, and how that grows.

Each fit has a process of its own, so that its peak memory is its own; imports are not counted.
Seconds are those of the clock, and of the processor: on a machine that does other work the second
says more.  R's packages (lme4, glmmTMB) fit the same formula where Rscript finds them: point
estimates, where ours are draws from the joint posterior.  *x* is our clock by theirs, of fits that
ran one after the other.  A method is the Laplace fit unless the design says NUTS.

Growth is that of nested designs, `y ~ g * kind + Error(s/kind)`, 250 draws in each of four parts:
seconds against units with two rows in each of three within-cells, and against rows of 40 units.

Run ``python benchmarks/speed/large.py``; see ``--help``.  Results are kept in a file, so that a
report can be made of several runs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

Array = np.ndarray

#: Seconds after which a fit is given up.
LIMIT = 270
#: Units, and rows, of the nested designs whose growth is told.
UNITS = (40, 400, 4_000, 40_000)
ROWS = (1_000, 10_000, 100_000, 1_000_000)
R_FIT = """
args <- commandArgs(TRUE)
data <- read.csv(args[1], stringsAsFactors = TRUE)
suppressMessages(library(args[2], character.only = TRUE))
formula <- as.formula(args[3])
run <- if (args[2] == "glmmTMB") function() glmmTMB(formula, data, family = args[4]) else
  if (args[4] == "gaussian") function() lmer(formula, data) else
  function() glmer(formula, data, family = args[4])
cat("SECONDS", system.time(suppressWarnings(suppressMessages(run())))[["elapsed"]], "\\n")
"""


@dataclass(frozen=True)
class Design:
    """A simulated design.

    Attributes
    ----------
    title : str
    formula, family : str
    data : callable
        () -> the frame.
    goal : float
        Seconds on two idle cores.
    r_formula, r_family : str
        For R's packages; none of them if empty.
    method : str
    draws : int
        In each of four parts.
    packages : tuple of str
        Of R, that do it in the time there is.
    """

    title: str
    formula: str
    family: str
    data: Callable[[], pd.DataFrame]
    goal: float
    r_formula: str = ""
    r_family: str = ""
    method: str = "laplace"
    draws: int = 1000
    packages: tuple[str, ...] = ("lme4", "glmmTMB")


def crossed(subjects: int, items: int, rows: int, binary: bool = False) -> pd.DataFrame:
    """Simulate subjects of two groups who see items of two kinds."""
    rng = np.random.default_rng(1)
    if rows == subjects * items:
        s, item = np.repeat(np.arange(subjects), items), np.tile(np.arange(items), subjects)
    else:
        s = rng.permutation(np.arange(rows) % subjects)
        item = rng.permutation(np.arange(rows) % items)
    g, kind = s % 2, item % 2
    eta = 0.3 * g + 0.4 * kind + rng.normal(0, 1, subjects)[s] + rng.normal(0, 0.6, items)[item]
    y = rng.random(rows) < 1 / (1 + np.exp(-eta)) if binary else eta + rng.normal(0, 1, rows)
    return named(y=y.astype(float if not binary else int), g=g, kind=kind, s=s, item=item)


def ratings(binary: bool = False) -> pd.DataFrame:
    """Simulate the size and imbalance of lme4's InstEval: students rate lecturers."""
    rng, rows = np.random.default_rng(1), 73_421
    parts = [rng.gamma(shape, 1, count) for shape, count in ((2.0, 2972), (0.8, 1128))]
    s, d = (rng.choice(len(part), rows, p=part / part.sum()) for part in parts)
    s[:2972], d[-1128:] = np.arange(2972), np.arange(1128)
    g, kind = d % 2, rng.integers(0, 2, rows)
    y = 3.2 + 0.05 * g - 0.04 * kind + rng.normal(0, 0.33, 2972)[s] + rng.normal(0, 0.52, 1128)[d]
    if binary:
        hit = rng.random(rows) < 1 / (1 + np.exp(-2 * (y - 3.2)))
        return named(y=hit.astype(int), g=g, kind=kind, s=s, item=d)
    return named(y=y + rng.normal(0, 1.18, rows), g=g, kind=kind, s=s, item=d)


def three_ways() -> pd.DataFrame:
    """Simulate 200 subjects of 8 laboratories who see 40 items each, half of 80."""
    rng = np.random.default_rng(1)
    s = np.repeat(np.arange(200), 40)
    item = np.concatenate([rng.permutation(80)[:40] for _ in range(200)])
    lab, kind = s % 8, item % 2
    y = 0.4 * kind + rng.normal(0, 1, 200)[s] + rng.normal(0, 0.6, 80)[item]
    y += rng.normal(0, 0.5, 8)[lab] + rng.normal(0, 0.3, (80, 8))[item, lab]
    return named(y=y + rng.normal(0, 1, len(s)), kind=kind, s=s, item=item, lab=lab)


def counts() -> pd.DataFrame:
    """Simulate 100,000 counts, each with an effect of its own."""
    rng, rows = np.random.default_rng(1), 100_000
    g = np.arange(rows) % 2
    return named(
        y=rng.poisson(np.exp(1 + 0.3 * g + rng.normal(0, 0.5, rows))), g=g, row=np.arange(rows)
    )


def nested(family: str, units: int, rows: int) -> pd.DataFrame:
    """Simulate units of two groups in each of three conditions."""
    rng = np.random.default_rng(1)
    s, kind = np.arange(rows) % units, np.arange(rows) // units % 3
    g = s % 2
    eta = (
        0.3 * g + 0.2 * kind + rng.normal(0, 1, units)[s] + rng.normal(0, 0.5, (units, 3))[s, kind]
    )
    if family == "bernoulli":
        y = (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(int)
    else:
        y = eta + rng.normal(0, 1, rows)
    return named(y=y, g=g, kind=kind, s=s)


def times(gamma: bool = False) -> pd.DataFrame:
    """Simulate response times of 40 people in three conditions, with outliers."""
    rng = np.random.default_rng(1)
    s, kind = np.repeat(np.arange(40), 69), np.tile(np.repeat(np.arange(3), 23), 40)
    y = 500 + 20 * (2 * (s % 2) - 1) + np.array([-15.0, 0.0, 15.0])[kind]
    y += rng.normal(0, 60, 40)[s] + rng.normal(0, 20, (40, 3))[s, kind]
    y += rng.gamma(4, 35, len(s)) - 140
    y += np.where(rng.random(len(s)) < 0.03, rng.exponential(600, len(s)), 0.0)
    return named(y=np.maximum(y, 50) if gamma else y, g=s % 2, kind=kind, s=s)


def participants() -> pd.DataFrame:
    """Simulate 4,100 participants of two conditions who do two types of trials."""
    rng = np.random.default_rng(4100)
    s = np.repeat(np.arange(4100), 2)
    g, kind = s % 2, np.tile([0, 1], 4100)
    eta = np.log(0.035 / 0.965) + 0.05 * (1 - 2 * g) + 0.2 * (1 - 2 * kind)
    eta = eta + rng.normal(0, 0.45, 4100)[s] + rng.normal(0, 0.12, 8200)
    n = rng.integers(550, 651, 8200)
    frame = named(y=rng.binomial(n, 1 / (1 + np.exp(-eta))), g=g, kind=kind, s=s)
    return frame.assign(n=n, rest=n - frame["y"])


def levels(first: int, second: int, each: int) -> pd.DataFrame:
    """Simulate rows in every cell of two factors."""
    rng = np.random.default_rng(1)
    a, b = np.repeat(np.arange(first), second * each), np.arange(first * second * each) % second
    y = rng.normal(0, 1, first)[a] + rng.normal(0, 0.6, second)[b]
    return named(y=y + rng.normal(0, 1, len(a)), g=a, kind=b)


def named(y: Array, **codes: Array) -> pd.DataFrame:
    """Return a frame whose levels are text."""
    labels = {name: [f"{name}{code:05d}" for code in own] for name, own in codes.items()}
    return pd.DataFrame({"y": y, **labels})


CROSSED = "y ~ g * kind + (1|s) + (1|item)"
SPLIT = "y ~ g * kind + Error(s/kind)"
R_SPLIT = "y ~ g * kind + (1|s) + (1|s:kind)"
DESIGNS = {
    "crossed": Design(
        "crossed gaussian, 500 x 100, 10,000 rows",
        CROSSED,
        "gaussian",
        lambda: crossed(500, 100, 10_000),
        1.0,
        CROSSED,
        "gaussian",
    ),
    "binary": Design(
        "crossed binary, 200 x 24, 4,800 rows",
        CROSSED,
        "bernoulli",
        lambda: crossed(200, 24, 4800, binary=True),
        1.5,
        CROSSED,
        "binomial",
    ),
    "participants": Design(
        "4,100 participants x 2 types, binomial",
        "p(y, n) ~ g * kind + Error(s/kind)",
        "binomial",
        participants,
        4.0,
        "cbind(y, rest) ~ g * kind + (1|s) + (1|s:kind)",
        "binomial",
    ),
    "t": Design("t, 2,760 rows, 40 units x 3", SPLIT, "t", times, 3.0),
    "gamma": Design("gamma, 2,760 rows, 40 units x 3", SPLIT, "gamma", lambda: times(True), 3.0),
    "levels": Design("a factor of 500 levels", "y ~ g", "gaussian", lambda: levels(500, 1, 6), 3.0),
    "cells": Design(
        "40 x 40 cells, three rows each",
        "y ~ g * kind",
        "gaussian",
        lambda: levels(40, 40, 3),
        10.0,
    ),
    "single": Design(
        "40 x 40 cells, one row each", "y ~ g * kind", "gaussian", lambda: levels(40, 40, 1), 10.0
    ),
    "three": Design(
        "200 subjects x 80 items x 8 labs, 8,000 rows",
        "y ~ kind + (1|s) + (1|item) + (1|lab)",
        "gaussian",
        three_ways,
        3.0,
        "y ~ kind + (1|s) + (1|item) + (1|lab)",
        "gaussian",
    ),
    "counts": Design(
        "poisson, an effect a row, 100,000 rows",
        "y ~ g + (1|row)",
        "poisson",
        counts,
        20.0,
        "y ~ g + (1|row)",
        "poisson",
        draws=250,
    ),
    "binary_ratings": Design(
        "crossed binary, 2,972 x 1,128, 73,421 rows",
        CROSSED,
        "bernoulli",
        lambda: ratings(binary=True),
        60.0,
    ),
    "crossed_nuts": Design(
        "crossed gaussian, 500 x 100, NUTS",
        CROSSED,
        "gaussian",
        lambda: crossed(500, 100, 10_000),
        120.0,
        method="nuts",
    ),
    "participants_nuts": Design(
        "4,100 participants x 2 types, NUTS",
        "p(y, n) ~ g * kind + Error(s/kind)",
        "binomial",
        participants,
        300.0,
        method="nuts",
    ),
    "ratings": Design(
        "crossed gaussian, 2,972 x 1,128, 73,421 rows",
        CROSSED,
        "gaussian",
        ratings,
        10.0,
        CROSSED,
        "gaussian",
        packages=("lme4",),
    ),
}


def growth() -> dict[str, Design]:
    """Return nested designs of growing size, by name: what grows, the family and the size."""
    found = {}
    for family in ("gaussian", "bernoulli"):
        sizes = [("units", units, units, 6 * units) for units in UNITS]
        sizes += [("rows", rows, 40, rows) for rows in ROWS]
        for what, size, units, rows in sizes:
            data = partial(nested, family, units, rows)
            found[f"{what}:{family}:{size}"] = Design("", SPLIT, family, data, 0.0, draws=250)
    return found


def main() -> None:
    """Fit everything, print a table and plot how seconds grow."""
    every = DESIGNS | growth()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=every, default=list(every), metavar="DESIGN")
    parser.add_argument("--without-r", action="store_true", help="R's packages stay out")
    parser.add_argument("--keep", type=Path, metavar="JSON", help="add results to this file")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(every[options.worker])))
        return
    from benchmarks.reporting import machine, markdown

    kept = json.loads(options.keep.read_text()) if options.keep and options.keep.exists() else {}
    for name in options.only:
        print(name, file=sys.stderr, flush=True)
        kept[name] = worker(name) | {"load": os.getloadavg()[0]}
        if every[name].r_formula and not options.without_r:
            kept[name]["r"] = {one: in_r(every[name], one) for one in every[name].packages}
        if options.keep:
            options.keep.write_text(json.dumps(kept, indent=1))
    rows = [row_of(DESIGNS[name], kept[name]) for name in DESIGNS if name in kept]
    about = __doc__.split("\n\n")
    text = "\n\n".join(["# Speed of large designs", machine(), about[1].strip()])
    text += f"\n\n{markdown(pd.DataFrame(rows).fillna(''))}\n"
    grown = {name: own for name, own in kept.items() if name in growth() and "seconds" in own}
    if options.report and grown:
        plot(grown, options.report.with_suffix(".png"))
        text += f"\n## Growth\n\n{about[2].strip()}\n\n![growth]({options.report.stem}.png)\n\n"
        text += f"{markdown(pd.DataFrame(map(grown_row, grown.items())))}\n"
    print(text)
    if options.report:
        options.report.write_text(text)


def grown_row(named: tuple[str, dict]) -> dict[str, str]:
    """Return a row of the table of growth."""
    (what, family, size), own = named[0].split(":"), named[1]
    row = {"grows": what, "family": family, "size": f"{int(size):,}"}
    row |= {"clock s": f"{own['seconds']:.1f}", "processor s": f"{own['processor']:.1f}"}
    return row | {"peak MB": f"{own['peak']:.0f}", "verdict": own["verdict"].partition(":")[0]}


def plot(grown: dict[str, dict], path: Path) -> None:
    """Plot the processor's seconds against units and against rows, beside a line of slope one."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
    for axis, what in zip(axes, ("units", "rows"), strict=True):
        for family, marker in (("gaussian", "o"), ("bernoulli", "s")):
            own = {
                int(name.split(":")[2]): found["processor"]
                for name, found in grown.items()
                if name.startswith(f"{what}:{family}")
            }
            axis.plot(list(own), list(own.values()), marker=marker, label=family)
        low, high = (UNITS if what == "units" else ROWS)[1:4:2]
        axis.plot([low, high], [0.3, 0.3 * high / low], "k:", lw=1, label="proportional")
        axis.set(xscale="log", yscale="log", xlabel=what)
    axes[0].set_ylabel("processor seconds")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=120)


def row_of(design: Design, found: dict) -> dict[str, str]:
    """Return a row of the table."""
    row = {"design": design.title, "goal s": f"{design.goal:g}"}
    if "seconds" not in found:
        return row | {"load": f"{found['load']:.1f}", "verdict": found["failed"]}
    row |= {"clock s": f"{found['seconds']:.1f}", "processor s": f"{found['processor']:.1f}"}
    row |= {"peak MB": f"{found['peak']:.0f}", "load": f"{found['load']:.1f}"}
    row |= {"verdict": found["verdict"]}
    for package, seconds in found.get("r", {}).items():
        row[f"{package} s"] = "" if seconds is None else f"{seconds:.1f}"
        row[f"x {package}"] = "" if not seconds else f"{found['seconds'] / seconds:.1f}"
    return row


def worker(name: str) -> dict:
    """Fit in a process of its own."""
    command = [sys.executable, __file__, "--worker", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {LIMIT} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def measure(design: Design) -> dict:
    """Fit, and return seconds, memory in MB and the verdict."""
    import arviz_stats  # noqa: F401

    import bambi_anova as ba
    import bambi_anova.engine.methods

    data = design.data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started, busy = time.perf_counter(), time.process_time()
        model = ba.Model(design.formula, data, family=design.family)
        result = model.fit(design.method, draws=design.draws, random_seed=1, progressbar=False)
        spent = time.perf_counter() - started, time.process_time() - busy
        verdict = str(result.verdict)
        if result.verdict.reasons:
            verdict += f": {result.verdict.reasons[0]}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": spent[0],
        "processor": spent[1],
        "peak": peak / (2**20 if sys.platform == "darwin" else 2**10),
        "verdict": verdict[:120],
    }


def in_r(design: Design, package: str) -> float | None:
    """Return the seconds of one of R's packages, if it is there and fits in time."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "data.csv", Path(folder) / "fit.R"
        design.data().to_csv(data, index=False)
        script.write_text(R_FIT)
        arguments = [str(data), package, design.r_formula, design.r_family]
        try:
            done = subprocess.run(
                ["Rscript", str(script), *arguments],
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("SECONDS")]
    return float(lines[-1].split()[1]) if lines else None


if __name__ == "__main__":
    main()
