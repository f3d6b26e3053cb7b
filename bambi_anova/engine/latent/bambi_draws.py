"""Draws of a Bambi model read as latent Gaussian -> datasets as Bambi makes them, and back.

``check_density`` holds the model that was read to the one that Bambi built, at some of the draws:
what was read wrongly, or what a later Bambi builds differently, is an error and not an answer.

Letters: N rows of data, C chains, D draws a chain, G points, H hyperparameters.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from bambi.utils import get_aliased_name

from bambi_anova.bambi_model.any_prior import distribution_of
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.from_bambi import (
    CORE,
    EFFECTS,
    NOTHING,
    VALUE,
    BambiLatent,
    Variable,
    flat_values,
    latent_coordinates,
)
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.errors import NotLatentGaussianError

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

#: Draws at which densities are compared, and how far their logs may differ by more than a
#: constant: weights off by two percent are no matter, and a wrong model is off by far more.
CHECKED = 6
CLOSE = 0.02
ROUNDING = 1e-7
#: Numbers held at a time where rows are evaluated one by one.
PIECE = 4_000_000
SAMPLE = ("chain", "draw")


# -- Bambi's points ----------------------------------------------------------------------------


def some_draws(latent: LatentDraws, index: Array) -> LatentDraws:
    """Return some of the draws, by their number among all chains', as one chain."""
    count = int(np.prod(latent.sample_shape))

    def taken(part: Array) -> Array:
        return part.reshape(len(part), count)[:, None, index]

    effects = {key: taken(own) for key, own in latent.effects.items()}
    return LatentDraws(taken(latent.values), taken(latent.core), effects)


def free_values(found: BambiLatent, latent: LatentDraws) -> tuple[dict[str, Array], Array]:
    """Return the values of Bambi's free variables at one chain's G draws.

    Returns
    -------
    values : dict of str to ndarray, each of shape (G, ...)
    log_volume : ndarray, shape (G,)
        Log of how many times larger a volume is in our coordinates, which are not divided by
        their sds, than in Bambi's.
    """
    model = found.source.backend.model
    flat = flat_values(latent)
    values: dict[str, Array] = {}
    log_volume = np.zeros(flat.shape[1])
    for one in found.variables:
        own = one.read(found.model, latent)[0]
        name = one.name
        if one.offset:
            assert one.sd is not None  # for the type checker
            sd = one.sd(flat)
            log_volume += np.log(sd).sum(axis=0)
            own, name = own / np.moveaxis(sd, 0, -1).reshape(own.shape), one.offset
        dims = tuple(model.named_vars_to_dims.get(name, ()))
        order = [one.dims.index(dim) for dim in dims] if dims else range(len(one.dims))
        values[name] = own.transpose(0, *(1 + k for k in order))
    return values, log_volume


def bambi_log_density(found: BambiLatent, latent: LatentDraws) -> Array:
    """Return the log density of one chain's G draws by Bambi's PyMC model, in our coordinates."""
    from pymc.model.transform.conditioning import remove_value_transforms
    from pytensor.compile.mode import Mode

    values, log_volume = free_values(found, latent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = remove_value_transforms(found.source.backend.model)
        missing = {str(one.name) for one in plain.free_RVs} - set(values)
        if missing:
            raise NotLatentGaussianError(
                f"{', '.join(sorted(missing))}: Bambi's model has variables that are not known here"
            )
        # A few evaluations are not worth compiling for.
        log_density = plain.compile_logp(mode=Mode("py", "fast_compile"))
        names = [str(one.name) for one in plain.value_vars]
        points = [{name: values[name][g] for name in names} for g in range(len(log_volume))]
        with np.errstate(all="ignore"):
            return np.array([float(log_density(point)) for point in points]) - log_volume


def own_log_density(found: BambiLatent, latent: LatentDraws) -> Array:
    """Return the log density of one chain's G draws by the latent model, a constant apart."""
    model = found.model
    values = flat_values(latent)
    u = np.array([s.coordinate(v) for s, v in zip(model.scales, values, strict=True)])
    u = u.reshape(values.shape)
    x = latent_coordinates(model, latent)
    p, blocks = model.core.size, model.blocks
    units = x[p:].reshape(blocks.count, blocks.size, -1)
    with np.errstate(all="ignore"):
        total = model.log_density(u, x[:p], units) - model.log_prior(u)
        for scale, own in zip(model.scales, values, strict=True):
            total = total + scale.log_prior(own)
    for term in model.core.terms:
        if term.key == NOTHING:
            total = total + x[term.start] ** 2 / 2
    return total


def check_density(found: BambiLatent, latent: LatentDraws) -> None:
    """Refuse a model that was not read as Bambi built it.

    Raises
    ------
    NotLatentGaussianError
        If the log densities of some draws differ by more than a constant.
    """
    count = latent.core.shape[1] * latent.core.shape[2]
    few = some_draws(latent, np.linspace(0, count - 1, CHECKED).astype(int))
    ours, theirs = own_log_density(found, few), bambi_log_density(found, few)
    gap = ours - theirs
    if not np.ptp(gap) <= CLOSE + ROUNDING * np.abs(theirs).max():
        raise NotLatentGaussianError(
            f"the model: its log density at {CHECKED} draws differs from that of Bambi's PyMC "
            f"model by up to {np.ptp(gap):.2g} more than a constant, so that it was not read as "
            "Bambi built it; fit it by Bambi's own samplers, and report the model to us"
        )


# -- Datasets ----------------------------------------------------------------------------------


def posterior_of(found: BambiLatent, latent: LatentDraws) -> xr.Dataset:
    """Return the draws under Bambi's names, with its dimensions and labels."""
    import xarray as xr

    model = found.source.backend.model
    chains, draws = latent.sample_shape
    coords: dict[str, Any] = {"chain": np.arange(chains), "draw": np.arange(draws)}
    variables: dict[str, tuple] = {}
    named = found.named(latent)
    for centring in found.centrings:
        shift: Array | float = 0.0
        for name, means in centring.means.items():
            shift = shift + named[name].reshape(chains, draws, -1) @ means
        named[centring.intercept] = named[centring.intercept] - shift
    for one in found.variables:
        variables[one.name] = ((*SAMPLE, *one.dims), named[one.name])
    for own in found.contributions:
        weights = named[own.weights].reshape(chains, draws, -1)
        variables[own.name] = ((*SAMPLE, *own.dims), weights @ own.basis.T)
    theirs = [str(one.name) for one in model.unobserved_RVs if str(one.name) in variables]
    variables = {name: variables[name] for name in dict.fromkeys([*theirs, *variables])}
    used = {dim for dims, _ in variables.values() for dim in dims}
    coords |= {dim: np.asarray(own) for dim, own in model.coords.items() if dim in used}
    return xr.Dataset(variables, coords)


def log_likelihood_of(found: BambiLatent, latent: LatentDraws) -> xr.Dataset:
    """Return the log density of each row of the data at each draw."""
    import xarray as xr

    full = found.row_by_row
    model, rows = full.model, full.rows
    x = latent_coordinates(model, latent)
    values = flat_values(latent)
    size, count = len(rows.constants), x.shape[1]
    total = np.empty((count, size))
    step = max(1, PIECE // (size * len(model.predictors)))
    with np.errstate(all="ignore"):
        for start in range(0, count, step):
            own = slice(start, start + step)
            eta = model.offset + model.columns @ x[:, own]
            aux = model.likelihood_parameters(values[:, own])
            total[own] = (model.likelihood.log(eta, aux) + rows.constants[:, None]).T
    chains, draws = latent.sample_shape
    name = get_aliased_name(found.source.response_term)
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), "__obs__": np.arange(size)}
    return xr.Dataset({name: ((*SAMPLE, "__obs__"), total.reshape(chains, draws, size))}, coords)


