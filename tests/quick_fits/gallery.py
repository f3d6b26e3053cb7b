"""Models of the kinds in Bambi's example gallery, on small simulated data."""

from functools import cache

import bambi as bmb
import numpy as np
import pandas as pd


@cache
def frame():
    """Forty-eight rows in eight groups that cross six items, with responses of all kinds."""
    rng = np.random.default_rng(8)
    size = 48
    g, item = np.arange(size) // 6, np.arange(size) % 6
    x, z = rng.normal(size=size), rng.uniform(-1, 1, size)
    real = 1 + 0.5 * x + rng.normal(size=8)[g] + rng.normal(size=size)
    rate = 1 / (1 + np.exp(-(real - 1)))
    count = rng.poisson(np.exp(0.4 * real))
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": [f"g{k}" for k in g],
            "h": [f"h{k // 3}" for k in g],
            "item": [f"i{k}" for k in item],
            "c": np.array(["a", "b", "c"])[rng.integers(0, 3, size)],
            "d": np.array(["u", "v"])[item % 2],
            "exposure": rng.uniform(0.5, 2, size),
            "w": rng.integers(1, 4, size),
            "fw": rng.uniform(0.3, 2, size),
            "y": real,
            "hit": (rng.uniform(size=size) < rate).astype(int),
            "k": rng.binomial(7, rate),
            "n": 7,
            "count": count,
            "zeros": count * (rng.uniform(size=size) < 0.6),
            "positive": rng.gamma(2, np.exp(0.3 * real) / 2) + 0.01,
            "share": np.clip(rng.beta(2 * rate + 0.2, 2 - 2 * rate + 0.2), 0.01, 0.99),
            "rating": pd.Categorical(np.digitize(real, [0, 1, 2]), ordered=True),
            "word": np.where(rate > 0.5, "yes", "no"),
            "threshold_1": z**2,
            "big": 1e5 * real + 1e7,
            "sigma_": [f"s{k % 5}" for k in range(size)],
            "lost": pd.Categorical([f"l{k % 4}" for k in range(size)], [f"l{k}" for k in range(7)]),
            "holes": np.where(np.arange(size) % 7 == 3, np.nan, real),
            "angle": rng.vonmises(0.3 * x, 2),
        }
    )


def made(formula, family="gaussian", **options):
    """Return what builds a model of the data."""
    return lambda: bmb.Model(formula, frame(), family=family, **options)


def prior(name, **args):
    """Return a Bambi prior."""
    return bmb.Prior(name, **args)


WIDE_T = prior("StudentT", nu=3, mu=0, sigma=2.5)
SLOPES = {"x|g": prior("Normal", mu=0, sigma=prior("Exponential", lam=2.0))}

