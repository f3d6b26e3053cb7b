"""Split plots whose parameters are drawn from priors, and their data from the parameters.

What each family draws, and its log-likelihood, are written out here: nothing of them comes from
the package.

Letters: N draws of a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


SAMPLERS: dict[str, Callable[..., float]] = {
    "Normal": lambda rng, mu, sigma: rng.normal(mu, sigma),
    "HalfNormal": lambda rng, sigma: abs(rng.normal(0, sigma)),
    "Gamma": lambda rng, alpha, beta: rng.gamma(alpha, 1 / beta),
    "Beta": lambda rng, alpha, beta: rng.beta(alpha, beta),
}


# -- Families ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """How a family draws its rows.

    Attributes
    ----------
    draw : callable
        (rng, rows, eta, parameters) -> columns of the response; eta of shape (rows,), parameters
        numbers or of that shape.
    log : callable
        (rows, eta, parameters) -> log-likelihood of each row, a constant apart; eta of shape
        (N, rows), parameters of shape (N, 1) or that.
    """

    draw: Callable[..., dict[str, Array]]
    log: Callable[..., Array]


def _draw_binomial(rng, frame, eta, parameters):
    n = rng.integers(5, 21, len(frame))
    return {"n": n, "k": rng.binomial(n, special.expit(eta))}


def _log_binomial(frame, eta, parameters):
    k, n = frame["k"].to_numpy(), frame["n"].to_numpy()
    return k * eta - n * np.logaddexp(0, eta)


def _draw_gaussian(rng, frame, eta, parameters):
    return {"y": rng.normal(eta, parameters["sigma"])}


def _log_gaussian(frame, eta, parameters):
    return stats.norm.logpdf(frame["y"].to_numpy(), eta, parameters["sigma"])


def _cuts(parameters) -> Array:
    """Return the thresholds with both ends of the line, shape (categories + 1, N, 1)."""
    names = sorted(name for name in parameters if name.startswith("threshold_"))
    inner = [np.reshape(parameters[name], (-1, 1)) for name in names]
    return np.stack([0 * inner[0] - 99, *inner, 0 * inner[0] + 99])


def _draw_cumulative(rng, frame, eta, parameters):
    above = rng.normal(eta, 1) > _cuts(parameters)[1:-1, 0]
    return {"y": 1 + above.sum(axis=0)}


def _log_cumulative(frame, eta, parameters):
    shares = np.diff(stats.norm.cdf(_cuts(parameters) - eta), axis=0)
    return np.log(np.maximum(shares[frame["y"].to_numpy() - 1, :, np.arange(len(frame))], 1e-300)).T


def _draw_shifted(rng, frame, eta, parameters):
    return {"y": parameters["shift"] + rng.lognormal(eta, parameters["sigma"])}


def _log_shifted(frame, eta, parameters):
    above = np.log(np.maximum(frame["y"].to_numpy() - parameters["shift"], 1e-300))
    return stats.norm.logpdf(above, eta, parameters["sigma"]) - above


def _draw_zeros(rng, frame, eta, parameters):
    some = rng.uniform(size=len(frame)) < parameters["psi"]
    return {"y": np.where(some, rng.poisson(np.exp(eta)), 0)}


def _log_zeros(frame, eta, parameters):
    y, psi = frame["y"].to_numpy(), parameters["psi"]
    zero = np.log(1 - psi + psi * np.exp(-np.exp(eta)))
    return np.where(y == 0, zero, np.log(psi) + y * eta - np.exp(eta))


ROWS = {
    "binomial": Rows(_draw_binomial, _log_binomial),
    "gaussian": Rows(_draw_gaussian, _log_gaussian),
    "cumulative": Rows(_draw_cumulative, _log_cumulative),
    "shifted_lognormal": Rows(_draw_shifted, _log_shifted),
    "zero_inflated_poisson": Rows(_draw_zeros, _log_zeros),
}


# -- Designs -----------------------------------------------------------------------------------


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
    spread : dict of str to bambi.Prior
        Of a log of sigma that differs by A: "Intercept" and "A"; empty if it does not.
    """

    name: str
    formula: str
    family: str
    within: int
    copies: int
    units: tuple[str, ...]
    priors: Mapping[str, bmb.Prior]
    spread: Mapping[str, bmb.Prior] = field(default_factory=dict)

    @property
    def given(self) -> dict:
        """The priors as the model takes them."""
        return {**self.priors, **({"sigma": dict(self.spread)} if self.spread else {})}

    @property
    def terms(self) -> tuple[str, ...]:
        """What the priors of sds are about: the terms and the units."""
        return ("A", "B", "A:B", *self.units)

    @property
    def further(self) -> list[str]:
        """The likelihood's further parameters that are the same for all rows."""
        return [name for name in self.priors if name not in (*self.terms, "Intercept")]

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


