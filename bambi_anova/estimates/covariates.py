"""Values of the user's columns -> centred values of the covariates that read them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bambi_anova.data.rows import Covariate, Rows
from bambi_anova.errors import ArgumentError, DataError, nearest
from bambi_anova.families.values import moments
from bambi_anova.tables.columns import RESERVED


def readers(column: str, rows: Rows) -> list[str]:
    """Return the covariates that read a column, or that have its name."""
    return [
        name for name, known in rows.covariates.items() if column == name or column in known.columns
    ]


def require_covariate(name: str, rows: Rows, argument: str) -> None:
    """Refuse what is neither a covariate nor a column that a covariate reads.

    Raises
    ------
    ArgumentError
    """
    known = [*rows.covariates, *(c for v in rows.covariates.values() for c in v.columns)]
    if name in rows.factors:
        raise ArgumentError(f"{argument}: {name!r} is a factor; name its levels with by={name!r}")
    if name not in known:
        hint = nearest(str(name), dict.fromkeys(known))
        raise ArgumentError(f"{argument}: {name!r} is not a covariate of this model{hint}")
    if argument == "at" and name in RESERVED:  # it would be a column of the table
        raise ArgumentError(f"{argument}: {name!r} is kept for the tables; rename the column")


def spread(name: str, rows: Rows) -> tuple[float, float]:
    """Return mean and sd of a column or of a covariate's expression, on its own scale."""
    if name in rows.covariates:
        covariate = rows.covariates[name]
        return covariate.mean, covariate.sd
    values = rows.data[name].to_numpy(dtype=float)
    return moments(values, rows.response.count)


def centred_values(at: Mapping[str, float], rows: Rows) -> dict[str, float]:
    """Return the centred value of each covariate where some columns have given values.

    Parameters
    ----------
    at : mapping of str to float
        Values of columns on their own scale, or of covariates' expressions as written.
    rows : Rows

    Returns
    -------
    dict of str to float
        For every covariate; zero, its mean, for those that read none of these columns.

    Raises
    ------
    ArgumentError
        If a covariate reads several columns and only some are given, or is not finite there.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 5, 6, 4], "age": [20.0, 30, 35, 45, 50, 60]})
    >>> rows = ba.Model("y ~ scale(age)", data, "gaussian").design.rows
    >>> round(centred_values({"age": 40.0}, rows)["scale(age)"], 6)
    0.0
    """
    return {name: _centred(covariate, at, rows) for name, covariate in rows.covariates.items()}


def _centred(covariate: Covariate, at: Mapping[str, float], rows: Rows) -> float:
    if covariate.name in at:
        return at[covariate.name] - covariate.mean
    read = covariate.columns
    missing = [name for name in read if name not in at]
    if len(missing) == len(read):
        return 0.0
    if missing:
        raise ArgumentError(
            f"at: covariate {covariate.name!r} reads {' and '.join(map(repr, read))}; give all "
            f"of them, or its own value as at={{{covariate.name!r}: ...}}"
        )
    point = pd.DataFrame({name: [float(at[name])] for name in read})
    given = ", ".join(f"{name}={at[name]:g}" for name in read)
    try:
        value = float(rows.centred(covariate.name, point)[0])
    except DataError as error:
        raise ArgumentError(
            f"at: covariate {covariate.name!r} cannot be evaluated at {given}: {error}. Give its "
            f"own value as at={{{covariate.name!r}: ...}}"
        ) from error
    if not np.isfinite(value):
        raise ArgumentError(f"at: covariate {covariate.name!r} is not finite at {given}")
    return value
