"""Design -> the rows that the checks of trials and of dispersion compare, as arrays.

Letters: N rows, n the number that the rate may depend on, M rows after rows of the same cell, units
and n are added up, S strata, P covariates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.design.design import Design
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.formula.expression import Expression
from bambi_anova.formula.parse import term_name
from bambi_anova.screening.clusters import (
    LEAST_CLUSTERS,
    Clusters,
    Strata,
    degrees_of_freedom,
    find_clusters,
    number,
    strata_from_finest,
)
from bambi_anova.screening.dependence import Counts
from bambi_anova.screening.overdispersion import Repeats

Array = np.ndarray

#: Share of the variance of the number of trials that covariates must leave.
LEAST_LEFT = 1e-6
#: Fewer degrees of freedom between clusters give intervals without bounds.
ENOUGH_DF = 3
#: Fewer degrees of freedom say nothing of a variance.
LEAST_DF = 5
#: Rows times levels of crossed units that are fitted one by one.
MOST_NUMBERS = 20_000_000


@dataclass(frozen=True)
class Comparable:
    """Rows whose rates can be compared.

    Attributes
    ----------
    counts : Counts
        With n in sds.
    sd : float
        Of n within strata.
    share : float
        Of the clusters, those that hold information.
    judged : str
        Which rows are compared.
    """

    counts: Counts
    sd: float
    share: float
    judged: str


def comparable_rows(design: Design, number: Expression) -> Comparable | str:
    """Return the rows that tell whether the rate depends on n; or say why there are none.

    The strata are the finest within which n varies for half of the units or more.
    """
    n = values_of(design, number)
    if np.ptp(n) == 0:
        what = "number of trials" if number is design.formula.response.trials else str(number)
        return f"every row has the same {what}, {n[0]:g}"
    if design.rows.tallied and _apart(design):
        return "the engine of the data has merged rows that share n, k and every predictor"
    read = set(number.columns(design.rows.data.columns))
    for covariate in design.rows.covariates.values():
        if read and read <= set(covariate.columns):
            return f"{number} is in the formula already, as {covariate.name!r}"
    found = []
    for strata in strata_from_finest(design):
        compared = _compared(design, strata, n)
        if compared is None:
            continue
        free = degrees_of_freedom(compared.counts.clusters)
        if compared.share >= 0.5 and free >= LEAST_CLUSTERS - 1:
            return compared
        found.append((free, compared))
    if not found:
        return f"{number} does not vary within cells, or covariates say what it is"
    free, compared = max(found, key=lambda item: item[0])
    few = f"too few independent units differ in {number} within cells"
    return compared if free >= ENOUGH_DF else few


def values_of(design: Design, number: Expression) -> Array:
    """Return n: the trials of a proportion, or the numbers in a column of the data; shape (N,)."""
    response, data = design.rows.response, design.rows.data
    if number is design.formula.response.trials:
        assert response.trials is not None  # of a proportion
        return response.trials
    if number.text not in data.columns:
        known = nearest(number.text, map(str, data.columns))
        raise ArgumentError(f"number={number.text!r}: the model holds no such column{known}")
    column = data[number.text]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        if np.isfinite(values).all():
            return values
    raise ArgumentError(f"number={number.text!r}: expected finite numbers in every row")


def _compared(design: Design, strata: Strata, per_row: Array) -> Comparable | None:
    """Return the rows of some strata that hold information, if any do."""
    first, codes = _added_up(design, per_row)
    response = design.rows.response
    rows = response.total(codes)
    trials = response.total(codes, response.trials)
    successes = response.total(codes, response.values)
    n, s = per_row[first], strata.codes[first]
    kept = trials > 0

    def total(values: Array) -> Array:
        return np.bincount(s[kept], values[kept], strata.size)

    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total(rows * n) / total(rows)
        spread = total(rows * (n - mean[s]) ** 2)
        rate = total(successes) / total(trials)
    useful = (spread > 0) & (rate > 0) & (rate < 1)
    kept &= useful[s]
    if not kept.any():
        return None
    _, _, within = np.unique(s[kept], return_index=True, return_inverse=True)
    x = (n - mean[s])[kept]
    sd = float(np.sqrt(spread[useful].sum() / (total(rows)[useful] - 1).sum()))
    adjusted = _net_of(_covariates(design)[first][kept], x / sd, trials[kept], within)
    if np.average(adjusted**2, weights=trials[kept]) < LEAST_LEFT:
        return None
    ways = find_clusters(design)
    mine = [Clusters(way.sign, way.codes[first], way.size).among(kept, within) for way in ways]
    offset = design.rows.offset
    zero = np.zeros(len(first)) if offset is None else offset[first]
    counts = Counts(
        successes[kept],
        trials[kept],
        adjusted,
        zero[kept],
        strata=within,
        size=int(useful.sum()),
        clusters=mine,
    )
    share = min(new.size / old.size for new, old in zip(mine, ways, strict=True))
    return Comparable(counts, sd, share, _where(design, strata))


def _added_up(design: Design, n: Array) -> tuple[Array, Array]:
    """Return a row for each cell, units and n, and where each row went; (M,), (N,).

    Without units each row is evidence by itself, and rows with covariates or offsets stay apart.
    """
    if _apart(design):
        everything = np.arange(len(design.rows.data))
        return everything, everything
    units = [*design.units, *(slope.unit for slope in design.slopes)]
    n = np.unique(n, return_inverse=True)[1]
    codes, first = number([design.cell_codes, *(unit.codes for unit in units), n])
    return first, codes


def _apart(design: Design) -> bool:
    return not (design.units or design.slopes) or bool(
        design.rows.covariates or design.rows.offset is not None
    )


def _covariates(design: Design) -> Array:
    """Return the covariates in units of their sds, shape (N, P)."""
    columns = [(c.values - c.mean) / c.sd for c in design.rows.covariates.values()]
    return np.stack(columns, axis=1) if columns else np.zeros((len(design.rows.data), 0))


def _net_of(covariates: Array, x: Array, weights: Array, strata: Array) -> Array:
    """Return what covariates leave of x within strata."""
    total = np.bincount(strata, weights)

    def centred(values: Array) -> Array:
        return values - (np.bincount(strata, weights * values) / total)[strata]

    x = centred(x)
    if not covariates.shape[1]:
        return x
    z = np.stack([centred(column) for column in covariates.T], axis=1)
    root = np.sqrt(weights)
    slopes = np.linalg.lstsq(root[:, None] * z, root * x, rcond=1e-10)[0]
    return x - z @ slopes


def _where(design: Design, strata: Strata) -> str:
    """Say which rows are compared."""
    if strata.units:
        cell = any(unit.is_constant(design.cell_codes) for unit in strata.units)
        return f"rows of the same {' and '.join([*strata.names, *([] if cell else ['cell'])])}"
    own = dict.fromkeys(term_name(unit.own) for unit in strata.left_out)
    return f"rows of the same cell, of different {' and '.join(own)}" if own else "rows of a cell"


def repeated_rows(design: Design, counts: bool) -> tuple[Repeats, str] | str:
    """Return rows of the same rate and say which they are; or say why there are none."""
    response = design.rows.response
    if design.rows.tallied:
        return "the engine of the data has merged rows that share every predictor and the response"
    trials = None if counts else response.trials
    if trials is not None and trials.max() <= 1:
        return (
            "each row is a single yes or no, which cannot vary more than chance allows; rows "
            "that belong together can be added up to p(successes, trials)"
        )
    strata = next(iter(strata_from_finest(design)))
    row = [unit.name for unit in strata.units if unit.size == len(response.values)]
    if row:
        return f"unit term {row[0]!r} has a unit for every row, which allows for any excess"
    there = np.ones(len(response.values), dtype=bool) if trials is None else trials > 0
    codes, covariates, judged = strata.codes, _covariates(design), _where(design, strata)
    kept, free = _repeated(codes, there, response.values, trials)
    alone = free < LEAST_DF
    if alone:
        # Cells and units that meet in single rows: their effects are taken to add up.
        many = sum(unit.size for unit in strata.units[1:]) + len(design.cells)
        if many * len(there) > MOST_NUMBERS:
            return f"{len(there)} rows and {many} levels of crossed units are too many to fit here"
        codes, dummies = _additive(design, strata)
        covariates = np.column_stack([covariates, dummies])
        kept, free = _repeated(codes, there, response.values, trials)
        judged = f"rows beside the sum of the effects of cells and {' and '.join(strata.names)}"
    if not kept.any():
        return f"there are hardly any {_where(design, strata)}"
    if trials is not None and np.ptp(trials[kept]) > 0:
        name = design.formula.response.trials
        finer = number([codes, trials.astype(np.int64)])[0]
        narrow, left = _repeated(finer, kept, response.values, trials)
        if left >= free / 2 and not alone:
            codes, kept, judged = finer, narrow, f"{judged} and the same number of {name}"
        else:
            n = (trials - trials.mean()) / trials.std()
            covariates = np.column_stack([covariates, n, n**2])
            judged = f"{judged}, {name} taken into account"
    inside = np.unique(codes[kept], return_inverse=True)[1]
    size = int(inside.max()) + 1
    ways = [way.among(kept, inside) for way in find_clusters(design)]
    if min(way.size for way in ways) < LEAST_CLUSTERS:  # too few units: rows stand for themselves
        ways = [Clusters(1, np.arange(int(kept.sum())), int(kept.sum()))]
    ways = [Clusters(way.sign, way.codes, way.size) for way in ways]
    offset = np.zeros(len(codes)) if design.rows.offset is None else design.rows.offset
    covariates = _independent(covariates[kept], inside)
    if len(inside) - size - covariates.shape[1] < LEAST_DF:
        return f"there are hardly any {_where(design, strata)}"
    return (
        Repeats(
            response.values[kept],
            None if trials is None else trials[kept],
            offset[kept],
            covariates,
            strata=inside,
            size=size,
            clusters=ways,
        ),
        judged,
    )


def _repeated(codes: Array, kept: Array, values: Array, trials: Array | None) -> tuple[Array, int]:
    """Return the rows of strata that hold information, and their degrees of freedom."""
    size = int(codes.max()) + 1
    rows = np.bincount(codes[kept], minlength=size)
    whole = np.bincount(codes[kept], values[kept], size)
    useful = (rows > 1) & (whole > 0)
    if trials is not None:
        many = np.bincount(codes[kept], trials[kept], size)
        useful &= (whole < many) & (many > rows)
    return kept & useful[codes], int((rows - 1)[useful].sum())


def _additive(design: Design, strata: Strata) -> tuple[Array, Array]:
    """Return the most numerous units as strata, and columns for cells and for all other units."""
    if not strata.units:
        return np.zeros(len(strata.codes), dtype=np.int64), np.zeros((len(strata.codes), 0))
    first, *others = strata.units
    partitions = [design.cell_codes, *(unit.codes for unit in others)]
    columns = [codes[:, None] == np.arange(1, codes.max() + 1) for codes in partitions]
    return first.codes, np.column_stack(columns).astype(float)


def _independent(covariates: Array, strata: Array) -> Array:
    """Return covariates of which none is a sum of strata and of others."""
    from scipy import linalg

    if not covariates.shape[1]:
        return covariates
    rows = np.bincount(strata)
    means = np.stack([np.bincount(strata, column) / rows for column in covariates.T], axis=1)
    centred = covariates - means[strata]
    _, upper, order = linalg.qr(centred, mode="economic", pivoting=True)
    size = np.abs(np.diag(upper))
    held = order[: len(size)][size > 1e-9 * max(1.0, size.max(initial=0.0))]
    return covariates[:, np.sort(held)]
