"""A fitted ``bambi.Model`` -> its reference grid.

As in emmeans, factors' levels are crossed and numeric columns stand at their means over the rows of
the data, or where ``at`` puts them; a transformation such as ``bs(age)`` is evaluated there.

Letters: H chains, D draws, C points, p columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg

from bambi_anova.arguments import one_of
from bambi_anova.bambi_fits.draws import FitDraws, read_draws
from bambi_anova.bambi_fits.layout import label_of, read_layout, require_groups
from bambi_anova.bambi_fits.populations import Points, link_values, response_values
from bambi_anova.bambi_fits.predictors import data_columns, predictor_at
from bambi_anova.bambi_fits.responses import ResponseMean, parameter_value, response_mean
from bambi_anova.bambi_fits.terms import (
    Columns,
    Component,
    components,
    group_columns,
    is_hsgp,
    is_offset,
    read_columns,
    used_rows,
)
from bambi_anova.design.design import Design
from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.estimates.effects import Grid
from bambi_anova.estimates.reference_grid import STEP, ReferenceGrid, axes_at
from bambi_anova.families.values import moments
from bambi_anova.posterior.populations import check_population
from bambi_anova.tables.columns import RESERVED

Array = np.ndarray

SCALES = LINK, RESPONSE = ("link", "response")
#: The axis of categories, where a response has some.
CATEGORY = "category"
#: Points times draws that a grid may have.
MOST_NUMBERS = 200_000_000


@dataclass(frozen=True)
class BambiFit:
    """A fitted model as tables ask about it.

    Attributes
    ----------
    draws : FitDraws
    data : pandas.DataFrame
        The rows that the model was fitted to.
    columns : Columns
        Columns of groups that count as factors are among its factors.
    named : frozenset of str
        The columns of groups that were named as factors.
    components : mapping of str to Component
        The linear predictors that the tables need, that which they are about first.
    mean : ResponseMean
    layout : Design
    """

    draws: FitDraws
    data: pd.DataFrame
    columns: Columns
    named: frozenset[str]
    components: Mapping[str, Component]
    mean: ResponseMean
    layout: Design

    @property
    def parameter(self) -> str:
        """The parameter that the tables are about."""
        return next(iter(self.components))

    @property
    def link(self) -> str:
        """The name of its link."""
        return self.draws.model.family.link[self.parameter].name

    @property
    def is_parent(self) -> bool:
        """Whether the tables are about the response."""
        return self.parameter == self.draws.model.family.likelihood.parent


def read_fit(
    model: Any,
    idata: Any,
    factors: str | Sequence[str] = (),
    asked: Sequence[str | Sequence[str] | None] = (),
    parameter: str | None = None,
) -> BambiFit:
    """Read a fitted model.

    Parameters
    ----------
    model : bambi.Model
    idata : xarray.DataTree
    factors : str or sequence of str
        Columns of groups that are factors too.
    asked : sequence
        Terms, and lists of them, that the tables are about: columns of groups in them are
        factors as well.
    parameter : str, optional
        The parameter of the likelihood to read, if not what the formula is about.

    Raises
    ------
    ArgumentError
        If something is not of this model.
    """
    draws = read_draws(model, idata)
    known = components(model)
    parent = model.family.likelihood.parent
    name = parent if parameter is None else parameter
    if name not in known:
        constant = " (it has no formula: see its draws in idata)"
        hint = constant if name in model.marginal_parameters else nearest(str(name), known)
        raise ArgumentError(f"parameter={parameter!r}: expected one of {tuple(known)}{hint}")
    mean = response_mean(model) if name == parent else parameter_value(name)
    needed = {own: known[own] for own in (name, *mean.parameters) if own in known}
    columns = read_columns(model)
    for component in needed.values():
        require_groups(component, model.data.columns)
        for term in component.own.terms.values():
            if not is_offset(term) and not is_hsgp(term):
                draws.require_levels(term)
    given = [factors] if isinstance(factors, str) else list(factors)
    inside = [own for own in columns.groups if own not in columns.factors and _asks(asked, own)]
    named = frozenset((*given, *inside))
    columns = columns.with_factors(dict.fromkeys((*given, *inside)))
    data = used_rows(model)
    groups = [
        own
        for component in needed.values()
        for own in (group_columns(term, data.columns) for term in component.groups)
        if not (set(own) <= set(columns.factors) and set(own) & named)
    ]
    layout = read_layout(model, data, columns.factors, groups)
    return BambiFit(draws, data, columns, named, needed, mean, layout)


def _asks(asked: Sequence[str | Sequence[str] | None], name: str) -> bool:
    texts = [
        text
        for one in asked
        for text in ([one] if isinstance(one, str) else one or ())
        if isinstance(text, str)
    ]
    return any(name == text or name in map(str.strip, text.split(":")) for text in texts)


def reference_grid(
    fit: BambiFit,
    population: str = "super",
    scale: str = LINK,
    at: Mapping[str, Any] | None = None,
    slope: str | None = None,
) -> ReferenceGrid:
    """Read a fitted model at the cells, or at points that values of columns tell apart.

    Parameters
    ----------
    fit : BambiFit
    population, scale : str
    at : mapping, optional
        Value or values of numeric columns.
    slope : str, optional
        The numeric column whose slope is wanted instead of the mean.

    Raises
    ------
    ArgumentError
        If there is no such population or scale, a column is no numeric one, or its values are
        not numbers.
    """
    check_population(population)
    one_of("scale", scale, SCALES)
    axes = axes_at(at, lambda name: _require_numeric(name, fit, "at"))
    if slope is not None:
        _require_numeric(slope, fit, "slope")
    frame = _frame(axes, fit)
    ends = [frame] if slope is None else _ends(frame, slope, fit)
    read = [_read(fit, end, population, scale) for end in ends]
    values, columns = read[0]
    straight = fit.link == "identity" and fit.parameter in fit.mean.linear
    linear = scale == LINK or (straight and len(fit.components) == 1)
    of_grid = [columns]
    if slope is not None:
        step = (ends[0][slope] - ends[1][slope]).to_numpy(dtype=float)
        values = (values - read[1][0]) / step
        steepness = (columns - read[1][1]) / step[:, None]
        of_grid = [steepness] if linear else [steepness, columns]
    categories = _categories(fit, scale, len(values))
    if categories and CATEGORY in fit.layout.levels:
        raise ArgumentError(f"model: its factor {CATEGORY!r} would be mistaken; rename the column")
    first = {CATEGORY: categories} if categories else {}
    copies = max(len(categories), 1)
    return ReferenceGrid(
        population,
        scale,
        _of(fit, scale),
        Grid({**first, **axes, **fit.layout.levels}),
        (*first, *(name for name in axes if name not in fit.layout.levels)),
        np.moveaxis(values, 0, 2).reshape(*fit.draws.shape, -1),
        tuple(np.tile(own, (copies, 1)) for own in of_grid),
        _span(fit, scale),
        linear,
        np.tile(_observations(fit), copies * len(frame) // fit.layout.grid.shape[1]),
        "" if fit.link == "identity" else fit.link,
    )


def zero(fit: BambiFit) -> float:
    """Return zero if means may lie on both sides of it, as those of changes do, or NaN."""
    values = fit.layout.rows.response.values
    plain = fit.is_parent and fit.link == "identity" and not fit.mean.levels
    return 0.0 if plain and values.min() < 0 < values.max() else np.nan


def factors_of_slope(fit: BambiFit, slope: str) -> list[str]:
    """Return the factors that change a column's slope."""
    found = {
        name
        for component in fit.components.values()
        for term in component.common
        if slope in term.term.var_names
        for name in term.term.var_names
    }
    return [name for name in fit.columns.factors if name in found]


