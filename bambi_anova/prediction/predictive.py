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

from bambi_anova.arguments import generator, whole_number
from bambi_anova.design.design import Design
from bambi_anova.errors import ArgumentError
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.grouping import Grouping, grouping
from bambi_anova.prediction.predictors import Predictor, predictor_of, read_predictor
from bambi_anova.prediction.prior_draws import draw_prior
from bambi_anova.prediction.rows import ReplicateRows, replicate_rows, row_parameters
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

WHICH_UNITS = ("these", "new")


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
    category : int, optional
        Of categories without an order: that whose share takes the part of a mean.
    """

    sample_shape: tuple[int, int]
    values: Array
    rows: ReplicateRows
    units: str
    category: int | None = None

    def by(self, groups: Grouping) -> tuple[Array, Array, Array]:
        """Return mean responses by group: replicated (K, G), observed (G,) and their base (G,)."""
        rows, count = self.rows, len(groups.labels)
        made, seen = self.values, rows.rows.values
        if self.category is not None:
            made, seen = (np.asarray(own == self.category, dtype=float) for own in (made, seen))
        entries = (rows.factor, (groups.codes[rows.first], np.arange(len(rows.first))))
        gather = sparse.csr_array(entries, shape=(count, len(rows.first)))
        base = np.bincount(groups.codes[rows.first], rows.size, minlength=count)
        with np.errstate(invalid="ignore", divide="ignore"):  # groups without one trial
            return (gather @ made.T).T / base, gather @ seen / base, base


def replicates(
    model: Specification,
    predictor: Predictor,
    units: str,
    rng: np.random.Generator,
    single: bool = False,
) -> Replicates:
    """Replicate the data once for every draw; ``single`` keeps their rows apart.

    Raises
    ------
    ArgumentError
        If ``units`` is not a known choice.
    """
    if units not in (*WHICH_UNITS, "prior"):
        raise ArgumentError(f"units={units!r}: expected one of {WHICH_UNITS}")
    rows = replicate_rows(model, single)
    if units == "new":
        predictor = predictor.with_new_units(rng)
    values = model.family.replicate(row_parameters(predictor, model, rows.rows), rows.rows, rng)
    return Replicates(predictor.sample_shape, values, rows, units, model.family.category)


def replicates_of(
    posterior: Posterior,
    units: str,
    draws: int | None,
    random_seed: int | None,
    single: bool = False,
) -> Replicates:
    """Replicate the data from the posterior; arguments as of ``posterior_predictive``."""
    if units == "prior":
        raise ArgumentError("units='prior': expected 'these' or 'new'; see prior_predictive")
    predictor, rng = predictor_of(posterior, draws), generator(random_seed)
    return replicates(posterior.specification, predictor, units, rng, single)


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
        values, observed, base = made.values, rows.rows.values, rows.size
        labels, n = _row_labels(design, rows), rows.rows.n
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
    names = [*design.rows.groupings, *design.rows.factors]
    labels = design.rows.labels(names, rows.first)
    return pd.DataFrame({"row": design.rows.data.index[rows.first], **labels})


def posterior_predictive(
    posterior: Posterior,
    by: str = "row",
    units: str = "these",
    draws: int | None = None,
    random_seed: int | None = None,
) -> xr.DataTree:
    """Replicate the data from the posterior.

    Parameters
    ----------
    posterior : Posterior
    by : str
        "row" for the replicated responses themselves; "cell", "unit" (the unit term with the
        fewest units) or the name of a unit term for mean responses.
    units : {"these", "new"}
        Whether the units keep their effects, or others of the same population take their
        places.
    draws : int, optional
        How many of the posterior's draws to use, evenly spaced; all of them by default.
    random_seed : int, optional

    Returns
    -------
    xarray.DataTree
        Groups ``posterior_predictive`` (dimensions ``chain``, ``draw`` and one of
        ``__obs__``, ``__cell__`` and ``__unit__``), ``observed_data`` and ``constant_data``
        (``rows`` of the data in each, and their ``base``: trials, exposure or observations).
        Factors and units are coordinates.  The rows are the sufficient ones: successes of
        all trials, counts of all exposure, means of gaussian observations that share every
        predictor; for the other families they are the rows of the data.  Categories are
        numbers in the order of ``category_probabilities``: ordered ones that are no numbers
        themselves from 1 up, those without an order from 0 up.

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take.

    Examples
    --------
    >>> tree = result.posterior_predictive(by="cell", random_seed=1)  # doctest: +SKIP
    >>> tree["posterior_predictive"].dims  # doctest: +SKIP
    """
    made = replicates_of(posterior, units, draws, random_seed)
    return predictive_tree(made, posterior.design, by, "posterior_predictive")


def prior_predictive(
    model: Specification | Posterior,
    draws: int = 1000,
    by: str = "row",
    random_seed: int | None = None,
) -> xr.DataTree:
    """Replicate the data from the prior: what the model believes before it sees them.

    Parameters
    ----------
    model : Model or Result
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

    whole_number("draws", draws)
    specification = model.specification if isinstance(model, Posterior) else model
    rng = generator(random_seed)
    prior = draw_prior(specification, draws, rng)
    made = replicates(specification, read_predictor(prior, specification), "prior", rng)
    tree = predictive_tree(made, specification.design, by, "prior_predictive")
    tree["prior"] = xr.DataTree(prior)
    return tree
