"""How much each quantity depends on each prior.

A prior p is replaced by p^alpha and the posterior reweighted: where that moves a quantity, the
prior matters to it (Kallioinen et al. 2024, doi:10.1007/s11222-023-10366-5).  Priors are those of
the intercept, the slopes, the standard deviations and the likelihood's parameters; the effects
themselves, given their standard deviations, are part of the model.  That is a derivative: what
another prior in its place would do, ``exchanged`` tells.

Letters: H chains, D draws, Q quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import generator
from bambi_anova.bambi_model.any_prior import distribution_of
from bambi_anova.engine.progress import Progress
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrasts import contrast_quantities
from bambi_anova.estimates.deflections import deflection_quantities
from bambi_anova.names import (
    SD_OF,
    SLOPE_OF,
    correlated_pairs,
    parameter_names,
    scaled_terms,
    sigma_name,
)
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.populations import check_population
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.posterior.variables import of_predictor, read_correlation, read_parameter
from bambi_anova.prediction.exchanged import (
    ALL_SDS,
    NOT_TOLD,
    REFITTED,
    REWEIGHTED,
    Moved,
    exchanges,
    refitted,
    reweighted,
)
from bambi_anova.prediction.predictors import predictor_of
from bambi_anova.prediction.prior_draws import draw_prior
from bambi_anova.prediction.rows import total_log_likelihood
from bambi_anova.priors.assign import CORRELATION
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification
from bambi_anova.tables.columns import POWER_SCALED, SENSITIVITY
from bambi_anova.tables.printing import Table

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

#: Exponents just below and above one, as in the paper, and the sensitivity from which to worry.
ALPHAS = (0.99, 1.01)
THRESHOLD = 0.05

#: Change of a mean, in posterior sds, or of the log of an sd, from which to worry: what the
#: threshold means for a normal posterior whose prior counts twice, about.
MOVED = 0.3
#: Draws from the prior.
PRIOR_DRAWS = 20_000

CONFLICT = "potential prior-data conflict"
STRONG = "potential strong prior / weak likelihood"
DEPENDS = "depends on the prior"
FINE = "-"


def sensitivity(
    posterior: Posterior,
    population: str = "super",
    threshold: float = 0.05,
    *,
    near: float | None = None,
    refit: bool = True,
    progressbar: bool = True,
    random_seed: int | None = 0,
) -> pd.DataFrame:
    """Tell which quantities depend on which priors: by power-scaling, and by other priors.

    Parameters
    ----------
    posterior : Posterior
    population : {"super", "finite"}
        Of the cell means behind contrasts and deflections (link scale).
    threshold : float
        Sensitivity from which a prior is reported; 0.05 is Kallioinen et al.'s.
    near : float, optional
        Differences (link scale) whose prior probability is told; by default half the sd of a
        response on the scale of its predictor, 0.5 under any other link.
    refit : bool
        Make quick fits under those priors that the draws at hand cannot be weighted for; without
        them these exchanges are "not told".
    progressbar : bool
    random_seed : int, optional
        Of quick fits, and of draws from the prior.

    Returns
    -------
    pandas.DataFrame
        A row for each ``prior`` and ``quantity`` (pairwise contrasts of every factor,
        deflections of interactions, standard deviations, slopes and likelihood parameters); the
        prior "all sds" is that of all standard deviations of terms together.

        - By power-scaling: ``sensitivity`` to that prior, to the ``likelihood``, and the
          ``shift`` of the mean, in posterior sds, if the prior counted twice (to first order).
        - By other priors, of half and double the scale and, for standard deviations, the
          half-normal of the same median: how far the mean ``moved`` at most, in posterior sds,
          the ``sd_ratio`` then, by which ``exchange``, and ``how`` that is known: "reweighted"
          draws, or "refitted"; "not told" if some exchange could not be.
        - What the model's prior says of the quantity: its ``prior_sd``, and ``prior_near``, the
          prior probability that it is within ``near`` of zero.  Wide priors of standard
          deviations make a small difference improbable: see for yourself how weak they are.

        ``diagnosis``: "potential prior-data conflict" (power-scaling of prior and of likelihood
        both matter), "potential strong prior / weak likelihood" (the prior's alone), "depends on
        the prior" (an exchange moves the mean by 0.3 sd or changes the sd by 30%) or "-".  The
        most sensitive come first.

    References
    ----------
    Kallioinen et al. (2024), doi:10.1007/s11222-023-10366-5.

    Examples
    --------
    >>> result.sensitivity().query("diagnosis != '-'")  # doctest: +SKIP
    """
    check_population(population)
    for name, value in (("threshold", threshold), ("near", 0.0 if near is None else near)):
        if not isinstance(value, Real):
            raise ArgumentError(f"{name}={value!r}: expected a number")
    model, rng = posterior.specification, generator(random_seed)
    variables = posterior.idata["posterior"].to_dataset()
    quantities, priors = _main_quantities(posterior, population), log_priors(variables, model)
    sds = [values for name, values in priors.items() if name in _sds(model)]
    asked = {**priors, ALL_SDS: np.sum(sds, axis=0)} if len(sds) > 1 else priors
    likelihood = total_log_likelihood(predictor_of(posterior), model)
    table = sensitivity_table(quantities, asked, likelihood, threshold)
    values = np.stack(list(quantities.values()))
    found = _exchanged(posterior, population, values, priors, (refit, progressbar, random_seed))
    table = _with_moves(table, list(quantities), values, found)
    implied = implied_priors(model, population, near, rng)
    table = table.merge(implied, on="quantity", how="left")
    other = (table["moved"].abs() >= MOVED) | (np.log(table["sd_ratio"]).abs() >= np.log1p(MOVED))
    table.loc[other & (table["diagnosis"] == FINE), "diagnosis"] = DEPENDS
    order = np.fmax(table["sensitivity"], table["moved"].abs() * threshold / MOVED).argsort()
    return Table(table.iloc[order[::-1]].reset_index(drop=True)[SENSITIVITY])


def _sds(model: Specification) -> set[str]:
    return {SD_OF.format(key) for key in model.priors.sigmas}


def _exchanged(
    posterior: Posterior,
    population: str,
    values: Array,
    priors: Mapping[str, Array],
    how: tuple[bool, bool, int | None],
) -> list[Moved]:
    """Return what every exchange of a prior makes of the quantities."""
    refit, progressbar, random_seed = how
    variables, moved = posterior.idata["posterior"].to_dataset(), []
    own, size = _total(priors), len(values)
    asked = list(exchanges(posterior.specification))
    with Progress("sensitivity", progressbar) as progress:
        for done, exchange in enumerate(asked):
            progress(f"{exchange.prior}, {exchange.exchange}", done, len(asked))
            other = _total(log_priors(variables, exchange.model))
            found, by = reweighted(values, other - own), REWEIGHTED
            if found is None and refit:
                shape, by = posterior.draws.sample_shape, REFITTED
                found = refitted(
                    exchange, lambda one: _main_quantities(one, population), shape, random_seed
                )
            if found is None:
                found, by = (np.full(size, np.nan), np.full(size, np.nan)), NOT_TOLD
            moved.append(Moved(exchange, *found, by))
    return moved


def _total(log_densities: Mapping[str, Array]) -> Array:
    return np.sum(list(log_densities.values()), axis=0)


def _with_moves(
    table: pd.DataFrame, names: list[str], values: Array, found: list[Moved]
) -> pd.DataFrame:
    """Add to each prior and quantity what the exchange that changes it most makes of it."""
    mean, sd = values.mean(axis=(1, 2)), values.std(axis=(1, 2))
    frames = [
        pd.DataFrame(
            {
                "prior": one.exchange.prior,
                "quantity": names,
                "moved": np.where(sd > 0, (one.mean - mean) / np.where(sd > 0, sd, 1), 0.0),
                "sd_ratio": np.where(sd > 0, one.sd / np.where(sd > 0, sd, 1), 1.0),
                "exchange": one.exchange.exchange,
                "how": one.how,
            }
        )
        for one in found
    ]
    if not frames:
        return table.assign(moved=np.nan, sd_ratio=np.nan, exchange="", how=NOT_TOLD)
    every = pd.concat(frames, ignore_index=True)
    size = np.fmax(every["moved"].abs(), np.log(every["sd_ratio"]).abs()).fillna(-1.0)
    every["untold"] = (every["how"] == NOT_TOLD).astype(int)
    most = every.loc[size.groupby([every["prior"], every["quantity"]], sort=False).idxmax()]
    untold = every.groupby(["prior", "quantity"], as_index=False)["untold"].max()
    most = most.drop(columns="untold").merge(untold, on=["prior", "quantity"])
    most.loc[most.pop("untold") == 1, "how"] = NOT_TOLD
    table = table.merge(most, on=["prior", "quantity"], how="left")
    return table.fillna({"exchange": "", "how": NOT_TOLD})


def implied_priors(
    model: Specification, population: str, near: float | None, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what the priors say of each quantity before there are data.

    Parameters
    ----------
    model : Specification
    population : {"super", "finite"}
    near : float or None
    rng : numpy.random.Generator

    Returns
    -------
    pandas.DataFrame
        ``quantity``, ``prior_sd``, ``near`` and ``prior_near``, P(|quantity| < near).
    """
    import xarray as xr

    if near is None:
        response = model.design.rows.response
        near = 0.5 * (float(response.values.std(ddof=1)) if model.link.name == "identity" else 1.0)
    variables = draw_prior(model, PRIOR_DRAWS, rng)
    for name, prior in model.priors.auxiliary.items():
        if not isinstance(prior, Prior):
            variables[name] = (("chain", "draw"), np.full((1, PRIOR_DRAWS), float(prior)))
    idata = xr.DataTree.from_dict({"posterior": variables})
    draws = extract_draws(variables, model)
    found = _main_quantities(Posterior(model, idata, draws, Sampling("prior", 0, 0.0)), population)
    return pd.DataFrame(
        {
            "quantity": name,
            "prior_sd": float(values.std()),
            "near": near,
            "prior_near": float((np.abs(values) < near).mean()),
        }
        for name, values in found.items()
    )


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
    for name, (joint, i, j) in correlated_pairs(posterior.design).items():
        found[name] = posterior.draws.correlations[joint.name][..., i, j]
    return found | dict(posterior.draws.auxiliary)


def log_priors(posterior: xr.Dataset, model: Specification) -> dict[str, Array]:
    """Return the log density of each prior at each draw.

    Returns
    -------
    dict of str to ndarray, each of shape (H, D)
        By the parameter's name: "Intercept", "slope of x", "sd of A" and auxiliary parameters.
        Parameters held at a value have no prior.
    """
    found = _log_priors(posterior, model)
    for part in model.further:
        own = _log_priors(of_predictor(posterior, part), part)
        found |= {f"{part.parent.name}: {name}": values for name, values in own.items()}
    return found


def _log_priors(posterior: xr.Dataset, model: Specification) -> dict[str, Array]:
    """Return those of one predictor, and of auxiliary parameters."""
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
    for name, prior in priors.correlations.items():
        matrix, power = read_correlation(posterior, name), prior.args["eta"] - 1
        log_det = np.linalg.slogdet(matrix)[1] if power else np.zeros(matrix.shape[:2])
        found[f"{CORRELATION}{name}"] = power * log_det  # a constant apart
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
    return pd.DataFrame(rows, columns=POWER_SCALED)


def diagnosis(prior: float, likelihood: float, threshold: float = THRESHOLD) -> str:
    """Say what the two sensitivities mean together.

    Examples
    --------
    >>> diagnosis(0.2, 0.3), diagnosis(0.01, 0.3)
    ('potential prior-data conflict', '-')
    >>> diagnosis(0.2, 0.01)
    'potential strong prior / weak likelihood'
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
