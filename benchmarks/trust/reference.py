"""Fit every design of the corpus by long NUTS and keep what it says of each quantity.

Writes ``reference.csv`` beside this file design by design, so that an interrupted run goes on
where it stopped.  A fit with a divergence, or with a quantity whose bulk ESS is below 2,000 or
whose sd has a Monte Carlo error of 3%, is made again with smaller steps and more draws; what is
poor even then is printed, and stands in the table with its errors.  NUTS knows one mode of those
posteriors that have several: there the reference is summed over a grid (``quadrature.py``).  Of
"clusters: t within units", which has too many dimensions for a grid, sequential Monte Carlo by PyMC
(four runs of 15,000 particles, threshold 0.9) gives the same as NUTS: its modes mix.

Run ``python benchmarks/trust/reference.py``, with ``--only NAME ...`` for some designs and
``--redo`` to fit again what is there.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.corpus.designs import DESIGNS, Design, chosen
from benchmarks.corpus.quantities import NUMBERS, quantities
from benchmarks.trust.quadrature import sample

TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = ["design", "quantity", *NUMBERS]
#: 0.15 sd is then 6.7 Monte Carlo standard errors of the reference.
MIN_ESS = 2000
MAX_SD_ERROR = 0.03
#: Designs whose posteriors have several modes, or may have.
BY_QUADRATURE = (
    "conflict: gaussian units far apart, prior of none",
    "conflict: gaussian sigma of units near zero",
    "conflict: gaussian effect against a small sigma",
    "conflict: binomial units far apart, prior of none",
    "clusters: t in one of two groups",
    "clusters: t in both groups",
    "clusters: t in one of three groups",
)
QUADRATURE_DRAWS = 10_000
FIRST = {"draws": 4000, "target_accept": 0.97}
AGAIN = {"draws": 20000, "target_accept": 0.995}


def main() -> None:
    """Fit what is not in the table yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="designs; all by default")
    parser.add_argument("--redo", action="store_true", help="fit again what is in the table")
    options = parser.parse_args()
    done = set() if options.redo else set(read_reference()["design"])
    designs = [design for design in chosen(options.only) if design.name not in done]
    for number, design in enumerate(designs, start=1):
        print(f"{number}/{len(designs)} {design.name}: ", end="", flush=True)
        if design.name in BY_QUADRATURE:
            write_reference(design.name, add_up(design))
            print("by quadrature", flush=True)
            continue
        table, poor = fit(design, **FIRST)
        if poor:
            print(f"{poor}; again: ", end="", flush=True)
            table, poor = fit(design, **AGAIN)
        print(f"POOR: {poor}" if poor else "good", flush=True)
        write_reference(design.name, table)


def add_up(design: Design) -> pd.DataFrame:
    """Return the table of quantities by sums over a grid."""
    rng = np.random.default_rng(1)
    return quantities(sample(design.model(), design.data(), QUADRATURE_DRAWS, rng))


def fit(design: Design, draws: int, target_accept: float) -> tuple[pd.DataFrame, str]:
    """Return the table of quantities, and what is wrong with them in words."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = design.model().fit(
            "nuts",
            draws=draws,
            tune=2000,
            chains=4,
            target_accept=target_accept,
            random_seed=1,
            progressbar=False,
        )
        table = quantities(result)
    moving = table[table["sd"] > 0]
    worst = moving.loc[moving["ess"].idxmin()]
    seconds = time.perf_counter() - started
    print(
        f"{seconds:.0f} s ({result.sampling.sampling_seconds or np.nan:.0f} s sampling), "
        f"least ESS {worst['ess']:.0f}, ",
        end="",
    )
    poor = []
    if result.sampling.divergences:
        poor.append(f"{result.sampling.divergences} divergences")
    if worst["ess"] < MIN_ESS:
        poor.append(f"ESS {worst['ess']:.0f} for {worst['quantity']!r}")
    unsure = moving[moving["mcse_sd"] > MAX_SD_ERROR * moving["sd"]]
    if len(unsure):
        poor.append(f"unsure sds of {', '.join(unsure['quantity'])}")
    return table, " and ".join(poor)


def read_reference() -> pd.DataFrame:
    """Return the table as far as it goes."""
    return pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=COLUMNS)


def write_reference(name: str, table: pd.DataFrame) -> None:
    """Put a design's rows into the table, which keeps the order of the corpus."""
    # As text, so that numbers of other designs are written as they were read.
    old = pd.read_csv(TABLE, dtype=str) if TABLE.exists() else pd.DataFrame(columns=COLUMNS)
    new = table.assign(design=name)[COLUMNS]
    for column in COLUMNS[2:]:
        new[column] = new[column].map("{:.9g}".format)
    rows = pd.concat([old[old["design"] != name], new])
    order = {design: place for place, design in enumerate(DESIGNS)}
    rows = rows.sort_values("design", key=lambda names: names.map(order), kind="stable")
    # A run that is stopped here leaves the old table.
    half = TABLE.with_suffix(".tmp")
    rows.to_csv(half, index=False)
    half.replace(TABLE)


if __name__ == "__main__":
    main()
