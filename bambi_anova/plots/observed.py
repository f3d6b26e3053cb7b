"""Observed means of units, to lay under what was estimated.

Letters: N rows, M observed means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bambi_anova.design.design import Design
from bambi_anova.plots.style import Style
from bambi_anova.posterior.posterior import Posterior


def shows_data(posterior: Posterior, scale: str) -> bool:
    """Whether observed means can be laid over: on the response scale, and not of 0s and 1s."""
    design = posterior.design
    if posterior.specification.parent.further:  # no row shows an sd
        return False
    on_scale = scale != "link" or posterior.link.name == "identity"
    return on_scale and bool(design.units or design.rows.response.trials is None)


def dots_name(posterior: Posterior, style: Style) -> str:
    """Say what the raw dots are."""
    design = posterior.design
    unit = _finest_unit(design)
    if not unit:
        return f"dots: {design.rows.size} observations"
    return f"dots: means of {len(design.rows.codes(unit)[1])} units ({style.joined(unit)})"


def observed_means(
    posterior: Posterior, factors: Sequence[str], scale: str = "response"
) -> pd.DataFrame:
    """Return each finest unit's observed mean at each combination of the factors' levels.

    Parameters
    ----------
    posterior : Posterior
    factors : sequence of str
    scale : {"link", "response", "median"}
        Of a transformed response: means of it as it is, of what was measured, or means of it
        that are taken back to what was measured.

    Returns
    -------
    pandas.DataFrame
        The factors' columns, ``unit`` (a number), ``mean`` and ``weight`` (trials, exposure or
        rows behind it): M rows; the N rows themselves if the model has no units.

    Examples
    --------
    >>> observed_means(result, ["condition"])  # doctest: +SKIP
    """
    rows = posterior.design.rows
    unit = _finest_unit(posterior.design)
    codes, first = rows.codes((*unit, *factors))
    if not unit and not rows.tallied:
        codes = first = np.arange(len(rows.data))
    response = rows.response
    weights = response.trials
    if weights is None:
        weights = np.ones(len(codes)) if rows.offset is None else np.exp(rows.offset)
    total = response.total(codes, weights)
    columns = {}
    for name in factors:
        coded = rows.factors[name]
        columns[name] = [coded.levels[code] for code in coded.codes[first]]
    own = posterior.specification.transformation
    values, category = response.values, posterior.family.category
    if category is not None:
        values = (values == category).astype(float)
    if own is not None and scale == "response":
        values = own.inverse(values)
    mean = response.total(codes, values) / total
    if own is not None and scale == "median":
        mean = own.inverse(mean)
    units = rows.codes(unit)[0][first] if unit else first
    return pd.DataFrame({**columns, "unit": units, "mean": mean, "weight": total})


def _finest_unit(design: Design) -> tuple[str, ...]:
    """Return the variables that tell the finest units apart; none if there are no units."""
    return max((unit.own for unit in design.units), key=len, default=())
