"""Makes together_pymc.csv: the posterior of together_cells.csv by a hand-written PyMC model.

Each person has an effect in each load, multivariate normal: an sd of every load, and LKJ(1)
correlations by PyMC's own LKJCholeskyCov.  Every level of every term has an effect of its own,
iid N(0, sigma_T), as Kruschke (2015) writes analyses of variance; nothing of the package is
imported.

Run ``python together_pymc.py`` to make the file again (some minutes).
"""

from itertools import combinations
from pathlib import Path

import arviz_stats
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

HERE = Path(__file__).parent


def sample():
    """Return the draws."""
    data = pd.read_csv(HERE / "together_cells.csv")
    s, g, k = (pd.factorize(data[name], sort=True)[0] for name in ("s", "group", "load"))
    y = data["y"].to_numpy()
    sd = y.std(ddof=1)
    with pm.Model():
        # A gamma of mode sd / 2 and sd 2 sd.
        rate = (sd / 2 + np.sqrt(sd**2 / 4 + 16 * sd**2)) / (8 * sd**2)
        shape_of = 1 + sd / 2 * rate

        def term(name, shape):
            scale = pm.Gamma(f"sd of {name}", shape_of, rate)
            return scale * pm.Normal(f"z {name}", 0, 1, shape=shape)

        a0 = pm.Normal("a0", y.mean(), 5 * sd)
        cells = a0 + term("group", (2, 1)) + term("load", (1, 3)) + term("group:load", (2, 3))
        for i in range(2):
            for j in range(3):
                pm.Deterministic(f"mean {'ab'[i]}:l{j}", cells[i, j])
        lower, correlation, sds = pm.LKJCholeskyCov(
            "lkj", n=3, eta=1.0, sd_dist=pm.Gamma.dist(shape_of, rate, shape=3)
        )
        z = pm.Normal("z s", 0, 1, shape=(24, 3))
        own = pt.dot(z, lower.T)
        covariance = correlation * sds[:, None] * sds
        for i in range(3):
            pm.Deterministic(f"sd l{i}", sds[i])
        for i, j in combinations(range(3), 2):
            pm.Deterministic(f"correlation l{i} l{j}", correlation[i, j])
        contrasts = np.array([[1, 1], [-1, 1], [0, -2]]) / np.sqrt([2, 6])
        m = pt.dot(contrasts.T, pt.dot(covariance, contrasts))
        pm.Deterministic("epsilon", pt.trace(m) ** 2 / (2 * (m**2).sum()))
        sigma = pm.Uniform("sigma", sd / 100, 10 * sd)
        pm.Normal("y", cells[g, k] + own[s, k], sigma, observed=y)
        return pm.sample(
            8000,
            tune=2000,
            chains=4,
            cores=1,
            target_accept=0.95,
            random_seed=7,
            nuts_sampler="nutpie",
            progressbar=False,
        )


def main():
    """Sample and write."""
    found = sample()
    posterior = found["posterior"].to_dataset()
    names = [n for n in posterior if str(n).startswith(("mean", "sd", "corr", "epsilon", "sigma"))]
    table = arviz_stats.summary(posterior[names], kind="all", round_to="none")
    rows = pd.DataFrame(
        {
            "quantity": table.index,
            "mean": table["mean"],
            "sd": table["sd"],
            "mcse": table["mcse_mean"],
            "r_hat": table["r_hat"],
        }
    )
    rows.round(5).to_csv(HERE / "together_pymc.csv", index=False)


if __name__ == "__main__":
    main()
