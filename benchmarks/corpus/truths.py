"""How the responses of a design of the corpus come about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from bambi_anova.families.links import LINKS


@dataclass(frozen=True)
class Truth:
    """How responses come about, on the link scale.

    Attributes
    ----------
    base : float
        Grand mean.
    effect : float
        Half the range of each main effect, whose levels are equally spaced; interactions of two
        factors are products of these spacings times 0.4 of it.
    sds : mapping of str to float
        Standard deviations of unit terms such as ``"s:B"`` and of slopes such as ``"dose|s"``.
    slopes : mapping of str to float
        Of ``"age"``, which differs between units, ``"dose"``, which differs between rows, and
        ``"week"``, which counts a unit's rows.
    noise : float
        Residual standard deviation of a gaussian response.
    trials, hours : (low, high)
        Bounds of the trials of a proportion and the exposure of a count.
    forced : mapping of str to float
        Queries for cells in which every response is 0, or every trial a success (1).
    far : float
        By how much the first unit lies away from the others.
    outliers : int
        How many rows lie 15 residual sds above what they should be, or are ten times as many.
    clusters : mapping of str to float
        Queries for cells of which every other row is moved by some residual sds.
    factor : float
        What a metric response is multiplied by.
    """

    base: float = 0.0
    effect: float = 0.5
    sds: Mapping[str, float] = field(default_factory=dict)
    slopes: Mapping[str, float] = field(default_factory=dict)
    noise: float = 1.0
    trials: tuple[int, int] = (10, 10)
    hours: tuple[float, float] | None = None
    forced: Mapping[str, float] = field(default_factory=dict)
    far: float = 0.0
    outliers: int = 0
    clusters: Mapping[str, float] = field(default_factory=dict)
    factor: float = 1.0

    def predictor(self, frame: pd.DataFrame, factors: Mapping, rng) -> np.ndarray:
        """Return the linear predictor of each row; adds the covariates to the frame."""
        spaced = {
            name: frame[name].map(dict(zip(labels, np.linspace(-1, 1, len(labels)), strict=True)))
            for name, labels in factors.items()
        }
        eta = self.base + self.effect * np.sum(list(spaced.values()), axis=0)
        for first, second in combinations(spaced.values(), 2):
            eta = eta + 0.4 * self.effect * (first * second).to_numpy()
        for name, slope in self.slopes.items():
            frame[name] = COVARIATES[name](frame, rng)
            eta = eta + slope * (frame[name] - frame[name].mean()).to_numpy()
        for name, sd in self.sds.items():
            slope_of, _, unit = name.rpartition("|")
            codes = frame.groupby(unit.split(":")).ngroup().to_numpy()
            effects = rng.normal(0, sd, codes.max() + 1)[codes]
            eta = eta + effects * (frame[slope_of].to_numpy() if slope_of else 1)
        if self.far:
            eta = eta + self.far * (frame["s"] == "s001").to_numpy()
        return eta

    def respond(self, frame: pd.DataFrame, factors: Mapping, family: str, link, rng) -> None:
        """Add the response to the frame, with trials or hours where it needs them."""
        eta = self.predictor(frame, factors, rng)
        trials = np.ones(len(frame))
        spoilt = rng.permutation(len(frame))[: self.outliers] if self.outliers else []
        if family in ("gaussian", "t"):
            response = rng.normal(eta, self.noise)
            response[spoilt] += 15 * self.noise
            for query, distance in self.clusters.items():
                response[np.flatnonzero(frame.eval(query))[::2]] += distance * self.noise
            response *= self.factor
        elif family == "poisson":
            hours = np.ones(len(frame))
            if self.hours is not None:
                hours = frame["hours"] = rng.uniform(*self.hours, len(frame))
            response = rng.poisson(hours * np.exp(eta))
            response[spoilt] *= 10
        else:
            if family == "binomial":
                low, high = self.trials
                trials = frame["n"] = rng.integers(low, high + 1, len(frame))
            response = rng.binomial(trials.astype(int), LINKS[link].inverse(eta))
        name = "k" if family == "binomial" else "y"
        frame[name] = response
        for query, value in self.forced.items():
            where = frame.eval(query).to_numpy()
            frame.loc[where, name] = (value * np.asarray(trials)[where]).astype(int)


def _age(frame: pd.DataFrame, rng) -> np.ndarray:
    codes = frame.groupby("s").ngroup().to_numpy()
    return rng.normal(40, 10, codes.max() + 1).round()[codes]


def _dose(frame: pd.DataFrame, rng) -> np.ndarray:
    return rng.uniform(0, 4, len(frame)).round(2)


def _week(frame: pd.DataFrame, rng) -> np.ndarray:
    return frame.groupby("s").cumcount().to_numpy(dtype=float)


COVARIATES = {"age": _age, "dose": _dose, "week": _week}
