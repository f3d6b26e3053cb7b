"""Which covariance of units' effects the data support: how well each predicts, how likely each is.

Letters: M structures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.arguments import check_seed, one_of, own_floats
from bambi_anova.data.frames import Tally
from bambi_anova.design.design import Design, Unit
from bambi_anova.engine.methods import run
from bambi_anova.engine.progress import Progress
from bambi_anova.engine.request import Request
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.evidence.bayes_factors import METHODS, seeds_of
from bambi_anova.evidence.marginal_likelihood import log_evidence, verdict_of
from bambi_anova.formula.algebra import COMPOUND, COVARIANCES, Term
from bambi_anova.formula.expression import quote
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.compare import compare
from bambi_anova.priors.assign import Priors
from bambi_anova.specification import Specification, specify
from bambi_anova.tables.columns import COMPARED_COVARIANCES
from bambi_anova.tables.printing import Table


@own_floats
def compare_covariances(
    model: Specification,
    unit: str | None = None,
    kinds: Sequence[str] = COVARIANCES,
    inference_method: str = "laplace",
    draws: int = 1000,
    chains: int = 4,
    random_seed: int | None = None,
    progressbar: bool = True,
) -> pd.DataFrame:
    """Fit a model under several covariances of its units' effects, and weigh these.

    Parameters
    ----------
    model : Model
        With factors that vary within units; whatever covariance it has.
    unit : str, optional
        Whose effects; the units with factors within them, if there are but one kind of these.
    kinds : sequence of str
        "compound" (an sd of the units and one of each unit-by-factor term), "diagonal" (an sd of
        each cell, no correlations) and "unstructured" (an sd of each cell, LKJ correlations).
    inference_method : {"laplace", "pathfinder", "advi", "nuts"}
    draws, chains : int
        Of each fit.
    random_seed : int, optional
        The same numbers again with the same seed.
    progressbar : bool

    Returns
    -------
    pandas.DataFrame
        A row a covariance, the best predicting first: ``cov``; ``elpd_diff`` to the best and its
        standard error ``se_diff`` (units are left out one at a time), ``elpd``, ``se``,
        ``pareto_k`` and ``trusted_elpd``; ``log_bf`` against the first row and its Monte Carlo
        error ``mcse``, ``log_marginal_likelihood`` and ``trusted_bf``.  Bayes factors depend on
        the priors of the sds and correlations, which the kinds do not share; predictions hardly
        do.

    Raises
    ------
    ArgumentError
        If no factor varies within units, or several kinds of units have some and none is named.
    UnsupportedError
        If the models have no such fit.

    Notes
    -----
    The user's priors of what all kinds have in common are kept; those of units are the defaults.

    Examples
    --------
    >>> ba.compare_covariances(model, random_seed=1)  # doctest: +SKIP
    """
    if not isinstance(model, Specification):
        raise ArgumentError(f"model: expected a Model, got {model!r:.60}")
    one_of("inference_method", inference_method, METHODS)
    check_seed(random_seed)
    if isinstance(kinds, str) or len(kinds) < 2:
        raise ArgumentError(f"kinds: expected two or more of {COVARIANCES}, got {kinds!r}")
    for kind in kinds:
        one_of("kinds", kind, COVARIANCES)
    chosen, factors = _units(model.design, unit)
    fits: dict[str, Posterior] = {}
    kinds = tuple(dict.fromkeys(kinds))
    with Progress("Covariances", progressbar) as progress:
        for number, (kind, seed) in enumerate(
            zip(kinds, seeds_of(random_seed, len(kinds)), strict=True)
        ):
            progress(kind, number, len(kinds))
            own = with_covariance(model, chosen, factors, kind)
            fits[kind] = run(own, Request(inference_method, draws, 1000, chains, seed, False))
    evidence = {
        kind: log_evidence(fit, METHODS[inference_method], random_seed)
        for kind, fit in fits.items()
    }
    table = compare(fits, by=chosen.name).rename(
        columns={"model": "cov", "trusted": "trusted_elpd"}
    )
    best = evidence[table["cov"].iloc[0]]
    own_evidence = [evidence[kind] for kind in table["cov"]]
    found = table.assign(
        log_bf=[one.value - best.value for one in own_evidence],
        mcse=[0.0 if one is best else np.hypot(one.mcse, best.mcse) for one in own_evidence],
        log_marginal_likelihood=[one.value for one in own_evidence],
        trusted_bf=[
            verdict_of(one, METHODS[inference_method]).trusted
            and verdict_of(best, METHODS[inference_method]).trusted
            for one in own_evidence
        ],
    )
    return Table(found[COMPARED_COVARIANCES])


def _units(design: Design, name: str | None) -> tuple[Unit, Term]:
    """Return the units whose effects are asked about, and the factors within them."""
    found: dict[str, tuple[Unit, Term]] = {}
    for unit in design.units:
        if unit.own != unit.variables:
            continue
        factors = tuple(factor for factor in design.levels if factor not in unit.constant)
        if factors:
            found[unit.name] = unit, factors
    if not found:
        raise ArgumentError(
            "model: no factor varies within its units, so that each has one effect and nothing "
            "to compare; name units, such as Error(s/A)"
        )
    if name is None and len(found) > 1:
        raise ArgumentError(f"unit: expected one of {list(found)}, which all have factors within")
    if name is None:
        (name,) = found
    if name not in found:
        raise ArgumentError(f"unit={name!r}{nearest(str(name), found)}")
    return found[name]


def with_covariance(model: Specification, unit: Unit, factors: Term, kind: str) -> Specification:
    """Return a model of the same rows whose units have another covariance."""
    inside = "*".join(map(quote, factors))
    inside = f"({inside})" if len(factors) > 1 else inside
    option = "" if kind == COMPOUND else f", cov={kind!r}"
    text = model.formula.with_units(
        unit.variables,
        factors,
        f"Error({':'.join(map(quote, unit.variables))}/{inside}{option})",
    )
    rows = model.design.rows
    links = {name: own.link.name for name, own in model.predictors.items()}
    count = rows.response.count

    def again(priors: Mapping[str, Any] | None) -> Specification:
        return specify(
            text,
            rows.data if count is None else Tally(rows.data, count),
            model.family.name,
            priors,
            links if len(links) > 1 else next(iter(links.values())),
            list(rows.factors),
            options=model.options,
            left_out=rows.left_out,
        )

    own = _own_priors(model.priors)
    if not own:
        return again(None)
    taken = again(None).priors
    known = {"Intercept", *taken.covariates, *taken.sigmas, *taken.auxiliary, *taken.predictors}
    return again({name: prior for name, prior in own.items() if name in known})


def _own_priors(priors: Priors) -> dict[str, Any]:
    """Return the user's own priors, by parameter."""
    every = {**priors.auxiliary, **priors.covariates, **priors.sigmas}
    if priors.intercept is not None:
        every["Intercept"] = priors.intercept
    found = {name: given for name, own in every.items() if (given := getattr(own, "given", None))}
    nested = {name: _own_priors(own) for name, own in priors.predictors.items()}
    return found | {name: own for name, own in nested.items() if own}
