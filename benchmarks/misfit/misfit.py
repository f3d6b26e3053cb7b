"""False alarms and power of ``Result.misfit``, family by family.

Each data set is drawn anew, fitted by ``fit("laplace")`` and asked what its model misses.  With
data from the model itself every feature that is missed is a false alarm.

Run ``python benchmarks/misfit/misfit.py``; see ``--help``.
"""

import argparse
import sys
import time
import warnings
import zlib
from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
from scipy import stats

import bambi_anova as ba
from bambi_anova.errors import AnovaError, AnovaWarning
from bambi_anova.families.registry import FAMILIES
from benchmarks.misfit.responses import PRIORS, Experiment, experiments
from benchmarks.reporting import machine, markdown

#: The most false alarms of a data set, and what a few simulations may show of them by chance.
MOST_ALARMS, CHANCE = 0.05, 0.001
#: Draws a part of a quick fit: the check takes 50 in all.
DRAWS = 50
KINDS = ("right", "wrong")


def main() -> None:
    """Simulate, print, and fail if there are more false alarms than chance explains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=100, metavar="S", help="each; 100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=KINDS, help="data from the model, or data that are not")
    parser.add_argument("--titles", nargs="+", help="families or misfits that begin like this")
    parser.add_argument("--table", type=Path, metavar="CSV", help="add results to this file")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    options = parser.parse_args()
    known = pd.read_csv(options.table) if options.table and options.table.exists() else None
    table = simulated(options)
    table = table if known is None else pd.concat([known, table], ignore_index=True)
    table = table.drop_duplicates(["kind", "data", "layout"], keep="last")
    if options.table:
        table.to_csv(options.table, index=False)
    text = report(table, options)
    print(text)
    if options.report:
        options.report.write_text(text)
    raise SystemExit(bool(len(excessive(table))))


def simulated(options: argparse.Namespace) -> pd.DataFrame:
    """Run all experiments that are asked for; a row each."""
    asked = [
        (kind, title, layout, experiment)
        for kind, group in zip(KINDS, experiments(), strict=True)
        for (title, layout), experiment in group.items()
        if options.only in (None, kind)
        and (not options.titles or title.startswith(tuple(options.titles)))
    ]
    rows = []
    for one in asked:
        rows.append(summary(*one, options.simulations, options.seed))
        print(rows[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def summary(
    kind: str, title: str, layout: str, experiment: Experiment, simulations: int, seed: int
) -> dict[str, object]:
    """Simulate one experiment; each simulation has its own seed."""
    alarms, fit_seconds, seconds, failed, table = [], [], [], 0, ()
    for simulation in range(simulations):
        rng = np.random.default_rng([seed, zlib.crc32(f"{title}{layout}".encode()), simulation])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnovaWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            formula, data = experiment.data(rng)
            try:
                model = ba.Model(formula, data, experiment.family, priors_of(experiment))
                started = time.perf_counter()
                result = model.fit(
                    "laplace", draws=DRAWS, random_seed=simulation, progressbar=False
                )
            except (AnovaError, np.linalg.LinAlgError):  # such as counts that are all alike
                failed += 1
                continue
            fitted = time.perf_counter()
            table = result.misfit()
            seconds.append(time.perf_counter() - fitted)
            fit_seconds.append(fitted - started)
        missed = table[table["missed"]]
        alarms.append([f"{_kind(by)} {what}" for by, what in missed[["by", "feature"]].to_numpy()])
    named = pd.Series([name for found in alarms for name in set(found)], dtype=str)
    shares = named.value_counts() / max(len(alarms), 1)
    return {
        "kind": kind,
        "data": title,
        "layout": layout,
        "simulations": len(alarms),
        "not fitted": failed,
        "alarms": sum(map(bool, alarms)),
        "found": "; ".join(f"{name} {share:.0%}" for name, share in shares.items()),
        "features": len(table),
        "ms": round(1e3 * float(np.median(seconds)), 1),
        "ms of fit": round(1e3 * float(np.median(fit_seconds)), 1),
    }


def priors_of(experiment: Experiment) -> dict[str, bmb.Prior] | None:
    """Return the priors that a family is fitted with here, if not its own."""
    own = PRIORS.get(experiment.family)
    return own and {name: bmb.Prior(prior, **args) for name, (prior, args) in own.items()}


def _kind(by: str) -> str:
    return by if by in ("row", "cell") else "unit"


def excessive(table: pd.DataFrame) -> pd.DataFrame:
    """Return what has more false alarms than chance explains at the nominal rate."""
    most = stats.binom.ppf(1 - CHANCE, table["simulations"], MOST_ALARMS)
    return table[(table["kind"] == "right") & (table["alarms"] > most)]


def report(table: pd.DataFrame, options: argparse.Namespace) -> str:
    """Write the report."""
    right, wrong = (table[table["kind"] == kind] for kind in KINDS)
    parts = [
        "# What a likelihood misses: false alarms and power of `Result.misfit`\n",
        f"Quick fits, {DRAWS} draws a part; seed {options.seed}; {machine()}\n",
        "A data set counts as an alarm if any feature of its table is missed.  `found` names the "
        "features and the share of the data sets in which each is missed.  `ms` is the median time "
        "of the check.  betabinomial_mode has a Gamma(2, 0.3) prior of kappa - 2.\n",
    ]
    if len(right):
        rate = right["alarms"].sum() / right["simulations"].sum()
        worst = (right["alarms"] / right["simulations"]).max()
        parts += [
            f"## Data from the model itself: false alarms ({rate:.1%} of "
            f"{right['simulations'].sum():,} data sets, {worst:.1%} at most)\n",
            markdown(_shown(right)) + "\n",
        ]
    if len(wrong):
        parts += ["## Data that the model misses: power\n", markdown(_shown(wrong)) + "\n"]
    missing = sorted(set(FAMILIES) - set(right["data"]))
    if missing:
        parts.append(f"Not run this time, for their fits are slow: {', '.join(missing)}.\n")
    bad = excessive(table)
    if len(bad):
        parts.append(
            f"**Too many false alarms:** {', '.join(bad['data'] + ', ' + bad['layout'])}\n"
        )
    return "\n".join(parts)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Round for print."""
    share = (table["alarms"] / table["simulations"]).map("{:.0%}".format)
    shown = table.assign(alarms=share, found=table["found"].fillna(""))
    return shown[["data", "layout", "simulations", "alarms", "found", "features", "ms"]]


if __name__ == "__main__":
    main()
