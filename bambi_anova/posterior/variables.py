"""Single variables among draws under Bambi's names.

Letters: H chains, D draws a chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bambi_anova.families.base import THRESHOLD, Family
from bambi_anova.names import (
    INTERCEPT,
    correlation_name,
    effects_name,
    scaled_terms,
    sigma_name,
)
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray


def read_variable(posterior: xr.Dataset, name: str) -> Array:
    """Return the draws of a variable, shape (H, D, ...); of an intercept that is none, zeros."""
    if name == INTERCEPT and INTERCEPT not in posterior:
        return np.zeros((posterior.sizes["chain"], posterior.sizes["draw"]))
    values = posterior[name].transpose("chain", "draw", ...).to_numpy()
    # Levels of several columns are one axis in Bambi 0.21, and several in its rewritten core.
    return values.reshape(*values.shape[:2], -1) if values.ndim > 3 else values


def read_correlation(posterior: xr.Dataset, joint: str) -> Array:
    """Return the draws of a correlation matrix, shape (H, D, K, K)."""
    return posterior[correlation_name(joint)].transpose("chain", "draw", ...).to_numpy()


def of_predictor(posterior: xr.Dataset, part: Specification) -> xr.Dataset:
    """Return the draws of one predictor's variables, without its name before theirs."""
    prefix = part.parent.prefix
    if not prefix:
        return posterior
    terms = scaled_terms(part.design).values()
    names = [INTERCEPT, *part.priors.covariates]
    names += [name for term in terms for name in (effects_name(term), sigma_name(term))]
    return posterior[[prefix + name for name in names]].rename(
        {prefix + name: name for name in names}
    )


def read_parameter(posterior: xr.Dataset, family: Family, name: str) -> Array:
    """Return the draws of a further parameter of the likelihood, shape (H, D)."""
    if name in family.thresholds:
        return read_variable(posterior, THRESHOLD)[..., family.thresholds.index(name)]
    return read_variable(posterior, name)
