"""The interval that a table or a figure reports."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from bambi_anova.errors import ArgumentError

KINDS = ("hdi", "eti")


@dataclass(frozen=True)
class Interval:
    """A posterior interval of a probability: highest-density or equal-tailed.

    Attributes
    ----------
    prob : float
        Between 0 and 1.
    kind : {"hdi", "eti"}

    Raises
    ------
    ArgumentError
        If ArviZ has no such interval.

    Examples
    --------
    >>> Interval(0.95, "hdi").bounds
    ('hdi95_lb', 'hdi95_ub')
    >>> str(Interval(0.9, "eti"))
    '90% ETI'
    """

    prob: float = 0.95
    kind: str = "hdi"

    def __post_init__(self) -> None:
        """Refuse what ArviZ cannot make."""
        if not (isinstance(self.prob, (Real, np.number)) and 0 < self.prob < 1):
            raise ArgumentError(f"ci_prob={self.prob!r}: expected a probability between 0 and 1")
        if self.kind not in KINDS:
            raise ArgumentError(f"ci_kind={self.kind!r}: expected one of {KINDS}")

    def __str__(self) -> str:
        return f"{100 * self.prob:g}% {self.kind.upper()}"

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of a public function that ask for this interval."""
        return {"ci_prob": self.prob, "ci_kind": self.kind}

    @property
    def bounds(self) -> tuple[str, str]:
        """The columns of its lower and upper bound, as ArviZ names them."""
        name = f"{self.kind}{100 * self.prob:g}"
        return f"{name}_lb", f"{name}_ub"
