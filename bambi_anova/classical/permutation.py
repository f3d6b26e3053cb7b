"""Permutation tests on unit means, restricted to what the design may rearrange.

Which units are rearranged follows from the term.  A term whose factors all vary within some
unit is tested within those units: by sign flips of each unit's contrast, or by permuting each
unit's levels.  A term with a factor between units is tested by exchanging whole units between
its levels, within the cells of the other between factors.  Interactions of between factors have
no exact test; there the residuals of the model without the interaction are permuted (Anderson
and ter Braak 2003, doi:10.1080/00949650215733).

Letters: n units, W cells of the factors within units, m columns of scores, B rearrangements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import generator, one_of, own_floats, probability, whole_number
from bambi_anova.classical.pairwise import (
    SCALES,
    Contrast,
    contrasts_of,
    tabulate,
    weights_over,
)
from bambi_anova.classical.shuffles import (
    Shuffles,
    interval,
    level_orders,
    p_value,
    relabellings,
    sign_flips,
)
from bambi_anova.classical.study import (
    Study,
    Term,
    is_crossed,
    no_numbers,
    read_study,
    require,
)
from bambi_anova.classical.unit_means import Scores, judging_unit, unit_scores
from bambi_anova.design.design import Unit
from bambi_anova.errors import NotApplicableError

if TYPE_CHECKING:
    from bambi_anova.model import Model

Array = np.ndarray

ANALYSIS = "permutation test"
#: In place of a contrast: the test that no levels of the term differ.
OMNIBUS = "omnibus"


def check_permutation(study: Study, unit: str | None = None, scale: str = "response") -> None:
    """Raise ``NotApplicableError`` if permutation tests do not apply to a study."""
    require(ANALYSIS, no_numbers(study) or (is_crossed(study) if unit is None else None))
    for term in study.terms:
        unit_scores(study, _unit(study, term, unit), scale)


def _unit(study: Study, term: Term, unit: str | None) -> Unit:
    return study.unit(unit) if unit is not None else judging_unit(study, term)


@own_floats
def permutation_test(
    model: Model,
    term: str | None = None,
    unit: str | None = None,
    scale: str | None = None,
    permutations: int = 20_000,
    random_seed: int | None = None,
    ci_prob: float = 0.95,
) -> pd.DataFrame:
    """Test contrasts by rearranging units, or levels within units.

    Parameters
    ----------
    model : bambi_anova.Model
    term : str, optional
        Factors joined by colons; every term by default.
    unit : str, optional
        Unit term whose means are rearranged, or ``"row"``; by default what judges each term.
    scale : {"response", "link"}, optional
        Means of the response (proportions, of binary data), or empirical logits
        log((k + 1/2) / (n - k + 1/2)).  Of a transformed response, such as log(y), only its own
        means are compared, which are "link".
    permutations : int
        Up to that many rearrangements are all enumerated; of more, that many are drawn.
    random_seed : int, optional
    ci_prob : float

    Returns
    -------
    pandas.DataFrame
        The columns of ``bambi_anova.classical.COLUMNS``, then ``mcse`` (Monte Carlo standard
        error of p), ``permutations``, ``exact`` (all of them were enumerated), ``unit``,
        ``units`` (how many were rearranged) and ``rests_on`` (what has to be exchangeable).
        Terms of more than one degree of freedom begin with a row ``"omnibus"``, which has no
        estimate; a contrast of two levels rearranges the units of these levels only.
        ``lower`` and ``upper`` are the shifts that two one-sided tests do not reject, infinite
        if no rearrangements could reject any.  ``population`` is "super": tests of randomly
        drawn units generalise to new ones.

    Raises
    ------
    NotApplicableError
        If there are covariates, units cross and none is named, units lack cells, or a transformed
        response has no such scale.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    >>> table = permutation_test(model, "variety", permutations=50_000)
    >>> table["p"].round(3).tolist(), table["unit"].unique().tolist()
    ([0.289, 0.531, 0.281, 0.25], ['block'])
    """
    probability(ci_prob)
    whole_number("permutations", permutations)
    start = perf_counter()
    study = read_study(model)
    scale = _scale(model, study, scale)
    check_permutation(study, unit, scale)
    rng = generator(random_seed)
    rows = []
    for wanted in study.terms_of(term):
        scores = unit_scores(study, _unit(study, wanted, unit), scale)
        tests = [_contrast_test(scores, c, permutations, rng) for c in contrasts_of(study, wanted)]
        if len(tests) > 1:
            tests.insert(0, _omnibus_test(scores, wanted, permutations, rng))
        rows += [{"term": ":".join(wanted)} | _report(test, scores, ci_prob) for test in tests]
    return tabulate(rows, ANALYSIS, scale, "super", perf_counter() - start)


def _scale(model: Model, study: Study, scale: str | None) -> str:
    """Return the scale of the means that are compared: of a transformed response its own."""
    transformed = study.trials is None and not model.transformed.straight
    if scale is None:
        return "link" if transformed else "response"
    one_of("scale", scale, SCALES)
    if scale == "response" and transformed:
        raise NotApplicableError(
            f"{ANALYSIS}: scale='response' is not for a transformed response; it compares means of "
            f"{model.design.rows.response.name}: use scale='link'"
        )
    return scale


@dataclass(frozen=True)
class Test:
    """Statistics of one test, observed and rearranged.

    Attributes
    ----------
    contrast : str
    observed : float
    shuffled : ndarray, shape (B,)
    effects : ndarray, shape (B,), or None
        The statistic of an effect of one, rearranged; None for omnibus tests.
    exact : bool
    units : int
    rests_on : str
    """

    contrast: str
    observed: float
    shuffled: Array
    effects: Array | None
    exact: bool
    units: int
    rests_on: str


def _report(test: Test, scores: Scores, ci_prob: float) -> dict:
    p, mcse = p_value(test.observed, test.shuffled, test.exact)
    estimate = lower = upper = np.nan
    if test.effects is not None:
        estimate = test.observed
        lower, upper = interval(estimate, test.shuffled, test.effects, test.exact, ci_prob)
    return {
        "contrast": test.contrast,
        "estimate": estimate,
        "lower": lower,
        "upper": upper,
        "p": p,
        "mcse": mcse,
        "permutations": len(test.shuffled),
        "exact": test.exact,
        "unit": scores.unit.name,
        "units": test.units,
        "rests_on": test.rests_on,
    }


def _contrast_test(
    scores: Scores, contrast: Contrast, limit: int, rng: np.random.Generator
) -> Test:
    """Test one contrast: flip signs within units, or exchange units between two levels."""
    values = scores.means @ weights_over(scores.levels(scores.within), contrast.pairs)
    own = tuple(name for name in scores.between if name in contrast.pairs)
    if not own:
        columns = np.stack([values, np.ones_like(values)], axis=1)
        shuffles, statistic = _flips(scores, columns, limit, rng)
        keep, signs = np.ones(len(values), dtype=bool), np.ones((1, 1))
    else:
        keep = np.all([np.isin(scores.codes((f,)), contrast.pairs[f]) for f in own], axis=0)
        sides = [(scores.codes((f,)) != contrast.pairs[f][0])[keep].astype(int) for f in own]
        effect = np.prod([1 - 2 * side for side in sides], axis=0) / 2 ** len(own)
        columns = np.stack([values[keep], effect], axis=1)
        strata = scores.codes(scores.others(own))[keep]
        shuffles, statistic = _deals(sides, strata, columns, limit, rng)
        signs = _kron([np.array([[1.0, -1.0]])] * len(own))
    observed = (signs @ statistic(None))[0, 0, 0]
    result = (signs @ _run(shuffles, statistic))[:, 0]
    rests_on = _basis_of(scores, own, tuple(f for f in contrast.pairs if f not in own), "the two")
    return Test(
        contrast.name,
        float(observed),
        result[:, 0],
        result[:, 1],
        shuffles.exact,
        int(keep.sum()),
        rests_on,
    )


def _omnibus_test(scores: Scores, term: Term, limit: int, rng: np.random.Generator) -> Test:
    """Test a term as a whole by the sum of squares of its deflections."""
    own = tuple(name for name in scores.between if name in term)
    inside = tuple(name for name in scores.within if name in term)
    levels = scores.levels(scores.within)
    blocks = [
        _centring(len(found)) if f in inside else np.full((1, len(found)), 1 / len(found))
        for f, found in levels.items()
    ]
    columns = scores.means @ _kron(blocks).T
    centring = np.ones((1, 1))
    if own:
        strata = scores.codes(scores.others(own))
        sides = [scores.codes((f,)) for f in own]
        shuffles, statistic = _deals(sides, strata, columns, limit, rng)
        centring = _kron([_centring(len(scores.study.levels[f])) for f in own])
    elif len(inside) == 1:
        shuffles, statistic = _orders(scores, columns, limit, rng)
    else:
        shuffles, statistic = _flips(scores, columns, limit, rng)
    observed = np.sum((centring @ statistic(None)) ** 2)
    shuffled = np.sum((centring @ _run(shuffles, statistic)) ** 2, axis=(1, 2))
    rests_on = _basis_of(scores, own, inside, "all")
    return Test(OMNIBUS, float(observed), shuffled, None, shuffles.exact, len(columns), rests_on)


#: From a chunk of rearrangements (None: the observed one) to means, shape (b, groups, m).
Statistic = Callable[[Array | None], Array]


def _run(shuffles: Shuffles, statistic: Statistic) -> Array:
    return np.concatenate([statistic(chunk) for chunk in shuffles.chunks])


def _flips(
    scores: Scores, columns: Array, limit: int, rng: np.random.Generator
) -> tuple[Shuffles, Statistic]:
    """Flip the signs of whole units' scores."""
    weighted = scores.weights(scores.codes(scores.between))[:, None] * columns

    def statistic(signs: Array | None) -> Array:
        chosen = np.ones((1, len(columns))) if signs is None else signs
        return (chosen @ weighted)[:, None]

    return sign_flips(len(columns), limit, rng), statistic


