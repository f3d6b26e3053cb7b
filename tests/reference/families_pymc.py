"""Makes families.csv and families_pymc.csv: posteriors of hand-written PyMC models.

16 subjects, whose two groups do two tasks ten times.  Every level of every term has an effect of
its own, iid N(0, sigma_T), as Kruschke (2015) writes analyses of variance; nothing of the package
is imported.  Quantities: "mean a:x" (on the link scale, a subject of effect zero) and the
likelihood's parameters.

Run ``python families_pymc.py`` to make both again (some minutes), or name families.
"""

import sys
from itertools import product
from pathlib import Path

import arviz_stats
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

HERE = Path(__file__).parent
CUTS = np.array([-1.0, 0.2, 1.0])


def design():
    """Return the design, and a linear predictor about zero."""
    rng = np.random.default_rng(23)
    frame = pd.DataFrame(product(range(16), "xy", range(10)), columns=["s", "task", "copy"])
    frame["group"] = np.where(frame["s"] % 2, "a", "b")
    eta = 0.3 * (frame["task"] == "x") + 0.2 * ((frame["task"] == "y") & (frame["group"] == "a"))
    eta = (eta + 0.25 * rng.normal(size=16)[frame["s"]]).to_numpy()
    return frame.drop(columns="copy"), eta


def simulate():
    """Return the responses of all families."""
    frame, eta = design()
    rng, parts = np.random.default_rng(5), []
    size = len(frame)
    stop = 1 / (1 + np.exp(-(CUTS - eta[:, None])))
    steps = (rng.uniform(size=stop.shape) < stop).argmax(axis=1)
    steps = np.where((rng.uniform(size=size) > 0.9) & (steps == 0), 3, steps)
    gone = rng.uniform(size=size) < 0.7
    latent = 2 * eta + rng.logistic(size=size)
    p = 1 / (1 + np.exp(-2 * eta))
    between = np.clip(rng.beta(6 * p, 6 * (1 - p)), 0.001, 0.999)
    half = np.abs(rng.normal(size=size))
    responses = {
        "shifted_lognormal": 0.4 + np.exp(eta - 1 + 0.5 * rng.normal(size=size)),
        "skewnormal": eta + 0.6 * (0.9 * half + np.sqrt(0.19) * rng.normal(size=size)),
        "laplace": eta + 0.5 * rng.laplace(size=size),
        "hurdle_gamma": np.where(gone, np.exp(eta) * rng.gamma(3, 1 / 3, size), 0.0),
        "hurdle_lognormal": np.where(gone, np.exp(eta + 0.6 * rng.normal(size=size)), 0.0),
        "sratio": 1.0 + steps,
        "ordered_beta": np.where(latent < -2, 0.0, np.where(latent > 2.5, 1.0, between)),
    }
    for name, y in responses.items():
        parts.append(frame.assign(family=name, y=np.round(y, 4)))
    return pd.concat(parts, ignore_index=True)[["family", "s", "group", "task", "y"]]


def gamma(name, mode, sd):
    """Return a gamma variable by its mode and sd."""
    rate = (mode + np.sqrt(mode**2 + 4 * sd**2)) / (2 * sd**2)
    return pm.Gamma(name, 1 + mode * rate, rate)


def predictor(data, mean, sd, centred=False):
    """Return the rows' linear predictor; sd is that of the response on its scale, or None."""
    g, t = (pd.factorize(data[name], sort=True)[0] for name in ("group", "task"))

    def scale(name):
        return pm.Gamma(name, 1.64, 0.32) if sd is None else gamma(name, sd / 2, 2 * sd)

    def effects(name, shape):
        return scale(f"sigma {name}") * pm.Normal(f"z {name}", 0, 1, shape=shape)

    a0 = 0.0 if centred else pm.Normal("a0", mean, 2.0 if sd is None else 5 * sd)
    cells = a0 + effects("group", (2, 1)) + effects("task", (1, 2)) + effects("both", (2, 2))
    cells = cells - cells.mean() if centred else cells
    for i, j in product(range(2), range(2)):
        pm.Deterministic(f"mean {'ab'[i]}:{'xy'[j]}", cells[i, j])
    return cells[g, t] + effects("s", 16)[data["s"].to_numpy()]


def residual(sd):
    """Return the residual sd."""
    return pm.Uniform("sigma", sd / 100, 10 * sd)


def shifted_lognormal(data, y):
    """Log-normal above a shift."""
    log = np.log(y)
    eta, sigma = predictor(data, log.mean(), log.std(ddof=1)), residual(log.std(ddof=1))
    shift = pm.Uniform("shift", 0, y.min())
    above = pt.log(y - shift)
    pm.Potential("rows", (pm.logp(pm.Normal.dist(eta, sigma), above) - above).sum())


