"""What a user asks of an inference method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bambi_anova.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr


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
