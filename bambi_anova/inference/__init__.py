"""Ways to fit a built Bambi model: one contract in, one contract out.

A method takes the built ``bambi.Model`` and a ``Request``; it returns the posterior as an ArviZ
DataTree and what is known of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.inference.nuts import fit_nuts
from bambi_anova.trust import Sampling

if TYPE_CHECKING:
    import bambi as bmb
    import xarray as xr


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    draws, tune, chains : int
    random_seed : int or None
    progressbar : bool
    options : dict
        Handed to the sampler as they are, such as ``target_accept``.

    Raises
    ------
    ArgumentError
        If the method is unknown or a count of draws, tune or chains is not positive.
    """

    method: str
    draws: int
    tune: int
    chains: int
    random_seed: int | None
    progressbar: bool
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no method can do, before anything is built."""
        if self.method not in METHODS:
            raise ArgumentError(
                f"inference_method={self.method!r} is not supported"
                f"{nearest(str(self.method), METHODS)}"
            )
        for name in ("draws", "tune", "chains"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ArgumentError(f"{name}={value!r}: expected a whole number from 1 up")


def run_inference(model: bmb.Model, request: Request) -> tuple[xr.DataTree, Sampling]:
    """Fit a built model by the method that was asked for."""
    return METHODS[request.method](model, request)


METHODS: dict[str, Callable[[Any, Any], tuple[Any, Sampling]]] = {
    "nuts": fit_nuts,
    "nutpie": fit_nuts,
    "pymc": fit_nuts,
    "numpyro": fit_nuts,
    "blackjax": fit_nuts,
}
