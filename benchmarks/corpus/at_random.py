"""Designs drawn at random, to look for faults that nobody thought of.

What is drawn: family, numbers of units, factors between and within them, copies, groups of unequal
size, missing cells, crossed units, covariates, sds and priors, some of them odd.
"""

from __future__ import annotations

import bambi as bmb
import numpy as np

from benchmarks.corpus.design import Design, exponential, half_normal, normal
from benchmarks.corpus.layouts import Crossed, Split
from benchmarks.corpus.truths import Truth

FAMILIES = ("gaussian", "t", "bernoulli", "binomial", "poisson")
SIGMA_PRIORS = (
    half_normal(0.3),
    exponential(0.2),
    bmb.Prior("HalfCauchy", beta=1),
    bmb.Prior("HalfStudentT", nu=3, sigma=2.5),
    bmb.Prior("Gamma", alpha=2, beta=0.5),
    bmb.Prior("InverseGamma", alpha=2, beta=1),
    bmb.Prior("LogNormal", mu=-1, sigma=1),
    bmb.Prior("Uniform", lower=0, upper=3),
)


def random_design(number: int) -> Design:
    """Return the design of a number, the same every time."""
    rng = np.random.default_rng(number)
    family = FAMILIES[number % len(FAMILIES)]
    between = rng.choice(["", "A2", "A3"])
    within = rng.choice(["B2", "B3", "B2 C2"], p=[0.5, 0.3, 0.2])
    sds = {"s": float(rng.choice([0, 0.3, 1, 2.5]))}
    if rng.random() < 0.25:
        sizes = int(rng.choice([6, 15, 30])), int(rng.choice([5, 12]))
        missing = float(rng.choice([0, 0.3]))
        layout = Crossed(*sizes, between, "", str(within), missing=missing)
        sds["item"] = float(rng.choice([0.2, 0.8]))
        strata = "(1|s) + (1|item)"
    else:
        units = int(rng.choice([4, 6, 10, 25, 90]))
        layout = Split(
            max(units, 6 if between == "A3" else 4),
            str(between),
            str(within),
            copies=int(rng.choice([1, 2, 5])),
            unequal=bool(rng.random() < 0.3),
            missing=float(rng.choice([0, 0.15])) if units > 6 else 0.0,
        )
        strata = "Error(s/B)" if layout.copies > 1 and rng.random() < 0.5 else "Error(s)"
        if "/" in strata:
            sds["s:B"] = 0.4
    formula = f"{' * '.join(layout.factors)}"
    slopes = {}
    if rng.random() < 0.3:
        name, slope = (("age", 0.04), ("dose", 0.3))[int(rng.integers(2))]
        slopes[name] = slope
        formula += f" + {name}"
    priors = {}
    for name in ("s", "B", "Intercept"):
        if rng.random() < 0.3:
            odd = normal(1, 0.5) if name == "Intercept" else SIGMA_PRIORS[int(rng.integers(8))]
            priors[name] = odd
    truth = Truth(
        base=float(rng.choice([-2, 0, 1.5])),
        effect=float(rng.choice([0, 0.4, 1.2])),
        sds=sds,
        slopes=slopes,
        trials=((3, 3), (10, 30))[int(rng.integers(2))],
        outliers=int(rng.choice([0, 3])) if family == "t" else 0,
    )
    response = "p(k, n)" if family == "binomial" else "y"
    text = f"{response} ~ {formula} + {strata}"
    return Design(f"random {number}", family, text, layout, truth, priors=priors)
