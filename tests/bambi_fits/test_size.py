"""Tables of a fit with 76,538 rows take the memory of points and draws, not of rows."""

import tracemalloc

import bambi as bmb
import numpy as np
import pandas as pd
import pytest

from bambi_anova.bambi_fits.anova import anova
from bambi_anova.bambi_fits.estimates import contrasts, means

ROWS, UNITS, CHAINS, DRAWS = 76_538, 1_128, 4, 1_000


@pytest.mark.slow
def test_memory_is_that_of_points_and_draws(fake):
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "A": rng.choice(["a1", "a2", "a3"], ROWS),
            "B": rng.choice(["x", "y"], ROWS),
            "x": rng.normal(size=ROWS),
            "s": rng.choice([f"s{number:04d}" for number in range(UNITS)], ROWS),
            "y": rng.normal(size=ROWS),
        }
    )
    model = bmb.Model("y ~ A * B + bs(x, df=4) + (1|s)", data)
    idata = fake(model, CHAINS, DRAWS)
    own = idata["posterior"].to_dataset().nbytes
    tables = {
        "contrasts": lambda: contrasts(model, idata, "A", by="B", scale="response"),
        "finite": lambda: means(model, idata, "A", "finite", "response"),
        "anova": lambda: anova(model, idata),
    }
    peaks = {}
    for name, ask in tables.items():
        tracemalloc.start()
        ask()
        peaks[name] = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    print({"posterior": own / 1e6, **peaks})
    # All rows times all draws would be 2,450 MB.
    assert max(peaks.values()) < 600
