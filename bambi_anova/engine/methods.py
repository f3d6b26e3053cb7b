"""Ways to fit a model: a specification and a request in, a posterior out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bambi_anova.engine.approximate.advi import fit_advi
from bambi_anova.engine.approximate.laplace import fit_laplace
from bambi_anova.engine.approximate.pathfinder import fit_pathfinder
from bambi_anova.engine.nuts.sampling import fit_bambi, fit_nuts
from bambi_anova.engine.request import Request
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.plugins import METHODS, load_plugin, plugin_names
from bambi_anova.posterior.extract import add_cells
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.specification import Specification

methods: dict[str, Callable[[Specification, Request], Posterior]] = {
    "laplace": fit_laplace,
    "pathfinder": fit_pathfinder,
    "advi": fit_advi,
    "nuts": fit_nuts,
    "nutpie": fit_bambi,
    "pymc": fit_bambi,
    "numpyro": fit_bambi,
    "blackjax": fit_bambi,
}


def run(specification: Specification, request: Request) -> Posterior:
    """Fit a model by the method that was asked for.

    Raises
    ------
    ArgumentError
        If the method is unknown.
    """
    check_method(request.method)
    method = methods.get(request.method) or load_plugin(METHODS, request.method)
    found = method(specification, request)
    if not isinstance(found, Posterior):
        raise ArgumentError(
            f"inference_method={request.method!r}: another package adds it ({METHODS}); expected "
            f"it to return a Posterior, got {type(found).__name__}"
        )
    add_cells(found)
    sampling = replace(found.sampling, random_seed=request.random_seed, draws=request.draws)
    return replace(found, sampling=sampling)


def check_method(name: str, further: tuple[str, ...] = ()) -> None:
    """Refuse a method that does not exist, here or in another package."""
    if name in methods or name in further:
        return
    known = [*methods, *further, *plugin_names(METHODS)]
    if name not in known:
        raise ArgumentError(
            f"inference_method={name!r} is not supported{nearest(str(name), known)}"
        )