OF_NORMAL_ROWS = {
    "Intercept": normal(5, 2),
    "A": gamma(2, 2),
    "B": half_normal(1),
    "A:B": half_normal(0.7),
    "s": half_normal(1),
}
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
        priors={**OF_NORMAL_ROWS, "sigma": gamma(4, 4)},
    ),
    "unequal sds": SplitPlot(
        "unequal sds",
        "y ~ A * B + Error(s); sigma ~ A",
        "gaussian",
        within=2,
        copies=4,
        units=("s",),
        priors=OF_NORMAL_ROWS,
        spread={"Intercept": normal(0, 0.5), "A": half_normal(0.5)},
    ),
    "cumulative": SplitPlot(
        "cumulative",
        "y ~ A * B + Error(s)",
        "cumulative",
        within=2,
        copies=5,
        units=("s",),
        priors={
            "A": half_normal(0.8),
            "B": gamma(2, 4),
            "A:B": half_normal(0.5),
            "s": gamma(2, 3),
            "threshold_1": normal(-1, 0.5),
            "threshold_2": normal(0, 0.5),
            "threshold_3": normal(1, 0.5),
        },
    ),
    "shifted lognormal": SplitPlot(
        "shifted lognormal",
        "y ~ A * B + Error(s)",
        "shifted_lognormal",
        within=2,
        copies=5,
        units=("s",),
        priors={
            "Intercept": normal(-0.5, 0.5),
            "A": half_normal(0.4),
            "B": gamma(2, 8),
            "A:B": half_normal(0.3),
            "s": gamma(2, 6),
            "sigma": gamma(8, 20),
            "shift": gamma(4, 15),
        },
    ),
    "zero-inflated Poisson": SplitPlot(
        "zero-inflated Poisson",
        "y ~ A * B + Error(s)",
        "zero_inflated_poisson",
        within=2,
        copies=5,
        units=("s",),
        priors={
            "Intercept": normal(0.7, 0.6),
            "A": half_normal(0.5),
            "B": gamma(2, 6),
            "A:B": half_normal(0.4),
            "s": gamma(2, 5),
            "psi": bmb.Prior("Beta", alpha=4, beta=2),
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
        Under "sd ...", "Intercept" and further parameters arrays of shape (1,); under the terms
        and unit terms their effects, shape (1, levels); under "super" and "finite" the cell means,
        shape (1, 2, levels of B); under "log sigma" its value at the levels of A, shape (1, 2).
    """
    levels = {name: len(names) for name, names in design.levels.items()}
    drawn = _in_order(design, rng)
    truth = {
        f"sd {name}" if name in design.terms else name: np.array([value])
        for name, value in drawn.items()
    }
    for term in ("A", "B", "A:B"):
        basis = zero_sum_basis(*(levels[name] for name in term.split(":")))
        truth[term] = (basis @ rng.normal(0, drawn[term], basis.shape[1]))[None]
    for unit in design.units:
        truth[unit] = rng.normal(0, drawn[unit], (1, len(design.labels(unit))))
    interaction = truth["A:B"].reshape(1, levels["A"], levels["B"])
    main_effects = truth["A"][:, :, None] + truth["B"][:, None, :]
    truth["super"] = drawn.get("Intercept", 0.0) + main_effects + interaction
    truth["finite"] = truth["super"] + group_means(design, truth)
    if design.spread:
        centre, sd = (_draw(design.spread[name], rng) for name in ("Intercept", "A"))
        truth["sd sigma A"] = np.array([sd])
        truth["log sigma"] = centre + (zero_sum_basis(2) @ rng.normal(0, sd, 1))[None]
    frame = design.rows()
    eta = predictor(design, frame, truth)[0]
    own = {name: values[0] for name, values in parameters(design, frame, truth).items()}
    return frame.assign(**ROWS[design.family].draw(rng, frame, eta, own)), truth


def _draw(prior: bmb.Prior, rng) -> float:
    return SAMPLERS[prior.name](rng, **prior.args)


def _in_order(design: SplitPlot, rng) -> dict[str, float]:
    """Draw parameters from the priors until thresholds come in order."""
    while True:
        drawn = {name: _draw(prior, rng) for name, prior in design.priors.items()}
        cuts = [value for name, value in drawn.items() if name.startswith("threshold_")]
        if cuts == sorted(cuts):
            return drawn


def parameters(
    design: SplitPlot, frame: pd.DataFrame, values: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the likelihood's further parameters, of shape (N, 1) or (N, rows)."""
    found = {name: values[name][:, None] for name in design.further}
    if design.spread:
        found["sigma"] = np.exp(values["log sigma"][:, frame["A"].eq("a2").to_numpy().astype(int)])
    return found


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
    values = {}
    if "Intercept" in design.priors:
        values["Intercept"] = posterior["Intercept"].to_numpy().ravel()
    for name in design.further:
        values[name] = result.draws.auxiliary[name].ravel()
    if design.spread:
        own = result.draws.further["sigma"]
        values["sd sigma A"] = own.sigmas["A"].ravel()
        values["log sigma"] = own.cells[..., :: design.within].reshape(-1, 2)
    for term in design.terms:
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
    alone = [*scales, *design.further, "Intercept"]
    found = {name: values[name] for name in alone if name in values}
    if design.spread:
        found |= {f"log sigma a{i + 1}": values["log sigma"][:, i] for i in range(2)}
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
    eta, own = predictor(design, frame, values), parameters(design, frame, values)
    return ROWS[design.family].log(frame, eta, own).sum(axis=-1)
