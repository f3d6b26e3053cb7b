"""False alarms, power and coverage of ``Model.check_trials`` and ``Model.check_dispersion``.

``found`` is the check's own verdict (95% interval), ``warned`` that of a model that is made
(p < 0.01 and more than 5% of the odds for one sd).

Run ``python benchmarks/screening/checks.py``; see ``--help``.

Letters: S simulations.
"""

import argparse
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from bambi_anova.screening.answers import NotChecked
from bambi_anova.screening.screen import warn_of_trials
from benchmarks.reporting import machine, markdown
from benchmarks.screening.experiments import STUDIES, TRIALS, Experiment, Study

#: The most false alarms, and what 200 or more simulations may show of them by chance.
MOST_ALARMS = 0.05
CHANCE = 0.001


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
        f"{options.simulations} simulations of each experiment, seed {options.seed}; {machine()}\n",
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
