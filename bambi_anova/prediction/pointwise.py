"""Log-likelihoods of the rows of the data, with every constant, in pieces that stay together.

Leaving something out of the data needs the likelihood of what is left out alone.  Rows that share
every predictor and belong to one group are one piece, merged exactly as in ``collapse``; a row
left out by itself is a piece of its own, and rows that share predictors and response have equal
terms, so that one of them stands for all.

Letters: N rows of data, T pieces, G groups, K draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bambi_anova.design.design import Design
from bambi_anova.design.sufficient import COLLAPSES, Collapsed, group_rows
from bambi_anova.errors import UnsupportedError
from bambi_anova.families.base import Family, Link
from bambi_anova.families.likelihoods import (
    Auxiliary,
    Derivatives,
    Likelihood,
    make_likelihood,
)
from bambi_anova.prediction.predictors import Predictor

Array = np.ndarray


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

    @property
    def offset(self) -> Array:
        """Offset on the link scale, shape (T,)."""
        return np.zeros(len(self.group)) if self.rows.offset is None else self.rows.offset

    def block(self, start: int, stop: int) -> Pieces:
        """Return the pieces of some groups that follow each other."""
        which = np.flatnonzero((self.group >= start) & (self.group < stop))
        return replace(
            self,
            rows=some_rows(self.rows, which),
            group=self.group[which] - start,
            groups=stop - start,
            constant=self.constant[which],
        )


def some_rows(rows: Collapsed, which: Array) -> Collapsed:
    """Return some of the sufficient rows."""
    return Collapsed(
        rows.first[which],
        rows.codes,
        rows.values[which],
        None if rows.trials is None else rows.trials[which],
        None if rows.offset is None else rows.offset[which],
        rows.n[which],
        rows.within[which],
    )


def row_pieces(design: Design, family: Family, collapsed: Collapsed) -> Pieces:
    """Return the rows of the data one by one, those with equal terms once."""
    response, offset = design.rows.response, design.rows.offset
    size = len(response.values)
    keys = [collapsed.codes, response.values]
    keys += [extra for extra in (response.trials, offset) if extra is not None]
    codes, first = group_rows(keys, size)
    rows = Collapsed(
        first,
        codes,
        response.values[first],
        None if response.trials is None else response.trials[first],
        None if offset is None else offset[first],
        np.ones(len(first)),
        np.zeros(len(first)),
    )
    own = np.arange(len(first))
    constant = _row_constants(design, family)[first]
    if offset is not None and family.name == "poisson":
        constant -= rows.values * offset[first]
    return Pieces(rows, own, len(first), codes, np.arange(size), constant)


def group_pieces(design: Design, family: Family, collapsed: Collapsed, codes: Array) -> Pieces:
    """Return the rows of each group, merged where they share every predictor.

    Parameters
    ----------
    design : Design
    family : Family
    collapsed : Collapsed
        The sufficient rows of the model.
    codes : ndarray of int, shape (N,)
        The group of each row of the data, from zero up without gaps.
    """
    response, offset = design.rows.response, design.rows.offset
    rows = COLLAPSES[family.collapse](
        [collapsed.codes, codes], response.values, response.trials, offset
    )
    constant = np.bincount(rows.codes, _row_constants(design, family))
    if rows.offset is not None and family.name == "poisson":
        constant -= rows.values * rows.offset
    return Pieces(rows, codes[rows.first], int(codes.max()) + 1, codes, codes, constant)


def _row_constants(design: Design, family: Family) -> Array:
    """Return what ``latent.likelihoods`` leaves out of each row's log-likelihood, shape (N,)."""
    response, offset = design.rows.response, design.rows.offset
    y = response.values
    trials = np.ones(len(y)) if response.trials is None else response.trials
    exposed = np.zeros(len(y)) if offset is None else y * offset
    return _CONSTANTS[family.name](y, trials, exposed)


def _choose(y: Array, trials: Array, exposed: Array) -> Array:
    return special.gammaln(trials + 1) - special.gammaln(y + 1) - special.gammaln(trials - y + 1)


_CONSTANTS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "gaussian": lambda y, trials, exposed: np.full(len(y), -np.log(2 * np.pi) / 2),
    "t": lambda y, trials, exposed: np.full(len(y), -np.log(np.pi) / 2),
    "bernoulli": _choose,
    "binomial": _choose,
    # Merged counts have the sum of their exposures; what each row's own offset adds is here.
    "poisson": lambda y, trials, exposed: exposed - special.gammaln(y + 1),
    "negativebinomial": lambda y, trials, exposed: -special.gammaln(y + 1),
    "gamma": lambda y, trials, exposed: -np.log(y),
    "beta": lambda y, trials, exposed: np.zeros(len(y)),
    "betabinomial": _choose,
    "betabinomial_mode": _choose,
}


def likelihood_of(family: Family, link: Link, rows: Collapsed) -> Likelihood:
    """Return the likelihood of some rows, also of families that have no quick fit."""
    try:
        return make_likelihood(family, link, rows)
    except UnsupportedError:
        if family.name != "beta":
            raise
        return _numeric(link, rows)


def total_log_likelihood(
    predictor: Predictor, collapsed: Collapsed, family: Family, link: Link
) -> Array:
    """Return the log-likelihood of all data given all effects, a constant apart.

    Returns
    -------
    ndarray
        In the shape of the predictor's draws.
    """
    offset = np.zeros(len(collapsed.first)) if collapsed.offset is None else collapsed.offset
    eta = (predictor.at(collapsed.first) + offset).T
    aux = {name: values[:, 0] for name, values in predictor.auxiliary.items()}
    total = likelihood_of(family, link, collapsed).log(eta, aux).sum(axis=0)
    return total.reshape(predictor.sample_shape)


def _numeric(link: Link, rows: Collapsed) -> Likelihood:
    """Return the beta likelihood for any link, with derivatives by differences."""
    y, n = rows.values[:, None], rows.n[:, None]
    step = 1e-4

    def log(eta: Array, aux: Auxiliary) -> Array:
        tiny = np.finfo(float).tiny
        mean = np.clip(link.inverse(eta), 1e-15, 1 - 1e-15)
        a, b = np.maximum(mean * aux["kappa"], tiny), np.maximum((1 - mean) * aux["kappa"], tiny)
        return n * ((a - 1) * np.log(y) + (b - 1) * np.log1p(-y) - special.betaln(a, b))

    def derivatives(eta: Array, aux: Auxiliary) -> Derivatives:
        below, here, above = (log(eta + shift, aux) for shift in (-step, 0.0, step))
        curvature = (2 * here - below - above) / step**2
        return Derivatives((above - below) / (2 * step), np.maximum(curvature, 0.0))

    return Likelihood(log, derivatives)
