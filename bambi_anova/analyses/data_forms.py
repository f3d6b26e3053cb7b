"""Other forms of the same data: single outcomes, and totals.

Yes-or-no data can be kept as single outcomes, as counts a row, or as totals of everything that
shares its predictors.  The binomial coefficient apart, which holds no parameter, their likelihoods
are the same function of the parameters, so their posteriors are equal.  A beta-binomial model
gives every row a probability of its own and is another model: its rows do not add up.

Letters: N rows of the design, M rows of another form of its data, J units of one unit term.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bambi_anova.design.design import Design, Unit
from bambi_anova.design.sufficient import collapse_rows
from bambi_anova.errors import NotApplicableError
from bambi_anova.families.registry import get_family
from bambi_anova.families.values import ResponseValues

Array = np.ndarray


def outcomes(design: Design) -> Design:
    """Return a design of proportions with a row of 0 or 1 for each trial.

    Parameters
    ----------
    design : Design
        Of a response ``p(successes, trials)``, N rows.

    Returns
    -------
    Design
        M rows, the sum of the trials.

    Raises
    ------
    NotApplicableError
        If a unit has no trial at all, and would be lost.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> memory = ba.load_data("memory")
    >>> model = ba.Model("p(errors, 40) ~ condition + Error(participant)", memory, "binomial")
    >>> outcomes(model.design).rows.response.values.shape
    (164000,)
    """
    design.rows.require_single("single outcomes")
    response = design.rows.response
    assert response.trials is not None  # of a proportion
    trials, successes = response.trials.astype(int), response.values.astype(int)
    index = np.repeat(np.arange(len(trials)), trials)
    # Within its row an outcome is a success if it comes before the row's number of successes.
    place = np.arange(len(index)) - np.repeat(np.cumsum(trials) - trials, trials)
    values = (place < successes[index]).astype(float)
    return _take(design, index, ResponseValues(response.name, values, np.ones(len(values))))


def totals(design: Design) -> Design:
    """Return a design of yes-or-no data with a row for all trials that share their predictors.

    Parameters
    ----------
    design : Design
        Of a binary response or of proportions, N rows.

    Returns
    -------
    Design
        Of proportions, M rows.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> memory = ba.load_data("memory")
    >>> model = ba.Model("p(errors, 40) ~ condition + Error(participant)", memory, "binomial")
    >>> len(totals(model.design).rows.data)
    41
    """
    rows = collapse_rows(design, get_family("binomial"))
    response = ResponseValues(design.rows.response.name, rows.values, rows.trials)
    return _take(design, rows.first, response)


def _take(design: Design, index: Array, response: ResponseValues) -> Design:
    """Return the design of some of its rows, perhaps repeated, with another response."""
    rows = design.rows
    units = {id(unit): _take_unit(unit, index) for unit in design.units}
    for slope in design.slopes:
        units.setdefault(id(slope.unit), _take_unit(slope.unit, index))
    # Covariates keep their centre and scale, so that parameters keep their meaning.
    taken = replace(
        rows,
        data=rows.data.iloc[index].reset_index(drop=True),
        response=response,
        factors={name: replace(f, codes=f.codes[index]) for name, f in rows.factors.items()},
        groupings={name: replace(g, codes=g.codes[index]) for name, g in rows.groupings.items()},
        covariates={n: replace(c, values=c.values[index]) for n, c in rows.covariates.items()},
        offset=None if rows.offset is None else rows.offset[index],
    )
    return replace(
        design,
        rows=taken,
        units=tuple(units[id(unit)] for unit in design.units),
        slopes=tuple(replace(slope, unit=units[id(slope.unit)]) for slope in design.slopes),
        joints=tuple(replace(joint, unit=units[id(joint.unit)]) for joint in design.joints),
    )


def _take_unit(unit: Unit, index: Array) -> Unit:
    codes = unit.codes[index]
    found, first = np.unique(codes, return_index=True)
    if len(found) < unit.size:
        raise NotApplicableError(
            f"{unit.size - len(found)} of {unit.size} levels of {unit.name!r} have no trial; leave "
            "their rows out"
        )
    return replace(unit, codes=codes, first=first)
