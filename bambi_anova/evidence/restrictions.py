"""Bayes factors of restrictions within one model: a contrast of zero, and orders of levels.

**Savage-Dickey.**  The Bayes factor of a contrast c'z = 0 against the model is the density of the
contrast at zero, posterior over prior (Dickey 1971, doi:10.1214/aoms/1177693507).  Densities of
draws are poor in the tails, where they matter.  So the model is fitted once more on the plane
c'z = 0, where its coordinates z ~ N(0, v) are one fewer, and

    p(c'z = 0, y) = p(y | plane) E_plane[(2 pi v)^-1/2] / |c|,

with all constants, the prior density likewise.  The mean of v^-1/2 is that of sigma / v^1/2, which
is bounded, under the prior of the term's own sigma divided by sigma.

**Orders.**  The Bayes factor of an order against no restriction is its probability, posterior over
prior (Klugkist, Laudy & Hoijtink 2005, doi:10.1037/1082-989X.10.4.477).

Letters: C cells, K coordinates, G points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg, sparse, special

from bambi_anova.arguments import generator
from bambi_anova.design.margins import cell_levels
from bambi_anova.engine.approximate.importance_sampling import sample
from bambi_anova.engine.approximate.laplace import propose_by_slices
from bambi_anova.engine.approximate.target import Target
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.covariance import Diagonal, Variance
from bambi_anova.engine.latent.model import Core, LatentModel, Predictor
from bambi_anova.engine.latent.scales import Scale
from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.estimates.contrast_weights import Method, term_weights
from bambi_anova.estimates.effects import Effects, Grid, contrasts_of_means
from bambi_anova.estimates.statements import probability
from bambi_anova.evidence.marginal_likelihood import (
    BRIDGE,
    MAX_LOG_ERROR,
    WEIGHTS,
    log_evidence,
    verdict_of,
)
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.importance import monte_carlo
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import MAX_PARETO_K, Sampling
from bambi_anova.prediction.prior_draws import draw_prior
from bambi_anova.specification import Specification
from bambi_anova.tables.printing import Table

Array = np.ndarray

CHAINS, DRAWS = 4, 1000
#: Draws of the prior.
PRIOR_DRAWS = 100_000
#: How far a scale's prior must have fallen close to zero, beside its highest point.
VANISHES = 1e-2
#: Logs of a scale for quadrature.
LOGS = np.linspace(-60, 40, 40_001)


def savage_dickey(
    posterior: Posterior,
    term: str,
    method: Any = "pairwise",
    *,
    ref: Any = None,
    scores: Any = None,
    random_seed: int | None = None,
) -> pd.DataFrame:
    """Return Bayes factors for contrasts of a term's marginal means against their being zero.

    Parameters
    ----------
    posterior : Posterior
    term : str
        One factor, or several joined by colons for interaction contrasts.
    method, ref, scores
        As for ``contrasts``.
    random_seed : int, optional

    Returns
    -------
    pandas.DataFrame
        A row a contrast: ``term``, ``contrast``, ``bf`` (for a difference, against none) and
        ``log_bf``, ``mcse`` of ``log_bf``, ``pareto_k`` and ``trusted``.  The prior of a
        contrast is that of the model; wide priors favour zero.

    Raises
    ------
    UnsupportedError
        If the model has no quick fit; if the prior density of a contrast at zero is infinite, as
        under half-normal priors of its standard deviation; or if a contrast is none of a term
        of the model, as a simple effect is, which belongs to several.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety + C(nitrogen) + Error(block/variety)", oats)
    >>> fit = model.fit("laplace", random_seed=1, progressbar=False)
    >>> found = fit.savage_dickey("variety", {"Victory": {"Victory": 1, "Marvellous": -1}})
    >>> bool(found["bf"][0] < 1)  # the data speak for no difference
    True
    """
    specification = posterior.specification
    if posterior.sampling.method not in _OWN:
        raise ArgumentError(
            f"posterior: expected a fit of the model, got draws by {posterior.sampling.method!r}"
        )
    effects = _effects(specification, term, Method(method, ref, scores))
    how = BRIDGE if posterior.log_evidence is None else WEIGHTS
    base = log_evidence(posterior, how, random_seed)
    model, rng = latent_model(specification), generator(random_seed)
    rows = []
    for label, weights in zip(effects.labels["contrast"], effects.weights, strict=True):
        plane = _plane(model, specification, weights, str(label))
        value, error, k = plane.log_density(rng)
        log_bf = base.value - value + plane.log_prior_density(rng)
        mcse = float(np.hypot(base.mcse, error))
        good = verdict_of(base, how).trusted and mcse <= MAX_LOG_ERROR and k <= MAX_PARETO_K
        row = {"term": term, "contrast": label, "bf": float(np.exp(log_bf)), "log_bf": log_bf}
        rows.append({**row, "mcse": mcse, "pareto_k": max(k, base.pareto_k), "trusted": good})
    return Table(pd.DataFrame(rows))


_OWN = {"laplace", "pathfinder", "advi", "nuts", "nutpie", "pymc", "numpyro", "blackjax"}


def _effects(specification: Specification, term: str, method: Method) -> Effects:
    grid = Grid(specification.design.levels)
    factors = grid.factors(term)
    chosen = term_weights(method, factors, grid, specification.design)
    return contrasts_of_means(grid, chosen, []).effects


@dataclass(frozen=True)
class _Plane:
    """A model on the plane where a contrast is zero.

    Attributes
    ----------
    model : LatentModel
        With the prior of the own scale divided by it.
    variance : Variance
        Of the contrast's coordinates.
    own : int
        Which scale is divided by.
    length : float
        |c|.
    """

    model: LatentModel
    variance: Variance
    own: int
    length: float

    def log_density(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Return log p(contrast = 0, y), its Monte Carlo error and the Pareto k."""
        target = Target(self.model)
        proposals = propose_by_slices(target, rng)
        latent, weighting, evidence = sample(target, proposals, CHAINS, DRAWS, rng)
        ratio = self._ratio(latent.values)
        error = monte_carlo(ratio[..., None], weighting)["mcse_mean"][0] / ratio.mean()
        value = evidence.value + np.log(ratio.mean()) + self._constant
        return float(value), float(np.hypot(evidence.mcse, error)), evidence.pareto_k

    def log_prior_density(self, rng: np.random.Generator) -> float:
        """Return the log prior density of the contrast at zero."""
        values = np.zeros((len(self.model.scales), PRIOR_DRAWS))
        total = 0.0
        for index, _ in self.variance[1]:
            drawn, log_mass = _draw_scale(self.model.scales[index], rng, PRIOR_DRAWS)
            values[index] = drawn
            total += log_mass
        return float(total + np.log(self._ratio(values).mean()) + self._constant)

    def _ratio(self, values: Array) -> Array:
        number, factors = self.variance
        variance = number + sum(k * values[index] ** 2 for index, k in factors)
        return values[self.own] / np.sqrt(variance)

    @property
    def _constant(self) -> float:
        return -np.log(2 * np.pi) / 2 - np.log(self.length)


