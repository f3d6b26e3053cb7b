"""One design of the corpus: what is fitted, and how its data come about."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import bambi as bmb
import numpy as np
import pandas as pd

import bambi_anova as ba
from bambi_anova.families.registry import get_family
from benchmarks.corpus.layouts import Crossed, Shipped, Split
from benchmarks.corpus.truths import Truth


@dataclass(frozen=True)
class Design:
    """One line of the corpus."""

    name: str
    family: str
    formula: str
    layout: Split | Crossed | Shipped
    truth: Truth = field(default_factory=Truth)
    link: str | None = None
    priors: Mapping[str, bmb.Prior] = field(default_factory=dict)

    def data(self) -> pd.DataFrame:
        """Return the simulated data, the same every time."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        frame = self.layout.rows(rng)
        if not isinstance(self.layout, Shipped):
            link = get_family(self.family).link(self.link).name
            self.truth.respond(frame, self.layout.factors, self.family, link, rng)
        return frame

    def model(self) -> ba.Model:
        """Return the model; what it would warn of is meant to be so."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ba.errors.AnovaWarning)
            return ba.Model(
                self.formula,
                self.data(),
                family=self.family,
                link=self.link,
                priors=dict(self.priors),
            )


def half_normal(sigma: float) -> bmb.Prior:
    """Return a prior of a standard deviation."""
    return bmb.Prior("HalfNormal", sigma=sigma)


def exponential(mean: float) -> bmb.Prior:
    """Return a prior of a standard deviation, by its mean."""
    return bmb.Prior("Exponential", lam=1 / mean)


def normal(mu: float, sigma: float) -> bmb.Prior:
    """Return a prior of an intercept."""
    return bmb.Prior("Normal", mu=mu, sigma=sigma)
