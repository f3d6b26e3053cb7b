"""Bayes factors: sub-models weighed by their marginal likelihoods, and what follows from that.

With prior probabilities p(M), posterior ones are p(M | y) proportional to p(y | M) p(M).  The
*inclusion* Bayes factor of a term is the change from prior to posterior odds of the models with
it against models without.  Across *matched* models those with it are compared, that hold no
interaction with it, against the same models less the term; otherwise all models that have it
against all that lack it, so that an interaction speaks for its main effects as well
(Hinne et al. 2020, doi:10.1177/2515245919898657).

Letters: M models, T terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import fill

import numpy as np
import pandas as pd
from scipy import special

from bambi_anova.arguments import check_seed, generator, one_of, own_floats
from bambi_anova.design.advice import check_design
from bambi_anova.design.design import FixedTerm
from bambi_anova.engine.methods import run
from bambi_anova.engine.progress import Progress
from bambi_anova.engine.request import Request
from bambi_anova.errors import (
    ArgumentError,
    EvidenceWarning,
    MissingUnitTermWarning,
    PseudoreplicationWarning,
    nearest,
    warn,
)
from bambi_anova.evidence.averaged import AveragedPosterior, averaged
from bambi_anova.evidence.jzs import SCALES, check_scales, fit_jzs
from bambi_anova.evidence.marginal_likelihood import BRIDGE, WEIGHTS, log_evidence, verdict_of
from bambi_anova.evidence.submodels import (
    HIERARCHICAL,
    KINDS,
    SubModel,
    above,
    find_term,
    sub_specification,
    submodels,
)
from bambi_anova.posterior.importance import LogEvidence
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Verdict
from bambi_anova.specification import Specification
from bambi_anova.tables.printing import Table

Array = np.ndarray

JZS = "jzs"
#: Methods, and how the marginal likelihood comes from their draws.
METHODS = {"laplace": WEIGHTS, "pathfinder": WEIGHTS, "advi": WEIGHTS, "nuts": BRIDGE}
#: Posterior probability of a model that must be trusted for averages over it to be.
MATTERS = 0.01
_WIDE = (
    "The priors are those of the model. Wide ones, as Kruschke's defaults are, predict large "
    "effects and so lean to models without: see prior_scale_curve, and priors='jzs'."
)
_JZS = (
    "JZS priors: effects N(0, g sigma^2), g inverse chi-square with r = {fixed:g} for fixed terms, "
    "{random:g} for units and {continuous:.3g} for covariates; flat in the grand mean and log "
    "sigma, which all models share, so that only ratios are known."
)


@dataclass(frozen=True)
class WeighedModel:
    """A sub-model with its marginal likelihood.

    Attributes
    ----------
    model : SubModel
    evidence : LogEvidence
    verdict : Verdict
        Of the marginal likelihood.
    fit : Posterior
    """

    model: SubModel
    evidence: LogEvidence
    verdict: Verdict
    fit: Posterior


@dataclass(frozen=True, repr=False, eq=False)
class BayesFactors:
    """Sub-models of one model, weighed by the data.

    Made by ``bambi_anova.bayes_factors``.

    Attributes
    ----------
    full : Specification
    weighed : tuple of WeighedModel
    prior : ndarray, shape (M,)
        Prior probabilities of the models.
    note : str
        What is to be known of the priors.
    random_seed : int or None
    """

    full: Specification
    weighed: tuple[WeighedModel, ...]
    prior: Array
    note: str
    random_seed: int | None = field(default=None)

    @cached_property
    def probabilities(self) -> Array:
        """Posterior probabilities of the models, shape (M,)."""
        with np.errstate(divide="ignore"):
            return special.softmax(self._log_evidence + np.log(self.prior))

    @property
    def _log_evidence(self) -> Array:
        return np.array([one.evidence.value for one in self.weighed])

    @property
    def _errors(self) -> Array:
        return np.array([one.evidence.mcse for one in self.weighed])

    @property
    def _trusted(self) -> Array:
        return np.array([one.verdict.trusted for one in self.weighed])

    def models(self, against: str = "best") -> pd.DataFrame:
        """Return the models, the likeliest first.

        Parameters
        ----------
        against : str
            "best", "null" (without fixed terms), "full", or the terms of a model as the table
            writes them: what the Bayes factors compare with.

        Returns
        -------
        pandas.DataFrame
            A row a model: ``model``, ``prior_probability``, ``posterior_probability``, ``bf_model``
            (the change of its odds against all others), ``bf`` and ``log_bf`` against another
            model, ``mcse`` of ``log_bf``, ``log_marginal_likelihood`` (of JZS priors relative to
            a model of the grand mean alone), ``pareto_k`` and ``trusted``.
        """
        value, error = self._log_evidence, self._errors
        base = self._index(against)
        log_bf = value - value[base]
        mcse = np.where(np.arange(len(value)) == base, 0.0, np.hypot(error, error[base]))
        post = self.probabilities
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            odds = post / (1 - post) / (self.prior / (1 - self.prior))
            table = pd.DataFrame(
                {
                    "model": [one.model.name for one in self.weighed],
                    "prior_probability": self.prior,
                    "posterior_probability": post,
                    "bf_model": odds,
                    "bf": np.exp(log_bf),
                    "log_bf": log_bf,
                    "mcse": mcse,
                    "log_marginal_likelihood": value,
                    "pareto_k": [one.evidence.pareto_k for one in self.weighed],
                    "trusted": self._trusted & self._trusted[base],
                }
            )
        return Table(table.sort_values("log_bf", ascending=False, kind="stable", ignore_index=True))

    def terms(self, matched: bool = True) -> pd.DataFrame:
        """Return the inclusion Bayes factor of every term.

        Parameters
        ----------
        matched : bool
            Compare models with a term, but without interactions of it, with the same models less
            the term; otherwise all models with it with all without.

        Returns
        -------
        pandas.DataFrame
            A row a term: ``term``, ``prior_probability`` and ``posterior_probability`` (of the
            models with it, among those compared), ``bf`` and ``log_bf`` for the term, ``mcse`` of
            ``log_bf``, ``models`` (how many are compared) and ``trusted``.
        """
        rows = []
        for term in self.full.design.terms:
            with_it, without = self._sides(term, matched)
            if not (with_it.any() and without.any()):
                continue
            rows.append(self._inclusion(term, with_it, without))
        return Table(pd.DataFrame(rows))

    def _inclusion(self, term: FixedTerm, with_it: Array, without: Array) -> dict[str, object]:
        with np.errstate(divide="ignore"):
            log_prior = np.log(self.prior)
        log_post = self._log_evidence + log_prior
        sides = [special.logsumexp(log_post[side]) for side in (with_it, without)]
        before = [special.logsumexp(log_prior[side]) for side in (with_it, without)]
        log_bf = float(sides[0] - sides[1] - before[0] + before[1])
        shares = [special.softmax(log_post[side]) for side in (with_it, without)]
        square = sum(
            float(((share * self._errors[side]) ** 2).sum())
            for share, side in zip(shares, (with_it, without), strict=True)
        )
        trusted = all(
            self._trusted[side][share > MATTERS].all()
            for share, side in zip(shares, (with_it, without), strict=True)
        )
        with np.errstate(over="ignore"):
            return {
                "term": term.name,
                "prior_probability": float(special.expit(before[0] - before[1])),
                "posterior_probability": float(special.expit(sides[0] - sides[1])),
                "bf": float(np.exp(log_bf)),
                "log_bf": log_bf,
                "mcse": square**0.5,
                "models": int(with_it.sum() + without.sum()),
                "trusted": trusted,
            }

    def _sides(self, term: FixedTerm, matched: bool) -> tuple[Array, Array]:
        """Return which models have a term and which lack it, both of shape (M,)."""
        sets = [frozenset(one.model.names) for one in self.weighed]
        has = np.array([term.name in own for own in sets])
        if not matched:
            return has, ~has
        higher = {other.name for other in above(term, self.full.design)}
        with_it = has & np.array([not own & higher for own in sets])
        stripped = {own - {term.name} for own, one in zip(sets, with_it, strict=True) if one}
        without = np.array([own in stripped for own in sets])
        # Of models the other half of which is not among them there is nothing to compare.
        with_it &= np.array([own - {term.name} in set(sets) for own in sets])
        return with_it, without

    def average(self, term: str | None = None) -> AveragedPosterior:
        """Return the posterior averaged over models, with its tables.

        Parameters
        ----------
        term : str, optional
            Average over the models that have this term and no interaction of it, given that it
            is included: "how large, if it is there".  Over all models by default.

        Returns
        -------
        AveragedPosterior
            With ``means``, ``contrasts``, ``deflections``, ``slopes``, ``probability``, ``orders``
            and ``draws_of``; nothing is trusted if a model that matters is not.

        Examples
        --------
        >>> found.average().contrasts("variety")  # doctest: +SKIP
        """
        weights = self.probabilities
        if term is not None:
            weights = weights * self._sides(find_term(term, self.full.design), True)[0]
            if not weights.sum() > 0:
                raise ArgumentError(f"term={term!r}: no model has it without its interactions")
        weights = weights / weights.sum()
        used = weights > 0
        fits = [one.fit for one, use in zip(self.weighed, used, strict=True) if use]
        full = self.weighed[self._index("full")].fit
        settled = bool(self._trusted[weights > MATTERS].all())
        return averaged(full, fits, weights[used], settled, generator(self.random_seed))

    def _index(self, against: str) -> int:
        names = [one.model.name for one in self.weighed]
        if against == "best":
            return int(np.argmax(self._log_evidence))
        if against == "full":
            return int(np.argmax([len(one.model.terms) for one in self.weighed]))
        if against not in names:
            known = ["best", "full", *names]
            raise ArgumentError(
                f"against={against!r} is no model of these{nearest(against, known)}"
            )
        return names.index(against)

    def report(self) -> str:
        """Return a paragraph for a paper.

        Examples
        --------
        >>> found.report()  # doctest: +SKIP
        """
        best, terms = self.models().iloc[0], self.terms()
        said = [
            f"{row['term']} {_odds(row['bf'])} (log error {row['mcse']:.2f}"
            f"{'' if row['trusted'] else ', not trusted'})"
            for _, row in terms.iterrows()
        ]
        units = ", ".join(unit.name for unit in self.full.design.units)
        kept = f", all with the unit terms {units}" if units else ""
        methods = {one.fit.sampling.method for one in self.weighed}
        return fill(
            f"We compared {len(self.weighed)} models of {self.full.formula.text}{kept}, by their "
            f"marginal likelihoods ({', '.join(sorted(methods))}). The likeliest, "
            f"{best['model']}, has a posterior probability of "
            f"{best['posterior_probability']:.2f} (prior {best['prior_probability']:.2f}). "
            f"Inclusion Bayes factors across matched models: {'; '.join(said)}. {self.note}",
            90,
        )

    def __repr__(self) -> str:
        models = self.models()[[*"model posterior_probability bf log_bf mcse trusted".split()]]
        terms = self.terms()[[*"term posterior_probability bf log_bf mcse trusted".split()]]
        head = f"Sub-models of {self.full.formula.text}\nbf: against the best of them"
        between = "Terms\nbf: inclusion, models with a term against the same ones without it"
        texts = [
            pd.DataFrame(t).to_string(index=False, float_format="%.4g") for t in (models, terms)
        ]
        return "\n\n".join([head, texts[0], between, texts[1], fill(self.note, 90)])


@own_floats
def bayes_factors(
    model: Specification,
    models: str = HIERARCHICAL,
    priors: str | None = None,
    *,
    keep: Sequence[str] = (),
    prior_probabilities: Mapping[str, float] | None = None,
    scales: Mapping[str, float] | None = None,
    inference_method: str = "laplace",
    draws: int = 1000,
    chains: int = 4,
    random_seed: int | None = None,
    progressbar: bool = True,
) -> BayesFactors:
    """Weigh the sub-models of a model by their marginal likelihoods.

    All models keep every unit term and varying slope, and share the priors of what they have in
    common; see ``bambi_anova.evidence.submodels``.

    Parameters
    ----------
    model : Model
        The full model.
    models : {"hierarchical", "top", "all"}
        All sub-models in which no term is without its parts; the full model, and it less one
        term at a time; or all subsets of its terms.
    priors : {"jzs"}, optional
        Those of the model by default.  "jzs": the priors of Rouder, Morey, Speckman and Province
        (2012, doi:10.1016/j.jmp.2012.08.001) as in R's BayesFactor and JASP, for gaussian
        responses.
    keep : sequence of str
        Fixed terms that every model has.
    prior_probabilities : mapping of str to float, optional
        By the models' names, such as ``"A + B"``; they are made to sum to one.  Equal by default.
    scales : mapping of str to float, optional
        Of JZS priors: ``"fixed"`` (1/2), ``"random"`` (1), ``"continuous"`` (sqrt(2)/4), or a
        term's or unit term's own.
    inference_method : {"laplace", "pathfinder", "advi", "nuts"}
        Quick fits give the marginal likelihood by their weights, NUTS by bridge sampling.
    draws, chains : int
        Of each model, for averages over models.
    random_seed : int, optional
        The same numbers again with the same seed.
    progressbar : bool

    Returns
    -------
    BayesFactors

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take.
    UnsupportedError
        If the models have no quick fit, or JZS priors do not fit the model.

    Warns
    -----
    MissingUnitTermWarning, PseudoreplicationWarning
        If the full model lacks a unit term that its design demands: whatever the Bayes factors
        say then, they count rows for units.
    EvidenceWarning
        If a marginal likelihood is not to be trusted.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * C(nitrogen) + Error(block/variety)", oats)
    >>> found = ba.bayes_factors(model, priors="jzs", random_seed=1, progressbar=False)
    >>> found.models()["model"].iloc[0]
    'nitrogen'
    """
    if not isinstance(model, Specification):
        raise ArgumentError(f"model: expected a Model, got {model!r:.60}")
    one_of("models", models, KINDS)
    one_of("inference_method", inference_method, METHODS)
    check_seed(random_seed)
    if priors is not None:
        one_of("priors", priors, (JZS,))
    elif scales is not None:
        raise ArgumentError(f"scales: they are those of priors={JZS!r}, which was not asked for")
    check_scales(model, scales)
    chosen = submodels(model.design, models, keep)
    prior = _prior(chosen, prior_probabilities)
    for warning in check_design(model.design, model.family):
        if isinstance(warning, (MissingUnitTermWarning, PseudoreplicationWarning)):
            warn(warning)
    seeds = seeds_of(random_seed, len(chosen))
    weighed = []
    with Progress("Bayes factors", progressbar) as progress:
        for number, (one, seed) in enumerate(zip(chosen, seeds, strict=True)):
            progress(f"model {number + 1} of {len(chosen)}", number, len(chosen))
            own = sub_specification(model, one)
            request = Request(inference_method, draws, 1000, chains, seed, False)
            weighed.append(weigh(one, own, request, priors, scales))
    note = _WIDE if priors is None else _JZS.format(**{**SCALES, **dict(scales or {})})
    found = BayesFactors(model, tuple(weighed), prior, note, random_seed)
    warn_of_noise(found.weighed)
    return found


def weigh(
    model: SubModel,
    specification: Specification,
    request: Request,
    priors: str | None,
    scales: Mapping[str, float] | None,
) -> WeighedModel:
    """Fit one model and weigh it."""
    if priors == JZS:
        fit, method = fit_jzs(specification, request, scales), WEIGHTS
    else:
        fit, method = run(specification, request), METHODS[request.method]
    found = log_evidence(fit, method, request.random_seed)
    return WeighedModel(model, found, verdict_of(found, method), fit)


def _odds(bf: float) -> str:
    """Write a Bayes factor so that it is never below one."""
    return f"{bf:.3g} to 1 for it" if bf >= 1 else f"{1 / bf:.3g} to 1 against it"


def warn_of_noise(weighed: Sequence[WeighedModel]) -> None:
    """Warn if some marginal likelihoods are not to be trusted."""
    doubtful = [one for one in weighed if not one.verdict.trusted]
    if doubtful:
        worst = max(doubtful, key=lambda one: one.evidence.mcse)
        warn(
            EvidenceWarning(
                f"{len(doubtful)} of {len(weighed)} marginal likelihoods are not trusted, "
                f"such as that of {worst.model.name!r} ({'; '.join(worst.verdict.reasons)}); use "
                "inference_method='nuts', which bridges them"
            )
        )


def _prior(models: Sequence[SubModel], given: Mapping[str, float] | None) -> Array:
    names = [one.name for one in models]
    if given is None:
        return np.full(len(names), 1 / len(names))
    for name in given:
        if name not in names:
            raise ArgumentError(
                f"prior_probabilities: {name!r} is no model of these{nearest(str(name), names)}"
            )
    prior = np.array([float(given.get(name, 0.0)) for name in names])
    if not (np.isfinite(prior).all() and (prior >= 0).all() and prior.sum() > 0):
        raise ArgumentError(
            f"prior_probabilities={given!r}: expected numbers that are not negative, nor all zero"
        )
    return prior / prior.sum()


def seeds_of(random_seed: int | None, count: int) -> list[int | None]:
    """Return a seed for each model, which do not depend on each other."""
    if random_seed is None:
        return [None] * count
    spawned = np.random.SeedSequence(random_seed).spawn(count)
    return [int(one.generate_state(1)[0]) for one in spawned]