def _orders(
    scores: Scores, columns: Array, limit: int, rng: np.random.Generator
) -> tuple[Shuffles, Statistic]:
    """Permute the levels within each unit."""
    units, size = columns.shape
    weights = scores.weights(scores.codes(scores.between))
    places = np.arange(units)[:, None]

    def statistic(orders: Array | None) -> Array:
        chosen = np.tile(np.arange(size), (1, units, 1)) if orders is None else orders
        return np.einsum("u,buj->bj", weights, columns[places, chosen])[:, None]

    return level_orders(units, size, limit, rng), statistic


def _deals(
    sides: list[Array], strata: Array, columns: Array, limit: int, rng: np.random.Generator
) -> tuple[Shuffles, Statistic]:
    """Exchange units between the groups of one factor, or residuals between cells of several.

    The statistic is the mean of each group, strata weighing equally.
    """
    shape = tuple(int(side.max()) + 1 for side in sides)
    groups = np.ravel_multi_index(tuple(sides), shape)
    kinds = np.unique(strata, return_inverse=True)[1]
    counts = np.zeros((kinds.max() + 1, int(np.prod(shape))))
    np.add.at(counts, (kinds, groups), 1)
    weights = (1 / counts / len(counts))[kinds]
    several = len(sides) > 1
    if several:
        columns = _residuals(columns, strata, sides)

    def statistic(labels: Array | None) -> Array:
        dealt = groups[None] if labels is None else groups[labels] if several else labels
        means = [((dealt == g) * weights[:, g]) @ columns for g in range(weights.shape[1])]
        return np.stack(means, axis=1)

    dealt = np.arange(len(strata)) if several else groups
    return relabellings(dealt, strata, limit, rng), statistic


