"""Nested Laplace: the hyperparameters' proposal from slices through the marginal posterior.

Given the hyperparameters the latent coordinates are nearly normal, and Laplace's approximation
gives the marginal posterior of the hyperparameters (Rue, Martino & Chopin 2009,
doi:10.1111/j.1467-9868.2008.00700.x).  It is climbed from several starting points; through each
mode a slice along every coordinate, tabulated, carries that coordinate to a standard normal one.
In these coordinates a Student t with the correlations of the curvature proposes.
"""

from __future__ import annotations

import numpy as np

from bambi_anova.engine.approximate.modes import STARTS, cut_slices, find_peaks, find_ridges
from bambi_anova.engine.approximate.proposal import (
    Plain,
    Proposal,
    propose,
    propose_from_slices,
    share,
)
from bambi_anova.engine.approximate.quick_fit import fit_quick
from bambi_anova.engine.approximate.tails import cover_core
from bambi_anova.engine.approximate.target import Target
from bambi_anova.engine.request import Request
from bambi_anova.errors import UnsupportedError
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.specification import Specification

#: Points drawn from the prior to start climbing from, where evaluations are dear.
STARTS_LARGE = 8


def fit_laplace(specification: Specification, request: Request) -> Posterior:
    """Fit by nested Laplace, corrected by importance weights."""
    return fit_quick(specification, request, propose_by_slices)


def propose_by_slices(target: Target, rng: np.random.Generator) -> list[Proposal]:
    """Return a proposal for each mode of the hyperparameters' marginal posterior."""
    size = target.noise_size
    if not target.model.scales:
        return [propose(Plain(), np.zeros(0), np.zeros((0, 0)), size)]
    f = target.log_marginal
    # With thousands of coordinates evaluations are dear, and the posterior is close to normal.
    large = target.is_large
    starts = target.prior_draws(rng, STARTS_LARGE if large else STARTS)
    peaks = find_peaks(f, starts, keep=1 if large else 3)
    if not peaks:
        raise UnsupportedError(
            f"inference_method='laplace': the posterior has no value at {starts.shape[1]} draws "
            "of its prior; look for extreme values in the response, give narrower priors, or use "
            "inference_method='nuts'"
        )
    slices = [cut_slices(f, peak) for peak in peaks]
    for peak, own in zip(tuple(peaks), tuple(slices), strict=True):
        ridges = [] if large else find_ridges(f, peak, own, target.model.variance_scales)
        peaks += ridges
        slices += [cut_slices(f, ridge) for ridge in ridges]
    proposals = [propose_from_slices(p, s, size) for p, s in zip(peaks, slices, strict=True)]
    shared = share(proposals, [peak.log_mass for peak in peaks])
    return cover_core(target, shared, peaks[0].u)
