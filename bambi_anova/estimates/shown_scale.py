"""The scale on which a posterior is shown where nobody has chosen one.

It is the response scale.  Means over new units need not have an expectation there: under a log link
they hold exp(sigma^2 / 2), and the tail of sigma is long where units are few.  Where the draws of
some cell's mean have the tail of a quantity without an expectation (Pareto k > 0.7; Vehtari et al.
2024, arXiv:1507.02646), and where a transformed response has no means at all, medians are shown;
of a response that cannot be taken back to what was measured the link scale is.
"""

from __future__ import annotations

import numpy as np

from bambi_anova.posterior.importance import tail_shapes
from bambi_anova.posterior.populations import cell_means, check_population
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import MEDIAN, RESPONSE, check_scale, default_scale
from bambi_anova.posterior.trust import MAX_PARETO_K, MIN_ESS

Array = np.ndarray


def shown_scale(posterior: Posterior, population: str, scale: str | None = None) -> str:
    """Return a scale that was asked for or, of ``None``, the one to show.

    Raises
    ------
    ArgumentError
        If there is no such population or scale.
    """
    check_population(population)
    if scale is not None:
        check_scale(posterior.specification, scale)
        return scale
    found = default_scale(posterior.specification)
    if found == RESPONSE and without_mean(cell_means(posterior, population, found)).any():
        return MEDIAN
    return found


def without_mean(draws: Array) -> Array:
    """Tell which of K quantities have a tail without an expectation; few draws have no tail.

    Parameters
    ----------
    draws : ndarray, shape (H, D, K)

    Examples
    --------
    >>> normal = np.random.default_rng(1).normal(size=(4, 500, 1))
    >>> without_mean(np.concatenate([normal, np.exp(5 * normal)], axis=-1)).tolist()
    [False, True]
    """
    flat = draws.reshape(draws.shape[0] * draws.shape[1], draws.shape[2])
    good = np.isfinite(flat).all(axis=0)
    found = ~good
    if len(flat) >= MIN_ESS:
        found[good] = tail_shapes(flat[:, good], "both") > MAX_PARETO_K
    return found
