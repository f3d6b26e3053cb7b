"""Two fits of one model, side by side: what a quick fit said and what a full one says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError

if TYPE_CHECKING:
    from bambi_anova.result import Result


def compare_fits(quick: Result, full: Result) -> pd.DataFrame:
    """Compare two fits of one model, quantity by quantity.

    Parameters
    ----------
    quick, full : Result
        The second is taken for the truth.

    Returns
    -------
    pandas.DataFrame
        A row for each quantity of ``Result.trust``, the worst first: ``quantity``,
        ``population``, ``mean_quick``, ``mean_full``, ``sd_quick``, ``sd_full``, ``shift`` (of
        the mean, in units of the full fit's sd), ``sd_ratio`` (quick over full) and
        ``trusted_quick``, ``trusted_full``.

    Raises
    ------
    ArgumentError
        If the fits are of different models.

    Examples
    --------
    >>> quick = model.fit("laplace")  # doctest: +SKIP
    >>> compare_fits(quick, model.fit(init=quick))  # doctest: +SKIP
    """
    require_same_model(quick, full)
    names = ["quantity", "population"]
    both = quick.trust().merge(full.trust(), on=names, suffixes=("_quick", "_full"))
    with np.errstate(invalid="ignore", divide="ignore"):  # quantities that are constant
        both["shift"] = (both["mean_quick"] - both["mean_full"]) / both["sd_full"]
        both["sd_ratio"] = both["sd_quick"] / both["sd_full"]
    distance = pd.concat([both["shift"].abs(), (both["sd_ratio"] - 1).abs()], axis=1).max(axis=1)
    columns = [f"{what}_{fit}" for what in ("mean", "sd") for fit in ("quick", "full")]
    columns = [*names, *columns, "shift", "sd_ratio", "trusted_quick", "trusted_full"]
    order = distance.sort_values(ascending=False, na_position="last", kind="stable").index
    return both.loc[order, columns].reset_index(drop=True)


def require_same_model(one: Result, other: Result) -> None:
    """Refuse fits of different models.

    Raises
    ------
    ArgumentError
        If formula, family, link or the quantities differ.
    """
    for what, own, theirs in (
        ("formula", one.design.formula.text, other.design.formula.text),
        ("family", one.family.name, other.family.name),
        ("link", one.link.name, other.link.name),
        ("levels", one.design.levels, other.design.levels),
        ("rows", len(one.design.rows.data), len(other.design.rows.data)),
    ):
        if own != theirs:
            raise ArgumentError(f"the fits are of different models: {what} {own!r} and {theirs!r}")
