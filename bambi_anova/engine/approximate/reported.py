"""What tables report of draws: the quantities by which a fit knows whether it has drawn enough.

Letters: H chains, D draws a chain, C cells, L levels of all factors, K quantities.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bambi_anova.posterior.populations import cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import LINK, RESPONSE, default_scale

Array = np.ndarray

#: Cells beyond which looking at each of them would take longer than drawing.
MOST_CELLS = 64


def reported(posterior: Posterior) -> Array:
    """Return draws of what tables are made of, shape (H, D, K).

    Standard deviations and further parameters of the likelihood, cell means by population and
    scale, and what each level of a factor adds to them.
    """
    draws = posterior.draws
    scalars = [*draws.sigmas.values(), *draws.auxiliary.values()]
    parts = [values[..., None] for values in scalars]
    for cells in _cells(posterior):
        parts += [cells, *_of_levels(cells, posterior.design.shape)]
    for own in draws.further.values():
        parts.append(own.cells)
    return np.concatenate(parts, axis=-1)


def _cells(posterior: Posterior) -> Iterator[Array]:
    """Return cell means by population and scale, each (H, D, C), as far as they differ."""
    if posterior.draws.cells.shape[-1] > MOST_CELLS:
        return
    scales = [LINK]
    if posterior.link.name != "identity" and default_scale(posterior.specification) == RESPONSE:
        scales.append(RESPONSE)
    for population in ("super", "finite") if posterior.design.units else ("super",):
        for scale in scales:
            yield cell_means(posterior, population, scale)


def _of_levels(cells: Array, shape: tuple[int, ...]) -> list[Array]:
    """Return the deflections of each factor's levels; (H, D, L) in all."""
    grid = cells.reshape(*cells.shape[:2], *shape)
    mean = cells.mean(axis=-1, keepdims=True)
    axes = range(2, grid.ndim)
    return [
        grid.mean(axis=tuple(other for other in axes if other != own)) - mean
        for own in axes
        if len(shape) > 1  # of one factor levels are cells, and their deflections as well known
    ]
