"""Logistic ANOVA by maximum likelihood, with sum coding (statsmodels).

Three answers to the question what the units are: none (every trial is independent evidence),
fixed effects nested in their between-unit cells (these units), and standard errors that are
robust against clustering by unit (new units; Liang and Zeger 1986, doi:10.1093/biomet/73.1.13).
Rows that share factors and units are added up first: the estimates stay the same.

Letters: M rows added up, P coefficients, C cells, J units, G clusters.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.arguments import one_of, own_floats, probability
from bambi_anova.classical.pairwise import SCALES, contrasts_of, tabulate, wald, weights_over
from bambi_anova.classical.study import (
    Study,
    is_crossed,
    no_numbers,
    read_study,
    require,
)
from bambi_anova.classical.sum_coding import (
    Name,
    Table,
    cell_rows,
    make_table,
    own_units,
    require_rank,
)
from bambi_anova.errors import (
    ArgumentError,
    DataError,
    NotApplicableError,
    SeparationError,
    listing,
)

if TYPE_CHECKING:
    from bambi_anova.model import Model

Array = np.ndarray

ANALYSIS = "logistic ANOVA"
UNITS = (None, "fixed")


@dataclass(frozen=True)
class LogisticFit:
    """Coefficients, their covariance matrix, and where to read off each cell's mean.

    Attributes
    ----------
    coefficients : ndarray, shape (P,)
    covariance : ndarray, shape (P, P)
    df : float
        Degrees of freedom of t intervals; infinite for normal ones.
    names : list of (term, column)
    cells : list of ndarray, C of them, each of shape (units in the cell, P)
        Rows of the design matrix whose average is the cell's mean.
    population : str
    analysis : str
    """

    coefficients: Array
    covariance: Array
    df: float
    names: list[Name]
    cells: list[Array]
    population: str
    analysis: str


def check_logistic(study: Study, units: str | None = None, robust: bool = False) -> Table:
    """Return the rows added up and coded.

    Raises
    ------
    NotApplicableError, SeparationError
        If the analysis does not apply to a study.
    """
    require(ANALYSIS, _obstacle(study))
    _check_units(study, units, robust)
    table = make_table(study, own_units(study) if units else ())
    require_rank(table, study)
    _require_overlap(table, study)
    return table


def _obstacle(study: Study) -> str | None:
    if study.trials is None:
        return (
            f"it needs family='bernoulli' or 'binomial', and family={study.family!r}; for gaussian "
            "responses use split_plot_anova()"
        )
    if study.link != "logit":
        return f"its link is logit, and that of the model {study.link!r}"
    return no_numbers(study)


@own_floats
def logistic_anova(
    model: Model,
    units: str | None = None,
    robust: bool = False,
    scale: str = "link",
    ci_prob: float = 0.95,
) -> pd.DataFrame:
    """Return contrasts of the cell means of a logistic ANOVA, with Wald intervals.

    Parameters
    ----------
    model : bambi_anova.Model
        With family "bernoulli" or "binomial".
    units : {None, "fixed"}
        Leave the units out, or give each a fixed effect that sums to zero over the units of its
        between-unit cell (the finest units that are not crossed with a factor).
    robust : bool
        Standard errors that allow any dependence within a unit (the coarsest), times G/(G - 1),
        with t intervals of G - 1 degrees of freedom; only without fixed units.
    scale : {"link", "response"}
        Differences of logits or, by the delta method, of probabilities.
    ci_prob : float

    Returns
    -------
    pandas.DataFrame
        The columns of ``bambi_anova.classical.COLUMNS``, then ``se`` and ``df``.  ``population``
        is "rows" without units (new rows, as if they were independent), "finite" with fixed units
        (these units) and "super" with robust errors (new units).

    Raises
    ------
    NotApplicableError
        If the response is not yes or no, the link is not logit, there are covariates, or the
        units that are asked for are missing or cross.
    SeparationError
        If no maximum of the likelihood exists.

    Notes
    -----
    Without unit effects the cell means are those of the pooled trials (marginal), and their
    logits lie closer together than those of a single unit (conditional).

    Examples
    --------
    >>> import bambi_anova as ba
    >>> formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    >>> model = ba.Model(formula, ba.load_data("memory"), family="binomial")
    >>> table = logistic_anova(model, robust=True)
    >>> table["estimate"].round(2).tolist(), table["lower"].round(2).tolist()
    ([0.08, 0.4, 0.07], [-0.26, 0.33, -0.08])
    """
    one_of("scale", scale, SCALES)
    probability(ci_prob)
    start = perf_counter()
    study = read_study(model)
    fit = fit_logistic(study, units, robust)
    means, slopes = _SCALES[scale](fit)
    rows = []
    for term in study.terms:
        for contrast in contrasts_of(study, term):
            weights = weights_over(study.levels, contrast.pairs)
            slope = weights @ slopes
            se = float(np.sqrt(slope @ fit.covariance @ slope))
            about = {"term": ":".join(term), "contrast": contrast.name}
            rows.append(about | wald(float(weights @ means), se, fit.df, ci_prob))
    return tabulate(rows, fit.analysis, scale, fit.population, perf_counter() - start)


@own_floats
def logistic_coefficients(
    model: Model, units: str | None = None, robust: bool = False, ci_prob: float = 0.95
) -> pd.DataFrame:
    """Return the sum-coded coefficients of a logistic ANOVA.

    A coefficient is the deflection of a level; the last level's is minus the sum of the others.

    Parameters
    ----------
    model, units, robust, ci_prob
        As for ``logistic_anova``.

    Returns
    -------
    pandas.DataFrame
        The same columns, with the level in place of the contrast.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    >>> model = ba.Model(formula, ba.load_data("memory"), family="binomial")
    >>> logistic_coefficients(model)["estimate"].round(2).tolist()
    [-2.02, 0.04, 0.2, 0.02]
    """
    probability(ci_prob)
    start = perf_counter()
    fit = fit_logistic(read_study(model), units, robust)
    errors = np.sqrt(np.diag(fit.covariance))
    rows = [
        {"term": term, "contrast": level} | wald(float(estimate), float(se), fit.df, ci_prob)
        for (term, level), estimate, se in zip(fit.names, fit.coefficients, errors, strict=True)
    ]
    return tabulate(rows, fit.analysis, "link", fit.population, perf_counter() - start)


def fit_logistic(study: Study, units: str | None = None, robust: bool = False) -> LogisticFit:
    """Fit the model by maximum likelihood."""
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    table = check_logistic(study, units, robust)
    successes, trials = table.frame["successes"], table.frame["trials"]
    counts = np.column_stack([successes, trials - successes])
    likelihood = sm.GLM(counts, table.design, family=sm.families.Binomial())
    options: dict = {}
    df = np.inf
    if robust:
        groups = table.frame[study.tops[0].name].to_numpy()
        options = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": False}}
        df = study.tops[0].size - 1
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # A saturated model predicts exactly; that nothing is separated is known by now.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        # Of a canonical link Newton's steps are those of IRLS, without its singular values.
        fitted = likelihood.fit(
            method="newton", max_start_irls=2, maxiter=100, tol=1e-12, disp=0, **options
        )
    if not fitted.mle_retvals["converged"]:
        raise DataError(f"{ANALYSIS}: the likelihood has no maximum that 100 steps can find")
    covariance = np.asarray(fitted.cov_params())
    return LogisticFit(
        coefficients=np.asarray(fitted.params),
        covariance=covariance * ((df + 1) / df if robust else 1.0),
        df=df,
        names=table.names,
        cells=cell_rows(study, own_units(study) if units else ()),
        population="finite" if units == "fixed" else "super" if robust else "rows",
        analysis=f"{ANALYSIS}, {'fixed' if units else 'robust' if robust else 'no'} units",
    )


def _check_units(study: Study, units: str | None, robust: bool) -> None:
    if units not in UNITS:
        raise ArgumentError(f"units={units!r}: expected one of {UNITS}")
    if units == "fixed" and robust:
        raise ArgumentError(
            "robust=True: expected without units='fixed'; fixed units describe these units, robust "
            "errors generalise to new ones: take one of them"
        )
    if (units or robust) and not study.units:
        raise NotApplicableError(
            f"{ANALYSIS}: the formula has no units to reckon with; add Error(unit) to it"
        )
    if robust:
        require(f"{ANALYSIS}, robust units", is_crossed(study))
        if study.tops[0].size < 2:
            raise NotApplicableError(f"{ANALYSIS}: robust errors need two units or more")


def _require_overlap(table: Table, study: Study) -> None:
    """Raise if a direction of the coefficients separates successes from failures.

    The likelihood has a maximum unless some b has x'b >= 0 wherever there is a success and
    x'b <= 0 wherever there is a failure, not all zero (Albert and Anderson 1984,
    doi:10.1093/biomet/71.1.1): a linear programme.
    """
    from scipy.optimize import linprog

    successes, trials = table.frame["successes"].to_numpy(), table.frame["trials"].to_numpy()
    only = np.where(successes == trials, 1, np.where(successes == 0, -1, 0))
    pure = only != 0
    if not pure.any():
        return
    signed = only[pure, None] * table.design[pure]
    mixed = table.design[~pure]
    found = linprog(
        -signed.sum(axis=0),
        A_ub=-signed,
        b_ub=np.zeros(len(signed)),
        A_eq=mixed if len(mixed) else None,
        b_eq=np.zeros(len(mixed)) if len(mixed) else None,
        bounds=(-1, 1),
    )
    separated = signed @ found.x > 1e-7
    if separated.any():
        rows = table.frame[pure][separated]
        names = [_describe(row, study) for _, row in rows.iterrows()]
        raise SeparationError(
            f"{ANALYSIS}: without a single failure or success in {listing(names)}, the likelihood "
            "grows for ever (separation) and there are no estimates; leave out the term or the "
            "fixed units that tell these rows apart, or use model.fit(), whose priors decide"
        )


def _describe(row: Mapping, study: Study) -> str:
    factors = {name: tuple(map(str, levels)) for name, levels in study.levels.items()}
    known = {**factors, **study.labels}
    return ":".join(known[name][int(code)] for name, code in row.items() if name in known)


def _link_means(fit: LogisticFit) -> tuple[Array, Array]:
    """Return cell means on the link scale, unit effects cancelling, and their slopes."""
    slopes = np.stack([rows.mean(axis=0) for rows in fit.cells])
    return slopes @ fit.coefficients, slopes


def _response_means(fit: LogisticFit) -> tuple[Array, Array]:
    """Return cell means of the probabilities and their slopes (delta method)."""
    from scipy.special import expit

    means, slopes = [], []
    for rows in fit.cells:
        chance = expit(rows @ fit.coefficients)
        means.append(chance.mean())
        slopes.append(((chance * (1 - chance))[:, None] * rows).mean(axis=0))
    return np.array(means), np.stack(slopes)


_SCALES = {"link": _link_means, "response": _response_means}
