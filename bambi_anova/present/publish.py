"""The tables of a posterior, set for print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.estimates.accuracy import trust, verdict
from bambi_anova.estimates.anova import anova
from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.estimates.deflections import deflections
from bambi_anova.estimates.means import means
from bambi_anova.estimates.parameters import summary
from bambi_anova.estimates.slopes import slopes, unit_slopes
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import SCALES
from bambi_anova.present import latex, markup
from bambi_anova.present.journal_table import JournalTable, journal_table
from bambi_anova.present.wording import scale_name

if TYPE_CHECKING:
    from great_tables import GT

#: Tables that can be set by name, with their titles.
TABLES: Mapping[str, tuple[Callable[..., pd.DataFrame], str]] = {
    "means": (means, "Means"),
    "deflections": (deflections, "Deflections"),
    "contrasts": (contrasts, "Contrasts"),
    "slopes": (slopes, "Slopes"),
    "unit_slopes": (unit_slopes, "Slopes of units"),
    "anova": (anova, "Analysis of variance"),
    "summary": (summary, "Parameters"),
    "trust": (trust, "Accuracy of the draws"),
}


def table(
    posterior: Posterior,
    what: str | pd.DataFrame,
    *args: Any,
    columns: Sequence[str] | None = None,
    diagnostics: bool = False,
    **kwargs: Any,
) -> GT:
    """Set a table for print.

    Parameters
    ----------
    posterior : Posterior
    what : str or pandas.DataFrame
        A table by name ("means", "deflections", "contrasts", "slopes", "unit_slopes", "anova",
        "summary" or "trust"), or one that is already made.
    *args, **kwargs
        What that table takes, such as ``"condition", population="finite"``.
    columns : sequence of str, optional
        The columns to keep, by the labels that are printed or by what stands above them.
    diagnostics : bool
        Keep Monte Carlo errors, effective sample sizes, R-hat and Pareto k.

    Returns
    -------
    great_tables.GT
        ``as_raw_html()`` gives the text.  Numbers are rounded to their
        Monte Carlo errors; notes name population and scale and mark what is not trusted or
        rests on the prior.

    Raises
    ------
    ArgumentError
        If there is no such table or column.

    Examples
    --------
    >>> result.table("contrasts", "condition", population="finite")  # doctest: +SKIP
    """
    return markup.to_great_table(_set(posterior, what, args, kwargs, columns, diagnostics))


def to_markdown(
    posterior: Posterior,
    what: str | pd.DataFrame,
    *args: Any,
    columns: Sequence[str] | None = None,
    diagnostics: bool = False,
    **kwargs: Any,
) -> str:
    """Set a table as Markdown; arguments as for ``table``.

    Examples
    --------
    >>> print(result.to_markdown("anova"))  # doctest: +SKIP
    """
    return markup.to_markdown(_set(posterior, what, args, kwargs, columns, diagnostics))


def to_latex(
    posterior: Posterior,
    what: str | pd.DataFrame,
    *args: Any,
    columns: Sequence[str] | None = None,
    diagnostics: bool = False,
    width: float = latex.LINE,
    **kwargs: Any,
) -> str:
    r"""Set a table as LaTeX that every engine compiles; its first line names the packages.

    Parameters
    ----------
    posterior, what, *args, columns, diagnostics, **kwargs
        As for ``table``.
    width : float
        Points of the column that the table shall fit: letters get smaller, and texts break.  The
        text of the class ``article`` has 345, a column of two 229.

    Examples
    --------
    >>> print(result.to_latex("anova"))  # doctest: +SKIP
    >>> result.to_latex("anova", columns=["Term", "df", "% of variance"])  # doctest: +SKIP
    """
    return latex.to_latex(_set(posterior, what, args, kwargs, columns, diagnostics), width)


def _set(
    posterior: Posterior,
    what: str | pd.DataFrame,
    args: tuple,
    kwargs: dict[str, Any],
    columns: Sequence[str] | None,
    diagnostics: bool,
) -> JournalTable:
    """Make the table, if it is only named, and set it with its title and its notes."""
    if isinstance(what, pd.DataFrame):
        if args or kwargs:
            raise ArgumentError("table: a DataFrame is already made; arguments go to its method")
        frame, title = what, ""
    elif what in TABLES:
        make, title = TABLES[what]
        frame = make(posterior, *args, **kwargs)
    else:
        raise ArgumentError(f"what={what!r} is not a table{nearest(str(what), TABLES)}")
    notes = []
    scales = set(frame["scale"]) if "scale" in frame else set()
    if len(scales) == 1 and scales <= set(SCALES):
        # Said in the user's words instead of ours.
        about = set(frame["of"]) if "of" in frame else {scale_name(posterior, scales.pop())}
        notes.append(f"Scale: {', '.join(sorted(about))}.")
        frame = frame.drop(columns=[name for name in ("scale", "of") if name in frame])
    if not verdict(posterior).trusted:
        notes.append(f"The fit as a whole is {verdict(posterior)}.")
    set_table = journal_table(frame, title, notes, diagnostics)
    return set_table if columns is None else set_table.only(columns)
