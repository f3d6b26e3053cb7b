"""The draws of a linear predictor at given rows, its group-specific terms apart.

Only the rows of a reference grid are evaluated, never those of the data: memory is that of points
times draws, however long the data.

Letters: H chains, D draws, R parallel predictors, C rows, p columns, K columns of a term's
expression, J groups.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.bambi_fits.draws import FitDraws
from bambi_anova.bambi_fits.terms import (
    Component,
    expression,
    group_columns,
    group_index,
    is_hsgp,
    is_offset,
    matrix,
)
from bambi_anova.errors import ArgumentError

Array = np.ndarray

#: Priors of group-specific effects that are normal about zero given their sd.
NORMAL = ("Normal", "UnitEffects")


@dataclass(frozen=True)
class Varying:
    """A group-specific term at some rows: a sum of K normal effects of whatever group it is.

    Attributes
    ----------
    term : object
        Bambi's own.
    columns : tuple of str
        The columns of its groups.
    weights : ndarray, shape (C, K)
        What each effect of a group counts at each row.
    """

    term: Any
    columns: tuple[str, ...]
    weights: Array

    def variances(self, draws: FitDraws) -> Array:
        """Return its variance over new groups at each row, shape (R, H, D, C).

        Raises
        ------
        ArgumentError
            If the effects are not normal about zero.
        """
        prior = self.term.prior
        if prior.name not in NORMAL or not _is_zero(prior.args.get("mu", 0)):
            raise ArgumentError(
                f"population='super': the effects of {self.term.name!r} have the prior "
                f"{prior.name}, and new groups are drawn from normals about zero only; pass "
                "population='finite' or 'average'"
            )
        return draws.sds(self.term) ** 2 @ self.weights.T**2


@dataclass(frozen=True)
class Predictor:
    """A linear predictor at some rows.

    Attributes
    ----------
    fixed : ndarray, shape (R, H, D, C)
        Without the groups that vary.
    columns : ndarray, shape (C, p)
        The columns that it is linear in.
    varying : tuple of Varying
    """

    fixed: Array
    columns: Array
    varying: tuple[Varying, ...]


def predictor_at(
    draws: FitDraws, component: Component, frame: pd.DataFrame, named: Collection[str]
) -> Predictor:
    """Return the linear predictor of a parameter.

    Parameters
    ----------
    draws : FitDraws
    component : Component
    frame : pandas.DataFrame
        C rows with the columns that the formula reads, but for those of varying groups.
    named : collection of str
        Columns of groups that count as factors.
    """
    size = len(frame)
    fixed: Array = np.zeros((1, *draws.shape, size))
    columns = [np.zeros((size, 0))]
    hsgp = any(is_hsgp(term) for term in component.common)
    if hsgp:
        fixed = fixed + _common_by_bambi(draws, component, frame)
    for term in component.common:
        if is_hsgp(term):
            continue
        own = matrix(term.term.eval_new_data(frame), size)
        if not is_offset(term):
            columns.append(own)
        if not hsgp:
            fixed = fixed + _contribution(draws, term, own)
    varying = []
    for term in component.groups:
        names = group_columns(term, frame.columns.union(draws.model.data.columns, sort=False))
        own = expression(term, frame)
        if not _is_fixed(names, frame, named):
            varying.append(Varying(term, names, own))
            continue
        places = group_index(term, frame)
        for effects, weights in zip(_by_column(draws.effects(term)), own.T, strict=True):
            fixed = fixed + effects[..., places] * weights
        columns.append(_indicators(places, own, len(term.term.groups)))
    return Predictor(fixed, np.hstack(columns), tuple(varying))


def data_columns(
    component: Component, data: pd.DataFrame, named: Collection[str], grid: Collection[str]
) -> Array:
    """Return rows that span those of the data in the columns of ``Predictor``, shape (p, p)."""
    size = len(data)
    parts = [np.zeros((size, 0))]
    for term in component.common:
        if not is_hsgp(term) and not is_offset(term):
            parts.append(matrix(term.term.data, size))
    for term in component.groups:
        names = group_columns(term, data.columns)
        if set(names) <= set(grid) and set(names) & set(named):
            own = matrix(term.term.expr.data, size)
            parts.append(_indicators(group_index(term, data), own, len(term.term.groups)))
    return np.linalg.qr(np.hstack(parts), mode="r")


def _is_fixed(names: tuple[str, ...], frame: pd.DataFrame, named: Collection[str]) -> bool:
    return set(names) <= set(frame.columns) and bool(set(names) & set(named))


def _contribution(draws: FitDraws, term: Any, columns: Array) -> Array:
    if is_offset(term):
        return columns[:, 0]
    coefficients = draws.coefficients(term)
    if coefficients.shape[-1] != columns.shape[1]:
        raise ArgumentError(
            f"idata: {term.name!r} has {coefficients.shape[-1]} coefficients, but the model "
            f"{columns.shape[1]}; pass the draws of the same model, as model.fit() returns them"
        )
    return coefficients @ columns.T


def _by_column(effects: Array) -> Array:
    return np.moveaxis(effects, -2, 0)


def _indicators(places: Array, weights: Array, groups: int) -> Array:
    """Return the columns of a term's groups at some rows, shape (C, K J)."""
    found = np.zeros((len(places), weights.shape[1], groups))
    found[np.arange(len(places)), :, places] = weights
    return found.reshape(len(places), -1)


def _common_by_bambi(draws: FitDraws, component: Component, frame: pd.DataFrame) -> Array:
    """Return the common terms' sum by Bambi itself, whose processes have bases of their own."""
    predict = getattr(component.own, "predict_common", None)
    if predict is None or getattr(draws.model.response_term, "coords", None):
        raise ArgumentError("model: Gaussian processes (hsgp) are read from Bambi 0.21 only")
    found = predict(
        draws.posterior, frame, False, ("chain", "draw"), ("__obs__", "__variables__"), {}
    )
    return found.transpose("chain", "draw", "__obs__").to_numpy()[None]


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float, np.ndarray)) and not np.any(value)
