"""Averages over models: draws of each model in proportion to its posterior probability.

All sub-models have the cells and units of the full one, and a term that a model lacks has effects
of zero there.  So draws of several models are draws of the full one's parameters, and every table
of a posterior can be made of them (Hoeting et al. 1999, doi:10.1214/ss/1009212519).

Letters: H chains, D draws a chain, M models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from bambi_anova.arguments import with_own_floats
from bambi_anova.estimates.accuracy import trust
from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.estimates.deflections import deflections
from bambi_anova.estimates.draws_of import draws_of
from bambi_anova.estimates.means import means
from bambi_anova.estimates.slopes import slopes
from bambi_anova.estimates.statements import orders, probability
from bambi_anova.posterior.extract import add_cells, extract_draws
from bambi_anova.posterior.importance import Weighting
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling

Array = np.ndarray

#: Successive draws of a chain that count as one point.
BATCH = 20


@with_own_floats
@dataclass(frozen=True, repr=False, eq=False)
class AveragedPosterior(Posterior):
    """Draws of several models, and the tables of ``Result`` that can be made of them.

    Terms that a model lacks are zero in its draws, so that the posterior of a contrast may have a
    lump at zero, of which ``pd`` makes no sense; averages over the models that have a term have
    none.
    """

    means = means
    deflections = deflections
    contrasts = contrasts
    slopes = slopes
    probability = probability
    orders = orders
    draws_of = draws_of
    trust = trust

    def __repr__(self) -> str:
        chains, draws = self.draws.sample_shape
        return f"Average over models of {self.specification.formula.text}: {chains} x {draws} draws"


def averaged(
    full: Posterior,
    fits: Sequence[Posterior],
    weights: Array,
    settled: bool,
    rng: np.random.Generator,
) -> AveragedPosterior:
    """Return the average over some models.

    Parameters
    ----------
    full : Posterior
        Of the full model.
    fits : sequence of Posterior
        M fits of sub-models of it, of equally many chains and draws.
    weights : ndarray, shape (M,)
        Their probabilities.
    settled : bool
        Whether these may be trusted; if not, nothing of the average is.
    rng : numpy.random.Generator
    """
    template = full.idata["posterior"].to_dataset()
    chains, draws = full.draws.sample_shape
    picks = [_pick(weights, draws, rng) for _ in range(chains)]

    def picked(parts: Sequence[Array]) -> Array:
        """Return the picked draws of M arrays of shape (H, D, ...)."""
        stacked = np.stack(parts)
        return np.stack([stacked[model, h, draw] for h, (model, draw) in enumerate(picks)])

    own = [fit.idata["posterior"].to_dataset() for fit in fits]
    variables = {
        name: (array.dims, picked([one.get(name, 0.0 * array).to_numpy() for one in own]))
        for name, array in template.items()
    }
    posterior = xr.Dataset(variables, template.coords)
    parts = [_weighting(fit) for fit in fits]
    sizes = [int(max(part.point.max(), part.proposal.max())) + 1 for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])
    weighting = Weighting(
        picked([part.point + start for part, start in zip(parts, starts, strict=True)]),
        picked([part.proposal + start for part, start in zip(parts, starts, strict=True)]),
        picked([part.log_weight for part in parts]),
        max(part.pareto_k for part in parts) if settled else np.inf,
        float(1 / sum(w**2 / part.effective for part, w in zip(parts, weights, strict=True))),
        sum(part.proposed for part in parts),
    )
    specification = full.specification
    found = AveragedPosterior(
        specification,
        xr.DataTree.from_dict({"posterior": posterior}),
        extract_draws(posterior, specification),
        Sampling(
            "average over models",
            sum(fit.sampling.divergences for fit in fits),
            sum(fit.sampling.seconds for fit in fits),
            None,
            weighting,
        ),
    )
    add_cells(found)
    return found


def _pick(weights: Array, draws: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the model and the draw of it that each draw is, both of shape (D,)."""
    heap = np.cumsum(weights) / np.sum(weights)
    marks = (np.arange(draws) + rng.uniform()) / draws
    model = np.minimum(np.searchsorted(heap, marks), len(weights) - 1)
    counts = np.bincount(model, minlength=len(weights))
    draw = np.concatenate([rng.permutation(draws)[:count] for count in counts])
    order = rng.permutation(draws)
    return model[order], draw[order]


def _weighting(fit: Posterior) -> Weighting:
    """Return where the draws come from, log weights about the log of their mean.

    Over resampled draws the mean of 1 / w is one over the mean of the proposed draws' w.
    """
    weighting = fit.sampling.weighting
    if weighting is not None:
        log_weight = weighting.log_weight
        mean = -np.log(np.exp(log_weight.min() - log_weight).mean()) + log_weight.min()
        return Weighting(
            weighting.point,
            weighting.proposal,
            log_weight - mean,
            weighting.pareto_k,
            weighting.effective,
            weighting.proposed,
        )
    chains, draws = fit.draws.sample_shape
    number = np.arange(chains * draws).reshape(chains, draws)
    point = np.arange(chains)[:, None] * draws + np.arange(draws) // BATCH
    flat = np.zeros((chains, draws))
    return Weighting(point, number, flat, -np.inf, chains * draws / BATCH, chains * draws)
