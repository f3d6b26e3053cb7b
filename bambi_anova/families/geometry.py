"""Where the effects lie and how strongly the data speak about them, roughly.

The numbers choose between centred and non-centred sampling.  They never change the posterior,
only how fast it is explored, so a plug-in under the null model is enough.

Letters: N rows, J units or groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bambi_anova.families.values import ResponseValues

Array = np.ndarray

#: Times that cell and unit means are taken out in turn.
SWEEPS = 5


@dataclass(frozen=True)
class Geometry:
    """What the response says of the linear predictor.

    Attributes
    ----------
    information : callable
        (response, groups) -> Fisher information of all rows about a shift of the predictor; each
        of the groups numbers the rows' cells or units, shape (N,).
    group_information : callable
        (response, codes, groups) -> that of the rows of each of J groups, shape (J,).
    link_means : callable
        (response, offset, codes) -> mean response of J groups on the link scale, shape (J,).
    """

    information: Callable[[ResponseValues, Sequence[Array]], float]
    group_information: Callable[[ResponseValues, Array, Sequence[Array]], Array]
    link_means: Callable[[ResponseValues, Array | None, Array], Array]


def _binomial_information(response: ResponseValues, groups: Sequence[Array]) -> float:
    assert response.trials is not None  # for the type checker; binary responses have trials
    trials = response.counts @ response.trials
    rate = response.counts @ response.values / trials
    return float(trials * rate * (1 - rate))


def _binomial_groups(response: ResponseValues, codes: Array, groups: Sequence[Array]) -> Array:
    trials = response.total(codes, response.trials) + 1
    rate = (response.total(codes, response.values) + 0.5) / trials
    return trials * rate * (1 - rate)


def _binomial_means(response: ResponseValues, offset: Array | None, codes: Array) -> Array:
    successes = response.total(codes, response.values) + 0.5
    return special.logit(successes / (response.total(codes, response.trials) + 1))


def _count_means(response: ResponseValues, offset: Array | None, codes: Array) -> Array:
    exposure = response.total(codes, None if offset is None else np.exp(offset))
    return np.log((response.total(codes, response.values) + 0.5) / exposure)


def metric_geometry(transform: Callable[[Array], Array]) -> Geometry:
    """Return the geometry of a response that is about normal once it is transformed."""

    def information(response: ResponseValues, groups: Sequence[Array]) -> float:
        """Divide N by the variance left once the groups' means are taken out in turn."""
        y, counts = transform(response.values), response.counts
        rows = counts.sum()
        whole = y - counts @ y / rows
        residual = whole
        for _ in range(SWEEPS):
            for codes in groups:
                sizes = np.maximum(response.total(codes), 1)
                residual = residual - (response.total(codes, residual) / sizes)[codes]
        left = residual - counts @ residual / rows
        return rows**2 / max(float(counts @ left**2), 0.01 * float(counts @ whole**2))

    def group_information(response: ResponseValues, codes: Array, groups: Sequence[Array]) -> Array:
        rows = response.total(codes)
        return rows * information(response, groups) / rows.sum()

    def link_means(response: ResponseValues, offset: Array | None, codes: Array) -> Array:
        return response.total(codes, transform(response.values)) / response.total(codes)

    return Geometry(information, group_information, link_means)


def _normal_scores(values: Array) -> Array:
    """Return the quantiles of a normal that ratings of shape (N,) have in their middle."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(values)
    return special.ndtri(middle)[codes]


def _log_of_positive(values: Array) -> Array:
    """Return logs, for zeros that of the geometric mean of the others."""
    some = values > 0
    logs = np.log(np.where(some, values, 1.0))
    return np.where(some, logs, logs[some].mean())


BINOMIAL = Geometry(_binomial_information, _binomial_groups, _binomial_means)
COUNTS = Geometry(
    lambda response, groups: float(response.counts @ response.values),
    lambda response, codes, groups: response.total(codes, response.values) + 0.5,
    _count_means,
)
METRIC = metric_geometry(lambda y: y)
LOG_METRIC = metric_geometry(np.log)
AMOUNTS = metric_geometry(_log_of_positive)
RATING_SCORES = metric_geometry(_normal_scores)
CLOSED_LOGIT_METRIC = metric_geometry(lambda y: special.logit(np.clip(y, 0.02, 0.98)))
LOGIT_METRIC = metric_geometry(special.logit)
#: Of log odds between categories: about a quarter of a row each.
NO_SCORES = Geometry(
    lambda response, groups: float(response.counts.sum()) / 4,
    lambda response, codes, groups: response.total(codes) / 4,
    lambda response, offset, codes: np.zeros(int(codes.max()) + 1),
)
#: Of the log of an sd, and about so of other further parameters: each row says 2 of it.
SCATTER = Geometry(
    lambda response, groups: 2 * float(response.counts.sum()),
    lambda response, codes, groups: 2 * response.total(codes),
    lambda response, offset, codes: np.zeros(int(codes.max()) + 1),
)
