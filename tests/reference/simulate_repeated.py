"""Simulate a design with two within factors and one between (``repeated.csv``).

10 people, five in each group (u, v), are timed once in each cell of load (low, high) x
side (left, mid, right).  The time is 600 plus sum-to-zero effects of every term, plus normal
effects of the person, person:load, person:side and of the row, rounded to one decimal.  Run
``python simulate_repeated.py`` to make the file again.
"""

import csv
from itertools import product
from pathlib import Path

import numpy as np

SEED = 7
GROUP, LOAD, SIDE = ("u", "v"), ("low", "high"), ("left", "mid", "right")


def simulate(seed: int = SEED) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table: person, group, load, side, time."""
    rng = np.random.default_rng(seed)
    g, a, b = np.array([-15.0, 15.0]), np.array([-25.0, 25.0]), np.array([-12.0, 4.0, 8.0])
    rows = []
    for person in range(10):
        group = person // 5
        own, by_load = rng.normal(0, 40), rng.normal(0, 12, 2)
        by_side, left = rng.normal(0, 10, 3), rng.normal(0, 15, (2, 3))
        for i, j in product(range(2), range(3)):
            time = 600 + g[group] + a[i] + b[j] + 0.02 * a[i] * b[j] + 0.01 * g[group] * a[i]
            time += own + by_load[i] + by_side[j] + left[i, j]
            rows.append((f"p{person + 1:02d}", GROUP[group], LOAD[i], SIDE[j], f"{time:.1f}"))
    return rows


if __name__ == "__main__":
    with Path(__file__).with_name("repeated.csv").open("w", newline="") as handle:
        out = csv.writer(handle, lineterminator="\n")
        out.writerow(("person", "group", "load", "side", "time"))
        out.writerows(simulate())
