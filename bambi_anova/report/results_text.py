"""The Results paragraphs of a report: means, contrasts and standard deviations, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.anova import anova
from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.estimates.means import means
from bambi_anova.estimates.quantity_table import point_estimates
from bambi_anova.estimates.slopes import slopes
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.response_scale import MEDIAN
from bambi_anova.present.markup import escape_markdown
from bambi_anova.present.wording import joined, minus, population_name, scale_name
from bambi_anova.report.methods_text import listed
from bambi_anova.tables.interval import Interval
from bambi_anova.tables.rounding import interval, number, percentage, row_decimals

#: Most contrasts of a term that are written out; of more the largest is.
MOST = 6
#: How contrasts compare on the scale of a link that has no sd of a residual.
_RATIOS = {"log": "ratio", "logit": "odds_ratio"}


@dataclass(frozen=True)
class Reported:
    """Whom a report is about, on which scale, with which interval and which region.

    ``by_default`` says that nobody has chosen the scale.
    """

    population: str
    scale: str
    interval: Interval
    rope: tuple[float, float] | None
    by_default: bool = False

    def options(self) -> dict[str, Any]:
        """The arguments that every table takes."""
        about = {"population": self.population, "scale": self.scale}
        return about | self.interval.options

    def contrasts(self, posterior: Posterior, term: str, by: str | None = None) -> pd.DataFrame:
        """Return contrasts with what is reported of them."""
        return contrasts(posterior, term, by=by, rope=self.rope, **self.options())

    def bounds(self, row: dict) -> tuple[float, float]:
        """Return the interval in a row of a table."""
        lower, upper = self.interval.bounds
        return row[lower], row[upper]


def describe_estimates(posterior: Posterior, reported: Reported) -> str:
    """Say what the numbers are: scale, population, interval."""
    scale, on_median = scale_name(posterior, reported.scale), reported.scale == MEDIAN
    parts = [f"Estimates are posterior means ({scale}) with {reported.interval}s"]
    if posterior.design.units:
        parts.append(f"for the {population_name(reported.population, posterior)}")
    parts.append("and the posterior probability of their direction")
    more = f" {_why_medians(posterior)}" if reported.by_default and on_median else ""
    rope = reported.rope
    band = (
        f" The region of practical equivalence is {interval(*rope, _given(rope))}." if rope else ""
    )
    return escape_markdown(f"{', '.join(parts)}.{more}{band}")


def _why_medians(posterior: Posterior) -> str:
    if posterior.specification.transformation is not None and not posterior.family.normal:
        return "Medians are given because means of what was measured need not exist."
    return (
        "Medians over new units are given because means over them have no expectation here: too "
        "few units tell how far apart units lie. Of quantities without a posterior mean the "
        "posterior median is given."
    )


def _given(rope: tuple[float, float]) -> int:
    """Return the decimals that the user gave a region."""
    return max(len(f"{value:g}".partition(".")[2]) for value in rope)


def describe_factor(posterior: Posterior, factor: str, reported: Reported) -> str:
    """Give a factor's means and its contrasts; for new and for these units if it is between."""
    table = means(posterior, factor, **reported.options())
    texts = [f"{_estimate(row, places, reported)} at {row[factor]}" for row, places in _rows(table)]
    of = "of " if posterior.family.scale.word == "mean" else ""
    scale = scale_name(posterior, reported.scale)
    whole = reported.scale == MEDIAN or scale.startswith("mean ")
    what = scale if whole else f"mean {of}{scale}"
    parts = [
        f"The {what} was {listed(texts)}.",
        _sentence(reported.contrasts(posterior, factor), reported),
    ]
    if posterior.design.factor(factor).between and reported.population == "super":
        finite = replace(reported, population="finite")
        table = finite.contrasts(posterior, factor)
        parts.append(f"For the units of this study alone: {_sentence(table, reported)}")
    return _paragraph([factor], parts)


def describe_interaction(posterior: Posterior, factors: Sequence[str], reported: Reported) -> str:
    """Give an interaction's contrasts, and of two factors the simple effects of each."""
    table = reported.contrasts(posterior, ":".join(factors))
    parts = [_sentence(table, reported)]
    for factor, other in (factors, factors[::-1]) if len(factors) == 2 else ():
        table = reported.contrasts(posterior, factor, by=other)
        parts.append(f"Simple effects of {factor}: {_sentence(table, reported, by=other)}")
    return _paragraph(factors, parts)


def describe_covariates(posterior: Posterior, reported: Reported) -> str:
    """Give the slope of every covariate, at each level of the factors that change it."""
    parts = []
    for name in posterior.design.covariates:
        # A region of equivalence is for differences, which have other units than slopes.
        table = slopes(posterior, name, **reported.options())
        factors = [factor for factor in posterior.design.levels if factor in table]
        texts = []
        for row, places in _rows(table):
            at = f" at {joined([row[factor] for factor in factors])}" if factors else ""
            evidence = _evidence(row, places, reported)
            texts.append(f"{number(row['mean'], places)} ({evidence}){_doubt(row)}{at}")
        scale = scale_name(posterior, reported.scale)
        text = f"The slope of {scale} per unit was {listed(texts)}."
        parts.append(_paragraph([name], [text]))
    return " ".join(parts)


