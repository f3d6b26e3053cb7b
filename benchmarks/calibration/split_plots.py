"""Split plots whose parameters are drawn from priors, and their data from the parameters.

Letters: N draws of a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import bambi as bmb
import numpy as np
import pandas as pd
from scipy import special, stats

from bambi_anova.design.margins import zero_sum_basis
from bambi_anova.result import Result

Array = np.ndarray

UNITS = 16


def normal(mu: float, sigma: float) -> bmb.Prior:
    """Write a normal prior."""
    return bmb.Prior("Normal", mu=mu, sigma=sigma)


def half_normal(sigma: float) -> bmb.Prior:
    """Write a half-normal prior."""
    return bmb.Prior("HalfNormal", sigma=sigma)


def gamma(alpha: float, beta: float) -> bmb.Prior:
    """Write a gamma prior by shape and rate."""
    return bmb.Prior("Gamma", alpha=alpha, beta=beta)


SAMPLERS = {
    "Normal": lambda rng, mu, sigma: rng.normal(mu, sigma),
    "HalfNormal": lambda rng, sigma: abs(rng.normal(0, sigma)),
    "Gamma": lambda rng, alpha, beta: rng.gamma(alpha, 1 / beta),
}


@dataclass(frozen=True)
class SplitPlot:
    """Sixteen units, half of them at each level of A, in every level of B.

    Attributes
    ----------
    name, formula, family : str
    within : int
        Levels of B.
    copies : int
        Rows of a unit in each of its cells.
    units : tuple of str
        Unit terms, "s" or "s:B".
    priors : dict of str to bambi.Prior
        Of every parameter; Kruschke's own look at the data, which a true prior cannot, and are
        so wide that most data drawn from them would be all zeros or all ones.
    """

    name: str
    formula: str
    family: str
    within: int
    copies: int
    units: tuple[str, ...]
    priors: Mapping[str, bmb.Prior]

    @property
    def levels(self) -> dict[str, list[str]]:
        """Levels of the factors and the unit, in order."""
        numbers = {"A": ("a{}", 2), "B": ("b{}", self.within), "s": ("s{:02d}", UNITS)}
        return {
            name: [text.format(level + 1) for level in range(size)]
            for name, (text, size) in numbers.items()
        }

    def labels(self, term: str) -> list[str]:
        """Return the combinations of levels of a factor term or unit term, such as "s01:b1"."""
        return [":".join(names) for names in product(*(self.levels[f] for f in term.split(":")))]

    def rows(self) -> pd.DataFrame:
        """Return the rows without response."""
        rows = product(self.levels["s"], self.levels["B"], range(self.copies))
        frame = pd.DataFrame(rows, columns=["s", "B", "copy"])
        group = frame["s"].map(dict(zip(self.levels["s"], self.groups, strict=True)))
        frame.insert(0, "A", np.array(self.levels["A"])[group])
        return frame

    @property
    def groups(self) -> Array:
        """Which level of A each unit has, shape (16,)."""
        return np.arange(UNITS) * 2 // UNITS


DESIGNS = {
    "binomial": SplitPlot(
        "binomial",
        "p(k, n) ~ A * B + Error(s/B)",
        "binomial",
        within=2,
        copies=1,
        units=("s", "s:B"),
        priors={
            "Intercept": normal(-1, 0.8),
            "A": half_normal(0.8),
            "B": gamma(2, 4),
            "A:B": half_normal(0.5),
            "s": gamma(2, 3),
            "s:B": half_normal(0.5),
        },
    ),
    "gaussian": SplitPlot(
        "gaussian",
        "y ~ A * B + Error(s)",
        "gaussian",
        within=3,
        copies=2,
        units=("s",),
        priors={
            "Intercept": normal(5, 2),
            "A": gamma(2, 2),
            "B": half_normal(1),
            "A:B": half_normal(0.7),
            "s": half_normal(1),
            "sigma": gamma(4, 4),
        },
    ),
}


def simulate(design: SplitPlot, rng) -> tuple[pd.DataFrame, dict[str, Array]]:
    """Draw parameters from the priors and data from the parameters.

    Returns
    -------
    pandas.DataFrame
        The rows.
    dict of str to ndarray
        Under "sd ...", "Intercept" and perhaps "sigma" arrays of shape (1,); under the terms and
        unit terms their effects, shape (1, levels); under "super" and "finite" the cell means,
        shape (1, 2, levels of B).
    """
    levels = {name: len(names) for name, names in design.levels.items()}
    drawn = {name: SAMPLERS[prior.name](rng, **prior.args) for name, prior in design.priors.items()}
    truth = {}
    for name, value in drawn.items():
        plain = name in ("Intercept", "sigma")
        truth[name if plain else f"sd {name}"] = np.array([value])
    for term in ("A", "B", "A:B"):
        basis = zero_sum_basis(*(levels[name] for name in term.split(":")))
        truth[term] = (basis @ rng.normal(0, drawn[term], basis.shape[1]))[None]
    for unit in design.units:
        truth[unit] = rng.normal(0, drawn[unit], (1, len(design.labels(unit))))
    interaction = truth["A:B"].reshape(1, levels["A"], levels["B"])
    main_effects = truth["A"][:, :, None] + truth["B"][:, None, :]
    truth["super"] = drawn["Intercept"] + main_effects + interaction
    truth["finite"] = truth["super"] + group_means(design, truth)
    frame = design.rows()
    eta = predictor(design, frame, truth)[0]
    if design.family == "binomial":
        frame["n"] = rng.integers(5, 21, len(frame))
        frame["k"] = rng.binomial(frame["n"], special.expit(eta))
    else:
        frame["y"] = rng.normal(eta, drawn["sigma"])
    return frame, truth


def group_means(design: SplitPlot, values: Mapping[str, Array]) -> Array:
    """Return the mean effect of the units in each cell, shape (..., 2, levels of B)."""
    effects = sum(values[unit].reshape(-1, UNITS, *sizes(design, unit)) for unit in design.units)
    members = [design.groups == group for group in range(2)]
    return np.stack([effects[:, who].mean(axis=1) for who in members], axis=1)


def sizes(design: SplitPlot, unit: str) -> tuple[int]:
    """Return how many effects a unit has in a unit term, one of which stands for all of B."""
    return (design.within if unit == "s:B" else 1,)


def predictor(design: SplitPlot, frame: pd.DataFrame, values: Mapping[str, Array]) -> Array:
    """Return the linear predictor of the rows, shape (..., rows)."""
    place = {
        name: frame[name].map({level: i for i, level in enumerate(names)}).to_numpy()
        for name, names in design.levels.items()
    }
    eta = values["super"][:, place["A"], place["B"]]
    for unit in design.units:
        (width,) = sizes(design, unit)
        eta = eta + values[unit][:, place["s"] * width + (place["B"] if width > 1 else 0)]
    return eta


def fitted(design: SplitPlot, result: Result) -> dict[str, Array]:
    """Return the draws of what ``simulate`` returns, by their labels; shapes (N, ...)."""
    posterior, cells = result.idata["posterior"], result.idata["cells"]
    values = {"Intercept": posterior["Intercept"].to_numpy().ravel()}
    if "sigma" in design.priors:
        values["sigma"] = posterior["sigma"].to_numpy().ravel()
    for term in ("A", "B", "A:B", *design.units):
        labels = {f"{term}__factor_dim": design.labels(term)}
        effects = posterior[f"1|{term}"].sel(labels).to_numpy()
        values[term] = effects.reshape(-1, effects.shape[-1])
        values[f"sd {term}"] = posterior[f"1|{term}_sigma"].to_numpy().ravel()
    grid = {name: design.levels[name] for name in ("A", "B")}
    for population in ("super", "finite"):
        means = cells[population].sel(grid).transpose("chain", "draw", "A", "B").to_numpy()
        values[population] = means.reshape(-1, *means.shape[2:])
    return values


def quantities(
    design: SplitPlot, frame: pd.DataFrame, values: Mapping[str, Array]
) -> dict[str, Array]:
    """Return what is ranked, from true values or from draws; each of shape (1,) or (N,)."""
    scales = [name for name in values if name.startswith("sd ")]
    found = {name: values[name] for name in [*scales, "sigma", "Intercept"] if name in values}
    for term in ("A", "B", "A:B"):
        # The others follow, since deflections sum to zero.
        free = (design.within - 1) if "B" in term else 1
        for level, label in list(enumerate(design.labels(term)))[:free]:
            found[f"deflection {term} {label}"] = values[term][:, level]
    means = values["super"].reshape(len(values["super"]), -1)
    found |= {f"mean {label}": means[:, i] for i, label in enumerate(design.labels("A:B"))}
    finite = values["finite"]
    found["contrast A a1 - a2, finite"] = (finite[:, 0] - finite[:, 1]).mean(axis=1)
    found["contrast B b1 - b2 in a2"] = values["super"][:, 1, 0] - values["super"][:, 1, 1]
    found["contrast B b1 - b2 in a1, finite"] = finite[:, 0, 0] - finite[:, 0, 1]
    for unit in design.units:
        labels = design.labels(unit)
        for place in (0, 1, len(labels) - 1):
            found[f"unit {labels[place]}"] = values[unit][:, place]
    return found | {"log-likelihood": log_likelihood(design, frame, values)}


def log_likelihood(design: SplitPlot, frame: pd.DataFrame, values: Mapping[str, Array]) -> Array:
    """Return the log-likelihood of all rows together, shape (...,)."""
    eta = predictor(design, frame, values)
    if design.family == "binomial":
        k, n = frame["k"].to_numpy(), frame["n"].to_numpy()
        return (k * eta - n * np.logaddexp(0, eta)).sum(axis=-1)
    return stats.norm.logpdf(frame["y"].to_numpy(), eta, values["sigma"][:, None]).sum(axis=-1)