def _residuals(columns: Array, strata: Array, sides: list[Array]) -> Array:
    """Return what a model without the interaction of the sides, in each stratum, leaves."""
    blocks = []
    for left_out in range(len(sides)):
        parts = [strata, *(side for i, side in enumerate(sides) if i != left_out)]
        cells = np.unique(np.stack(parts, axis=1), axis=0, return_inverse=True)[1].ravel()
        blocks.append(np.eye(cells.max() + 1)[cells])
    basis = np.hstack(blocks)
    return columns - basis @ np.linalg.lstsq(basis, columns, rcond=None)[0]


def _kron(blocks: list[Array]) -> Array:
    return reduce(np.kron, blocks, np.ones((1, 1)))


def _centring(size: int) -> Array:
    return np.eye(size) - 1 / size


def _basis_of(scores: Scores, own: Term, inside: Term, which: str) -> str:
    """Say what has to be exchangeable."""
    name, others = scores.unit.name, scores.others(own)
    where = f" within each cell of {':'.join(others)}" if others else ""
    if len(own) > 1:
        what = f"{name} residuals of the model without the interaction"
        return f"{what} are exchangeable{where} (approximate)"
    if own:
        what = f"effects of {':'.join(inside)} in each {name}" if inside else f"{name} units"
        return f"{what} are exchangeable between levels of {own[0]}{where}"
    if len(inside) == 1:
        return f"{which} levels of {inside[0]} are exchangeable within each {name}"
    return f"interaction contrasts of {':'.join(inside)} in each {name} are symmetric about zero"
