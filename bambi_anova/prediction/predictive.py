"""Replicated data from the posterior or the prior, by row, by cell and by unit.

Data are replicated at the sufficient rows: a replicate of one has the same distribution as the
sum or mean of the replicates of the rows that it holds, so nothing is lost and much is saved.
Replicates by cell and by unit are mean responses: proportions of all trials, counts over all
exposure, means of all observations.

Letters: H chains, D draws, K = H D, T rows, G groups (cells or units).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from bambi_anova.arguments import generator
from bambi_anova.design.design import Design, Unit
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.families.base import Family, Link
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import bound_names, check_interval, summarise
from bambi_anova.prediction.predictors import Predictor, read_predictor
from bambi_anova.prediction.prior_draws import draw_prior
from bambi_anova.prediction.replicates import ReplicateRows, replicate, replicate_rows
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

WHICH_UNITS = ("these", "new")
#: Dimension of what is replicated; the names cannot be those of columns.
DIMENSIONS = {"row": "__obs__", "cell": "__cell__"}
UNIT_DIMENSION = "__unit__"


@dataclass(frozen=True)
class Grouping:
    """A partition of the rows of the data.

    Attributes
    ----------
    name : str
        "row", "cell" or a unit term.
    codes : ndarray of int, shape (N,)
        The group of each row.
    labels : pandas.DataFrame
        G rows that say which group is which.
    kind : str
        "row", "cell" or "unit"; a unit term may be named "row".
    """

    name: str
    codes: Array
    labels: pd.DataFrame
    kind: str = "unit"

    @property
    def dimension(self) -> str:
        """The name of its dimension in arrays."""
        return DIMENSIONS.get(self.kind, UNIT_DIMENSION)


def grouping(design: Design, by: str) -> Grouping:
    """Partition the rows of the data by cell, by unit or not at all.

    Parameters
    ----------
    design : Design
    by : str
        "row", "cell", a unit term, or "unit" for the unit term with the fewest units.

    Raises
    ------
    ArgumentError
        If there is no such grouping.
    """
    rows = design.rows
    if by in ("row", "cell") and by in [unit.name for unit in design.units]:
        raise ArgumentError(
            f"by={by!r}: is the name of a unit term too; rename that column to tell them apart"
        )
    if by == "row":
        labels = pd.DataFrame({"row": rows.data.index})
        return Grouping("row", np.arange(len(labels)), labels, "row")
    if by == "cell":
        observed = design.cells["rows"].to_numpy() > 0
        codes = (np.cumsum(observed) - 1)[design.cell_codes]
        labels = design.cells[observed].drop(columns="rows").reset_index(drop=True)
        return Grouping("cell", codes, labels, "cell")
    unit = _unit(design, by)
    names = [*unit.variables, *(name for name in unit.constant if name not in unit.variables)]
    coded = {name: rows.groupings.get(name) or rows.factors[name] for name in names}
    labels = pd.DataFrame(
        {name: [one.levels[one.codes[row]] for row in unit.first] for name, one in coded.items()}
    )
    return Grouping(unit.name, unit.codes, labels)


def _unit(design: Design, by: str) -> Unit:
    if by == "unit":
        if not design.units:
            raise ArgumentError("by='unit': this model has no unit terms; use 'row' or 'cell'")
        return min(design.units, key=lambda unit: unit.size)
    known = [unit.name for unit in design.units]
    if by not in known:
        raise ArgumentError(
            f"by={by!r}: expected 'row', 'cell', 'unit' or a unit term"
            f"{nearest(str(by), ['row', 'cell', 'unit', *known])}"
        )
    return design.unit(by)


@dataclass(frozen=True)
class Replicates:
    """Replicated data at T rows.

    Attributes
    ----------
    sample_shape : tuple of int
        H and D.
    values : ndarray, shape (K, T)
    rows : ReplicateRows
    units : str
        Whose data: of "these" units or of "new" ones; "prior" for draws from the prior.
    """

    sample_shape: tuple[int, int]
    values: Array
    rows: ReplicateRows
    units: str

    def by(self, groups: Grouping) -> tuple[Array, Array, Array]:
        """Return mean responses by group: replicated (K, G), observed (G,) and their base (G,)."""
        rows, count = self.rows, len(groups.labels)
        entries = (rows.factor, (groups.codes[rows.row], np.arange(len(rows.row))))
        gather = sparse.csr_array(entries, shape=(count, len(rows.row)))
        base = np.bincount(groups.codes[rows.row], rows.size, minlength=count)
        with np.errstate(invalid="ignore", divide="ignore"):  # groups without one trial
            return (gather @ self.values.T).T / base, gather @ rows.observed / base, base


def replicates(
    predictor: Predictor,
    rows: ReplicateRows,
    family: Family,
    link: Link,
    units: str,
    rng: np.random.Generator,
) -> Replicates:
    """Replicate the data once for every draw.

    Raises
    ------
    ArgumentError
        If ``units`` is not a known choice.
    """
    if units not in (*WHICH_UNITS, "prior"):
        raise ArgumentError(f"units={units!r}: expected one of {WHICH_UNITS}")
    if units == "new":
        predictor = predictor.with_new_units(rng)
    eta = predictor.at(rows.row) + rows.offset
    values = replicate(family, link, eta, predictor.auxiliary, rows, rng)
    return Replicates(predictor.sample_shape, values, rows, units)


def predictive_tree(made: Replicates, design: Design, by: str, kind: str) -> xr.DataTree:
    """Return replicates as a tree of groups ``kind``, ``observed_data`` and ``constant_data``.

    Parameters
    ----------
    made : Replicates
    design : Design
    by : str
    kind : {"posterior_predictive", "prior_predictive"}
    """
    import xarray as xr

    groups = grouping(design, by)
    rows = made.rows
    if by == "row":
        values, observed, base = made.values, rows.observed, rows.size
        labels, n = _row_labels(design, rows), rows.n
    else:
        values, observed, base = made.by(groups)
        labels, n = groups.labels, np.bincount(groups.codes, minlength=len(groups.labels))
    dim, name = groups.dimension, design.formula.response.variable
    coords = {
        str(column): (dim, labels[column].to_numpy(dtype=object))
        for column in labels
        if column not in ("chain", "draw")
    }
    chains, draws = made.sample_shape
    sample = {"chain": np.arange(chains), "draw": np.arange(draws)}
    shaped = values.reshape(chains, draws, -1)
    tree = xr.DataTree.from_dict(
        {
            kind: xr.Dataset({name: (("chain", "draw", dim), shaped)}, sample | coords),
            "observed_data": xr.Dataset({name: (dim, observed)}, coords),
            "constant_data": xr.Dataset({"rows": (dim, n), "base": (dim, base)}, coords),
        }
    )
    tree.attrs |= {"by": groups.name, "units": made.units}
    return tree


def _row_labels(design: Design, rows: ReplicateRows) -> pd.DataFrame:
    coded = {**design.rows.groupings, **design.rows.factors}
    labels = {name: [one.levels[i] for i in one.codes[rows.row]] for name, one in coded.items()}
    return pd.DataFrame({"row": design.rows.data.index[rows.row]} | labels)


def check_table(made: Replicates, groups: Grouping, ci_prob: float, ci_kind: str) -> pd.DataFrame:
    """Compare the data with their replicates, group by group.

    Returns
    -------
    pandas.DataFrame
        The groups' labels, then ``units``, ``rows``, ``observed``, ``mean``, ``sd``, the interval
        and ``tail_probability``: that a replicate exceeds the observed value, ties counting half.
    """
    check_interval(ci_prob, ci_kind)
    values, observed, _ = made.by(groups)
    summary = summarise(values.reshape(*made.sample_shape, -1), ci_prob, ci_kind)
    above = (values > observed).mean(axis=0) + (values == observed).mean(axis=0) / 2
    about = groups.labels.assign(
        units=made.units,
        rows=np.bincount(groups.codes, minlength=len(groups.labels)),
        observed=observed,
    )
    kept = summary[["mean", "sd", *bound_names(summary, ci_kind)]]
    return pd.concat([about, kept.assign(tail_probability=above)], axis=1)


def prior_predictive(
    model: Specification | Posterior,
    draws: int = 1000,
    by: str = "row",
    random_seed: int | None = None,
) -> xr.DataTree:
    """Replicate the data from the prior: what the model believes before it sees them.

    Parameters
    ----------
    draws : int
    by : str
        "row", "cell", "unit" or a unit term, as for ``Result.posterior_predictive``.
    random_seed : int, optional

    Returns
    -------
    xarray.DataTree
        Groups ``prior_predictive``, ``observed_data`` and ``constant_data``, as of
        ``Result.posterior_predictive``, with one chain; and ``prior``, the parameters.

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    >>> tree = model.prior_predictive(draws=50, by="cell", random_seed=1)
    >>> tree["prior_predictive"]["yield"].shape
    (1, 50, 12)
    """
    import xarray as xr

    if not isinstance(draws, (int, np.integer)) or isinstance(draws, bool) or draws < 1:
        raise ArgumentError(f"draws={draws!r}: expected a whole number from 1 up")
    specification = model.specification if isinstance(model, Posterior) else model
    design, priors = specification.design, specification.priors
    family, literal = specification.family, specification.overparameterized
    rng = generator(random_seed)
    prior = draw_prior(design, priors, literal, draws, rng)
    predictor = read_predictor(prior, design, priors)
    rows = replicate_rows(design, family, specification.collapsed)
    made = replicates(predictor, rows, family, specification.link, "prior", rng)
    tree = predictive_tree(made, design, by, "prior_predictive")
    tree["prior"] = xr.DataTree(prior)
    return tree