def skewnormal(data, y):
    """Skew normal by its mean, sd and delta."""
    eta, sigma = predictor(data, y.mean(), y.std(ddof=1)), residual(y.std(ddof=1))
    delta = pm.Uniform("delta", -1, 1)
    mean = np.sqrt(2 / np.pi) * delta
    omega = sigma / pt.sqrt(1 - mean**2)
    pm.SkewNormal(
        "y", mu=eta - omega * mean, sigma=omega, alpha=delta / pt.sqrt(1 - delta**2), observed=y
    )


def laplace(data, y):
    """Laplace."""
    eta = predictor(data, y.mean(), y.std(ddof=1))
    pm.Laplace("y", eta, pm.Uniform("b", y.std(ddof=1) / 100, 10 * y.std(ddof=1)), observed=y)


def hurdle(data, y):
    """Return what both hurdle models share: the predictor of what is not zero, and its logs."""
    log = np.log(y[y > 0])
    eta = predictor(data, log.mean(), log.std(ddof=1))
    psi = pm.Beta("psi", 2, 2)
    pm.Bernoulli("some", psi, observed=(y > 0).astype(int))
    return eta[np.flatnonzero(y > 0)], log


def hurdle_gamma(data, y):
    """Gamma or zero."""
    eta, log = hurdle(data, y)
    alpha = pm.HalfCauchy("alpha", 1)
    pm.Gamma("y", alpha=alpha, beta=alpha / pt.exp(eta), observed=np.exp(log))


def hurdle_lognormal(data, y):
    """Log-normal or zero."""
    eta, log = hurdle(data, y)
    pm.Normal("y", eta, residual(log.std(ddof=1)), observed=log)


def sratio(data, y):
    """Steps."""
    eta = predictor(data, 0.0, None, centred=True)
    count = int(y.max())
    middles = np.log(1 / (np.arange(count, 1, -1) - 1))
    cuts = pm.Normal("threshold", np.round(middles, 4), 2.0, shape=count - 1)
    total = 0.0
    for k in range(count - 1):
        come = np.flatnonzero(y >= k + 1)
        stop = (y[come] == k + 1).astype(int)
        total += pm.logp(pm.Bernoulli.dist(logit_p=cuts[k] - eta[come]), stop).sum()
        pm.Deterministic(f"threshold_{k + 1}", cuts[k])
    pm.Potential("rows", total)


def ordered_beta(data, y):
    """Rates with ends."""
    eta = predictor(data, 0.0, None)
    first = pm.Normal("threshold_1", -2, 2)
    second = pm.Normal("threshold_2", 2, 2)
    kappa = pm.HalfCauchy("kappa", 1)
    low, high = pm.math.sigmoid(first - eta), pm.math.sigmoid(eta - second)
    inside = np.flatnonzero((y > 0) & (y < 1))
    mu = pm.math.sigmoid(eta[inside])
    beta = pm.Beta.dist(alpha=mu * kappa, beta=(1 - mu) * kappa)
    order = pt.switch(first < second, 0.0, -np.inf)
    rows = pt.log(low[np.flatnonzero(y == 0)]).sum() + pt.log(high[np.flatnonzero(y == 1)]).sum()
    rows += (pt.log(1 - low - high)[inside] + pm.logp(beta, y[inside])).sum()
    pm.Potential("rows", rows + order)


MODELS = (
    shifted_lognormal, skewnormal, laplace, hurdle_gamma, hurdle_lognormal, sratio, ordered_beta,
)  # fmt: skip
PARAMETERS = ("sigma", "shift", "delta", "b", "psi", "alpha", "kappa", "sigma s")


def main():
    """Sample those that are named, all by default."""
    data = simulate()
    data.to_csv(HERE / "families.csv", index=False)
    file = HERE / "families_pymc.csv"
    for make in MODELS:
        name = make.__name__
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        own = data[data["family"] == name].reset_index(drop=True)
        with pm.Model():
            make(own, own["y"].to_numpy())
            draws = pm.sample(
                2000, tune=1500, chains=4, random_seed=1, progressbar=False, target_accept=0.97,
                nuts_sampler="nutpie", compute_convergence_checks=False,
            )["posterior"].to_dataset()  # fmt: skip
        keep = [v for v in draws if v.startswith(("mean ", "threshold_")) or v in PARAMETERS]
        rows = [
            {
                "family": name,
                "quantity": one,
                "mean": float(draws[one].mean()),
                "sd": float(draws[one].std()),
                "ess": float(arviz_stats.ess(draws[one].to_numpy())),
            }
            for one in keep
        ]
        print(pd.DataFrame(rows).round(3), flush=True)
        known = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["family"])
        known = known[known["family"] != name]
        found = pd.concat([known, pd.DataFrame(rows)], ignore_index=True)
        found.sort_values(["family", "quantity"]).to_csv(file, index=False)


if __name__ == "__main__":
    main()
