"""Whether units' effects and slopes go together, though ``(x||s)`` takes them for independent.

The prior has no correlation, but does not forbid one: the correlation of the units' effects with
their slopes, draw by draw, is what the data say of it, drawn towards zero.  It is called clear
where its mean is more than three standard errors from zero: those of the posterior, and those of a
correlation of so many units that are independent.  Covariates stand at their means, so it is the
correlation there.

Letters: H chains, D draws, J units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bambi_anova.design.design import nested
from bambi_anova.errors import CorrelatedSlopesWarning
from bambi_anova.estimates.anova import within_batch
from bambi_anova.posterior.posterior import Posterior

Array = np.ndarray

#: Standard errors from zero beyond which a correlation is clear, and units that it takes.
CLEAR = 3.0
FEWEST_UNITS = 8


@dataclass(frozen=True)
class UnitCorrelation:
    """The correlation of units' slopes with other effects of theirs."""

    unit: str
    slope: str
    other: str
    mean: float
    error: float

    @property
    def clear(self) -> bool:
        """Whether it is clearly not zero."""
        return abs(self.mean) > CLEAR * self.error


def independent_correlations(posterior: Posterior) -> list[UnitCorrelation]:
    """Return the correlation of each slope that varies with the effects of its units.

    Examples
    --------
    >>> independent_correlations(result)  # doctest: +SKIP
    """
    design, draws = posterior.design, posterior.draws
    found = []
    together = {name for joint in design.joints for name in joint.members}
    slopes = [own for own in design.slopes if own.cell is None and own.name not in together]
    for place, slope in enumerate(slopes):
        size = slope.unit.size
        if size < FEWEST_UNITS:
            continue
        same = [
            unit
            for unit in design.units
            if unit.size == size and nested(unit, slope.unit) and not unit.by_cell
        ]
        unit = same[0] if same else slope.unit  # it is no coarser unit of its own
        own, _ = within_batch(draws.unit_slopes[slope.name], unit, design)
        others = [(one.name, draws.units[one.name]) for one in same]
        others += [
            (other.name, draws.unit_slopes[other.name])
            for other in slopes[:place]
            if other.unit.name == slope.unit.name
        ]
        for name, effects in others:
            values = _correlation(own, within_batch(effects, unit, design)[0])
            error = np.sqrt(np.var(values) + 1 / (size - 1))
            mean = float(np.mean(values))
            found.append(UnitCorrelation(slope.unit.name, slope.of, name, mean, float(error)))
    return found


def _correlation(one: Array, other: Array) -> Array:
    """Return the correlation over the last axis, zero where one is constant; shape (H, D)."""
    both = (one * other).sum(axis=-1)
    size = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.divide(both, size, out=np.zeros_like(both), where=size > 0)


def correlated_slopes(posterior: Posterior) -> Iterator[CorrelatedSlopesWarning]:
    """Yield a warning for every correlation that is clear."""
    for one in independent_correlations(posterior):
        if one.clear:
            yield CorrelatedSlopesWarning(
                f"({one.slope}||{one.unit}) takes the slopes of {one.slope!r} and the effects of "
                f"{one.other!r} for independent, yet they go together in these data (correlation "
                f"{one.mean:.2f}, error {one.error:.2f}, at the mean of {one.slope!r}). Means at "
                "other values of it and on the response scale are off by that; write "
                f"({one.slope}|{one.unit}), which estimates the correlation"
            )