def describe_sizes(posterior: Posterior, reported: Reported) -> str:
    """Give contrasts of factors as standardised sizes, or as ratios where there is no sd."""
    ratio = _RATIOS.get(posterior.link.name)
    options = {"population": reported.population, "scale": "link", **reported.interval.options}
    texts, about = [], ""
    own = {name for term in posterior.design.terms for name in term.factors}
    for name in (name for name in posterior.design.levels if name in own):
        try:
            table = contrasts(posterior, name, standardize="total", **options)
            about = f"In units of the {table['standardized_by'].iloc[0]}"
        except ArgumentError:  # the family has no residual sd on its link scale
            if ratio is None:
                return ""
            table = contrasts(posterior, name, compare=ratio, **options)
            about = f"As {ratio.replace('_', ' ')}s"
        if len(table) > MOST:
            far = (table["mean"] - float(about.startswith("As"))).abs().idxmax()
            table = table.loc[[far]].reset_index(drop=True)
        texts += [
            f"{minus(row['contrast'])} = {_estimate(row, places, reported)}"
            for row, places in _rows(table)
        ]
    return _paragraph(["Effect sizes"], [f"{about}: {'; '.join(texts)}."]) if texts else ""


def describe_units(posterior: Posterior, reported: Reported) -> str:
    """Give the sds of units and residual, on the link scale, where they have one."""
    table = anova(posterior, reported.population, "link", **reported.interval.options)
    table = table[table["kind"] == "unit"].reset_index(drop=True)
    texts = [
        f"{_estimate(row, places, reported)} between "
        f"{joined(row['term'].split(':'))} ({row['units']} units)"
        for row, places in _rows(table)
    ]
    scale = scale_name(posterior, "link")
    text = f"The sd of unit effects ({scale}) was {listed(texts)}."
    return _paragraph(["Units"], [text]) if texts else ""


def describe_parameter(posterior: Posterior, reported: Reported) -> str:
    """Give a further parameter's means by level and their ratios; of covariates the slopes."""
    on_link = {"population": reported.population, "scale": "link", **reported.interval.options}
    scale = "response" if reported.scale == "link" else reported.scale
    at_scale, parts = {**on_link, "scale": scale}, []
    own = {name for term in posterior.design.terms for name in term.factors}
    for name in (name for name in posterior.design.levels if name in own):
        texts = [
            f"{_estimate(row, places, reported)} at {row[name]}"
            for row, places in _rows(means(posterior, name, **at_scale))
        ]
        compare = _RATIOS[posterior.link.name]
        ratios = contrasts(posterior, name, compare=compare, **on_link)
        if len(ratios) > MOST:
            far = np.log(point_estimates(ratios)).abs().idxmax()
            ratios = ratios.loc[[far]].reset_index(drop=True)
        sizes = [
            f"{row['contrast']} = {number(row['mean'], places)} "
            f"({_evidence(row, places, reported)}){_doubt(row)}"
            for row, places in _rows(ratios)
        ]
        parts.append(f"By {name} it was {listed(texts)}: {'; '.join(sizes)}.")
    for name in posterior.design.covariates:
        table = slopes(posterior, name, **on_link)
        texts = [
            f"{number(row['mean'], places)} ({_evidence(row, places, reported)}){_doubt(row)}"
            for row, places in _rows(table)
        ]
        parts.append(
            f"The slope of its {posterior.link.name} per unit of {name} was {listed(texts)}."
        )
    parameter, word = posterior.specification.parent.name, posterior.family.scale.word
    about = f"{parameter}, the {word}"
    return _paragraph([about], parts) if parts else ""


def _paragraph(names: Sequence[str], sentences: Sequence[str]) -> str:
    """Put what a paragraph is about in front of it; names are shown as they are."""
    return f"**{escape_markdown(joined(names))}.** {escape_markdown(' '.join(sentences))}"


def _sentence(table: pd.DataFrame, reported: Reported, by: str | None = None) -> str:
    """Write contrasts out, or the one farthest from zero if they are many."""
    head = ""
    if len(table) > MOST:
        head = f"Of {len(table)} contrasts the largest was "
        table = table.loc[[point_estimates(table).abs().idxmax()]].reset_index(drop=True)
    texts = [
        f"{minus(row['contrast'])}{f' at {row[by]}' if by else ''} = {number(row['mean'], places)} "
        f"({_evidence(row, places, reported)}{_in_rope(row)}){_doubt(row)}"
        for row, places in _rows(table)
    ]
    return f"{head}{'; '.join(texts)}."


def _rows(table: pd.DataFrame) -> Iterator[tuple[dict, int]]:
    table = table.assign(mean=point_estimates(table))
    return zip(table.to_dict("records"), map(int, row_decimals(table)), strict=True)


def _estimate(row: dict, places: int, reported: Reported) -> str:
    bounds = interval(*reported.bounds(row), places)
    return f"{number(row['mean'], places)} {bounds}{_doubt(row)}"


def _evidence(row: dict, places: int, reported: Reported) -> str:
    return (
        f"{reported.interval} {interval(*reported.bounds(row), places)}, probability of direction "
        f"{percentage(row['pd'], row['ess_bulk'])}"
    )


def _in_rope(row: dict) -> str:
    return (
        f", {percentage(row['in_rope'], row['ess_bulk'])} in the ROPE" if "in_rope" in row else ""
    )


def _doubt(row: dict) -> str:
    words = [] if row["trusted"] else ["not trusted"]
    words += [] if row["supported"] else ["rests in part on the prior: a cell has no data"]
    return f" ({'; '.join(words)})" if words else ""
