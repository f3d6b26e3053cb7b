"""Pairwise contrasts of a term, and the table that every analysis returns.

A contrast of one factor is "first - second" for a pair of levels in their order; of an
interaction, the product of one such pair of each factor.  The factors outside the term are
averaged with equal weights.  Letters: C cells, K contrasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, product

import numpy as np
import pandas as pd

from bambi_anova.classical.study import Study, Term
from bambi_anova.tables.columns import CLASSICAL

Array = np.ndarray

#: Columns that the tables of all analyses begin with, in order.
COLUMNS = CLASSICAL
SCALES = ("link", "response")


@dataclass(frozen=True)
class Contrast:
    """A pair of levels of each factor of a term.

    Attributes
    ----------
    term : Term
    name : str
        ``"A - B"``, or ``"(A - B) : (x - y)"``.
    pairs : mapping of str to (int, int)
        For each factor the codes of the first and the second level.
    """

    term: Term
    name: str
    pairs: Mapping[str, tuple[int, int]]


def contrasts_of(study: Study, term: Term) -> Iterator[Contrast]:
    """Yield the pairwise contrasts of a term.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> from bambi_anova.classical.study import read_study
    >>> model = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> [c.name for c in contrasts_of(read_study(model), ("variety",))]
    ['Golden.rain - Marvellous', 'Golden.rain - Victory', 'Marvellous - Victory']
    """
    choices = [list(combinations(range(len(study.levels[name])), 2)) for name in term]
    for pairs in product(*choices):
        texts = [
            f"{study.levels[name][i]} - {study.levels[name][j]}"
            for name, (i, j) in zip(term, pairs, strict=True)
        ]
        text = texts[0] if len(texts) == 1 else " : ".join(f"({text})" for text in texts)
        yield Contrast(term, text, dict(zip(term, pairs, strict=True)))


def weights_over(levels: Mapping[str, tuple], pairs: Mapping[str, tuple[int, int]]) -> Array:
    """Return contrast weights over the cells of some factors; those without a pair are averaged.

    Examples
    --------
    >>> weights_over({"f": ("a", "b"), "g": ("x", "y")}, {"f": (0, 1)}).tolist()
    [0.5, 0.5, -0.5, -0.5]
    """
    blocks = []
    for name, found in levels.items():
        block = np.full(len(found), 1 / len(found))
        if name in pairs:
            first, second = pairs[name]
            block[:] = 0
            block[first], block[second] = 1, -1
        blocks.append(block)
    return reduce(np.kron, blocks, np.ones(1))


def wald(estimate: float, se: float, df: float, ci_prob: float) -> dict:
    """Return an estimate with its t interval and p-value, normal ones of infinite df."""
    from scipy import stats

    law = stats.norm() if np.isinf(df) else stats.t(df)
    reach = float(law.ppf((1 + ci_prob) / 2)) * se
    return {
        "estimate": estimate,
        "lower": estimate - reach,
        "upper": estimate + reach,
        "p": float(2 * law.sf(abs(estimate) / se)),
        "se": se,
        "df": df,
    }


def tabulate(
    rows: list[dict], analysis: str, scale: str, population: str, seconds: float
) -> pd.DataFrame:
    """Put rows under the common columns, those of the analysis' own behind."""
    same = {"analysis": analysis, "scale": scale, "population": population, "seconds": seconds}
    table = pd.DataFrame([{"p": np.nan, **same, **row} for row in rows])
    return table[[*COLUMNS, *(name for name in table.columns if name not in COLUMNS)]]
