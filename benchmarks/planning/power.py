"""Compare simulated power with the F test, and say how long planning takes.

Under priors so wide that intervals are the classical ones, the share of studies whose interval
excludes zero is the power of the F test (noncentral F); and studies that look at their data
several times find as many false alarms as Armitage, McPherson and Rowe (1969,
doi:10.2307/2343787) computed for normal means of known variance.  The time is that of 1,000
split-plot studies of 40 units under the default priors.

Run ``python benchmarks/planning/power.py``; see ``--help``.
"""

import argparse
import os
import time
from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
from scipy import stats

import bambi_anova as ba
from bambi_anova.planning.plan import Plan
from benchmarks.reporting import machine, markdown

#: False alarms of repeated tests at 5%, after one look, two, ...
ARMITAGE = {1: 0.05, 2: 0.083, 3: 0.107, 4: 0.126, 5: 0.142}
SPLIT_PLOT = {
    "formula": "y ~ group * task + Error(s/task)",
    "levels": {"group": ["a", "b"], "task": ["x", "y"]},
    "means": {"a:x": 0.0, "a:y": 0.2, "b:x": 0.3, "b:y": 0.9},
    "sds": {"s": 1.0, "s:task": 0.3, "sigma": 0.5},
}


def main() -> None:
    """Simulate, and print or write a report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--report", type=Path, help="write the tables here")
    options = parser.parse_args()
    parts = [
        "# Planning\n",
        "Made by `benchmarks/planning/power.py`.\n",
        f"{machine()}\n",
        "## Seconds of 1,000 split-plot studies, 40 units\n",
        markdown(seconds(options.simulations)),
        "\n## Power against the F test, wide priors\n",
        markdown(power(options.simulations)),
        "\n## False alarms of repeated looks, wide priors\n",
        markdown(looks(options.simulations)),
    ]
    text = "\n".join(parts) + "\n"
    print(text)
    if options.report:
        options.report.write_text(text)


def seconds(simulations: int) -> pd.DataFrame:
    """Return how long split-plot studies take."""
    rows = []
    for per_cell in (1, 4):
        start = time.perf_counter()
        found = ba.plan(
            **SPLIT_PLOT, units=40, rows=per_cell, simulations=simulations, random_seed=1
        )
        rows.append(
            {
                "rows in a cell": per_cell,
                "studies": simulations,
                "seconds": f"{time.perf_counter() - start:.0f}",
                "cores": len(os.sched_getaffinity(0)),
                "trusted": f"{found.table['trusted'].iloc[0]:.3f}",
                "power": f"{found.table['probability'].iloc[0]:.3f}",
            }
        )
    return pd.DataFrame(rows)


def wide(*names: str) -> dict[str, bmb.Prior]:
    """Return priors under which intervals are the classical ones."""
    scales = {name: bmb.Prior("LogNormal", mu=5, sigma=0.5) for name in names}
    return {"Intercept": bmb.Prior("Normal", mu=0, sigma=1000), **scales}


def power(simulations: int) -> pd.DataFrame:
    """Return simulated power beside that of F tests."""
    rows = []
    for difference in (0.0, 0.4, 0.8):
        for units in (24, 60):
            found = ba.plan(
                "y ~ A",
                {"A": ["a", "b"]},
                {"a": 0.0, "b": difference},
                {"sigma": 1.0},
                units=units,
                priors=wide("A"),
                simulations=simulations,
                random_seed=2,
            )
            limit = stats.f(1, units - 2).ppf(0.95)
            noncentral = stats.ncf(1, units - 2, units / 4 * difference**2)
            expected = float(noncentral.sf(limit)) if difference else 0.05
            rows.append(_beside(f"two groups, {units} rows, d = {difference}", found, expected))
    for units in (10, 20):
        found = ba.plan(
            "y ~ task + Error(s/task)",
            {"task": ["x", "y"]},
            {"x": 0.0, "y": 0.5},
            {"s": 2.0, "s:task": 0.4, "sigma": 0.6},
            units=units,
            priors=wide("task"),
            simulations=simulations,
            random_seed=3,
        )
        noncentral = stats.ncf(1, units - 1, 0.25 * units / (2 * (0.4**2 + 0.6**2)))
        expected = float(noncentral.sf(stats.f(1, units - 1).ppf(0.95)))
        rows.append(_beside(f"within, {units} units", found, expected))
    return pd.DataFrame(rows)


def _beside(design: str, found: Plan, expected: float) -> dict[str, str]:
    row = found.table.iloc[0]
    share, simulations = float(row["probability"]), int(row["simulations"])
    error = float(np.sqrt(expected * (1 - expected) / simulations))
    return {
        "design": design,
        "simulated": f"{share:.3f}",
        "F test": f"{expected:.3f}",
        "z": f"{(share - expected) / error:.1f}",
    }


def looks(simulations: int) -> pd.DataFrame:
    """Look five times at two groups without a difference, of which sigma is nearly known."""
    found = ba.plan(
        "y ~ A",
        {"A": ["a", "b"]},
        {"a": 0.0, "b": 0.0},
        {"sigma": 1.0},
        units=[200, 400, 600, 800, 1000],
        priors=wide("A"),
        simulations=simulations,
        random_seed=4,
    )
    steps = found.sequential("excludes zero").looks["probability"]
    rows = []
    for (count, expected), share in zip(ARMITAGE.items(), steps, strict=True):
        error = float(np.sqrt(expected * (1 - expected) / simulations))
        rows.append(
            {
                "looks": count,
                "simulated": f"{share:.3f}",
                "published": f"{expected:.3f}",
                "z": f"{(share - expected) / error:.1f}",
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
