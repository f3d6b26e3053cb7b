"""Studies at random: frames, formulas and options, of which some are nearly right.

A study is drawn from one seed, so that what falls can be taken up again.
"""

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

LEVELS = [
    ["a", "b"],
    ["a", "b", "c"],
    [1, 2, 3],
    [0.1, 0.2],
    [True, False],
    ["", " "],
    ["x:y", "x|y", "~"],
    ["a", 1, 2.5],
    [None, "a", "b"],
    [float("nan"), "a", "b"],
    ["ü" * 30, "Ω", "日本"],
    ["only"],
    [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")],
    ["{a}", "$b$", "c\\d"],
    ["nan", "None"],
    [10**18, 10**18 + 1],
    ["a" * 200, "b"],
]
NAMES = ["A", "B", "my factor", "C", "x:y", "1st", "sigma", "chain", "term", "mean", "Intercept"]
RANDOM = [
    "",
    "",
    " + Error(s)",
    " + Error(s/{within})",
    " + (1|s)",
    " + (x|s)",
    " + (0 + x|s)",
    " + Error(s/({all}))",
    " + (1|s) + (1|s:{within})",
    " + (1|x)",
    " + ({within}|s)",
    " + offset(x)",
    " + Error(s, cov='full')",
    " + (1|s/x)",
]
SCALES = [1.0, 1.0, 1.0, 1e-8, 1e8, 1e160, 1e-160, 1e300, 0.0]
FAMILIES = {
    "gaussian": "real",
    "t": "real",
    "bernoulli": "binary",
    "binomial": "trials",
    "betabinomial": "trials",
    "poisson": "count",
    "negativebinomial": "count",
    "zero_inflated_poisson": "count",
    "hurdle_poisson": "count",
    "gamma": "positive",
    "lognormal": "positive",
    "wald": "positive",
    "weibull": "positive",
    "exgaussian": "positive",
    "beta": "share",
    "cumulative": "rating",
    "thresholded_normal": "rating",
}
#: Parameters that may have a predictor, by family.
FURTHER = {"gaussian": "sigma", "t": "sigma", "lognormal": "sigma", "gamma": "alpha"}
FURTHER |= {"negativebinomial": "alpha", "beta": "kappa", "zero_inflated_poisson": "psi"}


@dataclass(frozen=True)
class Pool:
    """What studies are drawn from.

    ``trouble`` is how often values are damaged, rows doubled and frames empty, of what harsh
    studies have; ``extreme`` whether counts, trials and the like may be few or very many.
    """

    names: list
    levels: list
    scales: list
    units: list
    rows: list
    families: dict
    trouble: float
    extreme: bool


HARSH = Pool(NAMES, LEVELS, SCALES, [1, 2, 3, 6, 12], [1, 2, 5, 12, 24, 48], FAMILIES, 1.0, True)
PLAIN = Pool(
    ["A", "B", "C", "my factor", "1st", "ü"],
    [["a", "b"], ["a", "b", "c"], [1, 2, 3], ["x:y", "ü"], ["p", "q", "r", "only once"]],
    [1.0, 100.0, 0.01],
    [4, 8, 12],
    [24, 48],
    FAMILIES
    | {"exponential": "positive", "shifted_lognormal": "positive", "laplace": "real"}
    | {"skewnormal": "real", "ordered_beta": "share", "sratio": "rating"}
    | {"hurdle_gamma": "amount", "hurdle_lognormal": "amount", "betabinomial_mode": "trials"},
    0.1,
    False,
)


@dataclass(frozen=True)
class Study:
    """Arguments of ``Model``."""

    formula: str
    data: pd.DataFrame
    options: dict = field(default_factory=dict)


def study(seed: int, pool: Pool = HARSH) -> Study:
    """Draw a study."""
    rng = np.random.default_rng(seed)

    def one_of(choices):
        return choices[rng.integers(len(choices))]

    names = list(rng.choice(pool.names, size=rng.integers(1, 4), replace=False))
    units, size = int(one_of(pool.units)), int(one_of(pool.rows))
    frame = pd.DataFrame({"s": rng.integers(0, units, size)})
    for name in names:
        levels = one_of(pool.levels)
        between = rng.random() < 0.4
        codes = frame["s"].to_numpy() if between else rng.integers(0, len(levels), size)
        column = pd.Series([levels[code % len(levels)] for code in codes], dtype=object)
        if rng.random() < 0.3 or not pool.extreme:
            column = column.infer_objects()
        if rng.random() < 0.2:
            with suppress(TypeError, ValueError):
                column = pd.Categorical(column, [*dict.fromkeys(levels), "never"])
        frame[name] = column
    frame["x"] = rng.normal(size=size) * one_of(pool.scales) + one_of(
        [0, 0, 5, 1e10 if pool.extreme else 10]
    )
    family = one_of(list(pool.families))
    extreme = one_of if pool.extreme else lambda choices: choices[1]
    y, trials = responses(pool.families[family], frame, rng, one_of(pool.scales), extreme)
    frame["y"] = y
    left = "y"
    if trials is not None:
        frame["n"], left = trials, "p(y, n)"
    if rng.random() < 0.15 * pool.trouble:
        frame["y"] = frame["y"].astype(object)
        frame.loc[rng.integers(size), "y"] = one_of([None, "text", np.inf, -1, np.nan, 1e400])
    if rng.random() < 0.1 * pool.trouble:
        frame = pd.concat([frame, frame], ignore_index=bool(rng.random() < 0.5))
    if rng.random() < 0.05 * pool.trouble:
        frame = frame.iloc[:0]
    quoted = [name if name.isidentifier() else f"`{name}`" for name in names]
    fixed = one_of([" * ", " + ", ":", "/"]).join(quoted)
    if rng.random() < 0.3:
        fixed += one_of([" + x", " * x", " + scale(x)", " + log(x)", " + x:x", " - 1", " + 0"])
    if rng.random() < 0.2 and left == "y":
        left = one_of(["log(y)", "sqrt(y)", "log1p(y)", "-y", "y * 2", "scale(y)"])
    within = one_of(quoted)
    random = one_of(RANDOM).format(within=within, all=" * ".join(quoted))
    options = {"family": family, "dropna": bool(rng.random() < 0.5)}
    if rng.random() < 0.15:
        options["priors_on"] = "deflections"
    if rng.random() < 0.2:
        options[FURTHER.get(family, "sigma")] = one_of(
            [within, "1", fixed, "x", f"{within} + (1|s)"]
        )
    return Study(f"{left} ~ {fixed}{random}", frame, options)


def responses(kind, frame, rng, scale, extreme):
    """Draw a response that its family may have, and trials."""
    size = len(frame)
    if kind == "real":
        values = rng.normal(size=size) * scale
        return (values if rng.random() < 0.8 else values.round()), None
    if kind == "binary":
        values = rng.integers(0, 2, size) if rng.random() < 0.7 else np.zeros(size, int)
        return (values.astype(bool) if rng.random() < 0.3 else values), None
    if kind == "trials":
        n = rng.integers(0, extreme([2, 10, 10**9]), size)
        return (rng.random(size) * n).astype(int), n
    if kind == "count":
        return rng.poisson(extreme([0.01, 3, 1e9]), size), None
    if kind == "positive":
        return rng.gamma(2, size=size) * (scale or 1.0), None
    if kind == "amount":
        return rng.gamma(2, size=size) * scale * (rng.random(size) < 0.7), None
    if kind == "share":
        return rng.beta(*extreme([(1, 1), (50, 50), (0.1, 0.1)]), size), None
    return rng.integers(1, extreme([3, 6, 30]), size), None
