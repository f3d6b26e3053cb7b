"""Kruschke's default priors as functions of plain numbers.

They are those of Doing Bayesian Data Analysis, 2nd ed. (2015,
doi:10.1016/B978-0-12-405888-0.09999-2): chapters 19 and 20 (metric responses), 21 (binary) and 24
(counts).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bambi_anova.priors.distributions import Prior


@dataclass(frozen=True)
class TermPriors:
    """Where a response lies on the link scale: what default priors are made of.

    Attributes
    ----------
    intercept : Prior
    scale : Prior
        Of every term's standard deviation, a gamma distribution.
    slope_sd : float
        Prior sd of the slope of a covariate whose sd is one.
    """

    intercept: Prior
    scale: Prior
    slope_sd: float

    def sigma(self, unit: float = 1.0) -> Prior:
        """Return the prior of a term's scale, per ``unit`` of a covariate."""
        alpha, beta = self.scale.args["alpha"], self.scale.args["beta"]
        return Prior("Gamma", {"alpha": alpha, "beta": beta * unit})

    def slope(self, sd: float) -> Prior:
        """Return the prior of the slope of a covariate of some sd."""
        return Prior("Normal", {"mu": 0.0, "sigma": self.slope_sd / sd})


def gamma_from_mode(mode: float, sd: float) -> Prior:
    """Return the gamma distribution with a given mode and standard deviation.

    Examples
    --------
    >>> prior = gamma_from_mode(2.0, 4.0)
    >>> round((prior.args["alpha"] - 1) / prior.args["beta"], 12)  # the mode
    2.0
    >>> round(prior.args["alpha"] / prior.args["beta"] ** 2, 12)  # the variance
    16.0
    """
    rate = (mode + np.sqrt(mode**2 + 4 * sd**2)) / (2 * sd**2)
    return Prior("Gamma", {"alpha": float(1 + mode * rate), "beta": float(rate)})


def metric_priors(mean: float, sd: float) -> TermPriors:
    """Return the priors for a response, or a transformed response, of this mean and sd.

    Examples
    --------
    >>> str(metric_priors(2.0, 1.0).intercept)
    'Normal(mu=2, sigma=5)'
    """
    intercept = Prior("Normal", {"mu": mean, "sigma": 5 * sd})
    return TermPriors(intercept, gamma_from_mode(sd / 2, 2 * sd), slope_sd=2 * sd)


def residual_prior(sd: float) -> Prior:
    """Return the prior of the residual sd of a response of this sd."""
    return Prior("Uniform", {"lower": sd / 100, "upper": 10 * sd})


def probability_priors() -> TermPriors:
    """Return the priors for probabilities: mode 2 and sd 4 of the scales, as Kruschke rounds it."""
    intercept = Prior("Normal", {"mu": 0.0, "sigma": 2.0})
    return TermPriors(intercept, Prior("Gamma", {"alpha": 1.64, "beta": 0.32}), slope_sd=2.0)


def count_priors(total: float, exposure: float, cells: int) -> TermPriors:
    """Return the priors for counts.

    Kruschke has one count a cell; with exposures the log rate takes the place of his mean.

    Examples
    --------
    >>> str(count_priors(100.0, 10.0, 4).intercept)
    'Normal(mu=2.3026, sigma=7.824)'
    """
    # sd(0, ..., 0, total) over the cells is total / sqrt(cells); few counts would make it vanish.
    spread = max(float(np.log(total / np.sqrt(cells))), 1.0)
    intercept = Prior("Normal", {"mu": float(np.log(total / exposure)), "sigma": 2 * spread})
    return TermPriors(intercept, gamma_from_mode(spread, 2 * spread), slope_sd=2 * spread)
