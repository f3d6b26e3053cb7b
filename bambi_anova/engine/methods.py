"""Ways to fit a model: one contract in, one contract out (``contract``).

``nuts`` goes through Bambi and PyMC; ``laplace``, ``pathfinder`` and ``advi`` propose
hyperparameters on the arrays of ``latent``, and ``quick`` makes weighted draws of them all.
"""

from __future__ import annotations

from collections.abc import Callable

from bambi_anova.engine.approximate.advi import fit_advi
from bambi_anova.engine.approximate.laplace import fit_laplace
from bambi_anova.engine.approximate.pathfinder import fit_pathfinder
from bambi_anova.engine.nuts.sampling import fit_bambi, fit_nuts
from bambi_anova.engine.request import Fit, Problem, Request
from bambi_anova.errors import ArgumentError, nearest

#: "auto" is "laplace" and, where that is not to be trusted, "nuts" started from it.
AUTO = "auto"


def run_inference(problem: Problem, request: Request) -> Fit:
    """Fit a model by the method that was asked for.

    Raises
    ------
    ArgumentError
        If the method is unknown.
    """
    check_method(request.method)
    return METHODS[request.method](problem, request)


def check_method(name: str) -> None:
    """Refuse a method that does not exist."""
    if name not in METHODS and name != AUTO:
        raise ArgumentError(
            f"inference_method={name!r} is not supported{nearest(str(name), [*METHODS, AUTO])}"
        )


METHODS: dict[str, Callable[[Problem, Request], Fit]] = {
    "laplace": fit_laplace,
    "pathfinder": fit_pathfinder,
    "advi": fit_advi,
    "nuts": fit_nuts,
    "nutpie": fit_bambi,
    "pymc": fit_bambi,
    "numpyro": fit_bambi,
    "blackjax": fit_bambi,
}
