"""The Results paragraphs of a report: means, contrasts and standard deviations, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from bambi_anova.posterior.summary import bound_names
from bambi_anova.present.methods_text import listed
from bambi_anova.present.naming import joined, minus, population_name, scale_name
from bambi_anova.tables.rounding import interval, number, percentage, row_decimals

if TYPE_CHECKING:
    from bambi_anova.result import Result

#: Most contrasts of a term that are written out; of more the largest is.
MOST = 6


@dataclass(frozen=True)
class Settings:
    """What a report is about: the arguments of ``Result.report``."""

    population: str
    scale: str
    ci_prob: float
    ci_kind: str
    rope: tuple[float, float] | None

    @property
    def interval(self) -> str:
        """The name of the interval, such as "95% HDI"."""
        return f"{100 * self.ci_prob:g}% {self.ci_kind.upper()}"

    def options(self) -> dict:
        """The arguments that every table takes."""
        return {
            "population": self.population,
            "scale": self.scale,
            "ci_prob": self.ci_prob,
            "ci_kind": self.ci_kind,
        }


def describe_estimates(result: Result, settings: Settings) -> str:
    """Say what the numbers are: scale, population, interval."""
    scale = scale_name(result, settings.scale)
    sentences = [f"Estimates are posterior means ({scale}) with {settings.interval}s"]
    if result.design.units:
        sentences.append(f"for the {population_name(settings.population, result)}")
    sentences.append("and the posterior probability of their direction")
    rope = settings.rope
    band = (
        f" The region of practical equivalence is {interval(*rope, _given(rope))}." if rope else ""
    )
    return f"{', '.join(sentences)}.{band}"


def _given(rope: tuple[float, float]) -> int:
    """Return the decimals that the user gave a region."""
    return max(len(f"{value:g}".partition(".")[2]) for value in rope)


def describe_factor(result: Result, factor: str, settings: Settings) -> str:
    """Give a factor's means and its contrasts; for new and for these units if it is between."""
    means = result.means(factor, **settings.options())
    contrasts = result.contrasts(factor, rope=settings.rope, **settings.options())
    parts = [
        f"**{factor}.** The mean {'of ' if result.family.mean == 'mean' else ''}"
        f"{scale_name(result, settings.scale)} was "
        f"{listed(list(_means(means, factor, settings)))}.",
        _sentence(contrasts, settings),
    ]
    between = bool(result.design.factor(factor).between)
    if between and settings.population == "super":
        finite = result.contrasts(
            factor, rope=settings.rope, **{**settings.options(), "population": "finite"}
        )
        parts.append(f"For the units of this study alone: {_sentence(finite, settings)}")
    return " ".join(parts)


def _means(table: pd.DataFrame, factor: str, settings: Settings) -> Iterator[str]:
    for row, places in _rows(table):
        yield (
            f"{number(row['mean'], places)} {_bounds(table, row, places, settings)}"
            f"{_doubt(row)} at {row[factor]}"
        )


def _sentence(table: pd.DataFrame, settings: Settings) -> str:
    """Write contrasts out, or the one farthest from zero if they are many."""
    head = ""
    if len(table) > MOST:
        head = f"Of {len(table)} contrasts the largest was "
        table = table.loc[[table["mean"].abs().idxmax()]].reset_index(drop=True)
    texts = [
        f"{minus(row['contrast'])} = {number(row['mean'], places)} "
        f"({settings.interval} {_bounds(table, row, places, settings)}, probability of direction "
        f"{percentage(row['pd'], row['ess_bulk'])}{_rope(row)}){_doubt(row)}"
        for row, places in _rows(table)
    ]
    return f"{head}{'; '.join(texts)}."


def _rope(row: dict) -> str:
    if "in_rope" not in row:
        return ""
    return f", {percentage(row['in_rope'], row['ess_bulk'])} in the ROPE"


def _rows(table: pd.DataFrame) -> Iterator[tuple[dict, int]]:
    return zip(table.to_dict("records"), map(int, row_decimals(table)), strict=True)


def _bounds(table: pd.DataFrame, row: dict, places: int, settings: Settings) -> str:
    lower, upper = bound_names(table, settings.ci_kind)
    return interval(row[lower], row[upper], places)


def _doubt(row: dict) -> str:
    words = [] if row["trusted"] else ["not trusted"]
    words += [] if row["supported"] else ["rests in part on the prior: a cell has no data"]
    return f" ({'; '.join(words)})" if words else ""


def describe_interactions(result: Result, settings: Settings) -> str:
    """Give every interaction: its contrasts if they are few, the sd of its effects otherwise."""
    parts = []
    sds = result.anova(settings.population, settings.scale, settings.ci_prob, settings.ci_kind)
    for term in result.design.terms:
        if term.covariate or len(term.factors) < 2:
            continue
        name = ":".join(term.factors)
        table = result.contrasts(name, rope=settings.rope, **settings.options())
        if len(table) <= 1:
            parts.append(f"**{joined(term.factors)}.** {_sentence(table, settings)}")
        else:
            rows = [(row, n) for row, n in _rows(sds) if row["term"] == term.name]
            parts += [
                f"**{joined(term.factors)}.** The sd of its effects was {number(row['mean'], n)} "
                f"({settings.interval} {_bounds(sds, row, n, settings)}){_doubt(row)}."
                for row, n in rows
            ]
    return " ".join(parts)


def describe_covariates(result: Result, settings: Settings) -> str:
    """Give the slope of every covariate, at each level of the factors that change it."""
    parts = []
    for name in result.design.rows.covariates:
        # A region of equivalence is for differences, which have other units than slopes.
        table = result.slopes(name, **settings.options())
        factors = [factor for factor in result.design.levels if factor in table]
        texts = []
        for row, places in _rows(table):
            at = joined([row[factor] for factor in factors])
            texts.append(
                f"{number(row['mean'], places)} ({settings.interval} "
                f"{_bounds(table, row, places, settings)}, probability of direction "
                f"{percentage(row['pd'], row['ess_bulk'])}){_doubt(row)}"
                f"{f' at {at}' if at else ''}"
            )
        scale = scale_name(result, settings.scale)
        parts.append(f"**{name}.** The slope of {scale} per unit was {listed(texts)}.")
    return " ".join(parts)


def describe_units(result: Result, settings: Settings) -> str:
    """Give the sds of units and residual, on the link scale, where they have one."""
    table = result.anova(settings.population, "link", settings.ci_prob, settings.ci_kind)
    table = table[table["kind"] == "unit"].reset_index(drop=True)
    if not len(table):
        return ""
    scale = scale_name(result, "link")
    texts = [
        f"{number(row['mean'], n)} {_bounds(table, row, n, settings)}{_doubt(row)} between "
        f"{joined(str(row['term']).split(':'))} ({row['units']} units)"
        for row, n in _rows(table)
    ]
    return f"**Units.** The sd of unit effects ({scale}) was {listed(texts)}."