def _read(fit: BambiFit, frame: pd.DataFrame, population: str, scale: str) -> tuple[Array, Array]:
    """Return values at some points, of shape (K, H, D, C), and the columns that they rest on."""
    names = list(fit.components) if scale == RESPONSE else [fit.parameter]
    predictors = {
        name: predictor_at(fit.draws, fit.components[name], frame, fit.named) for name in names
    }
    points = Points(fit.draws, fit.layout, predictors, fit.mean)
    columns = np.hstack([predictors[name].columns for name in names])
    if scale == LINK:
        return link_values(points, fit.parameter, population), columns
    return response_values(points, population), columns


def _span(fit: BambiFit, scale: str) -> Array:
    names = list(fit.components) if scale == RESPONSE else [fit.parameter]
    parts = [
        data_columns(fit.components[name], fit.data, fit.named, fit.columns.factors)
        for name in names
    ]
    return linalg.block_diag(*parts)


def _of(fit: BambiFit, scale: str) -> str:
    """Say what stands on the scale, where its name does not."""
    if not fit.is_parent:
        return fit.parameter
    if scale == RESPONSE and fit.mean.levels:
        return "probability"
    if scale == RESPONSE and fit.mean.word:
        return fit.mean.word
    term = fit.draws.model.response_term.term
    call = getattr(term.components[0], "call", None)
    kind = getattr(term, "kind", "")
    if call is not None and kind == "numeric" and fit.link == "identity":
        return f"mean of {label_of(fit.draws.model)}"
    return ""


