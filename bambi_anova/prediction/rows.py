"""The rows that predictions are about: where data are replicated, and what is left out together.

Leaving something out of the data needs the likelihood of what is left out alone.  Rows that share
every predictor and belong to one group are one piece, merged exactly as sufficient rows are; a row
left out by itself is a piece of its own, and rows that share predictors and response have equal
terms, so that one of them stands for all.

Letters: N rows of data, T rows or pieces, G groups, K draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bambi_anova.design.sufficient import collapse_rows
from bambi_anova.families.likelihood import Parameters
from bambi_anova.families.sufficient import Collapsed, group_rows
from bambi_anova.prediction.predictors import Predictor
from bambi_anova.specification import Specification

Array = np.ndarray


@dataclass(frozen=True)
class ReplicateRows:
    """T rows at which data are replicated.

    A row may hold several rows of the data, as after the exact collapse: a binomial row then adds
    up trials, a Poisson row counts and exposures, and a gaussian row is the mean of its n
    observations.  Rows of other families are single observations.

    Attributes
    ----------
    rows : Collapsed
        T rows.
    factor, size : ndarray, shape (T,)
        The mean response of some rows is the sum of ``factor`` times response over the sum of
        ``size``: of trials, exposures or observations.
    """

    rows: Collapsed
    factor: Array
    size: Array

    @property
    def first(self) -> Array:
        """A row of the data with the predictors of each, shape (T,)."""
        return self.rows.first


def replicate_rows(model: Specification, single: bool = False) -> ReplicateRows:
    """Return the rows to replicate data at: the sufficient ones, where they can be replicated.

    Sufficient rows that share their response, or whose values do not average to their rows' mean,
    cannot: in their place stand the rows of the data, as always with ``single``.
    """
    collapsed, family = model.collapsed, model.family
    if collapsed.merged and (single or not family.collapse.averages):
        model.design.rows.require_single(f"replicating a response of family={family.name!r}")
        collapsed = collapse_rows(model.design, family, collapse=False)
    ones = np.ones(len(collapsed.first))
    if collapsed.trials is not None:
        return ReplicateRows(collapsed, ones, collapsed.trials)
    if family.response.counts:
        return ReplicateRows(collapsed, ones, np.exp(collapsed.offsets))
    return ReplicateRows(collapsed, collapsed.n, collapsed.n)


def row_parameters(predictor: Predictor, model: Specification, rows: Collapsed) -> Parameters:
    """Return the likelihood's parameters at some rows, each of shape (K, T) or (K, 1)."""
    eta = predictor.at(rows.first) + rows.offsets
    with np.errstate(over="ignore"):  # priors may reach as far as floating point does
        auxiliary = predictor.auxiliary_at(rows.first)
        return model.family.of_mean.at((model.link,), (eta,), auxiliary)


@dataclass(frozen=True)
class Pieces:
    """Rows that are left out together, merged where they can be.

    Attributes
    ----------
    rows : Collapsed
        T pieces; ``first`` is a row of the data with the predictors of each.
    group : ndarray of int, shape (T,)
        The group of each piece.
    groups : int
        G.
    of_row : ndarray of int, shape (N,)
        The group whose term each row of the data has.
    inside : ndarray of int, shape (N,)
        What each row is left out with: rows of one value go together.
    constant : ndarray, shape (T,)
        The part of the log-likelihood that holds no parameter.
    """

    rows: Collapsed
    group: Array
    groups: int
    of_row: Array
    inside: Array
    constant: Array

    def block(self, start: int, stop: int) -> Pieces:
        """Return the pieces of some groups that follow each other."""
        which = np.flatnonzero((self.group >= start) & (self.group < stop))
        return replace(
            self,
            rows=self.rows.some(which),
            group=self.group[which] - start,
            groups=stop - start,
            constant=self.constant[which],
        )


def row_pieces(model: Specification) -> Pieces:
    """Return the rows of the data one by one, those with equal terms once."""
    design = model.design
    response, offset = design.rows.response, design.rows.offset
    size = len(response.values)
    keys = [model.collapsed.codes, response.values]
    keys += [extra for extra in (response.trials, offset) if extra is not None]
    codes, first = group_rows(keys, size)
    single = collapse_rows(design, model.family, collapse=False).some(first)
    own = np.arange(len(first))
    constant = _row_constants(model)[first]
    return Pieces(single, own, len(first), codes, np.arange(size), constant)


def group_pieces(model: Specification, codes: Array) -> Pieces:
    """Return the rows of each group, merged where they share every predictor.

    Parameters
    ----------
    model : Specification
    codes : ndarray of int, shape (N,)
        The group of each row of the data, from zero up without gaps.
    """
    response, offset = model.design.rows.response, model.design.rows.offset
    # Rows of a sufficient row share their offset already, unless offsets add up.
    collapse, keys = model.family.collapse, [model.collapsed.codes, codes]
    rows = collapse.merge(keys, response, offset)
    constant = response.total(rows.codes, _row_constants(model))
    constant += collapse.constant(response, offset, rows)
    return Pieces(rows, codes[rows.first], int(codes.max()) + 1, codes, codes, constant)


def _row_constants(model: Specification) -> Array:
    """Return what the likelihood leaves out of each row's log density, shape (N,)."""
    response = model.design.rows.response
    values, trials = response.values, response.trials
    return model.family.constants(values, np.ones(len(values)) if trials is None else trials)


def total_log_likelihood(predictor: Predictor, model: Specification) -> Array:
    """Return the log-likelihood of all data given all effects, a constant apart.

    Returns
    -------
    ndarray
        In the shape of the predictor's draws.
    """
    first, family = model.collapsed.first, model.family.of_mean
    eta = (predictor.at(first) + model.collapsed.offsets).T
    likelihood = family.likelihood((model.link,), model.collapsed)
    total = likelihood.log(eta, predictor.columns_at(first)).sum(axis=0)
    return total.reshape(predictor.sample_shape)
