"""The interval that a table or a figure reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bambi_anova.arguments import one_of, probability

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
        probability(self.prob)
        one_of("ci_kind", self.kind, KINDS)

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


DEFAULT = Interval()