def _plane(model: LatentModel, specification: Specification, weights: Array, label: str) -> _Plane:
    """Put a contrast's plane into a latent model."""
    design = specification.design
    terms = {term.name: term for term in design.terms}
    found = []
    for index, one in enumerate(specification.coordinates):
        term = terms.get(one.home)
        if term is None or term.covariate:
            continue
        columns = one.basis[cell_levels(term.factors, design)]
        direction = weights @ columns
        if np.abs(direction).max(initial=0.0) > 1e-9:
            found.append((index, direction))
    if len(found) != 1:
        what = "is zero in this model" if not found else "belongs to several terms"
        raise UnsupportedError(
            f"contrast {label!r} {what}; expected one of a single term's margin, such as a main "
            "effect's or an interaction's; compare models by bambi_anova.bayes_factors instead"
        )
    index, direction = found[0]
    place = model.core.terms[index]
    variance = model.core.covariance.variances()[place.start]
    own = max(variance[1], key=lambda pair: pair[1])[0]
    scale = model.scales[own]
    _require_vanishing(scale, label)
    length = float(np.linalg.norm(direction))
    rest = linalg.null_space(direction[None])
    scales = list(model.scales)
    scales[own] = replace(scale, log_prior=_divided(scale))
    small = _without(model, index, rest)
    return _Plane(replace(small, scales=tuple(scales)), variance, own, length)


def _divided(scale: Scale):
    before = scale.log_prior

    def log_prior(sigma: Array) -> Array:
        return before(sigma) - np.log(sigma)

    return log_prior


def _require_vanishing(scale: Scale, label: str) -> None:
    """Refuse a prior of a scale under which the contrast has an infinite density at zero."""
    with np.errstate(all="ignore"):
        log_density = scale.log_prior(np.exp(LOGS))
    log_density = np.where(np.isfinite(log_density), log_density, -np.inf)
    if scale.lower == 0 and log_density[0] > log_density.max() + np.log(VANISHES):
        raise UnsupportedError(
            f"contrast {label!r}: the prior of the sd of {scale.name!r} does not vanish at zero, "
            "so the contrast's prior density is infinite there and has no Savage-Dickey ratio; "
            "use a Gamma or a LogNormal prior, or bambi_anova.bayes_factors"
        )


