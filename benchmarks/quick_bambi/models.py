"""Bambi models of the kinds that people fit, on simulated data of the usual sizes."""

from __future__ import annotations

from collections.abc import Callable

import bambi as bmb
import numpy as np
import pandas as pd


def sleepstudy() -> bmb.Model:
    """18 people on 10 days each: intercepts and slopes that vary."""
    rng = np.random.default_rng(1)
    person, day = np.repeat(np.arange(18), 10), np.tile(np.arange(10.0), 18)
    own, slope = rng.normal(0, 25, 18), rng.normal(0, 6, 18)
    y = 250 + own[person] + (10 + slope[person]) * day + rng.normal(0, 25, 180)
    data = pd.DataFrame({"y": y, "day": day, "person": [f"p{k:02d}" for k in person]})
    return bmb.Model("y ~ day + (day|person)", data)


def radon() -> bmb.Model:
    """919 houses in 85 counties, of which the smallest has one: a predictor of the county too."""
    rng = np.random.default_rng(2)
    county = np.sort(np.r_[np.arange(85), rng.choice(85, 834, p=rng.dirichlet(np.ones(85)))])
    uranium, floor = rng.normal(0, 0.4, 85), rng.binomial(1, 0.17, 919)
    a, b = rng.normal(0, 0.15, 85), rng.normal(0, 0.25, 85)
    y = 1.4 + 0.8 * uranium[county] + a[county] + (b[county] - 0.7) * floor
    data = pd.DataFrame(
        {
            "y": y + rng.normal(0, 0.75, 919),
            "floor": floor,
            "uranium": uranium[county],
            "county": [f"c{k:02d}" for k in county],
        }
    )
    return bmb.Model("y ~ floor * uranium + (floor|county)", data)


def election() -> bmb.Model:
    """2,000 answers of yes or no by state, age and education, all of them crossed."""
    rng = np.random.default_rng(3)
    size = 2000
    state, age, education = (rng.integers(0, count, size) for count in (50, 6, 5))
    region, male = state // 10, rng.integers(0, 2, size)
    effects = [rng.normal(0, sd, count) for sd, count in ((0.4, 50), (0.3, 6), (0.2, 5), (0.2, 5))]
    eta = -0.2 + 0.3 * male
    for own, codes in zip(effects, (state, age, education, region), strict=True):
        eta = eta + own[codes]
    data = pd.DataFrame(
        {
            "vote": (rng.uniform(size=size) < 1 / (1 + np.exp(-eta))).astype(int),
            "male": male,
            "state": [f"s{k:02d}" for k in state],
            "age": [f"a{k}" for k in age],
            "education": [f"e{k}" for k in education],
            "region": [f"r{k}" for k in region],
        }
    )
    formula = "vote ~ male + (1|region) + (1|region:state) + (1|age) + (1|education)"
    return bmb.Model(formula, data, family="bernoulli")


def splines() -> bmb.Model:
    """A curve of counts, and sites that scatter about it."""
    rng = np.random.default_rng(4)
    size = 400
    site, x = rng.integers(0, 20, size), rng.uniform(0, 10, size)
    eta = 1 + np.sin(x) + rng.normal(0, 0.5, 20)[site]
    data = pd.DataFrame(
        {"count": rng.poisson(np.exp(eta)), "x": x, "site": [f"s{k:02d}" for k in site]}
    )
    model = bmb.Model("count ~ bs(x, df=8) + (1|site)", data, family="poisson")
    model.set_alias({"bs(x, df=8)": "curve"})  # nutpie cuts names at commas
    return model


def ordinal() -> bmb.Model:
    """30 people rate 20 items on five points."""
    rng = np.random.default_rng(5)
    person, item = np.repeat(np.arange(30), 20), np.tile(np.arange(20), 30)
    kind = item % 2
    latent = 0.8 * kind + rng.normal(0, 1, 30)[person] + rng.normal(0, 0.6, 20)[item]
    latent = latent + rng.logistic(size=600)
    data = pd.DataFrame(
        {
            "rating": pd.Categorical(np.digitize(latent, [-2, -0.5, 0.8, 2.2]), ordered=True),
            "kind": np.where(kind, "old", "new"),
            "person": [f"p{k:02d}" for k in person],
            "item": [f"i{k:02d}" for k in item],
        }
    )
    return bmb.Model("rating ~ kind + (1|person) + (1|item)", data, family="cumulative")


def zeros() -> bmb.Model:
    """Counts with more zeros than chance gives, more of them at low x."""
    rng = np.random.default_rng(6)
    size = 500
    x, camp = rng.normal(size=size), rng.integers(0, 25, size)
    count = rng.poisson(np.exp(0.8 + 0.4 * x + rng.normal(0, 0.5, 25)[camp]))
    seen = rng.uniform(size=size) < 1 / (1 + np.exp(-0.8 - 0.9 * x))
    data = pd.DataFrame({"count": count * seen, "x": x, "camp": [f"c{k:02d}" for k in camp]})
    formula = bmb.Formula("count ~ x + (1|camp)", "psi ~ x")
    return bmb.Model(formula, data, family="zero_inflated_poisson")


def spread() -> bmb.Model:
    """A residual sd that grows with x, and groups."""
    rng = np.random.default_rng(7)
    size = 300
    x, g = rng.uniform(-1, 1, size), rng.integers(0, 15, size)
    y = 2 + x + rng.normal(0, 0.7, 15)[g] + rng.normal(0, np.exp(0.6 * x), size)
    data = pd.DataFrame({"y": y, "x": x, "g": [f"g{k:02d}" for k in g]})
    return bmb.Model(bmb.Formula("y ~ x + (1|g)", "sigma ~ x"), data)


def process() -> bmb.Model:
    """A Gaussian process (HSGP) over 200 points."""
    rng = np.random.default_rng(8)
    x = np.sort(rng.uniform(0, 10, 200))
    y = np.sin(x) + 0.3 * x + rng.normal(0, 0.5, 200)
    model = bmb.Model("y ~ 0 + hsgp(x, m=15, c=1.5)", pd.DataFrame({"x": x, "y": y}))
    model.set_alias({"hsgp(x, m=15, c=1.5)": "f"})
    return model


def robust() -> bmb.Model:
    """A line through points with outliers, by a t likelihood."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=150)
    y = 1 + 2 * x + rng.standard_t(2, 150)
    intercept = bmb.Prior("StudentT", nu=3, mu=0, sigma=10)
    return bmb.Model("y ~ x", pd.DataFrame({"x": x, "y": y}), "t", {"Intercept": intercept})


MODELS: dict[str, Callable[[], bmb.Model]] = {
    "sleepstudy": sleepstudy,
    "radon": radon,
    "election": election,
    "splines": splines,
    "ordinal": ordinal,
    "zeros": zeros,
    "spread": spread,
    "process": process,
    "robust": robust,
}
