"""Everything that a result reports, under names that do not depend on how it was made."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.posterior.summary import summarise
from bambi_anova.result import Result

POPULATIONS = ("super", "finite")
NAMES = {"ess_bulk": "ess", "hdi95_lb": "lower", "hdi95_ub": "upper"}
NUMBERS = ["mean", "sd", "mcse_mean", "mcse_sd", "ess", "pareto_k", "lower", "upper"]
ERRORS = ["mcse_sd", "mcse_bounds", "pareto_k", "pareto_k_sd"]
COLUMNS = ["quantity", *NUMBERS, "mcse_bounds", "pareto_k_sd", "supported", "trusted"]


def quantities(result: Result) -> pd.DataFrame:
    """List every quantity that a result reports.

    Parameters
    ----------
    result : Result
        Of any method.

    Returns
    -------
    pandas.DataFrame
        ``quantity`` (such as "contrast A: a1 - a2 | finite | response"), ``mean``, ``sd``,
        ``mcse_mean``, ``mcse_sd``, ``mcse_bounds``, ``ess`` (bulk), ``pareto_k``,
        ``pareto_k_sd``, ``lower`` and ``upper`` (of the 95% HDI), ``supported`` and ``trusted``:
        the means of every term and of the cells,
        the deflections and the pairwise contrasts of every factor on the link scale; the cell
        means and the contrasts on the response scale; all of them for both populations; and both
        standard deviations of every row of the ANOVA table (of the finite-population sd without
        most errors).
    """
    factors = list(result.design.levels)
    terms = [
        ":".join(name for name in factors if name in term.factors)
        for term in result.design.terms
        if term.factors and not term.covariate
    ]
    tables = []
    for population in POPULATIONS:
        for term in dict.fromkeys([*terms, ":".join(factors)]):
            tables.append(_means(result, term, population, "link"))
        tables.append(_deflections(result, population))
        tables.append(_means(result, ":".join(factors), population, "response"))
        for factor, scale in product(factors, ("link", "response")):
            about = {"population": population, "scale": scale}
            table = result.contrasts(factor, **about)
            errors = _errors(result, "contrasts", factor, **about)
            tables.append(_named(table, f"contrast {factor}: " + table["contrast"], errors))
    tables += _anova(result)
    found = pd.concat(tables, ignore_index=True)
    assert found["quantity"].is_unique
    return found


def _means(result: Result, term: str, population: str, scale: str) -> pd.DataFrame:
    about = {"population": population, "scale": scale}
    table = result.means(term, **about)
    shown = table[term.split(":")].astype(str).agg(":".join, axis=1)
    return _named(table, f"mean {term}: " + shown, _errors(result, "means", term, **about))


def _deflections(result: Result, population: str) -> pd.DataFrame:
    table = result.deflections(population=population)
    errors = _errors(result, "deflections", population=population)
    return _named(table, "deflection " + table["term"] + ": " + table["level"], errors)


def _errors(result: Result, kind: str, *args: str, **about: str) -> pd.DataFrame:
    """Return what verdicts rest on and tables leave out."""
    draws = result.draws_of(kind, *args, **about).to_numpy()
    return summarise(draws, weighting=result.sampling.weighting)[ERRORS]


def _anova(result: Result) -> list[pd.DataFrame]:
    """Return the finite-population sds and the sigmas of the ANOVA table."""
    table = result.anova()
    sigmas = table.drop(columns=["mean", "sd", "mcse_mean", "ess_bulk"]).rename(
        columns={"sigma": "mean", "sigma_sd": "sd"}
    )
    draws = result.draws.sigmas | {"residual": result.draws.auxiliary.get("sigma")}
    # The table's own diagnostics are those of the finite-population sd.
    checks = summarise(
        np.stack([draws[term] for term in table["term"]], axis=-1),
        weighting=result.sampling.weighting,
    )
    sigmas[["mcse_mean", "ess_bulk"]] = checks[["mcse_mean", "ess_bulk"]]
    bounds = ["hdi95_lb", "hdi95_ub"]
    sigmas[bounds] = sigmas[[f"sigma_{bound}" for bound in bounds]]
    finite = table[table["mean"].notna()]  # the residual has none
    return [
        _named(finite, "finite-population sd of " + finite["term"]),
        _named(sigmas, "sigma of " + sigmas["term"], checks[ERRORS]),
    ]


def _named(
    table: pd.DataFrame, names: pd.Series, errors: pd.DataFrame | None = None
) -> pd.DataFrame:
    named = table.assign(quantity=names + " | " + table["population"] + " | " + table["scale"])
    named = named.assign(**dict.fromkeys(ERRORS, np.nan)) if errors is None else named.join(errors)
    return named.rename(columns=NAMES)[COLUMNS]