#: With a likelihood of ours.
CLOSED = {
    "linear": made("y ~ x + z"),
    "linear with a t intercept": made("y ~ x", priors={"Intercept": WIDE_T}),
    "linear with laplace slopes": made(
        "y ~ x + z", priors={"common": prior("Laplace", mu=0, b=1.0)}
    ),
    "linear with bounded slopes": made(
        "y ~ x + z",
        priors={"x": prior("HalfNormal", sigma=1.0), "z": prior("Uniform", lower=-3, upper=3)},
    ),
    "a prior that only PyMC knows": made(
        "y ~ x", priors={"x": prior("SkewNormal", mu=0, sigma=1, alpha=3)}
    ),
    "an sd of which only PyMC knows the prior": made(
        "y ~ x", priors={"sigma": prior("LogNormal", mu=0, sigma=1)}
    ),
    "no intercept": made("y ~ 0 + c + x"),
    "intercept alone": made("y ~ 1"),
    "groups alone": made("y ~ 0 + (1|g)"),
    "predictors as they are": made("y ~ x * c", center_predictors=False),
    "sd held": made("y ~ x", priors={"sigma": 1.0}),
    "t": made("y ~ x", "t"),
    "t with nu held": made("y ~ x", "t", priors={"nu": 4}),
    "logistic": made("hit ~ x * c", "bernoulli"),
    "probit": made("hit ~ x", "bernoulli", link="probit"),
    "binomial": made("p(k, n) ~ x + (1|g)", "binomial"),
    "beta-binomial": made("p(k, n) ~ x", "beta_binomial"),
    "poisson with exposure": made("count ~ x + offset(log(exposure))", "poisson"),
    "poisson, crossed": made("count ~ c + (1|g) + (1|item)", "poisson"),
    "negative binomial": made("count ~ x + (1|g)", "negativebinomial"),
    "gamma, log": made("positive ~ x + (1|g)", "gamma", link="log"),
    "lognormal": made("positive ~ x", "lognormal"),
    "weibull": made("positive ~ x", "weibull"),
    "exponential": made("positive ~ x", "exponential"),
    "beta": made("share ~ x + c", "beta"),
    "zero-inflated poisson": made("zeros ~ x", "zero_inflated_poisson"),
    "zero-inflated negative binomial": made("zeros ~ x", "zero_inflated_negativebinomial"),
    "hurdle poisson": made("zeros ~ x", "hurdle_poisson"),
    "ordinal": made("rating ~ x", "cumulative"),
    "ordinal with groups": made("rating ~ x + c + (1|g)", "cumulative", link="probit"),
    "sleepstudy": made("y ~ x + (x|g)"),
    "sleepstudy, centred": made("y ~ x + (x|g)", noncentered=False, priors=SLOPES),
    "radon": made("y ~ d + z + (1 + d|g)"),
    "slopes of a factor": made("y ~ d + (c|g) + (0 + d|item)"),
    "nested groups": made("y ~ x + (1|h) + (1|h:g) + (x|h:g)"),
    "factors of groups": made("y ~ x + (1|d:item)"),
    "splines": made("y ~ bs(x, df=6) + (1|g)"),
    "splines by group": made("y ~ 0 + bs(x, df=5):d"),
    "polynomial": made("y ~ poly(x, 3) * d"),
    "transformed": made("y ~ scale(x) + np.exp(z)"),
    "gaussian process": made("y ~ 0 + hsgp(x, m=8, c=1.5)"),
    "gaussian process, centred, by level": made(
        "y ~ d + hsgp(x, m=6, c=1.5, by=d, share_cov=False, centered=True)"
    ),
    "gaussian process in two variables": made("y ~ hsgp(x, z, m=3, c=1.5, iso=False)"),
    "gaussian process of known kernel": made(
        "y ~ hsgp(x, m=6, c=1.5)",
        priors={"hsgp(x, m=6, c=1.5)": {"sigma": 1.0, "ell": prior("Gamma", alpha=2, beta=1)}},
    ),
    "gaussian process of known numbers": made(
        "y ~ hsgp(x, m=6, c=1.5)", priors={"hsgp(x, m=6, c=1.5)": {"sigma": 1.0, "ell": 0.7}}
    ),
    "gaussian process by level, shared": made("y ~ hsgp(x, m=5, c=1.5, by=d, cov='Matern52')"),
    "level of success": made("word['yes'] ~ x", "bernoulli"),
    "columns of reserved names": made("y ~ threshold_1 + (1|sigma_)"),
    "ordinal with a column named threshold_1": made("rating ~ threshold_1 + x", "cumulative"),
    "levels without rows": made("y ~ x + (1|lost)"),
    "missing rows": made("holes ~ x + (x|g)", dropna=True),
    "far from zero": made("big ~ x + (1|g)"),
    "weights": made("weighted(y, w) ~ x + (1|g)"),
    "weighted exponential": made("weighted(positive, fw) ~ d + (1|h)", "exponential"),
    "fractional weights of counts": made("weighted(count, fw) ~ x", "poisson"),
}
#: With rows that share every predictor.
MERGED = {
    "gaussian cells": made("y ~ d * c"),
    "gaussian cells, weighted": made("weighted(y, fw) ~ d"),
    "binomial cells": made("p(k, n) ~ d + (1|h)", "binomial"),
    "beta-binomial cells": made("p(k, n) ~ d + (1|h)", "beta_binomial"),
    "yes and no in cells": made("hit ~ c", "bernoulli", link="probit"),
    "exposures in cells": made("count ~ d + offset(log(exposure))", "poisson"),
    "weighted exposures": made("weighted(count, fw) ~ d + offset(log(exposure))", "poisson"),
    "ordinal cells": made("rating ~ d + (1|h)", "cumulative"),
    "ordinal cells, t slopes": made("rating ~ d", "cumulative", priors={"d": WIDE_T}),
    "cells, t slopes": made("count ~ d + (1|h)", "negativebinomial", priors={"d": WIDE_T}),
}
#: With a likelihood made of Bambi's distribution.
GENERATED = {
    "gamma": made("positive ~ x", "gamma", priors={"Intercept": prior("Normal", mu=2, sigma=0.1)}),
    "sd by a predictor": made(bmb.Formula("y ~ x + (1|g)", "sigma ~ z + (1|g)")),
    "laplace": made("y ~ x", "laplace"),
    "inflation by a predictor": made(bmb.Formula("zeros ~ x", "psi ~ z"), "zero_inflated_poisson"),
    "hurdle gamma": made("zeros ~ x", "hurdle_gamma"),
    "angles": made("angle ~ x", "vonmises"),
    "cloglog": made("hit ~ x", "bernoulli", link="cloglog"),
    "asymmetric laplace": made("y ~ x", "asymmetriclaplace"),
    "gaussian, log": made("positive ~ x", "gaussian", link="log"),
}
