"""A fit in plain words: Methods and Results for a paper.

What is said, and in which order, follows the Bayesian analysis reporting guidelines (Kruschke
2021, doi:10.1038/s41562-021-01177-7): the model with its priors, the computation and its
diagnostics, a posterior predictive check, posterior summaries.  What a program cannot know
(why these priors, what follows from the results) is listed as left to the author.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import pandas as pd

from bambi_anova.design.advice import check_design
from bambi_anova.errors import (
    ArgumentError,
    DroppedUnitWarning,
    NoMeanWarning,
    UnsupportedCellWarning,
)
from bambi_anova.estimates.accuracy import verdict
from bambi_anova.estimates.quantity_table import check_rope
from bambi_anova.estimates.shown_scale import shown_scale
from bambi_anova.posterior.parameter import of_parameter
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.exchanged import NOT_TOLD
from bambi_anova.prediction.misfit import known_misfit, misfit_text
from bambi_anova.prediction.predictive_check import predictive_check
from bambi_anova.prediction.sensitivity import sensitivity
from bambi_anova.present.markup import escape_markdown
from bambi_anova.present.wording import scale_name
from bambi_anova.report.methods_text import (
    describe_check,
    describe_computation,
    describe_data,
    describe_implied,
    describe_misfit,
    describe_model,
    describe_priors,
    describe_sensitivity,
)
from bambi_anova.report.page import page
from bambi_anova.report.results_text import (
    Reported,
    describe_covariates,
    describe_estimates,
    describe_factor,
    describe_interaction,
    describe_parameter,
    describe_sizes,
    describe_units,
)
from bambi_anova.screening.screen import warn_of_trials
from bambi_anova.storage.file import write_text
from bambi_anova.tables.interval import Interval

#: Posterior draws that the predictive check replicates.
CHECKED = 1000


class Report(str):
    """The text, as Markdown, with its parts.

    Attributes
    ----------
    methods, results, left : str
        The Methods, the Results, and what is left to the author.

    Examples
    --------
    >>> report = Report("We fitted ...", "The mean was ...", "Say why these priors.")
    >>> print(report.splitlines()[0])
    ### Methods
    """

    methods: str
    results: str
    left: str
    _of: tuple[Posterior, Reported] | None

    def __new__(
        cls, methods: str, results: str, left: str, of: tuple[Posterior, Reported] | None = None
    ) -> Report:
        """Join the parts under their headings."""
        parts = {"Methods": methods, "Results": results, "Left to the author": left}
        text = "\n\n".join(f"### {title}\n\n{body}" for title, body in parts.items())
        report = super().__new__(cls, text)
        report.methods, report.results, report.left = methods, results, left
        report._of = of
        return report

    def save(self, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
        """Write the report to one file.

        Parameters
        ----------
        path : path
            ``.html``: a page with the figure, the tables, the design, the verdict, versions and
            the code to do it again, which needs nothing beside it; ``.md``: the text.
        overwrite : bool
            Whether a file that is there may go.

        Returns
        -------
        Path

        Raises
        ------
        ArgumentError
            If the name ends otherwise, or the report was not made by ``result.report()``.
        StorageError
            If the file is there, or cannot be written.

        Examples
        --------
        >>> result.report().save("report.html")  # doctest: +SKIP
        """
        target = Path(path)
        kind = target.suffix.lower()
        if kind not in (".html", ".htm", ".md"):
            raise ArgumentError(f"path={str(path)!r}: expected a name that ends in .html or .md")
        if kind == ".md":
            return write_text(target, f"{self}\n", overwrite)
        if self._of is None:
            raise ArgumentError("save: a page needs the fit; expected a report of result.report()")
        sections = {"Methods": self.methods, "Results": self.results}
        sections["Left to the author"] = self.left
        return write_text(target, page(*self._of, sections), overwrite)

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)


def report(
    posterior: Posterior,
    population: str = "super",
    scale: str | None = None,
    *,
    ci_prob: float = 0.95,
    ci_kind: str = "hdi",
    rope: tuple[float, float] | None = None,
    random_seed: int | None = 0,
) -> Report:
    """Write Methods and Results in plain words.

    Parameters
    ----------
    posterior : Posterior
    population, ci_prob, ci_kind
        As in ``means``.
    scale : {"link", "response", "median"}, optional
        By default the response scale, or medians where means over new units have no
        expectation; see ``bambi_anova.estimates.shown_scale``.
    rope : (float, float), optional
        Differences too small to matter; the posterior's share among them is given.
    random_seed : int, optional
        Of the predictive check.

    Returns
    -------
    Report
        A ``str`` of Markdown, with the attributes ``methods``, ``results`` and ``left``;
        ``save("report.html")`` makes a page of it with figure and tables.

    Raises
    ------
    ArgumentError
        If an argument has a value that it cannot take.

    Examples
    --------
    >>> print(result.report())  # doctest: +SKIP
    """
    rope = None if rope is None else check_rope(rope)
    shown = shown_scale(posterior, population, scale)
    reported = Reported(population, shown, Interval(ci_prob, ci_kind), rope, scale is None)
    # Of draws at hand: a report never waits for fits.
    whom = "finite" if population == "finite" else "super"
    moved = sensitivity(posterior, whom, refit=False, progressbar=False, random_seed=0)
    implied = describe_implied(moved, scale_name(posterior, "link"))
    methods = (
        describe_data(posterior),
        f"{describe_model(posterior)} {describe_priors(posterior)} {implied}".rstrip(),
        describe_computation(posterior),
        _check(posterior, ci_prob, random_seed),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoMeanWarning)  # the text says so
        results = _paragraphs(_results(posterior, reported))
    return Report(
        _paragraphs(methods),
        _paragraphs([results, _priors(moved)]),
        "\n".join(f"- {item}" for item in _left(posterior, reported, moved)),
        (posterior, reported),
    )


def _check(posterior: Posterior, ci_prob: float, random_seed: int | None) -> str:
    """Check units against new ones, as theirs is the scatter that was fitted, and the rows."""
    found = describe_misfit(known_misfit(posterior))
    if not posterior.design.units:
        return found
    draws = min(CHECKED, prod(posterior.draws.sample_shape))
    options: dict[str, Any] = {"ci_prob": ci_prob, "draws": draws, "random_seed": random_seed}
    return (
        f"{describe_check(predictive_check(posterior, 'unit', 'new', **options), ci_prob)} {found}"
    )


def _results(posterior: Posterior, reported: Reported) -> Iterable[str]:
    design = posterior.design
    if not verdict(posterior).trusted:
        yield _warning(posterior)
    missed = misfit_text(posterior)
    if missed:
        yield f"**The likelihood does not fit**: {escape_markdown(missed)}."
    if design.factors or design.covariates:
        yield describe_estimates(posterior, reported)
    own = {name for term in design.terms for name in term.factors}
    for name in (name for name in design.levels if name in own):
        yield describe_factor(posterior, name, reported)
    for term in design.terms:
        if len(term.factors) > 1 and not term.covariate:
            yield describe_interaction(posterior, term.factors, reported)
    yield describe_covariates(posterior, reported)
    yield describe_sizes(posterior, reported)
    yield describe_units(posterior, reported)
    for part in posterior.specification.further:
        yield describe_parameter(of_parameter(posterior, part.parent.name), reported)


def _paragraphs(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _warning(posterior: Posterior) -> str:
    reasons = escape_markdown("; ".join(verdict(posterior).reasons))
    quick = posterior.sampling.weighting is not None
    what = "a quick fit, to be confirmed by NUTS" if quick else "to be sampled for longer"
    return (
        f"**This fit is not trusted** ({what}): {reasons}. Numbers are provisional; those that "
        "did not settle are marked."
    )


def _priors(moved: pd.DataFrame) -> str:
    said = describe_sensitivity(moved)
    return f"**Sensitivity to priors.** {said}" if said else ""


def _left(posterior: Posterior, reported: Reported, moved: pd.DataFrame) -> Iterable[str]:
    """Yield what the guidelines ask for and a program cannot supply."""
    yield "why a Bayesian analysis, and why these priors"
    if (moved["how"] == NOT_TOLD).any():
        yield "what those priors do that need fits of their own (`result.sensitivity()`)"
    yield "the random seed, and where data and code can be had"
    if reported.rope is None:
        yield "which differences are too small to matter, if decisions are made (`rope`)"
    if posterior.sampling.weighting is not None:
        yield "a full fit by NUTS, compared with this one by `compare_fits`"
    found = check_design(posterior.design, posterior.family)
    told = (DroppedUnitWarning, UnsupportedCellWarning)
    for warning in (*found, *warn_of_trials(posterior.specification)):
        if not isinstance(warning, told):
            asked = escape_markdown(warning)
            yield f"an answer to what the check of the design asks: {asked}"
