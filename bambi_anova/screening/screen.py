"""Checks of binomial and count data: informative numbers of trials, and overdispersion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bambi_anova.arguments import probability
from bambi_anova.design.design import Design
from bambi_anova.errors import (
    AnovaWarning,
    InformativeTrialsWarning,
    NotApplicableError,
)
from bambi_anova.families.base import Family
from bambi_anova.formula.expression import Expression, column
from bambi_anova.screening.answers import DispersionCheck, NotChecked, TrialsCheck
from bambi_anova.screening.dependence import estimate_dependence, p_value
from bambi_anova.screening.overdispersion import estimate_dispersion
from bambi_anova.screening.rows import Comparable, comparable_rows, repeated_rows, values_of
from bambi_anova.specification import Specification

#: A model warns by itself only of what is clear and matters: p-value and log odds for one sd.
CLEAR = 0.01
WORTH_SAYING = 0.05


def check_trials(
    model: Specification, ci_prob: float = 0.95, number: str | None = None
) -> TrialsCheck | NotChecked:
    """Ask whether the rate depends on the number of trials (an informative denominator).

    Rows of the same cell and units are compared, so that neither factors nor differences
    between units can feign a dependence; where these do not repeat, units of a cell are
    compared.  Neither overdispersion nor many rows a unit make false alarms.

    Parameters
    ----------
    ci_prob : float
        Probability of the confidence interval.
    number : str, optional
        A column to ask about instead.  Where rows are places of which only some can be successes,
        such as the positions of a grid that holds ``markers``, a rate by row goes with their
        number by itself; the answer says how much of the dependence that makes.

    Returns
    -------
    TrialsCheck or NotChecked
        Prints in plain words with the formula to use instead; ``found`` says whether the
        rate depends on the number of trials, ``table`` holds the numbers.  ``NotChecked``
        if all rows have the same number of trials, or nothing can be compared.

    Raises
    ------
    NotApplicableError
        If the response is not ``p(successes, trials)``, nor yes or no with a ``number``.
    ArgumentError
        If ``ci_prob`` is not between 0 and 1, or ``number`` is no column of numbers.

    Notes
    -----
    See ``bambi_anova.screening.dependence`` for the method and its sources.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    >>> model = ba.Model(formula, ba.load_data("memory"), family="binomial")
    >>> model.check_trials().found
    True
    >>> model.check_trials().table.round(2)[["quantity", "estimate", "low", "high"]]
          quantity  estimate   low  high
    0  one sd more      0.19  0.16  0.22
    1     one more      0.11  0.09  0.13
    """
    design, family = model.design, model.family
    probability(ci_prob)
    response = design.formula.response
    named = family.response.binary and number is not None
    if not (family.response.trials or named):
        raise NotApplicableError(
            "check_trials() asks about the trials of p(successes, trials), or with number='column' "
            f"about that column and yes or no; the response here is {response.text!r}, "
            f"family={family.name!r}"
        )
    n = response.trials
    if n is None or number not in (None, n.text):
        n = column(str(number))
    rows = comparable_rows(design, n)
    if isinstance(rows, str):
        return NotChecked(f"Does the rate of {response.text} depend on {n}?", rows)
    return _answer(design, n, rows, ci_prob)


def check_dispersion(model: Specification, ci_prob: float = 0.95) -> DispersionCheck | NotChecked:
    """Ask whether rows vary more than binomial or Poisson chance allows (overdispersion).

    Rows of the same cell, units and number of trials are compared, so that neither factors
    nor differences between units count as overdispersion.  Where cells and units meet in
    single rows, the effects of cells and units are taken to add up.

    Parameters
    ----------
    ci_prob : float
        Probability of the confidence interval.

    Returns
    -------
    DispersionCheck or NotChecked
        Prints in plain words; ``found`` says whether there is overdispersion, ``table`` holds
        the ratio of the variances and the intra-trial correlation.  ``NotChecked`` if rows
        hold a single trial each, or have a unit each, which allows for any excess.

    Raises
    ------
    NotApplicableError
        If the response is neither a proportion nor a count.
    ArgumentError
        If ``ci_prob`` is not between 0 and 1.

    Notes
    -----
    See ``bambi_anova.screening.overdispersion`` for the method and its sources.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    >>> model = ba.Model(formula, ba.load_data("memory"), family="binomial")
    >>> model.check_dispersion().found
    False
    """
    design, family = model.design, model.family
    probability(ci_prob)
    response = design.formula.response
    if not (family.response.trials or family.response.binary or family.response.counts):
        raise NotApplicableError(
            f"check_dispersion() asks about proportions and counts; family={family.name!r} has "
            "a variance of its own"
        )
    counts = family.response.counts
    prepared = repeated_rows(design, counts)
    if isinstance(prepared, str):
        chance = "Poisson" if counts else "binomial"
        return NotChecked(f"Does {response.text} vary more than {chance} chance allows?", prepared)
    repeats, judged = prepared
    allowed = "" if family.chance_alone else family.name
    effect = estimate_dispersion(repeats, ci_prob)
    return DispersionCheck(
        response=response.text,
        counts=counts,
        judged=judged,
        effect=effect,
        df=len(repeats.counts) - repeats.size - repeats.covariates.shape[1],
        clusters=min(way.size for way in repeats.clusters),
        ci_prob=ci_prob,
        remedy=() if allowed or effect.low <= 1 else _dispersion_remedy(design, family),
        allowed=allowed,
    )


# -- Informative numbers of trials -------------------------------------------------------------


def warn_of_trials(model: Specification) -> Iterator[AnovaWarning]:
    """Yield a warning if the rate clearly depends on the number of trials."""
    design, family = model.design, model.family
    if not family.response.trials:
        return
    trials = design.formula.response.trials
    assert trials is not None  # of a proportion
    rows = comparable_rows(design, trials)
    if isinstance(rows, str) or p_value(rows.counts) >= CLEAR:
        return
    found = _answer(design, trials, rows, 0.95)
    if abs(found.effect.estimate) >= WORTH_SAYING:
        yield InformativeTrialsWarning(
            f"the rate of {found.response!r} depends on {found.trials!r}, the number of trials: "
            f"{found.size}. Say so in the formula: {found.formula!r}; model.check_trials() tells "
            "what that means"
        )


def _answer(
    design: Design, number: Expression, compared: Comparable, ci_prob: float
) -> TrialsCheck:
    """Estimate the dependence and write the formulas that allow for it."""
    response, counts = design.formula.response, compared.counts
    n, values = values_of(design, number), design.rows.response
    assert values.trials is not None  # of yes or no
    cells = values.total(design.cell_codes, n, len(design.cells))
    rows = values.total(design.cell_codes, size=len(cells))
    means = cells[rows > 0] / rows[rows > 0]
    helper, centred = _within_cells(design, number)
    return TrialsCheck(
        response=response.text,
        what=str(response.outcome),
        trials=str(number),
        judged=compared.judged,
        effect=estimate_dependence(counts, ci_prob),
        sd=compared.sd,
        gap=float(np.ptp(means)),
        clusters=min(way.size for way in counts.clusters),
        rate=float((values.counts @ values.values) / (values.counts @ values.trials)),
        ci_prob=ci_prob,
        formula=design.formula.with_term(f"scale({number.written})"),
        centred=design.formula.with_term(centred),
        helper=helper,
        mean=float(values.counts @ n / values.counts.sum()),
        by_row=number is not response.trials,
    )


def _within_cells(design: Design, number: Expression) -> tuple[str, str]:
    """Return Python that centres n within cells, and the name of the column that it makes."""
    name = f"{number if number.text.isidentifier() else 'trials'}_within"
    n = f'data["{number}"]' if number.is_column else f"data.eval({number.text!r})"
    keys = ", ".join(f'data["{factor.name}"]' for factor in design.factors)
    mean = f'({n}).groupby([{keys}]).transform("mean")' if keys else f"({n}).mean()"
    if n.startswith('data["'):
        mean = mean.replace(f"({n})", n, 1)
    return f'data["{name}"] = {n} - {mean}', name


# -- Overdispersion ----------------------------------------------------------------------------


def _dispersion_remedy(design: Design, family: Family) -> tuple[str, ...]:
    """Say what to change."""
    text = design.formula.text
    unit = "Error(row)" if "Error(" in text else "(1|row)"
    return (
        f'family="{family.overdispersed}", or a unit for every row:',
        '  data["row"] = range(len(data))',
        f"  {text} + {unit}",
    )
