"""A fit in plain words: Methods and Results for a paper.

What is said, and in which order, follows the Bayesian analysis reporting guidelines (Kruschke
2021, doi:10.1038/s41562-021-01177-7): the model with its priors, the computation and its
diagnostics, a posterior predictive check, posterior summaries.  What a program cannot know
(why these priors, what follows from the results) is listed as left to the author.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bambi_anova.design.advice import check_design
from bambi_anova.errors import DroppedUnitWarning, UnsupportedCellWarning
from bambi_anova.present.methods_text import (
    describe_check,
    describe_computation,
    describe_data,
    describe_model,
    describe_priors,
)
from bambi_anova.present.results_text import (
    Settings,
    describe_covariates,
    describe_estimates,
    describe_factor,
    describe_interactions,
    describe_units,
)

if TYPE_CHECKING:
    from bambi_anova.result import Result

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

    def __new__(cls, methods: str, results: str, left: str) -> Report:
        """Join the parts under their headings."""
        parts = (("Methods", methods), ("Results", results), ("Left to the author", left))
        report = super().__new__(cls, "\n\n".join(f"### {t}\n\n{body}" for t, body in parts))
        report.methods, report.results, report.left = methods, results, left
        return report

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)


def make_report(result: Result, settings: Settings, random_seed: int | None) -> Report:
    """Write the report; see ``Result.report``."""
    by, groups = ("unit", "units") if result.design.units else ("cell", "cells")
    check = result.predictive_check(
        by, ci_prob=settings.ci_prob, draws=CHECKED, random_seed=random_seed
    )
    methods = (
        describe_data(result),
        f"{describe_model(result)} {describe_priors(result.priors)}",
        describe_computation(result),
        describe_check(check, groups, settings.ci_prob),
    )
    shown = result.design.factors or result.design.rows.covariates
    results = [describe_estimates(result, settings)] if shown else []
    if not result.verdict.trusted:
        results.insert(0, _warning(result))
    results += [describe_factor(result, name, settings) for name in result.design.levels]
    if result.design.factors:
        results.append(describe_interactions(result, settings))
    results += [describe_covariates(result, settings), describe_units(result, settings)]
    return Report(_paragraphs(methods), _paragraphs(results), _left(result, settings))


def _paragraphs(parts) -> str:
    return "\n\n".join(part for part in parts if part)


def _warning(result: Result) -> str:
    reasons = "; ".join(result.verdict.reasons)
    quick = result.sampling.weighting is not None
    what = "a quick fit, to be confirmed by NUTS" if quick else "to be sampled for longer"
    return (
        f"**This fit is not trusted** ({what}): {reasons}. Numbers are provisional; those that "
        "did not settle are marked."
    )


def _left(result: Result, settings: Settings) -> str:
    """List what the guidelines ask for and a program cannot supply."""
    items = [
        "why a Bayesian analysis, and why these priors",
        "how sensitive the conclusions are to the priors (refit with others)",
        "the random seed, and where data and code can be had",
    ]
    if settings.rope is None:
        items.append("which differences are too small to matter, if decisions are made (`rope`)")
    if result.sampling.weighting is not None:
        items.append("a full fit by NUTS, compared with this one by `compare_fits`")
    told = (DroppedUnitWarning, UnsupportedCellWarning)
    for warning in check_design(result.design, result.family):
        if not isinstance(warning, told):
            items.append(f"an answer to what the check of the design asks: {warning}")
    return "\n".join(f"- {item}" for item in items)
