"""Standardised effects: the standard deviation that a contrast is divided by.

``residual``: that of the residual, as in Kruschke's scripts.  Models of yes or no have none of
their own; the sd of the latent variable behind the link takes its place: pi / sqrt(3) for the
logit (logistic), 1 for the probit (normal), pi / sqrt(6) for the cloglog (Gumbel).  Of family "t"
it is the scale sigma of the t distribution, as in Kruschke (2013, doi:10.1037/a0029146).

``total``: that of one new observation in a cell, over everything that the contrast generalises to.
For new units ("super") these are all unit terms and the residual, as in Westfall, Kenny and Judd
(2014, doi:10.1037/xge0000014); for the units of the study, and for one average unit, only the
residual is left to vary.  Covariates stand at their means.

``within``: that of a new observation about the mean of its coarsest unit, over the finer unit
terms and the residual.

All are taken draw by draw, so that a standardised effect carries the uncertainty of the sd.

Letters: H chains, D draws.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bambi_anova.arguments import one_of
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import is_transformed

Array = np.ndarray

STANDARDS = ("residual", "within", "total")


def standardized(found: Quantities, posterior: Posterior, standardize: str) -> Quantities:
    """Return contrasts divided by an sd.

    Parameters
    ----------
    found : Quantities
    posterior : Posterior
    standardize : {"residual", "within", "total"}

    Raises
    ------
    ArgumentError
        If there is no such standard, or the family has no residual sd on the link scale.
    """
    straight = posterior.link.name == "identity" and not is_transformed(posterior.specification)
    if found.scale != "link" and not straight:
        raise ArgumentError("standardize: expected scale='link', where the residual has an sd")
    sd, name = _standard(posterior, standardize, found.population)
    labels = found.labels.assign(standardized_by=name)
    return replace(found, labels=labels, draws=found.draws / sd[..., None])


def _standard(posterior: Posterior, standardize: str, population: str) -> tuple[Array, str]:
    """Return the sd to divide by, of shape (H, D), and what it is made of."""
    one_of("standardize", standardize, STANDARDS)
    residual, name = residual_sd(posterior)
    if standardize == "residual":
        if posterior.design.without_residual:
            raise ArgumentError(
                "standardize='residual': with one row a unit and cell the sds of the cells take "
                "the place of the residual; use 'within' or 'total'"
            )
        return residual, f"sd of {name}"
    design, kind = posterior.design, "total sd"
    units = list(design.units) if population == "super" else []
    if standardize == "within":
        units, kind = [unit for unit in design.units if design.coarser(unit)], "sd within units"
    variance = residual**2
    for unit in units:
        variance = variance + posterior.draws.sigmas[unit.name] ** 2
    return np.sqrt(variance), f"{kind}: {' + '.join([*(unit.name for unit in units), name])}"


def residual_sd(posterior: Posterior) -> tuple[Array, str]:
    """Return the sd of the residual on the link scale, of shape (H, D), and its name."""
    draws, family, link = posterior.draws, posterior.family, posterior.link
    if family.residual in draws.further:
        return _mean_spread(posterior), "residual (all cells)"
    if family.residual:
        return draws.auxiliary[family.residual], "residual"
    # With an overdispersion of its own a family has no one latent variable to take the sd of.
    if not (family.latent and link.latent):
        remedies = {"log": "compare='ratio'", "logit": "compare='odds_ratio'"}
        remedy = remedies.get(link.name, "scale='response'")
        raise ArgumentError(
            f"standardize: family {family.name!r} has no residual sd on its link scale; use "
            f"{remedy} instead"
        )
    sd, name = link.latent
    return np.full(draws.sample_shape, sd), f"residual ({name})"


def _mean_spread(posterior: Posterior) -> Array:
    """Return the root of the cells' mean residual variance, shape (H, D).

    Kruschke's effect sizes divide by it where groups have sds of their own (chapter 16).
    """
    own = posterior.draws.further[posterior.family.residual]
    if own.units:
        raise ArgumentError(
            f"{', '.join(own.units)}: units have residual sds of their own, so that there is none "
            "for all of them; compare means on their own scale"
        )
    return np.sqrt(np.exp(2 * own.cells).mean(axis=-1))
