"""A quick fit of any latent Gaussian Bambi model: a request in, Bambi's datasets out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import bambi as bmb
import numpy as np

from bambi_anova.engine.approximate.advi import propose_by_elbo
from bambi_anova.engine.approximate.laplace import propose_by_slices
from bambi_anova.engine.approximate.pathfinder import propose_by_paths
from bambi_anova.engine.approximate.quick_fit import Drawn, Proposer, draw_quick
from bambi_anova.engine.latent.bambi_draws import (
    check_density,
    free_values,
    log_likelihood_of,
    log_prior_of,
    nuisance,
    observed_of,
    posterior_of,
    some_draws,
)
from bambi_anova.engine.latent.draws import LatentDraws
from bambi_anova.engine.latent.from_bambi import BambiLatent, read_bambi
from bambi_anova.engine.request import Request
from bambi_anova.errors import NotLatentGaussianError, UnsupportedError
from bambi_anova.posterior.importance import Weighting

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray
BambiModel = bmb.Model

PROPOSERS: dict[str, Proposer] = {
    "laplace": propose_by_slices,
    "pathfinder": propose_by_paths,
    "advi": propose_by_elbo,
}
#: Numbers of the pointwise log-likelihood up to which it is worked out by itself.
MOST_POINTWISE = 20_000_000
#: Draws that are kept for further sampling.
STARTS = 64


@dataclass(frozen=True)
class BambiFit:
    """What a quick fit of a Bambi model found.

    Attributes
    ----------
    found : BambiLatent
    drawn : Drawn
    method : str
    seconds : float
    """

    found: BambiLatent
    drawn: Drawn
    method: str
    seconds: float

    @property
    def latent(self) -> LatentDraws:
        """The draws."""
        return self.drawn.latent

    def thinned(self) -> BambiFit:
        """Return it with a few of the draws: what further sampling needs to start from."""
        count = int(np.prod(self.latent.sample_shape))
        index = np.linspace(0, count - 1, min(STARTS, count)).astype(int)
        return replace(self, drawn=replace(self.drawn, latent=some_draws(self.latent, index)))

    def datasets(self, log_likelihood: bool | None) -> dict[str, xr.Dataset]:
        """Return the groups of a DataTree, with the attributes that Bambi gives them.

        Parameters
        ----------
        log_likelihood : bool or None
            Whether to evaluate each row of the data at each draw; ``None`` unless that is too much.
        """
        found, latent = self.found, self.latent
        posterior = posterior_of(found, latent).assign_attrs(nuisance="\n".join(nuisance(found)))
        rows, draws = len(found.row_by_row.rows.constants), int(np.prod(latent.sample_shape))
        if log_likelihood is None:
            log_likelihood = rows * draws <= MOST_POINTWISE
        groups = {
            "posterior": posterior,
            "sample_stats": self._sample_stats(posterior),
            "log_prior": log_prior_of(found, latent, posterior),
            "observed_data": observed_of(found),
        }
        if log_likelihood:
            groups["log_likelihood"] = log_likelihood_of(found, latent)
        return {name: group.assign_attrs(self._attrs()) for name, group in groups.items()}

    def _attrs(self) -> dict[str, Any]:
        from importlib.metadata import version

        return {
            "created_at": datetime.now(UTC).isoformat(),
            "inference_library": "bambi_anova",
            "inference_method": self.method,
            "sampling_time": self.seconds,
            "modeling_interface": "bambi",
            "modeling_interface_version": version("bambi"),
        }

    def _sample_stats(self, posterior: xr.Dataset) -> xr.Dataset:
        import xarray as xr

        weighting, evidence = self.drawn.weighting, self.drawn.evidence
        sample = ("chain", "draw")
        return xr.Dataset(
            {
                "log_weight": (sample, weighting.log_weight),
                "point": (sample, weighting.point),
                "proposal": (sample, weighting.proposal),
            },
            {name: posterior[name] for name in sample},
            {
                "pareto_k": float(weighting.pareto_k),
                "effective": float(weighting.effective),
                "proposed": int(weighting.proposed),
                "missed": self.drawn.missed,
                "log_evidence": float(evidence.value),
                "log_evidence_mcse": float(evidence.mcse),
                "evaluations": int(self.drawn.evaluations),
            },
        )


def is_bambi_model(model: object) -> bool:
    """Whether it is a ``bambi.Model``."""
    return isinstance(model, BambiModel)


def fit_bambi_model(source: bmb.Model, request: Request) -> BambiFit:
    """Fit a Bambi model by one of the quick methods.

    Raises
    ------
    NotLatentGaussianError
        If a part of it has no place in a latent Gaussian model, or the model that was read is not
        the one that Bambi built.
    """
    request.refuse_options()
    started = time.perf_counter()
    found = read_bambi(source)
    rng = np.random.default_rng(request.random_seed)
    try:
        drawn = draw_quick(
            found.model,
            request,
            PROPOSERS[request.method],
            rng,
            lambda latent, _: _of_interest(found, latent),
        )
    except UnsupportedError as error:
        text = str(error).replace("inference_method='nuts'", "Bambi's own samplers")
        raise NotLatentGaussianError(f"the model: {text}") from None
    check_density(found, drawn.latent)
    return BambiFit(found, drawn, request.method, time.perf_counter() - started)


def _of_interest(found: BambiLatent, latent: LatentDraws) -> Array:
    """Return draws of what a verdict is about, shape (C, D, K)."""
    posterior, apart = posterior_of(found, latent), set(nuisance(found))
    return np.concatenate(
        [
            values.to_numpy().reshape(*latent.sample_shape, -1)
            for name, values in posterior.items()
            if name not in apart and "__obs__" not in values.dims
        ]
        or [np.empty((*latent.sample_shape, 0))],
        axis=-1,
    )


def starting_points(fit: BambiFit, chains: int, seed: int | None) -> list[dict[str, Array]]:
    """Return values of Bambi's free variables at a draw for each chain."""
    rng = np.random.default_rng(seed)
    count = int(np.prod(fit.latent.sample_shape))
    index = rng.choice(count, chains, replace=chains > count)
    values, _ = free_values(fit.found, some_draws(fit.latent, index))
    return [{name: own[k] for name, own in values.items()} for k in range(chains)]


def sample_bambi(
    fit: BambiFit, draws: int, tune: int, chains: int, seed: int | None, options: Mapping[str, Any]
) -> xr.DataTree:
    """Run Bambi's sampler from draws of a quick fit."""
    options = dict(options)
    points = starting_points(fit, chains, seed)
    # nutpie takes one point, about which it spreads its chains.
    single = options.get("inference_method") == "nutpie"
    return fit.found.source.fit(
        draws=draws,
        tune=tune,
        chains=chains,
        random_seed=seed,
        initvals=points[0] if single else points,
        **options,
    )


def weighting_of(stats: xr.Dataset) -> Weighting:
    """Return where the draws of a quick fit come from, as its ``sample_stats`` say."""
    attrs = stats.attrs
    return Weighting(
        point=stats["point"].to_numpy(),
        proposal=stats["proposal"].to_numpy(),
        log_weight=stats["log_weight"].to_numpy(),
        pareto_k=float(attrs["pareto_k"]),
        effective=float(attrs["effective"]),
        proposed=int(attrs["proposed"]),
    )
