"""What a result looks like: one page of figures, tables to print, a report, notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.present.journal_tables import Sheet, make_sheet
from bambi_anova.present.naming import scale_name
from bambi_anova.present.results_text import Settings

if TYPE_CHECKING:
    from great_tables import GT
    from matplotlib.figure import Figure

    from bambi_anova.present.report import Report
    from bambi_anova.result import Result

#: Tables that can be set, with the words for their titles.
TITLES = {
    "means": "Means",
    "deflections": "Deflections",
    "contrasts": "Contrasts",
    "slopes": "Slopes",
    "anova": "Analysis of variance",
    "trust": "Accuracy of the draws",
}


class Presented:
    """The part of ``Result`` that presents its tables."""

    def plot(
        self,
        population: str = "super",
        scale: str = "response",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
    ) -> Figure:
        """Draw one page with the figures that matter for this design.

        Parameters
        ----------
        population : {"super", "finite", "average"}
        scale : {"link", "response"}
            Of means and contrasts; sds are on the link scale.
        ci_prob : float
        ci_kind : {"hdi", "eti"}

        Returns
        -------
        matplotlib.figure.Figure
            Single figures are in ``bambi_anova.plots``.

        Examples
        --------
        >>> result.plot().savefig("page.pdf")  # doctest: +SKIP
        """
        from bambi_anova.plots import plot_page

        return plot_page(cast("Result", self), population, scale, ci_prob, ci_kind)

    def table(
        self, what: str | pd.DataFrame, *args: Any, diagnostics: bool = False, **kwargs: Any
    ) -> GT:
        """Set a table for print.

        Parameters
        ----------
        what : {"means", "deflections", "contrasts", "slopes", "anova", "trust"} or DataFrame
            A table of this result by name, or one that it has made.
        *args, **kwargs
            What that table takes, such as ``"condition", population="finite"``.
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
            If there is no such table.

        Examples
        --------
        >>> result.table("contrasts", "condition", population="finite")  # doctest: +SKIP
        """
        from bambi_anova.present.publish import to_great_table

        return to_great_table(self._sheet(what, args, kwargs, diagnostics))

    def to_markdown(
        self, what: str | pd.DataFrame, *args: Any, diagnostics: bool = False, **kwargs: Any
    ) -> str:
        """Set a table as Markdown; arguments as for ``table``.

        Examples
        --------
        >>> print(result.to_markdown("anova"))  # doctest: +SKIP
        """
        from bambi_anova.present.publish import to_markdown

        return to_markdown(self._sheet(what, args, kwargs, diagnostics))

    def to_latex(
        self, what: str | pd.DataFrame, *args: Any, diagnostics: bool = False, **kwargs: Any
    ) -> str:
        """Set a table as LaTeX that every engine compiles; arguments as for ``table``.

        Examples
        --------
        >>> print(result.to_latex("anova"))  # doctest: +SKIP
        """
        from bambi_anova.present.publish import to_latex

        return to_latex(self._sheet(what, args, kwargs, diagnostics))

    def report(
        self,
        population: str = "super",
        scale: str = "response",
        ci_prob: float = 0.95,
        ci_kind: str = "hdi",
        rope: tuple[float, float] | None = None,
        random_seed: int | None = 0,
    ) -> Report:
        """Write Methods and Results in plain words.

        Parameters
        ----------
        population, scale, ci_prob, ci_kind
            As in ``means``.
        rope : (float, float), optional
            Differences too small to matter; the posterior's share among them is given.
        random_seed : int, optional
            Of the predictive check.

        Returns
        -------
        Report
            A ``str`` of Markdown, with the attributes ``methods``, ``results`` and ``left``.

        Examples
        --------
        >>> print(result.report())  # doctest: +SKIP
        """
        from bambi_anova.present.report import make_report

        settings = Settings(population, scale, ci_prob, ci_kind, rope)
        return make_report(cast("Result", self), settings, random_seed)

    def _sheet(
        self, what: str | pd.DataFrame, args: tuple, kwargs: dict, diagnostics: bool
    ) -> Sheet:
        if isinstance(what, pd.DataFrame):
            if args or kwargs:
                raise ArgumentError(
                    "table: a DataFrame is already made; arguments go to its method"
                )
            return self._make_sheet(what, "", diagnostics)
        if what not in TITLES:
            raise ArgumentError(f"what={what!r} is not a table{nearest(str(what), TITLES)}")
        return self._make_sheet(getattr(self, what)(*args, **kwargs), TITLES[what], diagnostics)

    def _make_sheet(self, table: pd.DataFrame, title: str, diagnostics: bool) -> Sheet:
        result = cast("Result", self)
        notes = []
        if "scale" in table and set(table["scale"]) <= {"link", "response"}:
            # Said in the user's words instead of ours.
            notes = [
                f"Scale: {scale_name(result, scale)}." for scale in dict.fromkeys(table["scale"])
            ]
            table = table.drop(columns="scale") if len(notes) == 1 else table
            notes = notes if len(notes) == 1 else []
        if not result.verdict.trusted:
            notes.append(f"The fit as a whole is {result.verdict}.")
        return make_sheet(table, title, notes, diagnostics)

    def _repr_html_(self) -> str:
        from bambi_anova.present.notebook import result_html

        return result_html(cast("Result", self))
