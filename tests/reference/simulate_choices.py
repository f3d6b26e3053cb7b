"""Makes choices.csv: sixteen people of two groups choose among three ways, ten times in each task.

Run ``python simulate_choices.py``.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

WAYS = np.array(["bus", "car", "walk"])


def simulate():
    """Return the data."""
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(product(range(1, 17), "xy", range(10)), columns=["s", "task", "copy"])
    frame["group"] = np.where(frame["s"] % 2, "a", "b")
    own = rng.normal(0, 0.6, (2, 17))[:, frame["s"]]
    x, a = frame["task"].eq("x").to_numpy(), frame["group"].eq("a").to_numpy()
    odds = np.stack([0 * own[0], 0.2 + 0.9 * x + own[0], -0.4 + 0.8 * a - 0.4 * x + own[1]])
    below = np.cumsum(np.exp(odds) / np.exp(odds).sum(axis=0), axis=0)[:2]
    frame["way"] = WAYS[(rng.uniform(size=len(frame)) > below).sum(axis=0)]
    return frame[["s", "group", "task", "way"]]


if __name__ == "__main__":
    simulate().to_csv(Path(__file__).with_name("choices.csv"), index=False)
