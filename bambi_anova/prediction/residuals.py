"""Residuals that are standard normal if the model is right.

At one draw of the posterior each row has a randomised quantile residual (Dunn & Smyth 1996,
doi:10.1080/10618600.1996.10474708): the normal score of the probability of less than what was
observed, where what was observed counts by a random part.  If data and parameters come from the
model and its priors, so do the data and one draw of the posterior, jointly: the residuals at one
draw are independent standard normals *exactly*, however many parameters were fitted to the data
(Johnson 2007, doi:10.1214/07-BA229; Conn et al. 2018,
doi:10.1002/ecm.1314), and so are the units' effects over their standard deviations.

The residuals are those of the rows of the data, also where the fit merged rows.  A single yes or
no tells nothing but its rate: there rows are those that share every predictor.

Letters: K draws, N rows, R rows with equal residuals but for chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bambi_anova.design.sufficient import collapse_rows
from bambi_anova.families.base import Family
from bambi_anova.families.likelihood import Parameters
from bambi_anova.families.sufficient import Collapsed
from bambi_anova.families.values import ResponseValues
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.predictors import Predictor, predictor_of
from bambi_anova.prediction.rows import row_parameters, row_pieces

Array = np.ndarray

#: Draws times rows, and the fewest and the most draws, that residuals are taken at.
BUDGET, FEWEST, MOST = 100_000, 4, 50
#: Rows that are looked at, taken at random from more.
MOST_ROWS = 200_000
#: Replicates of each row where a family does not say its probabilities.
REPLICATES = 100
#: Normal scores beyond this are lost to rounding.
FARTHEST = 8.0


@dataclass(frozen=True)
class Residuals:
    """Standard normal residuals of N rows at K draws.

    Attributes
    ----------
    values : ndarray, shape (K, N)
    zero : ndarray, shape (K, N), or None
        The probability that a row is zero, of counts and successes.
    rows : ndarray of int, shape (N,)
        The row of the data that each stands for.
    observed : ndarray, shape (N,)
        The response: values, counts or successes.
    single : bool
        Whether each is a row of the data, rather than all rows that share every predictor.
    predictor : Predictor
        Of the K draws.
    """

    values: Array
    zero: Array | None
    rows: Array
    observed: Array
    single: bool
    predictor: Predictor


def residuals(posterior: Posterior, rng: np.random.Generator) -> Residuals:
    """Return the residuals of a fit, at evenly spaced draws."""
    model = posterior.specification
    design, family, response = model.design, model.family, model.design.rows.response
    counted = response.trials is not None or family.response.counts
    single = response.trials is None or bool(response.trials.max() > 1)
    if design.rows.tallied and family.collapse.means is not None:  # rows stand in for others
        single = False
    if not single:
        rows = collapse_rows(design, family)
        first, codes = rows.first, np.arange(len(rows.first))
    else:
        first = _some(response, rng)
        if (
            counted and not design.rows.tallied and len(first) == len(response.values)
        ):  # counts are often alike
            pieces = row_pieces(model)
            rows, codes = pieces.rows, pieces.of_row
        else:
            rows = collapse_rows(design, family, collapse=False).some(first)
            codes = np.arange(len(first))
    draws = int(np.clip(BUDGET // len(first), FEWEST, MOST))
    predictor = predictor_of(posterior, min(draws, int(np.prod(posterior.draws.sample_shape))))
    parameters = row_parameters(predictor, model, rows)
    below, above = _tails(family, parameters, rows, rng)
    zero = None
    if counted and single:
        none = replace(rows, values=np.zeros(len(rows.first)))
        zero = 1 - _tails(family, parameters, none, rng)[1][:, codes]
    return Residuals(
        _scores(below[:, codes], above[:, codes], rng),
        zero,
        first,
        rows.values[codes],
        single,
        predictor,
    )


def _some(response: ResponseValues, rng: np.random.Generator) -> Array:
    """Return all rows, or as many as are enough; those that come several times as often."""
    size = len(response.values)
    if response.count is not None:
        total = round(float(response.count.sum()))
        if total <= MOST_ROWS:
            return np.repeat(np.arange(size), np.rint(response.count).astype(int))
        return np.sort(rng.choice(size, MOST_ROWS, p=response.count / response.count.sum()))
    if size <= MOST_ROWS:
        return np.arange(size)
    return np.sort(rng.choice(size, MOST_ROWS, replace=False))


def _tails(
    family: Family, parameters: Parameters, rows: Collapsed, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the probabilities of less and of more than each row's value, shape (K, R)."""
    shape = np.broadcast_shapes(*(np.shape(value) for value in parameters.values()))
    if family.tails is not None:
        with np.errstate(all="ignore"):  # of draws that lie far out
            below, above = family.tails(parameters, rows)
        return np.broadcast_to(below, shape), np.broadcast_to(above, shape)
    below, above = np.zeros(shape), np.zeros(shape)
    for _ in range(REPLICATES):
        values = family.replicate(parameters, rows, rng)
        below += values < rows.values
        above += values > rows.values
    # The row itself is one of as many more: its rank among them is uniform.
    return below / (REPLICATES + 1), above / (REPLICATES + 1)


def _scores(below: Array, above: Array, rng: np.random.Generator) -> Array:
    """Return the normal scores of values of which part of the probability is at chance."""
    part = np.maximum(1 - below - above, 0.0)
    chance = rng.uniform(size=below.shape)
    lower, upper = below + chance * part, above + (1 - chance) * part
    with np.errstate(divide="ignore"):
        scores = np.where(lower < upper, special.ndtri(lower), -special.ndtri(upper))
    return np.clip(np.nan_to_num(scores, nan=0.0), -FARTHEST, FARTHEST)
