"""Full NUTS: on our own compiled density where there is one, through Bambi otherwise."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bambi_anova.engine.approximate.missed_modes import missed_modes
from bambi_anova.engine.approximate.reported import reported
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.draws import LatentDraws, bambi_posterior, read_posterior
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.engine.nuts.kernel_sampling import LatentSample, sample_latent
from bambi_anova.engine.request import Request
from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Sampling, times_needed
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

#: A higher acceptance rate than usual keeps designs with few units clear of divergences, and a
#: metric from the draws alone mixes the units' sigmas faster than nutpie's own default.
DEFAULTS: dict[str, dict[str, Any]] = {
    "nutpie": {"target_accept": 0.95, "adaptation": "draw_diag"},
    "pymc": {"target_accept": 0.95},
}
#: Numbers that the gradients of a run may read for it to be repeated with more draws.
ROOM = 300_000_000


def fit_nuts(specification: Specification, request: Request) -> Posterior:
    """Sample by nutpie, without compiling anything for a latent Gaussian model.

    Other models, and likelihoods that the kernel does not have, go through Bambi.  Where errors
    alone are in the way of trust, and a run is short, it is repeated with as many draws as those
    call for.
    """
    try:
        model = latent_model(specification)
        sample = _sample(model, specification, request)
    except UnsupportedError:
        return fit_bambi(specification, request)
    found, spent = _posterior_of(sample, model, specification), 0.0
    most = _most(sample, model, request)
    times = times_needed(diagnose(reported(found)), most) if most > 1 else 1
    if times > 1:
        spent = found.sampling.seconds
        sample = _sample(model, specification, replace(request, draws=times * request.draws))
        found = _posterior_of(sample, model, specification)
    size = sample.diverging.size
    u, core = (part.reshape(len(part), size) for part in (sample.u, sample.core))
    sampling = replace(
        found.sampling,
        seconds=found.sampling.seconds + spent,
        missed=missed_modes(model, u, core),
    )
    return replace(found, sampling=sampling)


def _most(sample: LatentSample, model: LatentModel, request: Request) -> int:
    """Return how many times as many draws are worth their time."""
    read = sample.steps.sum() * (model.size + len(model.offset))
    return min(request.most, int(ROOM // max(read, 1)))


def fit_bambi(specification: Specification, request: Request) -> Posterior:
    """Sample the Bambi model by one of Bambi's samplers; the draws come as Bambi makes them."""
    from bambi_anova.bambi_model.build import built

    if request.start is not None:
        raise ArgumentError(
            f"init: Bambi's samplers start by themselves (inference_method={request.method!r}); "
            "leave init out, or use inference_method='nuts' with a model that has a quick fit"
        )
    model = built(specification)
    sampler = "nutpie" if request.method == "nuts" else request.method
    started = time.perf_counter()
    try:
        idata = model.fit(
            draws=request.draws,
            tune=request.tune,
            chains=request.chains,
            random_seed=request.random_seed,
            inference_method=sampler,
            progressbar=request.progressbar,
            quiet=not request.progressbar,
            **_options(sampler, request),
        )
    except ImportError as error:
        raise ArgumentError(
            f"inference_method={request.method!r}: {error} Install it, or use 'nuts'"
        ) from error
    seconds = time.perf_counter() - started
    sampling = Sampling(
        method=sampler,
        divergences=int(idata["sample_stats"]["diverging"].sum()),
        seconds=seconds,
        sampling_seconds=_sampling_seconds(idata),
    )
    draws = extract_draws(idata["posterior"].to_dataset(), specification)
    return Posterior(specification, idata, draws, sampling)


def _options(sampler: str, request: Request) -> dict[str, Any]:
    """Sort the user's options into those of PyMC's ``sample`` and those of the sampler."""
    options = dict(request.options)
    nuts = DEFAULTS.get(sampler, {}) | options.pop("nuts", {})
    if "target_accept" in options:
        nuts["target_accept"] = options.pop("target_accept")
    return {**options, "nuts": nuts}


def _sampling_seconds(idata: xr.DataTree) -> float | None:
    seconds = idata["posterior"].attrs.get("sampling_time")
    return None if seconds is None else float(seconds)


def _sample(model: LatentModel, specification: Specification, request: Request) -> LatentSample:
    """Run the kernel, from the draws of an earlier fit if there is one."""
    options = dict(request.options)
    options |= options.pop("nuts", {})
    start = None
    if request.start is not None:
        start = read_posterior(model, specification, request.start)
    try:
        return sample_latent(
            model,
            draws=request.draws,
            tune=request.tune,
            chains=request.chains,
            random_seed=request.random_seed,
            progressbar=request.progressbar,
            start=start,
            **options,
        )
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        if not options:
            raise
        raise ArgumentError(
            f"options {', '.join(sorted(options))}: nutpie refuses them ({error})"
        ) from error


def _posterior_of(
    sample: LatentSample, model: LatentModel, specification: Specification
) -> Posterior:
    import xarray as xr

    flat = sample.units.reshape(-1, *sample.units.shape[2:])
    u = sample.u.reshape(len(sample.u), flat.shape[1] * flat.shape[2])  # there may be none
    latent = LatentDraws(
        model.values(u).reshape(sample.u.shape),
        sample.core,
        {block.key: flat[block.index] for block in model.blocks.terms},
    )
    idata = bambi_posterior(model, specification, latent)
    posterior = idata["posterior"]
    seconds = sample.whitening_seconds + sample.compiling_seconds + sample.sampling_seconds
    posterior.attrs |= {
        "inference_library": "nutpie",
        "sampling_time": sample.sampling_seconds,
        "tuning_leapfrog_steps": sample.tuning_steps,
        "target_accept": sample.target_accept,
    }
    names = ("chain", "draw")
    idata["sample_stats"] = xr.DataTree(
        xr.Dataset(
            {
                "diverging": (names, sample.diverging),
                "n_steps": (names, sample.steps),
                "step_size": (
                    names,
                    np.broadcast_to(sample.step_size[:, None], sample.steps.shape),
                ),
            },
            {name: posterior[name] for name in names},
        )
    )
    draws = extract_draws(posterior.to_dataset(), specification)
    sampling = Sampling("nuts", sample.divergences, seconds, sample.sampling_seconds)
    return Posterior(specification, idata, draws, sampling)
