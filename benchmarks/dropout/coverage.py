"""Coverage of intervals for the units of a study of which some lack a within-cell.

A split plot: units in two groups (A), each observed several times in both levels of B; then some
units lose their rows at the second level of B.  The finite-population contrasts are those of all
units, whether observed or not.  As a control the lost units are also left out of the cells that
they lack, which compares different units.

Run ``python benchmarks/dropout/coverage.py``; see ``--help``.

Letters: S simulations, J units.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

import bambi_anova as ba
from bambi_anova.result import Result
from benchmarks.reporting import machine, markdown

Array = np.ndarray

FORMULAS = {
    "gaussian": "y ~ A * B + Error(s/B)",
    "binomial": "p(y, n) ~ A * B + Error(s/B)",
}
CELLS = np.array([[0.0, 0.6], [0.4, 0.7]])
SD_UNIT, SD_UNIT_BY_B, SD_ROW, ROWS, TRIALS = 1.0, 0.5, 1.0, 4, 12
LOST = 0.3
PROB = 0.95


def _nobody(at_x: Array, rng: np.random.Generator) -> Array:
    return np.zeros(len(at_x), dtype=bool)


def _anybody(at_x: Array, rng: np.random.Generator) -> Array:
    return rng.permutation(len(at_x)) < LOST * len(at_x)


def _highest(at_x: Array, rng: np.random.Generator) -> Array:
    return at_x >= np.quantile(at_x, 1 - LOST)


#: Who is lost, given the mean response at the first level of B, which everybody has.
DROPOUTS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "none": _nobody,
    "by chance": _anybody,
    "the highest": _highest,
}


def main() -> None:
    """Simulate, fit, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=200, metavar="S", help="a row; 200")
    parser.add_argument("--units", type=int, default=40, metavar="J", help="even; 40")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it as Markdown")
    options = parser.parse_args()
    rows = [
        row
        for family, dropout in product(FORMULAS, DROPOUTS)
        for row in covered(family, dropout, options.units, options.simulations)
    ]
    text = report(pd.DataFrame(rows), options)
    print(text)
    if options.report:
        options.report.write_text(text)


def covered(family: str, dropout: str, units: int, simulations: int) -> list[dict]:
    """Return how often the intervals of each contrast hold the truth."""
    print(f"{family}, {dropout}", file=sys.stderr, flush=True)
    parts = [one(family, dropout, units, seed) for seed in range(simulations)]
    table = pd.concat(parts).groupby("contrast", sort=False).mean()
    return [
        {"family": family, "who lacks B = y": dropout, "contrast": name, **row}
        for name, row in table.to_dict("index").items()
    ]


def one(family: str, dropout: str, units: int, seed: int) -> pd.DataFrame:
    """Simulate and fit once; whether intervals hold the truth, and how wide they are."""
    rng = np.random.default_rng([seed, list(DROPOUTS).index(dropout)])
    group = np.arange(units) % 2
    own = SD_UNIT * rng.normal(size=units)[:, None] + SD_UNIT_BY_B * rng.normal(size=(units, 2))
    eta = CELLS[group] + own
    frame = pd.DataFrame(product(range(units), range(2), range(ROWS)), columns=["s", "b", "row"])
    mean = eta[frame["s"], frame["b"]]
    frame["n"] = TRIALS
    frame["y"] = (
        rng.binomial(TRIALS, special.expit(mean - 1))
        if family == "binomial"
        else mean + SD_ROW * rng.normal(size=len(frame))
    )
    at_x = frame[frame["b"] == 0].groupby("s")["y"].mean().to_numpy()
    lost = DROPOUTS[dropout](at_x, rng)
    frame = frame[(frame["b"] == 0) | ~lost[frame["s"]]]
    frame = frame.assign(
        A=np.array(["a1", "a2"])[group[frame["s"]]],
        B=np.array(["x", "y"])[frame["b"]],
        s=[f"s{number:03d}" for number in frame["s"]],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        model = ba.Model(FORMULAS[family], frame, family)
        result = model.fit("laplace", draws=500, random_seed=seed, progressbar=False)
    every = np.stack([eta[group == g].mean(axis=0) for g in (0, 1)])
    return pd.DataFrame(_judge(result, every))


def _judge(result: Result, truth: Array) -> list[dict]:
    cells = result.idata["cells"]["finite"].transpose("chain", "draw", "A", "B").to_numpy()
    left_out = _observed_only(result)
    rows = []
    for name, weights in (
        ("A", np.array([[1, 1], [-1, -1]]) / 2),
        ("B", np.array([[1, -1], [1, -1]]) / 2),
        ("A:B", np.array([[1, -1], [-1, 1]])),
    ):
        value = float((weights * truth).sum())
        low, high = _bounds(cells, weights)
        low_out, high_out = _bounds(left_out, weights)
        rows.append(
            {
                "contrast": name,
                "covers": low <= value <= high,
                "width": high - low,
                "covers if left out": low_out <= value <= high_out,
            }
        )
    return rows


def _bounds(cells: Array, weights: Array) -> Array:
    return np.quantile((cells * weights).sum(axis=(2, 3)), [(1 - PROB) / 2, (1 + PROB) / 2])


def _observed_only(result: Result) -> Array:
    """Return cell means over the units that were observed there."""
    design, draws = result.design, result.draws
    cells = draws.cells.copy()
    unit, by_b = design.unit("s"), design.unit("s:B")
    for cell in range(cells.shape[-1]):
        here = by_b.codes[design.cell_codes == cell]
        pairs = np.unique(here)
        own = unit.codes[by_b.first[pairs]]
        cells[..., cell] += draws.units["s"][..., own].mean(axis=-1)
        cells[..., cell] += draws.units["s:B"][..., pairs].mean(axis=-1)
    return cells.reshape(*draws.sample_shape, *design.shape)


def report(table: pd.DataFrame, options: argparse.Namespace) -> str:
    """Write the coverage of all contrasts as Markdown."""
    shown = table.assign(
        width=table["width"].map("{:.2f}".format),
        **{name: table[name].map("{:.1%}".format) for name in ("covers", "covers if left out")},
    )
    error = np.sqrt(PROB * (1 - PROB) / options.simulations)
    return f"""# Units without some within-cells

Finite-population contrasts of {options.units} units in two groups, {ROWS} rows in each of two
within-cells; {LOST:.0%} of the units lose one cell. `fit("laplace")`, {options.simulations}
simulations a row, {PROB:.0%} intervals (standard error of a coverage {error:.1%}); made by
`benchmarks/dropout/coverage.py`.

{machine()}

*Covers if left out*: the same fit, with units left out of the means of cells that they lack, as
the control that compares different units. With nobody lost the two are one.

{markdown(shown)}
"""


if __name__ == "__main__":
    main()
