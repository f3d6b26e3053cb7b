"""What stands on the response scale at a linear predictor: a mean or a median of what was measured.

- ``response``: the mean of the response, averaged over units as the population says.
- ``median``: what stands at the median of new units, or of rows where these are symmetric about
  their predictor: the inverse of link or transformation, taken after all averaging over units.

A transformed response, such as ``log(rt)``, is taken back to what was measured on both scales
(``families.transformations``); what cannot be taken back has a link scale only.

Letters: any shape that broadcasts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bambi_anova.arguments import one_of
from bambi_anova.errors import ArgumentError
from bambi_anova.families.response import POSITIVE, REAL
from bambi_anova.families.transformations import TRANSFORMATIONS
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.specification import Specification

Array = np.ndarray

LINK, RESPONSE, MEDIAN = SCALES = ("link", "response", "median")


def check_scale(model: Specification, scale: str) -> None:
    """Refuse scales that do not exist, or not for a model's response.

    Raises
    ------
    ArgumentError
    """
    one_of("scale", scale, SCALES)
    obstacle = "" if scale == LINK else _obstacle(model, scale)
    if obstacle:
        raise ArgumentError(f"scale={scale!r}: {obstacle}")


def default_scale(model: Specification) -> str:
    """Return the response scale, as far as there is one: else medians, else the link scale."""
    return next(scale for scale in (RESPONSE, MEDIAN, LINK) if not _obstacle(model, scale))


def is_transformed(model: Specification) -> bool:
    """Whether the response is a bent function of what was measured on a continuous scale."""
    return model.family.response in (REAL, POSITIVE) and not model.transformed.straight


def _obstacle(model: Specification, scale: str) -> str:
    """Say why a response has no values on a scale; nothing if it has."""
    if scale == LINK or not is_transformed(model):
        return ""
    done, text = model.transformed, model.design.rows.response.name
    if model.transformation is None:
        known = ", ".join(f"{name}()" for name in TRANSFORMATIONS)
        families = "" if model.family.symmetric else " of families 'gaussian' and 't'"
        return (
            f"{text!r} is a transformation that is not taken back to what was measured; expected "
            f"one of {known}{families}. Pass scale='link' for means of {text!r} itself, or model "
            "what was measured by a family of its own, such as family='lognormal' or 'gamma'"
        )
    if scale == RESPONSE and not model.family.normal:
        return (
            f"where {text!r} has the tails of family {model.family.name!r}, {done.of!r} need not "
            "have a mean; pass scale='median', or fit family='gaussian'"
            + (f" or {done.of!r} itself by family='lognormal'" if done.function == "log" else "")
        )
    return ""


def stands_for(model: Specification, scale: str) -> str:
    """Say what stands on a scale where that is not what its name says; else nothing.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> model = ba.Model("log(yield) ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> [stands_for(model, scale) for scale in SCALES]
    ['mean of log(yield)', 'mean of yield', 'median of yield']
    """
    if model.parent.further or model.family.response.nominal:
        word = (model.family.parent if scale == LINK else model.family.scale).word
        name = f"{word} of {model.design.rows.response.name}"
        return f"{model.link.name} of the {name}" if scale == LINK else name
    if is_transformed(model):
        of = model.design.rows.response.name if scale == LINK else model.transformed.of
        return f"{'median' if scale == MEDIAN else 'mean'} of {of}"
    if scale != MEDIAN:
        return ""
    if gives_medians(model):
        return f"median of {model.design.rows.response.name}"
    return f"{model.family.scale.word} of the median unit"


def gives_medians(model: Specification) -> bool:
    """Whether the median scale has medians of rows, not of units' means alone."""
    family = model.family
    return family.symmetric or family.parent.word == MEDIAN or family.scale.median is not None


def at_predictor(posterior: Posterior, eta: Array, auxiliary: Mapping[str, Array]) -> Array:
    """Return the mean response at some linear predictors, auxiliary parameters beside them."""
    family, own = posterior.family, posterior.specification.transformation
    if own is None:
        return family.of_mean.response_mean((posterior.link,), (eta,), auxiliary)
    return own.normal_mean(eta, auxiliary[family.residual])


def over_units(
    posterior: Posterior, eta: Array, sd: Array, auxiliary: Mapping[str, Array]
) -> Array:
    """Return the mean response, averaged over normal effects of an sd."""
    family, own = posterior.family, posterior.specification.transformation
    if own is None:
        return family.average_mean(posterior.link, eta, sd, auxiliary)
    return own.normal_mean(eta, np.hypot(sd, auxiliary[family.residual]))


def median_at(posterior: Posterior, eta: Array, auxiliary: Mapping[str, Array]) -> Array:
    """Return what the median scale has at some linear predictors."""
    family, own = posterior.family, posterior.specification.transformation
    if own is not None:
        return own.inverse(eta)
    if family.scale.median is not None:
        return family.scale.median(family.of_mean.at((posterior.link,), (eta,), auxiliary))
    if gives_medians(posterior.specification):
        return posterior.link.inverse(eta)
    return family.of_mean.response_mean((posterior.link,), (eta,), auxiliary)
