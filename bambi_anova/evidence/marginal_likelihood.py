"""The marginal likelihood of a fit: what it is, by which method, and whether to believe it."""

from __future__ import annotations

import pandas as pd

from bambi_anova.arguments import generator, one_of
from bambi_anova.errors import ArgumentError
from bambi_anova.evidence.bridge import bridge
from bambi_anova.posterior.importance import LogEvidence
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import MAX_PARETO_K, Verdict
from bambi_anova.tables.printing import Table

WEIGHTS, BRIDGE = METHODS = ("weights", "bridge")
#: Monte Carlo error up to which a log marginal likelihood is trusted: a tenth of a Bayes factor.
MAX_LOG_ERROR = 0.1


def marginal_likelihood(
    posterior: Posterior, method: str | None = None, random_seed: int | None = None
) -> pd.DataFrame:
    """Return the log marginal likelihood of the data as they were given.

    Whatever rows were merged, all constants are those of the single rows, so that models of the
    same response can be compared.  Their priors are a part of the models: see
    ``bambi_anova.bayes_factors``, which lets models share what they have in common.

    Parameters
    ----------
    posterior : Posterior
    method : {"weights", "bridge"}, optional
        The mean of a quick fit's importance weights, or bridge sampling from the draws; by
        default the weights, where there are any.
    random_seed : int, optional
        Of bridge sampling.

    Returns
    -------
    pandas.DataFrame
        One row: ``model`` (the formula), ``method``, ``log_marginal_likelihood``, its Monte Carlo
        error ``mcse``, ``pareto_k`` of the importance weights and ``trusted``.

    Raises
    ------
    ArgumentError
        If the fit has no weights and ``method="weights"``, or there is no such method.
    UnsupportedError
        If the model is not latent Gaussian, so that its density is Bambi's alone.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ nitrogen + Error(block/variety)", oats, categorical="nitrogen")
    >>> fit = model.fit("laplace", random_seed=1, progressbar=False)
    >>> round(float(fit.marginal_likelihood()["log_marginal_likelihood"].iloc[0]))
    -320
    """
    if method is not None:
        one_of("method", method, METHODS)
    method = method or (BRIDGE if posterior.log_evidence is None else WEIGHTS)
    found = log_evidence(posterior, method, random_seed)
    row = {
        "model": posterior.specification.formula.text,
        "method": method,
        "log_marginal_likelihood": found.value,
        "mcse": found.mcse,
        "pareto_k": found.pareto_k,
        "trusted": verdict_of(found, method).trusted,
    }
    return Table(pd.DataFrame([row]))


def log_evidence(posterior: Posterior, method: str, random_seed: int | None = None) -> LogEvidence:
    """Return the log marginal likelihood by one of the methods."""
    if method == BRIDGE:
        draws = posterior.idata["posterior"].to_dataset()
        return bridge(posterior.specification, draws, generator(random_seed))
    if posterior.log_evidence is None:
        raise ArgumentError(
            f"method={WEIGHTS!r}: draws of {posterior.sampling.method!r} have no importance "
            f"weights; use method={BRIDGE!r}"
        )
    return posterior.log_evidence


def verdict_of(found: LogEvidence, method: str = WEIGHTS) -> Verdict:
    """Say whether a log marginal likelihood may be trusted.

    Tails of the weights do not matter to bridge sampling, whose means are of bounded functions.

    Examples
    --------
    >>> verdict_of(LogEvidence(-10.0, 0.3, 0.2))
    not trusted: Monte Carlo error 0.3 of the log marginal likelihood (above 0.1)
    """
    reasons = []
    if not found.mcse <= MAX_LOG_ERROR:
        reasons.append(
            f"Monte Carlo error {found.mcse:.2g} of the log marginal likelihood (above "
            f"{MAX_LOG_ERROR})"
        )
    if method == WEIGHTS and not found.pareto_k <= MAX_PARETO_K:
        reasons.append(f"Pareto k {found.pareto_k:.2g} (above {MAX_PARETO_K})")
    return Verdict(tuple(reasons))
