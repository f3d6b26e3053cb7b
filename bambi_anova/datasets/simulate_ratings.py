"""Simulate the ratings that the package ships (``ratings.csv``).

30 people, half of them told that a text was written by a machine, rate 16 texts from 1 to 5; half
of the texts are short.  A latent rating, cut at -1.6, -.7, .3 and 1.5, is

    -.45 machine + .30 short + .35 machine short + u[person] + w[text] + e,   e ~ N(0, 1),

with u ~ N(0, .6) and w ~ N(0, .4).  Run ``python simulate_ratings.py`` to make the file again.
"""

from pathlib import Path

import numpy as np
import pandas as pd

SEED = 5


def simulate(seed: int = SEED) -> pd.DataFrame:
    """Return one row for each person and text."""
    rng = np.random.default_rng(seed)
    person, text = (part.ravel() for part in np.mgrid[:30, :16])
    machine, short = person % 2, text % 2
    latent = rng.normal(0, 0.6, 30)[person] + rng.normal(0, 0.4, 16)[text]
    latent = latent - 0.45 * machine + 0.30 * short + 0.35 * machine * short
    latent = latent + rng.normal(size=len(person))
    rating = 1 + (latent[:, None] > np.array([-1.6, -0.7, 0.3, 1.5])).sum(axis=1)
    return pd.DataFrame(
        {
            "person": [f"P{k + 1:02d}" for k in person],
            "author": np.array(["human", "machine"])[machine],
            "text": [f"T{k + 1:02d}" for k in text],
            "length": np.array(["long", "short"])[short],
            "rating": rating,
        }
    )


if __name__ == "__main__":
    simulate().to_csv(Path(__file__).with_name("ratings.csv"), index=False)
