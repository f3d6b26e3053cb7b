"""What a user asks of an inference method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bambi_anova.arguments import check_seed, whole_number
from bambi_anova.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr


#: Draws a chain by default, and how many times as many quick fits may make of their own accord.
DRAWS = 1000
MOST = 4


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
    most : int
        How many times ``draws`` a quick fit may make where Monte Carlo errors call for them.

    Raises
    ------
    ArgumentError
        If a count of draws, tune or chains is not positive, or the seed cannot be one.
    """

    method: str
    draws: int
    tune: int
    chains: int
    random_seed: int | None
    progressbar: bool
    options: dict[str, Any] = field(default_factory=dict)
    start: xr.Dataset | None = None
    most: int = 1

    def __post_init__(self) -> None:
        """Refuse what no method can do, before anything is built."""
        for name in ("draws", "tune", "chains"):
            whole_number(name, getattr(self, name))
        check_seed(self.random_seed)

    def refuse_options(self, known: tuple[str, ...] = ()) -> None:
        """Raise for options that a method of our own does not have."""
        unknown = set(self.options) - set(known)
        if unknown:
            raise ArgumentError(
                f"{sorted(unknown)[0]}: not an option of inference_method={self.method!r}; "
                f"known: {', '.join(known) or 'none'}"
            )
