"""Makes together_cells.csv and together_slopes.csv: units whose effects vary together.

Cells: 24 people, group (2) between, load (3) within, twice a cell; sds grow with load, and
neighbours go together most.  Slopes: 30 people on ten days, as in a study of sleep; whoever starts
high slows down more.

Run ``python simulate_together.py`` to make the files again.
"""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def cells():
    """Return the rows of people in cells."""
    rng = np.random.default_rng(1959)
    sd = np.array([0.6, 1.2, 2.0])
    correlation = np.array([[1.0, 0.7, 0.4], [0.7, 1.0, 0.8], [0.4, 0.8, 1.0]])
    effects = rng.multivariate_normal(np.zeros(3), correlation * np.outer(sd, sd), 24)
    frame = pd.DataFrame(product(range(24), range(3), range(2)), columns=["s", "k", "copy"])
    group = frame["s"] % 2
    mean = 10 + 0.8 * group + 0.7 * frame["k"] + 0.4 * group * frame["k"]
    y = mean + effects[frame["s"], frame["k"]] + 0.7 * rng.normal(size=len(frame))
    return pd.DataFrame(
        {
            "s": "s" + frame["s"].astype(str),
            "group": np.where(group, "b", "a"),
            "load": "l" + frame["k"].astype(str),
            "y": y.round(3),
        }
    )


def slopes():
    """Return the rows of people on days."""
    rng = np.random.default_rng(2003)
    covariance = [[25.0**2, 0.5 * 25 * 6], [0.5 * 25 * 6, 6.0**2]]
    effects = rng.multivariate_normal([0, 0], covariance, 30)
    frame = pd.DataFrame(product(range(30), range(10)), columns=["s", "day"])
    own = effects[frame["s"]]
    y = 300 + own[:, 0] + (10 + own[:, 1]) * (frame["day"] - 4.5) + 25 * rng.normal(size=300)
    return pd.DataFrame({"s": "s" + frame["s"].astype(str), "day": frame["day"], "y": y.round(2)})


if __name__ == "__main__":
    cells().to_csv(HERE / "together_cells.csv", index=False)
    slopes().to_csv(HERE / "together_slopes.csv", index=False)
