"""Full NUTS through Bambi, by nutpie unless another sampler is named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bambi_anova.errors import ArgumentError
from bambi_anova.trust import Sampling

if TYPE_CHECKING:
    import bambi as bmb
    import xarray as xr

    from bambi_anova.inference import Request


#: A higher acceptance rate than usual keeps designs with few units clear of divergences, and a
#: metric from the draws alone mixes the units' sigmas faster than nutpie's own default.
DEFAULTS: dict[str, dict[str, Any]] = {
    "nutpie": {"target_accept": 0.95, "adaptation": "draw_diag"},
    "pymc": {"target_accept": 0.95},
}


def fit_nuts(model: bmb.Model, request: Request) -> tuple[xr.DataTree, Sampling]:
    """Sample the posterior of a built Bambi model.

    Returns
    -------
    idata : xarray.DataTree
        As Bambi makes it: its names, dimensions and groups.
    sampling : Sampling
    """
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
    return idata, Sampling(
        method=sampler,
        divergences=divergences,
        seconds=seconds,
        sampling_seconds=_sampling_seconds(idata),
    )


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