def log_prior_of(found: BambiLatent, latent: LatentDraws, posterior: xr.Dataset) -> xr.Dataset:
    """Return log prior densities of the variables that Bambi samples as they are.

    Those of intercepts are of centred predictors, as Bambi's priors are.
    """
    import xarray as xr

    variables = {}
    for one in found.variables:
        if one.offset:
            continue
        density = _log_prior(found, one, latent)
        density = np.moveaxis(density, 0, -1).reshape(*latent.sample_shape, *one.shape)
        variables[one.name] = ((*SAMPLE, *one.dims), density)
    used = {dim for dims, _ in variables.values() for dim in dims}
    coords = {dim: posterior.coords[dim] for dim in used}
    return xr.Dataset(variables, coords)


def _log_prior(found: BambiLatent, one: Variable, latent: LatentDraws) -> Array:
    """Return the log prior densities of a variable's numbers, shape (size, C, D)."""
    model, parts = found.model, []
    flat = flat_values(latent)
    for kind, place in one.pieces:
        if kind == VALUE:
            parts += [
                distribution_of(found.priors[k]).log_density(latent.values[k])[None] for k in place
            ]
        elif kind == CORE:
            sd = model.core.covariance.sd(flat)[place]
            parts.append(_log_normal(latent.core[place], model.core.mean[place, :, None], sd))
        elif kind == EFFECTS:
            own = replace(one, pieces=((kind, place),), shape=(-1,)).read(model, latent)
            own = np.moveaxis(own, -1, 0)
            sd = _sd_of(model, place, flat)
            parts.append(_log_normal(own, 0.0, np.repeat(sd, len(own), axis=0)))
    return np.concatenate(parts)


def _sd_of(model: LatentModel, key: str, flat: Array) -> Array:
    """Return the sd of a group-specific term's effects, shape (1, C D)."""
    for term in model.core.terms:
        if term.key == key:
            return model.core.covariance.sd(flat)[[term.start]]
    for block in model.blocks.terms:
        if block.key == key:
            place = int(block.index[0]) % model.blocks.size
            return model.blocks.covariance.sd(flat)[[place]]
    raise KeyError(key)


def _log_normal(x: Array, mean: Array | float, sd: Array) -> Array:
    sd = sd.reshape(len(sd), *x.shape[1:])
    return -(((x - mean) / sd) ** 2) / 2 - np.log(sd) - np.log(2 * np.pi) / 2


def nuisance(found: BambiLatent) -> list[str]:
    """Return the variables that a verdict on the fit as a whole has only reservations about.

    Standard deviations, further parameters of the likelihood, and effects of groups.
    """
    common = {
        get_aliased_name(term)
        for own in found.source.backend.distributional_components.values()
        for term in own.component.terms.values()
        if getattr(term, "kind", "") != "offset"
    }
    common |= {one.weights for one in found.contributions}  # of processes: their curves
    return [
        one.name
        for one in found.variables
        if one.name not in common or any(kind == EFFECTS for kind, _ in one.pieces)
    ]


def observed_of(found: BambiLatent) -> xr.Dataset:
    """Return the response as PyMC observes it."""
    import xarray as xr

    model = found.source.backend.model
    (variable,) = model.observed_RVs
    values = np.asarray(model.rvs_to_values[variable].data)
    coords = {"__obs__": np.arange(len(values))}
    return xr.Dataset({str(variable.name): (("__obs__",), values)}, coords)
