"""Makes zeros.csv: counts of 3 sites' plots with more zeros than chance, and successes of 8 trials.

Run ``python simulate_zeros.py`` to make the file again.
"""

from pathlib import Path

import numpy as np
import pandas as pd


def simulate():
    """Return the rows."""
    rng = np.random.default_rng(2016)
    frame = pd.DataFrame(
        {"site": np.repeat(["a", "b", "c"], 60), "cut": np.tile(["no", "yes"], 90)}
    )
    mean = np.exp(0.8 + 0.5 * (frame["site"] == "b") - 0.4 * (frame["cut"] == "yes"))
    there = rng.uniform(size=len(frame)) < 0.7
    frame["count"] = np.where(there, rng.poisson(mean * rng.gamma(2.0, 0.5, len(frame))), 0)
    frame["hits"] = np.where(there, rng.binomial(8, mean / (2 + mean)), 0)
    frame["shown"] = 8
    return frame


if __name__ == "__main__":
    simulate().to_csv(Path(__file__).with_name("zeros.csv"), index=False)
