"""Makes ratings.csv: ratings of 1 to 7 by 16 subjects, whose two groups do two tasks ten times.

Run ``python simulate_ratings.py`` to make the file again.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd


def simulate():
    """Return the rows."""
    rng = np.random.default_rng(2015)
    frame = pd.DataFrame(product(range(16), "xy", range(10)), columns=["s", "task", "copy"])
    frame["group"] = np.where(frame["s"] % 2, "a", "b")
    latent = 0.6 * (frame["task"] == "x") + 0.4 * ((frame["task"] == "y") & (frame["group"] == "a"))
    latent = latent + 0.7 * rng.normal(size=16)[frame["s"]] + rng.normal(size=len(frame))
    cuts = (-1.3, -0.6, -0.1, 0.5, 1.1, 1.9)
    frame["y"] = 1 + sum((latent > cut).astype(int) for cut in cuts)
    frame["s"] = [f"s{s:02d}" for s in frame["s"]]
    return frame[["s", "group", "task", "y"]]


if __name__ == "__main__":
    simulate().to_csv(Path(__file__).with_name("ratings.csv"), index=False)
