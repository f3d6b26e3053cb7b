"""Judge by long NUTS what is trusted of quantities that have no posterior mean.

Means over new units under a log link need not exist where units are few; tables then show a
median and an interval, judged by ranks.  So here: where among the draws of long NUTS do the median
and the bounds of the central 68% interval of a fit lie?  Their normal scores may be off by 0.15;
without error they are 0, -1 and 1.

Run ``python benchmarks/trust/medians.py``; see ``--help``.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from bambi_anova.result import Result
from benchmarks.corpus.designs import chosen
from benchmarks.reporting import machine, markdown
from benchmarks.trust.compare import LIMIT, METHODS

#: Log links and few units.
DESIGNS = [
    "few: poisson 3 sites",
    "few: poisson 5 sites of 3 traps",
    "poisson 4 units",
    "poisson own priors",
    "prior: poisson half-Cauchy, zeros in a cell",
    "outliers: poisson row",
]
LONG = {"draws": 10_000, "tune": 2000, "target_accept": 0.97}
SCORES = np.array([-1.0, 0.0, 1.0])


def main() -> None:
    """Fit, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="from 1 to N")
    parser.add_argument("--only", nargs="+", default=DESIGNS, metavar="NAME", help="designs")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    options = parser.parse_args()
    rows = []
    warnings.simplefilter("ignore")
    for design in chosen(options.only):
        print(design.name, file=sys.stderr, flush=True)
        model = design.model()
        _, long = rows_of(model.fit("nuts", random_seed=99, progressbar=False, **LONG))
        for method in METHODS:
            for seed in range(1, options.seeds + 1):
                fit = model.fit(method, random_seed=seed, progressbar=False)
                rows.append(compare(*rows_of(fit), long).assign(design=design.name, method=method))
    text = report(pd.concat(rows, ignore_index=True))
    print(text)
    if options.report:
        options.report.write_text(text)


def rows_of(result: Result) -> tuple[pd.DataFrame, np.ndarray]:
    """Return cell means and contrasts of new units, a row each, and their draws (N, K)."""
    factors, parts, draws = list(result.design.levels), [], []
    about = {"population": "super", "scale": "response"}
    for kind, asked in [("means", ":".join(factors)), *(("contrasts", f) for f in factors)]:
        table = getattr(result, kind)(asked, **about)
        own = result.draws_of(kind, asked, **about).to_numpy()
        draws.append(own.reshape(-1, own.shape[-1]))
        parts.append(table[["mean", "trusted"]])
    return pd.concat(parts, ignore_index=True), np.concatenate(draws, axis=1)


def compare(table: pd.DataFrame, draws: np.ndarray, long: np.ndarray) -> pd.DataFrame:
    """Return by how much scores of medians and bounds are off, of rows without a mean."""
    own = np.quantile(draws, special.ndtr(SCORES), axis=0)
    shares = (long <= own[:, None]).mean(axis=1)
    off = np.abs(special.ndtri(shares) - SCORES[:, None])
    found = pd.DataFrame({"median": off[1], "bounds": np.maximum(off[0], off[2])})
    found = found.assign(trusted=table["trusted"], wrong=(off > LIMIT).any(axis=0))
    return found[table["mean"].isna()]


def report(rows: pd.DataFrame) -> str:
    """Write everything as Markdown."""
    lines = []
    for (design, method), part in rows.groupby(["design", "method"], sort=False):
        sure = part[part["trusted"]]
        lines.append(
            {
                "design": design,
                "method": method,
                "without a mean": len(part),
                "trusted": len(sure),
                "trusted and wrong": int(sure["wrong"].sum()),
                "median off by": f"{sure['median'].max():.3f}",
                "bounds off by": f"{sure['bounds'].max():.3f}",
            }
        )
    summary = (
        f"{len(rows)} rows without a mean, {int(rows['trusted'].sum())} of them trusted, "
        f"{int((rows['trusted'] & rows['wrong']).sum())} of these wrong."
    )
    parts = ["# Medians of quantities without a mean, against long NUTS", machine(), summary]
    return "\n\n".join([*parts, markdown(pd.DataFrame(lines))]) + "\n"


if __name__ == "__main__":
    main()
