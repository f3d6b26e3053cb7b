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
    """Quieten PyMC's own messages with the progress bar; pass the rest on."""
    options = dict(request.options)
    if sampler == "pymc" and not request.progressbar:
        options.setdefault("quiet", True)
    return options


def _sampling_seconds(idata: xr.DataTree) -> float | None:
    seconds = idata["posterior"].attrs.get("sampling_time")
    return None if seconds is None else float(seconds)
