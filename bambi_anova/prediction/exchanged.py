"""Posteriors under other priors: reweighted draws where these can tell, a quick fit where not.

Power-scaling is local, and asks of one prior at a time.  Here priors are put in the place of
others: of half and double the scale and half-normal, one by one and all standard deviations
together.  The draws at hand, weighted by the ratio of the priors, are the other posterior exactly,
as long as the weights are tame (Vehtari et al. 2024, arXiv:1507.02646).

Letters: H chains, D draws, Q quantities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from bambi_anova.engine.methods import run
from bambi_anova.engine.request import Request
from bambi_anova.errors import UnsupportedError
from bambi_anova.names import INTERCEPT, SD_OF, SLOPE_OF
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import MIN_ESS, max_pareto_k
from bambi_anova.priors.assign import Priors
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.exchange import half_normal, scaled
from bambi_anova.specification import Specification

Array = np.ndarray

#: Log weights below this are of no weight.
NOTHING = 700.0
#: The prior of all standard deviations of terms, together.
ALL_SDS = "all sds"
REWEIGHTED, REFITTED, NOT_TOLD = "reweighted", "refitted", "not told"
_SCALED: Mapping[str, Callable[[Prior], Prior | None]] = {
    "half the scale": lambda prior: scaled(prior, 0.5),
    "double the scale": lambda prior: scaled(prior, 2.0),
}
#: What a prior is exchanged for; of standard deviations also the half-normal of the same median.
OTHERS: Mapping[str, Callable[[Prior], Prior | None]] = {
    **_SCALED,
    "half-normal": half_normal,
}


@dataclass(frozen=True)
class Exchange:
    """A model with another prior.

    Attributes
    ----------
    prior : str
        Whose prior it is, as tables name it.
    exchange : str
        What it is exchanged for.
    model : Specification
    """

    prior: str
    exchange: str
    model: Specification


@dataclass(frozen=True)
class Moved:
    """What an exchange makes of Q quantities.

    Attributes
    ----------
    exchange : Exchange
    mean, sd : ndarray, shape (Q,)
        Of the posterior under the other prior; missing where nothing tells them.
    how : str
    """

    exchange: Exchange
    mean: Array
    sd: Array
    how: str


def exchanges(model: Specification) -> Iterator[Exchange]:
    """Yield the model with other priors; those that are the same anyway are left out."""
    priors = model.priors

    def made(prior: str, name: str, new: Priors) -> Exchange:
        return Exchange(
            prior, name, Specification(model.family, model.predictors, new, model.options)
        )

    for name, change in OTHERS.items():
        sigmas = {key: change(prior) or prior for key, prior in priors.sigmas.items()}
        for key, prior in sigmas.items():
            if prior != priors.sigmas[key]:
                new = replace(priors, sigmas={**priors.sigmas, key: prior})
                yield made(SD_OF.format(key), name, new)
        if len(sigmas) > 1 and sigmas != priors.sigmas:
            yield made(ALL_SDS, name, replace(priors, sigmas=sigmas))
    for name, change in _SCALED.items():
        if priors.intercept is not None and (other := change(priors.intercept)):
            yield made(INTERCEPT, name, replace(priors, intercept=other))
        for key, prior in priors.covariates.items():
            if other := change(prior):
                new = replace(priors, covariates={**priors.covariates, key: other})
                yield made(SLOPE_OF.format(key), name, new)
        for key, own in priors.auxiliary.items():
            other = change(own) if isinstance(own, Prior) else None
            if other is not None:
                new = replace(priors, auxiliary={**priors.auxiliary, key: other})
                yield made(key, name, new)


def reweighted(values: Array, log_ratio: Array) -> tuple[Array, Array] | None:
    """Return mean and sd of quantities under another prior, if the draws at hand can tell.

    Parameters
    ----------
    values : ndarray, shape (Q, H, D)
    log_ratio : ndarray, shape (H, D)
        Log density of the other prior less that of the prior of the draws.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(1, 4, 1000))  # a prior N(0, 1), no data
    >>> mean, sd = reweighted(draws, -(draws[0] ** 2) / 2 * 0.5)  # N(0, 1 / 1.5)
    >>> sd.round(1).tolist()
    [0.8]
    >>> reweighted(draws, -((draws[0] - 4) ** 2) / 2) is None  # far from all draws
    True
    """
    from arviz_stats.base import array_stats

    flat = log_ratio.ravel() - np.max(log_ratio)
    flat = np.maximum(np.nan_to_num(flat, nan=-NOTHING, neginf=-NOTHING), -NOTHING)
    if np.ptp(flat) < 1e-9:  # but for rounding
        return values.mean(axis=(1, 2)), values.std(axis=(1, 2))
    try:
        log_weights, k = array_stats.psislw(-flat)  # takes a log-likelihood, and turns its sign
    except ValueError:  # the largest weights are all equal: they have an end
        log_weights, k = flat, -np.inf
    weights = np.exp(log_weights - np.max(log_weights))
    weights /= weights.sum()
    # Fewer effective draws than a trusted quantity has, of draws that are not all independent.
    if not k <= max_pareto_k(len(flat)) or 1 / (weights**2).sum() < min(MIN_ESS, len(flat) / 2):
        return None
    own = values.reshape(len(values), -1)
    mean = own @ weights
    return mean, np.sqrt(((own - mean[:, None]) ** 2) @ weights)


def refitted(
    exchange: Exchange,
    quantities: Callable[[Posterior], Mapping[str, Array]],
    draws: tuple[int, int],
    random_seed: int | None,
) -> tuple[Array, Array] | None:
    """Return mean and sd of quantities by a quick fit, if there is one for the model.

    Parameters
    ----------
    exchange : Exchange
    quantities : callable
        From a posterior to its quantities, in the order in which they were asked of the first.
    draws : tuple of int
        H and D.
    random_seed : int, optional
    """
    chains, each = draws
    request = Request("laplace", each, 1, chains, random_seed, False)
    try:
        values = np.stack(list(quantities(run(exchange.model, request)).values()))
    except UnsupportedError:
        return None
    return values.mean(axis=(1, 2)), values.std(axis=(1, 2))
