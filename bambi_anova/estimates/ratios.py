"""Ratios and odds ratios: exponentials of contrasts on the scale where they are differences.

Letters: H chains, D draws, C points of the reference grid, K contrasts, M marginal means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.arguments import one_of
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.effects import Contrasts
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.reference_grid import ReferenceGrid
from bambi_anova.posterior.response_scale import default_scale, is_transformed
from bambi_anova.specification import Specification

Array = np.ndarray

DIFFERENCE = "difference"
#: For each ratio: the link on whose scale it is a difference, that link as a function, and the
#: values that it can take.
_RATIOS: dict[str, tuple[str, Callable[[Array], Array], tuple[float, float]]] = {
    "ratio": ("log", np.log, (0.0, np.inf)),
    "odds_ratio": ("logit", special.logit, (0.0, 1.0)),
}
COMPARE = (DIFFERENCE, *_RATIOS)


@dataclass(frozen=True)
class Logs:
    """How many natural logs are in one unit of a scale, 0 for none, and of what they are."""

    unit: float
    of: str


def ratios(
    contrasts: Contrasts,
    points: ReferenceGrid,
    logs: Logs,
    compare: str,
    of_slopes: bool = False,
) -> Quantities:
    """Return contrasts as ratios.

    Parameters
    ----------
    contrasts : Contrasts
    points : ReferenceGrid
    logs : Logs
    compare : {"ratio", "odds_ratio"}
    of_slopes : bool
        Whether slopes stand at the points, instead of means.

    Raises
    ------
    ArgumentError
        If these means have no such ratio.
    """
    _, transform, (low, high) = _RATIOS[compare]
    support = points.supported(contrasts.outer @ contrasts.means)
    if logs.unit:
        draws = logs.unit * contrasts.effects.of(points.values)
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
    with np.errstate(over="ignore"):
        values = np.exp(draws)
    return Quantities(
        labels, values, support, points.population, points.scale, null=1.0, of=logs.of
    )


def logs_of(points: ReferenceGrid, model: Specification, compare: str) -> Logs:
    """Return of what differences on the scale of some points are logs.

    Raises
    ------
    ArgumentError
        If there is no such ratio, or differences there are of something else.
    """
    one_of("compare", compare, COMPARE)
    own = model.transformation
    if points.scale == "link" and own is not None and own.ratio == compare:
        more = f" + {own.shift:g}" if own.shift else ""
        return Logs(own.unit, f"median of {model.transformed.of}{more}")
    if points.scale == "link" and model.link.name != _RATIOS[compare][0] and is_transformed(model):
        remedy = f"scale={default_scale(model)!r}" if own else "compare='difference'"
        raise ArgumentError(
            f"compare={compare!r}: differences of {model.design.rows.response.name!r} are not "
            f"logs of it, and its own ratios mean nothing; pass {remedy}"
        )
    return logs_of_link(points, model.link.name, compare)


def logs_of_link(points: ReferenceGrid, link: str, compare: str) -> Logs:
    """Return of what differences are logs, where the response is what was measured.

    Raises
    ------
    ArgumentError
        If there is no such ratio, or the link is another one.
    """
    one_of("compare", compare, COMPARE)
    if points.scale == "link" and link == _RATIOS[compare][0]:
        return Logs(1.0, points.of)
    if points.scale == "link" and link != "identity":
        raise ArgumentError(
            f"compare={compare!r}: on the link scale of this model ({link}) contrasts are "
            f"not logs of it; pass scale='response'"
            + (" or compare='odds_ratio'" if link == "logit" else "")
            + (" or compare='ratio'" if link == "log" else "")
        )
    return Logs(0.0, points.of)
