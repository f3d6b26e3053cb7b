"""Ratios and odds ratios: exponentials of contrasts on the scale where they are differences.

Letters: H chains, D draws, C points of the reference grid, K contrasts, M marginal means.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from bambi_anova.arguments import one_of
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.effects import Contrasts
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.reference_grid import ReferenceGrid
from bambi_anova.families.links import Link

Array = np.ndarray

DIFFERENCE = "difference"
#: For each ratio: the link on whose scale it is a difference, that link as a function, and the
#: values that it can take.
_RATIOS: dict[str, tuple[str, Callable[[Array], Array], tuple[float, float]]] = {
    "ratio": ("log", np.log, (0.0, np.inf)),
    "odds_ratio": ("logit", special.logit, (0.0, 1.0)),
}
COMPARE = (DIFFERENCE, *_RATIOS)


def ratios(
    contrasts: Contrasts, points: ReferenceGrid, link: Link, compare: str, of_slopes: bool = False
) -> Quantities:
    """Return contrasts as ratios.

    Parameters
    ----------
    contrasts : Contrasts
    points : ReferenceGrid
    link : Link
        The model's.
    compare : {"ratio", "odds_ratio"}
    of_slopes : bool
        Whether slopes stand at the points, instead of means.

    Raises
    ------
    ArgumentError
        If there is no such ratio, or these means have none.
    """
    one_of("compare", compare, COMPARE)
    name, transform, (low, high) = _RATIOS[compare]
    support = points.supported(contrasts.outer @ contrasts.means)
    if points.scale == "link" and link.name == name:
        draws = contrasts.effects.of(points.values)
    elif points.scale == "link" and link.name != "identity":
        raise ArgumentError(
            f"compare={compare!r}: on the link scale of this model ({link.name}) contrasts are "
            f"not logs of it; pass scale='response'"
            + (" or compare='odds_ratio'" if link.name == "logit" else "")
            + (" or compare='ratio'" if link.name == "log" else "")
        )
    elif of_slopes:
        raise ArgumentError(f"compare={compare!r}: slopes on the response scale have no ratios")
    else:
        means = points.values @ contrasts.means.T
        if not ((means > low) & (means < high)).all():
            raise ArgumentError(
                f"compare={compare!r}: means must lie between {low:g} and {high:g}; found "
                f"{means.min():.4g} to {means.max():.4g}. Compare by 'difference'"
            )
        draws = transform(means) @ contrasts.outer.T
        # A ratio needs each of its means, not only their difference.
        known = points.supported(contrasts.means)
        support = ~((np.abs(contrasts.outer) > 0) & ~known).any(axis=1)
    labels = contrasts.labels.assign(compare=compare)
    return Quantities(labels, np.exp(draws), support, points.population, points.scale, null=1.0)
