"""What the quick fits share: from a method's proposals to a posterior.

1. A method proposes distributions of the hyperparameters (``laplace``, ``pathfinder``, ``advi``).
2. ``importance_sampling`` learns better ones, and turns them into weighted draws of all
   coordinates and these into equally weighted ones.
3. The draws get Bambi's names.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.engine.approximate.importance_sampling import sample
from bambi_anova.engine.approximate.missed_modes import missed_modes
from bambi_anova.engine.approximate.proposal import Proposal
from bambi_anova.engine.approximate.reported import reported
from bambi_anova.engine.approximate.shared import shared
from bambi_anova.engine.approximate.target import Target
from bambi_anova.engine.latent.draws import LatentDraws, bambi_posterior
from bambi_anova.engine.latent.levels import has_many_levels, margins_of_levels, quick_model
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.engine.progress import Progress
from bambi_anova.engine.request import Request
from bambi_anova.engine.threads import one_blas_thread
from bambi_anova.errors import UnsupportedError
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.importance import LogEvidence, Weighting
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Sampling, times_needed
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray
Proposer = Callable[[Target, np.random.Generator], list[Proposal]]


@dataclass(frozen=True)
class Drawn:
    """Weighted draws of a latent model.

    Attributes
    ----------
    latent : LatentDraws
    weighting : Weighting
    evidence : LogEvidence
    missed : str
        As of ``trust.Sampling``.
    evaluations : int
        Points of the hyperparameters that were looked at.
    """

    latent: LatentDraws
    weighting: Weighting
    evidence: LogEvidence
    missed: str
    evaluations: int


def draw_quick(
    model: LatentModel,
    request: Request,
    propose: Proposer,
    rng: np.random.Generator,
    of_interest: Callable[[LatentDraws, Weighting], Array] | None = None,
) -> Drawn:
    """Draw from a latent model by a method that proposes hyperparameters.

    Parameters
    ----------
    model : LatentModel
    request : Request
    propose : callable
    rng : numpy.random.Generator
    of_interest : callable, optional
        Returns draws of quantities, shape (H, D, K): if some are too few, more are made.

    Raises
    ------
    UnsupportedError
        If the search runs away to where numbers end.
    """
    needed = None
    if of_interest is not None:

        def needed(latent: LatentDraws, weighting: Weighting) -> int:
            found = diagnose(of_interest(latent, weighting), weighting)
            return times_needed(found, request.most)

    asked = request.chains, request.draws
    try:
        with one_blas_thread(), Progress(request.method, request.progressbar) as progress:
            target = shared(Target(model, progress))
            proposals = propose(target, rng)
            found = sample(target, proposals, *asked, rng, needed, request.most)
    except np.linalg.LinAlgError as error:
        raise UnsupportedError(
            f"inference_method={request.method!r}: the search for this posterior ran away to where "
            "numbers end; check the scale of the response and the covariates, or use "
            "inference_method='nuts'"
        ) from error
    latent, weighting, evidence = found
    missed = missed_modes(model, *places(model, latent))
    return Drawn(latent, weighting, evidence, missed, target.evaluations)


def fit_quick(specification: Specification, request: Request, propose: Proposer) -> Posterior:
    """Fit by a method that proposes hyperparameters.

    Raises
    ------
    UnsupportedError
        If the model is not latent Gaussian, or its posterior cannot be found.
    """
    request.refuse_options()
    started = time.perf_counter()
    rng = np.random.default_rng(request.random_seed)
    model = quick_model(specification)
    many = has_many_levels(specification)

    def of_interest(latent: LatentDraws, weighting: Weighting) -> Array:
        idata = bambi_posterior(model, specification, latent)
        draws = extract_draws(idata["posterior"].to_dataset(), specification)
        sampling = Sampling(request.method, 0, 0.0, weighting=weighting)
        return reported(Posterior(specification, idata, draws, sampling))

    drawn = draw_quick(model, request, propose, rng, None if many else of_interest)
    latent, weighting = drawn.latent, drawn.weighting
    if many:
        model, latent = margins_of_levels(model, latent, specification, rng)
    idata = bambi_posterior(model, specification, latent)
    draws = extract_draws(idata["posterior"].to_dataset(), specification)
    add_weighting(idata, weighting)
    seconds = time.perf_counter() - started
    idata["posterior"].attrs |= {
        "inference_library": "bambi_anova",
        "inference_method": request.method,
        "sampling_time": seconds,
        "evaluations": drawn.evaluations,
        "pareto_k": weighting.pareto_k,
    }
    sampling = Sampling(request.method, 0, seconds, seconds, weighting, drawn.missed)
    return Posterior(specification, idata, draws, sampling, drawn.evidence)


def places(model: LatentModel, latent: LatentDraws) -> tuple[Array, Array]:
    """Return hyperparameters (H, N) and core (P, N) of all draws."""
    core = latent.core.reshape(len(latent.core), -1)
    values = latent.values.reshape(len(latent.values), core.shape[1])
    u = [scale.coordinate(own) for scale, own in zip(model.scales, values, strict=True)]
    return np.array(u).reshape(values.shape), core


def add_weighting(idata: xr.DataTree, weighting: Weighting) -> None:
    """Add the group ``sample_stats``: the point that a draw comes of, and its log weight."""
    import xarray as xr

    sample = ("chain", "draw")
    posterior = idata["posterior"]
    idata["sample_stats"] = xr.DataTree(
        xr.Dataset(
            {
                "log_weight": (sample, weighting.log_weight),
                "point": (sample, weighting.point),
                "proposal": (sample, weighting.proposal),
            },
            {name: posterior[name] for name in sample},
        )
    )
