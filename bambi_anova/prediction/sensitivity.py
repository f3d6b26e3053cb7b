"""How much each quantity depends on each prior.

A prior p is replaced by p^alpha and the posterior reweighted: where that moves a quantity, the
prior matters to it (Kallioinen et al. 2024, doi:10.1007/s11222-023-10366-5).  Priors are those of
the intercept, the slopes, the standard deviations and the likelihood's parameters; the effects
themselves, given their standard deviations, are part of the model.

Letters: H chains, D draws, Q quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.bambi_model.any_prior import distribution_of
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrasts import contrast_quantities
from bambi_anova.estimates.deflections import deflection_quantities
from bambi_anova.names import SD_OF, SLOPE_OF, parameter_names, scaled_terms, sigma_name
from bambi_anova.posterior.populations import check_population
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.variables import read_parameter
from bambi_anova.prediction.predictors import predictor_of
from bambi_anova.prediction.rows import total_log_likelihood
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification
from bambi_anova.tables.columns import SENSITIVITY
from bambi_anova.tables.printing import Table

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

#: Exponents just below and above one, as in the paper, and the sensitivity from which to worry.
ALPHAS = (0.99, 1.01)
THRESHOLD = 0.05

CONFLICT = "prior-data conflict"
STRONG = "strong prior / weak likelihood"
FINE = "-"


def sensitivity(
    posterior: Posterior, population: str = "super", threshold: float = 0.05
) -> pd.DataFrame:
    """Tell which quantities depend on which priors, by power-scaling.

    Parameters
    ----------
    posterior : Posterior
    population : {"super", "finite"}
        Of the cell means behind contrasts and deflections (link scale).
    threshold : float
        Sensitivity from which a prior is reported; 0.05 is Kallioinen et al.'s.

    Returns
    -------
    pandas.DataFrame
        A row for each ``prior`` and ``quantity`` (pairwise contrasts of every factor,
        deflections of interactions, standard deviations, slopes and likelihood parameters):
        ``sensitivity`` to that prior, sensitivity to the ``likelihood``, the ``shift`` of
        the mean, in posterior sds, if the prior counted twice (to first order), and a
        ``diagnosis``: "prior-data conflict" (both matter), "strong prior / weak likelihood"
        or "-".  The most sensitive come first.

    References
    ----------
    Kallioinen et al. (2024), doi:10.1007/s11222-023-10366-5.

    Examples
    --------
    >>> result.sensitivity().query("diagnosis != '-'")  # doctest: +SKIP
    """
    check_population(population)
    if not isinstance(threshold, Real):
        raise ArgumentError(f"threshold={threshold!r}: expected a number")
    variables = posterior.idata["posterior"].to_dataset()
    table = sensitivity_table(
        _main_quantities(posterior, population),
        log_priors(variables, posterior.specification),
        total_log_likelihood(predictor_of(posterior), posterior.specification),
        threshold,
    )
    return table.sort_values("sensitivity", ascending=False, kind="stable", ignore_index=True)


def _main_quantities(posterior: Posterior, population: str) -> dict[str, Array]:
    """Return the draws of what an ANOVA is about, by name."""
    found = {}
    for factor in posterior.design.levels:
        pairs = contrast_quantities(posterior, factor, "pairwise", None, population)
        for k, name in enumerate(pairs.labels["contrast"]):
            found[f"{factor}: {name}"] = pairs.draws[..., k]
    for term in posterior.design.factor_terms:
        if len(term.factors) > 1:
            name = ":".join(term.factors)
            effects = deflection_quantities(posterior, name, population)
            for k, level in enumerate(effects.labels["level"]):
                found[f"deflection {name} {level}"] = effects.draws[..., k]
    variables = posterior.idata["posterior"]
    for name in posterior.priors.covariates:
        found[SLOPE_OF.format(name)] = variables[name].transpose("chain", "draw").to_numpy()
    found |= {SD_OF.format(name): draws for name, draws in posterior.draws.sigmas.items()}
    return found | dict(posterior.draws.auxiliary)


def log_priors(posterior: xr.Dataset, model: Specification) -> dict[str, Array]:
    """Return the log density of each prior at each draw.

    Returns
    -------
    dict of str to ndarray, each of shape (H, D)
        By the parameter's name: "Intercept", "slope of x", "sd of A" and auxiliary parameters.
        Parameters held at a value have no prior.
    """
    priors, terms = model.priors, scaled_terms(model.design)
    names: dict[str, tuple[str, Prior]] = {}
    for key, prior in priors.sigmas.items():
        names[SD_OF.format(key)] = (sigma_name(terms[key]), prior)
    for name, own in priors.auxiliary.items():
        if isinstance(own, Prior):
            names[name] = (name, own)

    def draws(variable: str) -> Array:
        return read_parameter(posterior, model.family, variable)

    found, called = {}, parameter_names(model.design)
    for one in model.coordinates:
        label = called.get(one.home, one.home)
        if one.prior is not None and not one.variances:
            names[label] = (one.home, one.prior)
        elif one.prior is not None:  # with what the factor terms share of it
            args = one.prior.args
            variance: Array | float
            variance = args.get("sigma", 1.0) ** 2 if "tau" not in args else 1 / args["tau"]
            for key, factor in one.variances.items():
                variance = variance + factor * draws(sigma_name(terms[key])) ** 2
            gap = draws(one.home) - args.get("mu", 0.0)
            found[label] = -(np.log(2 * np.pi * variance) + gap**2 / variance) / 2
    for label, (variable, prior) in names.items():
        values = draws(variable)
        flat = distribution_of(prior).log_density(values.ravel())
        found[label] = np.asarray(flat, dtype=float).reshape(values.shape)
    return found


def sensitivity_table(
    quantities: Mapping[str, Array],
    priors: Mapping[str, Array],
    log_likelihood: Array,
    threshold: float = THRESHOLD,
) -> pd.DataFrame:
    """Return how much each quantity depends on each prior.

    Parameters
    ----------
    quantities : mapping of str to ndarray, each of shape (H, D)
    priors : mapping of str to ndarray, each of shape (H, D)
        Log densities.
    log_likelihood : ndarray, shape (H, D)
    threshold : float

    Returns
    -------
    pandas.DataFrame
        See ``Result.sensitivity``.
    """
    names = list(quantities)
    values = np.stack([quantities[name] for name in names])
    by_likelihood = _sensitivity(values, log_likelihood)
    rows = []
    for prior, log_density in priors.items():
        by_prior = _sensitivity(values, log_density)
        moves = _moves(values, log_density)
        for name, own, likelihood, move in zip(names, by_prior, by_likelihood, moves, strict=True):
            rows.append((prior, name, own, likelihood, move, diagnosis(own, likelihood, threshold)))
    return Table(pd.DataFrame(rows, columns=SENSITIVITY))


def diagnosis(prior: float, likelihood: float, threshold: float = THRESHOLD) -> str:
    """Say what the two sensitivities mean together.

    Examples
    --------
    >>> diagnosis(0.2, 0.3), diagnosis(0.2, 0.01), diagnosis(0.01, 0.3)
    ('prior-data conflict', 'strong prior / weak likelihood', '-')
    """
    if not prior >= threshold:
        return FINE
    return CONFLICT if likelihood >= threshold else STRONG


def _sensitivity(values: Array, log_density: Array) -> Array:
    """Return the power-scaling sensitivity of each quantity, shape (Q,)."""
    from arviz_stats.base import array_stats

    moving = np.ptp(values, axis=(1, 2)) > 0
    found = np.zeros(len(values))
    if np.ptp(log_density) == 0 or not moving.any():  # a flat prior stays flat
        return found
    weights = []
    for alpha in ALPHAS:
        log_weights = array_stats.power_scale_lw(log_density, alpha=alpha, axis=(-2, -1))
        weights.append(np.exp(log_weights - log_weights.max()))
        weights[-1] /= weights[-1].sum()
    own = values[moving]
    lower, upper = (np.broadcast_to(part, own.shape) for part in weights)
    found[moving] = array_stats.power_scale_sense(own, lower, upper, *ALPHAS)
    return found


def _moves(values: Array, log_density: Array) -> Array:
    """Return how far a prior counted twice would move each mean, in sds, to first order.

    d E[q] / d alpha = cov(q, log p), so that alpha from 1 to 2 is worth log(2) of it on the scale
    of log alpha, on which the effect is more nearly linear.
    """
    centred = values - values.mean(axis=(1, 2), keepdims=True)
    sd = values.std(axis=(1, 2))
    covariance = (centred * (log_density - log_density.mean())).mean(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sd > 0, np.log(2) * covariance / sd, 0.0)
