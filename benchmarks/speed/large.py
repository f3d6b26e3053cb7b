"""How long large and awkward designs take, and how much memory: the Laplace fit and R's packages.

Each fit has a process of its own, so that its peak memory is its own; imports are not counted.
Seconds are those of the clock, and of the processor: on a machine that does other work the second
says more.  R's packages (lme4, glmmTMB) fit the same formula where Rscript finds them: point
estimates, where ours are draws from the joint posterior.  *x* is our clock by theirs in this run.

Run ``python benchmarks/speed/large.py``; see ``--help``.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

Array = np.ndarray

#: Seconds after which a fit is given up.
LIMIT = 1500
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
    """

    title: str
    formula: str
    family: str
    data: Callable[[], pd.DataFrame]
    goal: float
    r_formula: str = ""
    r_family: str = ""


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


def ratings() -> pd.DataFrame:
    """Simulate the size and imbalance of lme4's InstEval: students rate lecturers."""
    rng, rows = np.random.default_rng(1), 73_421
    parts = [rng.gamma(shape, 1, count) for shape, count in ((2.0, 2972), (0.8, 1128))]
    s, d = (rng.choice(len(part), rows, p=part / part.sum()) for part in parts)
    s[:2972], d[-1128:] = np.arange(2972), np.arange(1128)
    g, kind = d % 2, rng.integers(0, 2, rows)
    y = 3.2 + 0.05 * g - 0.04 * kind + rng.normal(0, 0.33, 2972)[s] + rng.normal(0, 0.52, 1128)[d]
    return named(y=y + rng.normal(0, 1.18, rows), g=g, kind=kind, s=s, item=d)


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
    "ratings": Design(
        "crossed gaussian, 2,972 x 1,128, 73,421 rows",
        CROSSED,
        "gaussian",
        ratings,
        10.0,
        CROSSED,
        "gaussian",
    ),
}


def main() -> None:
    """Fit everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    parser.add_argument("--without-r", action="store_true", help="R's packages stay out")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(DESIGNS[options.worker])))
        return
    from benchmarks.reporting import machine, markdown

    rows = []
    for name in options.only:
        print(name, file=sys.stderr, flush=True)
        rows.append(row_of(DESIGNS[name], name, options.without_r))
    text = "\n\n".join(["# Speed of large designs", machine(), __doc__.split("\n\n")[1].strip()])
    text += f"\n\n{markdown(pd.DataFrame(rows).fillna(''))}\n"
    print(text)
    if options.report:
        options.report.write_text(text)


def row_of(design: Design, name: str, without_r: bool) -> dict[str, str]:
    """Return a row of the table."""
    found = worker(name)
    row = {"design": design.title, "goal s": f"{design.goal:g}"}
    if "seconds" not in found:
        return row | {"verdict": found["failed"]}
    row |= {"clock s": f"{found['seconds']:.1f}", "processor s": f"{found['processor']:.1f}"}
    row |= {"peak MB": f"{found['peak']:.0f}", "verdict": found["verdict"]}
    for package in ("lme4", "glmmTMB") if design.r_formula and not without_r else ():
        seconds = in_r(design, package)
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
        result = model.fit("laplace", random_seed=1, progressbar=False)
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
