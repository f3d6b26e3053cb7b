"""Where the effects lie and how strongly the data speak about them, roughly.

The numbers choose between centred and non-centred sampling (see ``terms``).  They never change
the posterior, only how fast it is explored, so a plug-in under the null model is enough.

Letters: N rows, J units or groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from bambi_anova.design.design import RESIDUAL, Design, FixedTerm, Unit
from bambi_anova.families.base import Family

Array = np.ndarray


def total_information(design: Design, family: Family) -> float:
    """Return the Fisher information of all rows about a shift of the linear predictor."""
    return _INFORMATION[family.response](design)


def term_information(term: FixedTerm, design: Design, family: Family, levels: int) -> float:
    """Return the information on each coordinate of a fixed term's effects.

    A term that is judged between units is known no better than its units' scatter allows.
    """
    total = total_information(design, family)
    if term.strata[0] == RESIDUAL or term.covariate:
        return total / levels
    unit = design.unit(term.strata[0])
    return unit.size / (levels * _scatter(unit, design, family, unit.size / total))


def unit_information(unit: Unit, design: Design, family: Family) -> Array:
    """Return the Fisher information of each unit's own rows, shape (J,)."""
    return _UNIT_INFORMATION[family.response](unit.codes, design)


def link_means(codes: Array, design: Design, family: Family) -> Array:
    """Return the mean response of some groups of rows on the link scale, shape (J,)."""
    return _LINK_MEANS[family.response](codes, design)


def _scatter(unit: Unit, design: Design, family: Family, noise: float) -> float:
    """Return the variance of the units' means about their cells, and not below their noise."""
    means = link_means(unit.codes, design, family)
    cells = design.rows.codes(unit.constant)[0][unit.first]
    sizes = np.bincount(cells)
    residual = means - (np.bincount(cells, means) / sizes)[cells]
    freedom = max(unit.size - len(sizes), 1)
    return max(float(residual @ residual) / freedom, noise)


def _binomial_information(design: Design) -> float:
    response = design.rows.response
    assert response.trials is not None  # for the type checker; binary responses have trials
    rate = response.values.sum() / response.trials.sum()
    return float(response.trials.sum() * rate * (1 - rate))


def _count_information(design: Design) -> float:
    return float(design.rows.response.values.sum())


def _rows_over_residual_variance(transform: Callable[[Array], Array]) -> Callable[[Design], float]:
    """Divide N by the variance left once cell and unit means are taken out in turn."""

    def information(design: Design, sweeps: int = 5) -> float:
        y = transform(design.rows.response.values)
        residual = y - y.mean()
        for _ in range(sweeps):
            for codes in [design.cell_codes, *(unit.codes for unit in design.units)]:
                sizes = np.maximum(np.bincount(codes), 1)
                residual = residual - (np.bincount(codes, residual) / sizes)[codes]
        return len(y) / max(float(residual.var()), 0.01 * float(y.var()))

    return information


def _mean_of(transform: Callable[[Array], Array]) -> Callable[[Array, Design], Array]:
    def means(codes: Array, design: Design) -> Array:
        y = transform(design.rows.response.values)
        return np.bincount(codes, y) / np.bincount(codes)

    return means


def _binomial_means(codes: Array, design: Design) -> Array:
    response = design.rows.response
    successes = np.bincount(codes, response.values) + 0.5
    return special.logit(successes / (np.bincount(codes, response.trials) + 1))


def _count_means(codes: Array, design: Design) -> Array:
    offset = design.rows.offset
    exposure = np.bincount(codes, None if offset is None else np.exp(offset))
    return np.log((np.bincount(codes, design.rows.response.values) + 0.5) / exposure)


def _binomial_unit_information(codes: Array, design: Design) -> Array:
    response = design.rows.response
    trials = np.bincount(codes, response.trials) + 1
    rate = (np.bincount(codes, response.values) + 0.5) / trials
    return trials * rate * (1 - rate)


def _count_unit_information(codes: Array, design: Design) -> Array:
    return np.bincount(codes, design.rows.response.values) + 0.5


def _metric_unit_information(transform: Callable[[Array], Array]):
    information = _rows_over_residual_variance(transform)

    def of_units(codes: Array, design: Design) -> Array:
        return np.bincount(codes) * information(design) / len(codes)

    return of_units


def _identity(y: Array) -> Array:
    return y


_INFORMATION: dict[str, Callable[[Design], float]] = {
    "binary": _binomial_information,
    "proportion": _binomial_information,
    "count": _count_information,
    "real": _rows_over_residual_variance(_identity),
    "positive": _rows_over_residual_variance(np.log),
    "unit": _rows_over_residual_variance(special.logit),
}

_LINK_MEANS: dict[str, Callable[[Array, Design], Array]] = {
    "binary": _binomial_means,
    "proportion": _binomial_means,
    "count": _count_means,
    "real": _mean_of(_identity),
    "positive": _mean_of(np.log),
    "unit": _mean_of(special.logit),
}

_UNIT_INFORMATION: dict[str, Callable[[Array, Design], Array]] = {
    "binary": _binomial_unit_information,
    "proportion": _binomial_unit_information,
    "count": _count_unit_information,
    "real": _metric_unit_information(_identity),
    "positive": _metric_unit_information(np.log),
    "unit": _metric_unit_information(special.logit),
}
