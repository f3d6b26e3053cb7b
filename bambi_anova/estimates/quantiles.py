"""Quantiles of the response, such as the median, the fastest tenth and the slowest tenth of times.

They are those of one observation of a unit: of a new unit, whose effects are averaged over, or of
the average unit.  Distributions are averaged, over units and over other factors, and the average
is inverted; quantiles themselves are not averaged.

Letters: H chains, D draws, C cells, L levels, K quantiles, V nodes of the units' normal effects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bambi_anova.arguments import one_of
from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.means import mean_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import quantity_table
from bambi_anova.families.response import REAL
from bambi_anova.posterior.populations import beside_cells
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import is_transformed
from bambi_anova.tables.interval import Interval

Array = np.ndarray

QUANTILE = "quantile"
POPULATIONS = ("super", "average")
#: Nodes of normal effects, and halvings of the interval in which a quantile lies.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
HALVINGS = 45


def quantiles(
    posterior: Posterior,
    term: str | None = None,
    quantile: float | Sequence[float] = (0.1, 0.5, 0.9),
    population: str = "super",
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
) -> pd.DataFrame:
    """Return quantiles of the response at each level of a term.

    Parameters
    ----------
    posterior : Posterior
        Of a family with a continuous response, such as "lognormal" or "exgaussian".
    term : str, optional
        Factors joined by colons; all cells by default.  Other factors count equally.
    quantile : float or sequence of float
        Between 0 and 1; 0.5 is the median.
    population : {"super", "average"}
        Observations of new units, or of a unit whose effects are zero.
    ci_prob, ci_kind
        As for ``means``.

    Returns
    -------
    pandas.DataFrame
        A row for each combination of levels and each ``quantile``, in units of the response.

    Raises
    ------
    ArgumentError
        If the response is not continuous, or an argument has a value that it cannot take.

    Examples
    --------
    >>> result.quantiles("condition", [0.1, 0.5, 0.9])  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    found = quantile_quantities(posterior, term, quantile, population)
    return quantity_table(found, posterior.sampling, interval)


def quantile_quantities(
    posterior: Posterior,
    term: str | None = None,
    quantile: float | Sequence[float] = (0.1, 0.5, 0.9),
    population: str = "super",
) -> Quantities:
    """Return quantiles of the response at each level of a term, with their draws."""
    one_of("population", population, POPULATIONS)
    chosen = _levels(quantile)
    _require_continuous(posterior)
    about = mean_quantities(posterior, term, population, "link")
    design = posterior.design
    names = list(design.levels)
    shape = [len(levels) for levels in design.levels.values()]
    kept = names if term is None else term.split(":")
    order = [*kept, *(name for name in names if name not in kept)]
    grid = np.arange(int(np.prod(shape))).reshape(shape)
    cells = grid.transpose([names.index(name) for name in order]).reshape(len(about.labels), -1)
    draws = np.stack([_inverted(posterior, own, chosen, population) for own in cells], axis=-2)
    labels = about.labels.iloc[np.repeat(np.arange(len(about.labels)), len(chosen))]
    labels = labels.reset_index(drop=True)
    return Quantities(
        labels.assign(**{QUANTILE: np.tile(chosen, len(about.labels))}),
        draws.reshape(*draws.shape[:2], -1),
        np.repeat(about.supported, len(chosen)),
        population,
        "response",
        null=np.nan,
    )


def _levels(quantile: float | Sequence[float]) -> Array:
    try:
        chosen = np.atleast_1d(np.asarray(quantile, dtype=float))
    except (TypeError, ValueError):
        chosen = np.array([np.nan])
    if chosen.ndim != 1 or not len(chosen) or not np.all((chosen > 0) & (chosen < 1)):
        raise ArgumentError(
            f"quantile={quantile!r}: expected a number between 0 and 1, such as 0.5 for the "
            "median, or a list of them"
        )
    return chosen


def _require_continuous(posterior: Posterior) -> None:
    family, response = posterior.family, posterior.family.response
    countable = response.trials or response.binary or response.counts or family.categories
    if countable or family.of_mean.tails is None or is_transformed(posterior.specification):
        kind = "a transformed response" if not countable else f"family={family.name!r}"
        raise ArgumentError(
            f"quantiles() asks about a continuous response as it was measured; {kind} has no "
            "such quantiles. Use means(scale='response')"
            + (" or category_probabilities()" if family.categories else "")
        )


def _inverted(posterior: Posterior, cells: Array, chosen: Array, population: str) -> Array:
    """Return quantiles of the average distribution of some cells, shape (H, D, K)."""
    draws, values = posterior.draws, posterior.design.rows.response.values
    below = _distribution(posterior, cells, population)
    positive = posterior.family.response is not REAL  # nothing lies below zero
    span = values.max() - values.min()
    low, high = (np.full((draws.cells[..., 0].size, len(chosen)), end) for end in _ends(values))
    for _ in range(60):  # until the quantiles lie in between
        outside = below(high) < chosen
        if not outside.any():
            break
        high = np.where(outside, high + span, high)
        span *= 2
    span = values.max() - values.min()
    for _ in range(60):
        outside = below(low) > chosen
        if not outside.any() or positive:
            break
        low = np.where(outside, low - span, low)
        span *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        under = below(middle) < chosen
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return ((low + high) / 2).reshape(*draws.cells.shape[:2], -1)


def _ends(values: Array) -> tuple[float, float]:
    """Return where to look for quantiles first."""
    least = float(values.min())
    return min(least, 0.0), float(values.max())


def _distribution(posterior: Posterior, cells: Array, population: str) -> Callable[[Array], Array]:
    """Return the average distribution function of some cells, of values (H D, K)."""
    family, draws = posterior.family.of_mean, posterior.draws
    variance = np.zeros(draws.sample_shape)
    for unit in posterior.design.units if population == "super" else ():
        variance = variance + draws.sigmas[unit.name] ** 2
    nodes, weights = (NODES, WEIGHTS / WEIGHTS.sum()) if variance.any() else ([0.0], [1.0])
    sd = np.sqrt(variance).reshape(-1, 1)
    eta = draws.cells[..., cells].reshape(len(sd), -1)
    beside = {name: own.reshape(len(sd), -1) for name, own in beside_cells(posterior).items()}
    further = [
        {name: own[:, [cell if own.shape[1] > 1 else 0]] for name, own in beside.items()}
        for cell in cells
    ]
    at_nodes = [
        family.at((posterior.link,), (eta[:, [c]] + node * sd,), auxiliary)
        for node in nodes
        for c, auxiliary in enumerate(further)
    ]
    shares = np.repeat(weights, len(cells)) / len(cells)
    one = np.ones(1)  # one observation, whatever rows were merged
    rows = replace(posterior.specification.collapsed, trials=None, n=one, within=0 * one)

    def below(y: Array) -> Array:
        assert family.tails is not None  # for the type checker
        own = replace(rows, values=y)
        with np.errstate(divide="ignore"):  # at zero
            parts = (family.tails(each, own)[0] for each in at_nodes)
            return sum((w * p for w, p in zip(shares, parts, strict=True)), np.zeros_like(y))

    return below