def _draw_scale(scale: Scale, rng: np.random.Generator, size: int) -> tuple[Array, float]:
    """Draw a scale from its density; return the log of the density's mass as well."""
    with np.errstate(all="ignore"):
        u = LOGS if not np.isfinite(scale.upper) else np.linspace(-40, 40, len(LOGS))
        log_density = scale.log_density(u) + scale.log_constant
    log_density = np.where(np.isfinite(log_density), log_density, -np.inf)
    step = u[1] - u[0]
    heap = np.cumsum(special.softmax(log_density))
    draws = np.interp(rng.uniform(size=size), heap, u)
    return scale.value(draws), float(special.logsumexp(log_density) + np.log(step))


def _without(model: LatentModel, index: int, rest: Array) -> LatentModel:
    """Return the model with one term's coordinates replaced by K - 1 orthonormal ones."""
    core, place = model.core, model.core.terms[index]
    lost = place.stop - place.start - rest.shape[1]
    terms = []
    for number, term in enumerate(core.terms):
        if number == index:
            basis = None if term.basis is None else term.basis @ rest
            terms.append(replace(term, stop=term.stop - lost, basis=basis))
        elif term.start >= place.stop:
            terms.append(replace(term, start=term.start - lost, stop=term.stop - lost))
        else:
            terms.append(term)
    keep = np.r_[0 : place.start + rest.shape[1], place.stop : core.size]
    variances = [core.covariance.variances()[i] for i in keep]
    covariance = Diagonal.of(variances, core.covariance.factors.shape[1])

    def fewer(predictor: Predictor) -> Predictor:
        columns = predictor.columns.tocsc()
        own = sparse.csc_array(columns[:, place.start : place.stop] @ rest)
        parts = [columns[:, : place.start], own, columns[:, place.stop :]]
        return replace(predictor, columns=sparse.csr_array(sparse.hstack(parts, format="csr")))

    return replace(
        model,
        core=Core(tuple(terms), core.mean[keep], covariance),
        predictors={name: fewer(own) for name, own in model.predictors.items()},
    )


def order_bayes_factor(
    posterior: Posterior,
    statement: str,
    term: str | None = None,
    by: str | Sequence[str] | None = None,
    population: str = "super",
    scale: str = "link",
    *,
    random_seed: int | None = None,
) -> pd.DataFrame:
    """Return Bayes factors of a statement about a term's means, such as an order of levels.

    Parameters
    ----------
    posterior : Posterior
    statement, term, by, population, scale
        As for ``probability``.
    random_seed : int, optional
        Of the draws from the prior.

    Returns
    -------
    pandas.DataFrame
        ``by`` factors, ``statement``, ``population``, ``scale``, ``prior_probability`` and
        ``posterior_probability`` of the statement, ``bf`` and ``log_bf`` for it against no
        restriction, ``mcse`` of ``log_bf``, ``bf_complement`` against its not being so,
        ``supported`` and ``trusted``.

    Examples
    --------
    >>> result.order_bayes_factor("`0.0` < `0.2` < `0.4`", "nitrogen")  # doctest: +SKIP
    """
    if posterior.sampling.method not in _OWN:
        raise ArgumentError(
            f"posterior: expected a fit of the model, got draws by {posterior.sampling.method!r}"
        )
    after = probability(posterior, statement, term, by, population, scale)
    prior = _prior(posterior, generator(random_seed))
    before = probability(prior, statement, term, by, population, scale)
    table = after.rename(columns={"probability": "posterior_probability"})
    share, first = after["probability"], before["probability"]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.hypot(after["mcse"] / share, before["mcse"] / first)
        table["bf"] = share / first
        table["log_bf"] = np.log(table["bf"])
        table["bf_complement"] = share / (1 - share) / (first / (1 - first))
    table["prior_probability"], table["mcse"] = first, error
    table["trusted"] &= error <= MAX_LOG_ERROR
    head = [name for name in after.columns if name not in ("probability", "mcse", "supported")]
    order = "prior_probability posterior_probability bf log_bf mcse bf_complement supported trusted"
    return Table(pd.DataFrame(table)[[n for n in head if n != "trusted"] + order.split()])


def _prior(posterior: Posterior, rng: np.random.Generator) -> Posterior:
    """Return draws from the prior as if they were of a fit."""
    specification = posterior.specification
    draws = extract_draws(draw_prior(specification, PRIOR_DRAWS // 5, rng), specification)
    return Posterior(specification, posterior.idata, draws, Sampling("prior", 0, 0.0))
