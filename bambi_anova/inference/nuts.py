"""Full NUTS through Bambi, by nutpie unless another sampler is named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bambi_anova.errors import ArgumentError
from bambi_anova.inference.contract import Fit, Problem, Request
from bambi_anova.trust import Sampling

if TYPE_CHECKING:
    import xarray as xr


#: A higher acceptance rate than usual keeps designs with few units clear of divergences, and a
#: metric from the draws alone mixes the units' sigmas faster than nutpie's own default.
DEFAULTS: dict[str, dict[str, Any]] = {
    "nutpie": {"target_accept": 0.95, "adaptation": "draw_diag"},
    "pymc": {"target_accept": 0.95},
}


def fit_nuts(problem: Problem, request: Request) -> Fit:
    """Sample the posterior of the Bambi model; the draws come as Bambi makes them."""
    from bambi_anova.backend.extract import extract_draws

    model = problem.build()
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
    divergences = int(idata["sample_stats"]["diverging"].sum())
    sampling = Sampling(
        method=sampler,
        divergences=divergences,
        seconds=seconds,
        sampling_seconds=_sampling_seconds(idata),
    )
    draws = extract_draws(idata["posterior"].to_dataset(), problem.design, problem.priors)
    return Fit(idata, draws, sampling)


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
