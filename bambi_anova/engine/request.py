"""What every inference method takes and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bambi_anova.data.sufficient import Collapsed
from bambi_anova.design.design import Design
from bambi_anova.engine.latent.build import make_latent_model
from bambi_anova.engine.latent.model import LatentModel
from bambi_anova.errors import ArgumentError
from bambi_anova.families.base import Family, Link
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.trust import Sampling
from bambi_anova.priors.defaults import Priors

if TYPE_CHECKING:
    import bambi as bmb
    import xarray as xr


@dataclass(frozen=True)
class Problem:
    """A posterior to sample: the same one as a Bambi model and as a latent Gaussian model.

    Attributes
    ----------
    design : Design
    collapsed : Collapsed
    priors : Priors
    family : Family
    link : Link
    literal : bool
        Whether every level has a free effect; see ``Model``.
    build : callable
        Returns the built Bambi model; called only by the methods that need it.
    """

    design: Design
    collapsed: Collapsed
    priors: Priors
    family: Family
    link: Link
    literal: bool
    build: Callable[[], bmb.Model]

    def latent_model(self) -> LatentModel:
        """Return the posterior as arrays.

        Raises
        ------
        UnsupportedError
            If the family or a prior has no place in a latent Gaussian model.
        """
        return make_latent_model(
            self.design, self.collapsed, self.priors, self.family, self.link, self.literal
        )


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes
    ----------
    method : str
    draws, tune, chains : int
    random_seed : int or None
    progressbar : bool
    options : dict
        Handed to the method as they are, such as ``target_accept``.
    start : xarray.Dataset or None
        Posterior of an earlier fit to start from, under Bambi's names.

    Raises
    ------
    ArgumentError
        If a count of draws, tune or chains is not positive.
    """

    method: str
    draws: int
    tune: int
    chains: int
    random_seed: int | None
    progressbar: bool
    options: dict[str, Any] = field(default_factory=dict)
    start: xr.Dataset | None = None

    def __post_init__(self) -> None:
        """Refuse what no method can do, before anything is built."""
        for name in ("draws", "tune", "chains"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ArgumentError(f"{name}={value!r}: expected a whole number from 1 up")

    def refuse_options(self, known: tuple[str, ...] = ()) -> None:
        """Raise for options that a method of our own does not have."""
        unknown = set(self.options) - set(known)
        if unknown:
            raise ArgumentError(
                f"{sorted(unknown)[0]}: not an option of inference_method={self.method!r}; "
                f"known: {', '.join(known) or 'none'}"
            )


@dataclass(frozen=True)
class Fit:
    """What a method found.

    Attributes
    ----------
    idata : xarray.DataTree
        Draws under Bambi's names.
    draws : Draws
        The same as plain arrays.
    sampling : Sampling
    """

    idata: xr.DataTree
    draws: Draws
    sampling: Sampling
