"""Posterior draws as plain arrays: all that effects and tables need to know of a fit.

Letters: H chains, D draws a chain, C cells, J units of one unit term or varying slope,
K effects that vary together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Draws:
    """Draws of the linear predictor's parts.

    Attributes
    ----------
    cells : ndarray, shape (H, D, C)
        Linear predictor of each cell for a unit effect of zero, covariates at their means.
    units : mapping of str to ndarray, each of shape (H, D, J)
        Effects of each unit term.
    sigmas : mapping of str to ndarray, each of shape (H, D)
        Standard deviation of each factor term, unit term and varying slope.
    auxiliary : mapping of str to ndarray, each of shape (H, D)
        Further parameters of the likelihood; ``sigma`` is the residual's.
    slopes : mapping of str to ndarray, each of shape (H, D, C)
        Slope of each covariate in each cell, for units whose own slope is average.
    unit_slopes : mapping of str to ndarray, each of shape (H, D, J)
        What each unit adds to the slope, for every varying slope by its name.
    unit_parts : mapping of str to mapping of str to ndarray, each of shape (H, D)
        What a unit term's effects add up from, where that is more than one independent normal
        effect: by unit term, and by the name of the part, its standard deviation (or minus it).
    further : mapping of str to Draws
        Those of the predictors of further parameters, by the parameter.
    correlations : mapping of str to ndarray, each of shape (H, D, K, K)
        Of effects that vary together, by the name of their ``Joint``.
    """

    cells: Array
    units: Mapping[str, Array]
    sigmas: Mapping[str, Array]
    auxiliary: Mapping[str, Array]
    slopes: Mapping[str, Array] = field(default_factory=dict)
    unit_slopes: Mapping[str, Array] = field(default_factory=dict)
    unit_parts: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    further: Mapping[str, Draws] = field(default_factory=dict)
    correlations: Mapping[str, Array] = field(default_factory=dict)

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Chains and draws (H, D)."""
        chains, draws = self.cells.shape[:2]
        return chains, draws
