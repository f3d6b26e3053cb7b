"""Makes spread.csv: two groups in three conditions, whose sds differ by both, fourteen rows each.

Run ``python simulate_spread.py`` to make the file again.
"""

from pathlib import Path

import numpy as np
import pandas as pd


def simulate():
    """Return the rows."""
    rng = np.random.default_rng(2015)
    frame = pd.DataFrame({"group": np.repeat(["a", "b"], 42), "cond": np.tile(["u", "v", "w"], 28)})
    first, last = frame["group"] == "a", frame["cond"] == "w"
    sd = np.where(first, 1.0, 2.2) * np.where(last, 1.6, 1.0)
    mean = 10 + 1.2 * first + 0.9 * last
    frame["y"] = (mean + sd * rng.standard_normal(len(frame))).round(3)
    frame["count"] = rng.poisson(
        np.exp(mean / 8) * rng.gamma(np.where(first, 8.0, 1.5)) / np.where(first, 8.0, 1.5)
    )
    frame["share"] = rng.beta(*np.where(first, 12.0, 3.0) * np.array([0.6, 0.4])[:, None])
    frame["share"] = frame["share"].clip(0.001, 0.999).round(3)
    return frame


if __name__ == "__main__":
    simulate().to_csv(Path(__file__).with_name("spread.csv"), index=False)
