"""Simulate the reaction times that the package ships (``times.csv``).

24 people, 12 of them old, do 30 trials each of a flanker task under two conditions, congruent and
incongruent.  A time in milliseconds is 200 + exp(eta + .35 e), e ~ N(0, 1), with

    eta = 5.7 + .10 old + .12 incongruent + .08 old incongruent + u[person] + v[person, condition],

u ~ N(0, .18) and v ~ N(0, .04).  Run ``python simulate_times.py`` to make the file again.
"""

from pathlib import Path

import numpy as np
import pandas as pd

SEED = 7


def simulate(seed: int = SEED) -> pd.DataFrame:
    """Return one row a trial, in the order in which the person did them."""
    rng = np.random.default_rng(seed)
    trials = []
    for person in range(24):
        old = person % 2
        u, v = rng.normal(0, 0.18), rng.normal(0, 0.04, 2)
        hard = rng.permutation(np.repeat([0, 1], 30))
        eta = 5.7 + 0.10 * old + 0.12 * hard + 0.08 * old * hard + u + v[hard]
        trials.append(
            pd.DataFrame(
                {
                    "person": f"P{person + 1:02d}",
                    "age": ("young", "old")[old],
                    "condition": np.array(["congruent", "incongruent"])[hard],
                    "trial": np.arange(1, 61),
                    "ms": np.round(200 + np.exp(eta + 0.35 * rng.normal(size=60))).astype(int),
                }
            )
        )
    return pd.concat(trials, ignore_index=True)


if __name__ == "__main__":
    simulate().to_csv(Path(__file__).with_name("times.csv"), index=False)
