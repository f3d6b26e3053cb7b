"""``quick``: a quick fit of any Bambi model that is latent Gaussian given its hyperparameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bambi_anova.arguments import one_of, own_floats
from bambi_anova.errors import ArgumentError, ConvergenceWarning, warn
from bambi_anova.quick_fits.quick_fit import QuickFit

if TYPE_CHECKING:
    from bambi_anova.engine.bambi_fit import BambiModel

AUTO = "auto"
#: What "auto" tries, one after the other, until the fit is trusted.
TRIED = ("laplace", "pathfinder")


@own_floats
def quick(
    model: BambiModel,
    method: str = AUTO,
    draws: int | None = None,
    chains: int = 4,
    random_seed: int | None = None,
    log_likelihood: bool | None = None,
    progressbar: bool = True,
) -> QuickFit:
    """Fit a Bambi model in a second or so, and say how far the fit can be believed.

    For models that are latent Gaussian: common effects with any proper priors, group-specific
    effects with normal ones, splines, Gaussian processes (``hsgp``), offsets, weights and
    predictors of several parameters, with any prior of standard deviations, and the univariate
    families.  Draws are weighted by the exact density of the model that Bambi builds, so that what
    is said to be trusted is as good as the draws of long chains.

    Parameters
    ----------
    model : bambi.Model
    method : {"auto", "laplace", "pathfinder", "advi"}
        "auto" is "laplace" and, if that is not trusted, "pathfinder"; the better one is returned.
    draws : int, optional
        Draws a chain that are returned: by default 1,000, or up to four times as many where long
        tails of common effects call for them.
    chains : int
        Independent parts, which Bambi and ArviZ take for chains.
    random_seed : int, optional
    log_likelihood : bool, optional
        Whether to add the group ``log_likelihood``, which ``az.loo`` needs: by default unless it
        would hold more than twenty million numbers.
    progressbar : bool

    Returns
    -------
    QuickFit
        A DataTree for Bambi and ArviZ, with ``verdict``, ``trust()``, ``log_evidence`` and
        ``nuts()``.

    Raises
    ------
    NotLatentGaussianError
        If a part of the model cannot be taken, naming it and the reason: a group-specific effect
        without a normal prior, a potential, a censored response.
    ArgumentError
        If an argument cannot be what it is.

    Warns
    -----
    ConvergenceWarning
        If the fit is not trusted.

    Examples
    --------
    >>> import bambi as bmb
    >>> model = bmb.Model("y ~ x + (x|g)", data)  # doctest: +SKIP
    >>> fit = ba.quick(model)  # doctest: +SKIP
    >>> fit.verdict  # doctest: +SKIP
    >>> model.predict(fit)  # doctest: +SKIP
    """
    from bambi_anova.engine.bambi_fit import PROPOSERS, fit_bambi_model, is_bambi_model
    from bambi_anova.engine.request import DRAWS, MOST, Request

    one_of("method", method, (AUTO, *PROPOSERS))
    if not is_bambi_model(model):
        raise ArgumentError(
            f"model: expected a bambi.Model, got {model!r:.60}; a Model of this package has fit()"
        )
    asked = Request(
        TRIED[0],
        DRAWS if draws is None else draws,
        1,
        chains,
        random_seed,
        progressbar,
        most=MOST if draws is None else 1,
    )
    best: QuickFit | None = None
    for name in TRIED if method == AUTO else (method,):
        fit = fit_bambi_model(model, replace(asked, method=name))
        made = QuickFit.of(fit.datasets(log_likelihood), fit.thinned())
        best = made if best is None or _rank(made) > _rank(best) else best
        if best.verdict.trusted:
            break
    assert best is not None  # for the type checker
    if not best.verdict.trusted:
        warn(ConvergenceWarning(repr(best.verdict)))
    return best


def _rank(fit: QuickFit) -> tuple[bool, int, float]:
    """Return what makes one fit better than another."""
    verdict = fit.verdict
    weighting = fit.sampling.weighting
    assert weighting is not None  # for the type checker
    return verdict.trusted, int(fit.trust()["trusted"].sum()), -weighting.pareto_k
