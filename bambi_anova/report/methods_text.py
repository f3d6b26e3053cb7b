"""The Methods paragraphs of a report: design, model, priors, computation, predictive check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version

import pandas as pd

from bambi_anova.design.design import Design, Joint
from bambi_anova.estimates.accuracy import trust
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.exchanged import NOT_TOLD
from bambi_anova.prediction.misfit import kind_of
from bambi_anova.prediction.sensitivity import FINE
from bambi_anova.present.markup import code, escape_markdown
from bambi_anova.present.wording import joined, response_name
from bambi_anova.priors.assign import Priors
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import Specification
from bambi_anova.tables.rounding import number

#: What each method does, in a clause; samplers are named as they are.
_METHODS = {
    "laplace": "a nested Laplace approximation",
    "pathfinder": "a Pathfinder approximation",
    "advi": "a full-rank variational approximation",
}
_PACKAGES = ("bambi-anova", "bambi", "pymc", "arviz")
#: Levels of a factor that are all named.
NAMED = 8


def listed(items: Sequence[str], last: str = "and") -> str:
    """Join items as in a sentence.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(4100, "row")
    ('1 row', '4,100 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def describe_data(posterior: Posterior) -> str:
    """Say what was observed, on which units, in which cells."""
    design, rows = posterior.design, posterior.design.rows
    sentences = [
        f"The data are {counted(rows.size, 'row')} of {rows.response.name}; what is modelled "
        f"is the {response_name(posterior)}."
        if posterior.family.scale.word != "mean"
        else f"The data are {counted(rows.size, 'row')} of {response_name(posterior)}."
    ]
    if rows.left_out:
        were = "was" if rows.left_out == 1 else "were"
        sentences.append(
            f"{counted(rows.left_out, 'further row')} with missing values {were} left out."
        )
    if design.factors:
        sentences.append(f"The design has {listed([_factor(one) for one in design.factors])}.")
    for covariate in design.covariates.values():
        sentences.append(
            f"The covariate {covariate.name} (mean {covariate.mean:.4g}, sd {covariate.sd:.4g}) "
            "enters linearly; means are given at its mean."
        )
    sentences.append(_units(design))
    sentences += [f"The unit term {one.name} was left out: {one.reason}." for one in design.dropped]
    sentences += list(_cells(design))
    return escape_markdown(" ".join(sentences))


def _factor(factor) -> str:
    shown = [str(level) for level in factor.levels[:NAMED]]
    more = ", ..." if len(factor.levels) > NAMED else ""
    place = [f"between {joined(name.split(':'))}" for name in factor.between]
    place += [f"within {joined(name.split(':'))}" for name in factor.within]
    where = f"; {', '.join(place)}" if place else ""
    return f"{factor.name} ({len(factor.levels)} levels: {', '.join(shown)}{more}{where})"


def _units(design: Design) -> str:
    if not design.units and not design.slopes:
        return "The model has no unit terms: rows count as independent of each other."
    units = [f"{joined(unit.name.split(':'))} ({unit.size:,} units)" for unit in design.units]
    correlated = {name for one in design.joints if one.correlated for name in one.members}
    slopes = [
        f"the slope of {one.covariate} by {one.unit.name}"
        f"{'' if one.name in correlated else ', independent of other effects'}"
        for one in design.slopes
        if one.covariate is not None
    ]
    slopes += [_together(one) for one in design.joints]
    terms = [
        f"{joined(term.name.split(':'))} by {_strata(term.strata)}"
        for term in design.terms
        if term.factors
    ]
    judged = f" Terms are judged in these strata: {'; '.join(terms)}." if terms else ""
    return f"What varies by unit: {listed([*units, *slopes])}.{judged}"


def _together(joint: Joint) -> str:
    if joint.factors:
        how = "correlations of their own" if joint.correlated else "no correlations"
        return (
            f"the effects of {joint.unit.name} in the cells of {joined(joint.factors)}, with sds "
            f"of their own and {how}"
        )
    return f"correlations between {listed(joint.members)}"


def _strata(strata: Sequence[str]) -> str:
    names = [joined(name.split(":")) for name in strata]
    return "the residual" if strata == ("residual",) else listed(names)


def _cells(design: Design) -> Iterator[str]:
    if not design.factors:
        return
    counts, empty = design.cells["rows"], design.empty_cells
    if empty:
        yield (
            f"{counted(len(empty), 'cell')} of {len(counts)} had no data "
            f"({', '.join(joined(name.split(':')) for name in empty[:NAMED])}"
            f"{', ...' if len(empty) > NAMED else ''}); what needs them rests on the priors "
            "and is marked."
        )
    filled = counts[counts > 0]
    if filled.min() == filled.max():
        yield f"The {'other ' if empty else ''}cells held {counted(int(filled.min()), 'row')} each."
    else:
        yield (
            f"The {'other ' if empty else ''}cells held {filled.min():,} to "
            f"{counted(int(filled.max()), 'row')}; marginal means weigh cells equally all the same."
        )


def describe_model(posterior: Posterior) -> str:
    """Say what the likelihood is and how effects hang together."""
    units = ", of the units" if posterior.design.units else ""
    model = code(posterior.design.formula.text)
    article = "an" if posterior.family.name[0] in "aeiou" else "a"
    return (
        f"We fitted the model {model} with {article} {posterior.family.name} likelihood and "
        f"{posterior.link.name} link as a Bayesian hierarchical analysis of variance: "
        f"the effects of every factor term{units} and of their interactions are normal about "
        "zero with a standard deviation of their own, estimated with the rest, so that "
        "shrinkage takes the part of corrections for multiple comparisons."
        f"{''.join(map(_predictor, posterior.specification.further))}"
    )


def _predictor(part: Specification) -> str:
    """Say what a further parameter depends on."""
    name, terms = part.parent.name, [joined(term.name.split(":")) for term in part.design.terms]
    terms += [f"units {unit.name}" for unit in part.design.units]
    terms += [f"slopes {slope.name}" for slope in part.design.slopes]
    of = f"has effects of {listed(terms)} of the same kind" if terms else "has an intercept alone"
    return f" The {part.link.name} of {name}, the {part.family.scale.word}, {of}."


def describe_priors(posterior: Posterior) -> str:
    """Name every prior, and which of them are the user's own."""
    named = _parameters(posterior)
    own = {name: prior for name, prior in named.items() if _is_own(prior)}
    rest = {name: prior for name, prior in named.items() if name not in own}
    sentences = []
    if rest:
        sentences.append(f"Priors were the defaults, after Kruschke (2015): {_grouped(rest)}.")
    if own:
        sentences.append(f"Priors chosen for this analysis: {_grouped(own)}.")
    return escape_markdown(" ".join(sentences))


def _parameters(posterior: Posterior) -> dict[str, Prior | float]:
    priors = posterior.priors
    named = _of_priors(priors)
    words = {one.name: one.word or one.name for one in posterior.family.auxiliary}
    named |= {words[name]: prior for name, prior in priors.auxiliary.items()}
    for part in posterior.specification.further:
        own = _of_priors(part.priors)
        link = f"the {part.link.name} of {part.parent.name}"
        named |= {f"{name} of {link}": prior for name, prior in own.items()}
    return named


def _of_priors(priors: Priors) -> dict[str, Prior | float]:
    """Return the priors of one predictor, by what they are of."""
    named: dict[str, Prior | float] = {}
    if priors.intercept is not None:
        named["the intercept"] = priors.intercept
    named |= {f"the slope of {name}": prior for name, prior in priors.covariates.items()}
    sds = priors.sigmas.items()
    named |= {f"the sd of {joined(name.split(':'))}": prior for name, prior in sds}
    return named | {f"the correlations of {name}": p for name, p in priors.correlations.items()}


def _is_own(prior: Prior | float) -> bool:
    return not isinstance(prior, Prior) or prior.given is not None


def _grouped(named: Mapping[str, Prior | float]) -> str:
    """Name each prior once, with all parameters that have it."""
    groups: dict[str, list[str]] = {}
    for name, prior in named.items():
        text = str(prior) if isinstance(prior, Prior) else f"the fixed value {prior:g}"
        groups.setdefault(text, []).append(name)
    return "; ".join(f"{text} for {listed(names)}" for text, names in groups.items())


def describe_computation(posterior: Posterior) -> str:
    """Say how the posterior was computed, and whether that can be believed."""
    sampling, accuracy = posterior.sampling, trust(posterior)
    chains, draws = posterior.draws.sample_shape
    moving = accuracy[accuracy["sd"] > 0]
    least = float(moving[["ess_bulk", "ess_tail"]].to_numpy().min())
    if sampling.weighting is None:
        how = (
            f"The posterior was sampled by {sampling.method} ({chains} chains of {draws:,} draws "
            f"after tuning): {counted(sampling.divergences, 'divergent transition')}, R-hat at "
            f"most {number(float(moving['r_hat'].max()), 3)}, effective sample sizes of at least "
            f"{number(least, 0)}."
        )
    else:
        weighting = sampling.weighting
        how = (
            f"The posterior was computed by {_METHODS.get(sampling.method, sampling.method)}, "
            f"corrected by Pareto-smoothed importance weights of the exact joint density "
            f"({chains} independent parts of {draws:,} draws): Pareto k of the weights "
            f"{number(weighting.pareto_k, 2)}, effective sample sizes of at least "
            f"{number(least, 0)}."
        )
    trusted = int(accuracy["trusted"].sum())
    verdict = (
        f"By these criteria {trusted:,} of {len(accuracy):,} quantities of the fit are trusted."
    )
    return f"{how} {verdict} {software()}"


def software() -> str:
    """Name the versions that a fit rests on."""
    return f"Software: {', '.join(f'{name} {version(name)}' for name in _PACKAGES)}."


def describe_check(check: pd.DataFrame, ci_prob: float) -> str:
    """Say how well new units of the same kind look like those that were observed.

    Parameters
    ----------
    check : pandas.DataFrame
        Of ``Result.predictive_check`` by unit, for new units.
    ci_prob : float
    """
    outside = int(((check["tail_probability"] - 0.5).abs() > ci_prob / 2).sum())
    return (
        f"In a posterior predictive check the observed mean of {outside} of {len(check)} units "
        f"fell outside the central {100 * ci_prob:g}% of what the model predicts for new units, "
        f"where about {number((1 - ci_prob) * len(check), 1)} would by chance."
    )


def describe_misfit(table: pd.DataFrame) -> str:
    """Say which features of residuals were tested, and what was found.

    Parameters
    ----------
    table : pandas.DataFrame
        Of ``Result.misfit``.
    """
    if table.empty:
        return ""
    asked = [
        f"{listed(list(dict.fromkeys(own['feature'])))} of {name}"
        for kind, name in (("row", "rows"), ("cell", "cells"), ("unit", "units"))
        for own in [table[table["by"].map(kind_of) == kind]]
        if len(own)
    ]
    missed = int(table["missed"].sum())
    return (
        f"Randomised quantile residuals at draws of the posterior were compared with standard "
        f"normals ({'; '.join(asked)}): {missed or 'none'} of these {len(table)} features "
        f"{'was' if missed == 1 else 'were'} amiss."
    )


def describe_implied(table: pd.DataFrame, scale: str) -> str:
    """Say what the priors imply of the contrasts, which their own widths do not show.

    Parameters
    ----------
    table : pandas.DataFrame
        Of ``Result.sensitivity``.
    scale : str
        What the link scale is called.
    """
    contrasts = table[table["quantity"].str.contains(": ")].drop_duplicates("quantity")
    if contrasts.empty:
        return ""
    contrasts = contrasts.assign(factor=contrasts["quantity"].str.partition(": ")[0])
    texts = []
    for factor, own in contrasts.groupby("factor", sort=False):
        first = own.iloc[0]
        texts.append(f"sd {first['prior_sd']:.3g} and {first['prior_near']:.2f} for {factor}")
    near = f"{contrasts['near'].iloc[0]:.3g}"
    return escape_markdown(
        f"Together the priors give differences between levels ({scale}) a prior sd, and a "
        f"probability to be smaller than {near}, of {listed(texts)}."
    )


def describe_sensitivity(table: pd.DataFrame) -> str:
    """Say how far other priors move what is reported.

    Parameters
    ----------
    table : pandas.DataFrame
        Of ``Result.sensitivity``.
    """
    contrasts = table[table["quantity"].str.contains(r"^(?:deflection |.*: )")]
    told = contrasts.dropna(subset=["moved"])
    if told.empty:
        return ""
    worst = told.iloc[int(told["moved"].abs().to_numpy().argmax())]
    others = (
        "Priors were exchanged one by one, and those of all sds together, for priors of half and "
        "double the scale and, of sds, for half-normals of the same median"
    )
    most = (
        f"the contrast or deflection that moved most was {worst['quantity']}, by "
        f"{abs(worst['moved']):.2f} posterior sd ({worst['prior']}, {worst['exchange']})"
    )
    found = contrasts[contrasts["diagnosis"] != FINE]
    named = [
        f"{row['quantity']} ({row['prior']}: {row['diagnosis']})" for _, row in found.iterrows()
    ]
    shown = ", ".join(named[:NAMED]) + (", ..." if len(named) > NAMED else "")
    parts = [f"{others}: {most}.", f"Sensitive to priors: {shown}." if named else ""]
    if (contrasts["how"] == NOT_TOLD).any():
        parts.append("Some exchanges could not be told without fits of their own.")
    return escape_markdown(" ".join(part for part in parts if part))