def _categories(fit: BambiFit, scale: str, count: int) -> tuple:
    """Return the categories that values stand for, if the response has some."""
    if not fit.is_parent or not fit.mean.levels or (scale == LINK and count == 1):
        return ()
    if scale == LINK and count < len(fit.mean.levels):
        known = next(iter(fit.draws.model.response_term.coords.values()))
        return tuple(map(str, known))
    return tuple(map(str, fit.mean.levels))


def _observations(fit: BambiFit) -> Array:
    response, layout = fit.layout.rows.response, fit.layout
    return response.total(layout.cell_codes, response.trials, len(layout.cells)).astype(float)


def _frame(axes: Mapping[str, tuple], fit: BambiFit) -> pd.DataFrame:
    """Return the points as rows of data: axes of ``at`` first, the last factor fastest."""
    levels = {**axes, **fit.layout.levels}
    size = int(np.prod([len(own) for own in levels.values()], dtype=np.int64))
    draws = fit.draws.shape[0] * fit.draws.shape[1]
    if size * draws > MOST_NUMBERS:
        raise ArgumentError(
            f"{size:,} points of {len(levels)} factors times {draws:,} draws are more than "
            f"{MOST_NUMBERS:,} numbers; thin the draws, as idata.isel(draw=slice(None, None, 10))"
        )
    codes = np.indices([len(own) for own in levels.values()]).reshape(len(levels), size)
    frame = {}
    for name, places in zip(levels, codes, strict=True):
        values = pd.Series(list(levels[name]))
        if name in fit.layout.levels:
            values = values.astype(fit.data[name].dtype)
        frame[name] = values.iloc[places].reset_index(drop=True)
    for name in fit.columns.numeric:
        if name not in frame:
            mean = fit.data[name].to_numpy(dtype=float).mean()
            frame[name] = pd.Series(np.full(size, mean))
    return pd.DataFrame(frame, index=range(size))


def _require_numeric(name: str, fit: BambiFit, argument: str) -> None:
    if name in fit.columns.factors:
        raise ArgumentError(f"{argument}: {name!r} is a factor; name its levels with by={name!r}")
    if name not in fit.columns.numeric:
        raise ArgumentError(
            f"{argument}: {name!r} is no numeric column of this model's formula"
            f"{nearest(str(name), fit.columns.numeric)}"
        )
    if argument == "at" and name in RESERVED:  # it would be a column of the table
        raise ArgumentError(f"{argument}: {name!r} is kept for the tables; rename the column")


def _ends(frame: pd.DataFrame, slope: str, fit: BambiFit) -> list[pd.DataFrame]:
    """Return the points between which a slope is taken."""
    _, sd = moments(fit.data[slope].to_numpy(dtype=float))
    middle = frame[slope].astype(float)
    return [frame.assign(**{slope: middle + side * STEP * sd}) for side in (1, -1)]
