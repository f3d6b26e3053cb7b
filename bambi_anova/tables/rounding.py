"""Numbers as text: no digit that Monte Carlo noise decides, and none that the sd makes idle.

The last digit shown has a unit of at least the Monte Carlo standard error, so that another run
moves it by about one; a quantity whose Monte Carlo error is tiny keeps three significant digits
of its sd.

Letters: K rows of a table.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.tables.columns import bound

#: Digits of a posterior sd that a reader may want.
SIGNIFICANT = 3
MINUS = "\N{MINUS SIGN}"


def deserved(sd: float, digits: int = SIGNIFICANT) -> int:
    """Return the decimals that show so many significant digits of an sd; negative for tens.

    Examples
    --------
    >>> deserved(0.0391), deserved(214.0), deserved(0.0391, digits=2), deserved(0.0)
    (4, 0, 3, 3)
    """
    if not (np.isfinite(sd) and sd > 0):
        return SIGNIFICANT
    return digits - 1 - int(np.floor(np.log10(sd)))


def decimals(error: float, sd: float) -> int:
    """Return how many decimals of a mean are worth showing; negative for tens and above.

    Parameters
    ----------
    error : float
        Monte Carlo standard error of the mean.
    sd : float
        Posterior sd.

    Examples
    --------
    >>> decimals(0.0026, 0.15), decimals(0.0009, 0.03), decimals(40.0, 900.0)
    (2, 3, -2)
    """
    most = deserved(sd)
    if not (np.isfinite([error, sd]).all() and error > 0 and sd > 0):
        return most
    # The nudge keeps an error of exactly one unit, which logarithms may put below it.
    return min(most, int(np.floor(-np.log10(error) + 1e-9)))


def row_decimals(table: pd.DataFrame) -> np.ndarray:
    """Return the decimals of each row of a table, alike for a term's trusted rows; shape (K,).

    Parameters
    ----------
    table : pandas.DataFrame
        With columns ``sd``, ``mcse_mean`` and ``trusted``, perhaps ``term``.

    Examples
    --------
    >>> table = pd.DataFrame({"sd": [1.0, 1.0, 1.0], "mcse_mean": [0.02, 0.009, 0.4]})
    >>> row_decimals(table.assign(trusted=[True, True, False])).tolist()
    [1, 1, 0]
    """
    each = [decimals(*pair) for pair in zip(table["mcse_mean"], table["sd"], strict=True)]
    own = np.maximum(np.array(each, dtype=int), _for_intervals(table))
    if table["sd"].isna().any():  # nor have these quantities a mean
        widths = interval_widths(table)
        own = np.where(table["sd"].isna(), [deserved(width) for width in widths], own)
    # A constant has no error that could limit the others.
    common = table["trusted"].to_numpy(dtype=bool) & (table["sd"] > 0).to_numpy()
    terms = table["term"].to_numpy() if "term" in table else np.zeros(len(table))
    for term in dict.fromkeys(terms):
        here = terms == term
        if (here & common).any():
            own[here] = np.minimum(own[here], own[here & common].min())
    return own


def _for_intervals(table: pd.DataFrame) -> np.ndarray:
    """Return the decimals below which a row's interval would round to nothing."""
    width = interval_widths(table)
    some = np.isfinite(width) & (width > 0)
    least = np.full(len(table), np.iinfo(np.int64).min)
    least[some] = [deserved(own, digits=1) for own in width[some]]
    return least


def interval_widths(table: pd.DataFrame) -> np.ndarray:
    """Return how wide each row's interval is, nan without one; shape (K,).

    Examples
    --------
    >>> interval_widths(pd.DataFrame({"hdi95_lb": [1.0], "hdi95_ub": [4.0]})).tolist()
    [3.0]
    """
    sides: dict[str, np.ndarray] = {}
    for name in table:
        parts = bound(str(name))
        if parts and not parts["of"]:
            sides.setdefault(parts["side"], table[name].to_numpy(dtype=float))
    return sides["ub"] - sides["lb"] if len(sides) == 2 else np.full(len(table), np.nan)


def number(value: float, places: int) -> str:
    """Write a number with some decimals, with a true minus sign and no negative zero.

    Examples
    --------
    >>> number(-0.004, 2), number(1234.5, -2), number(float("nan"), 2)
    ('0.00', '1200', '')
    """
    if not np.isfinite(value):
        return "" if np.isnan(value) else str(value).replace("-", MINUS)
    rounded = round(float(value), places) + 0.0
    text = f"{rounded:.{max(places, 0)}f}"
    return text.replace("-", MINUS)


def interval(lower: float, upper: float, places: int) -> str:
    """Write an interval in brackets.

    Examples
    --------
    >>> interval(0.344, 0.4911, 2)
    '[0.34, 0.49]'
    """
    if np.isnan(lower) or np.isnan(upper):
        return ""
    return f"[{number(lower, places)}, {number(upper, places)}]"


def percentage(share: float, effective: float) -> str:
    """Write a probability that was counted among so many effective draws, in percent.

    Examples
    --------
    >>> percentage(0.7698, 3000), percentage(1.0, 3000), percentage(0.9967, 40000)
    ('77%', '> 99.9%', '99.7%')
    """
    if np.isnan(share):
        return ""
    worth = max(effective, 1.0) if np.isfinite(effective) else 1.0
    # Beyond the share of one effective draw in either tail nothing was counted.
    edge = max(round(100 / worth, 1), 0.1)
    if share > 1 - edge / 100:
        return f"> {100 - edge:g}%"
    if share < edge / 100:
        return f"< {edge:g}%"
    error = 100 * np.sqrt(share * (1 - share) / worth)
    # A share that is neither nothing nor all is not rounded to either.
    close = not 0.01 <= share <= 0.99
    return f"{100 * share:.{1 if close or error < 0.1 else 0}f}%"
