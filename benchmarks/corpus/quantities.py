"""Everything that a result reports, under names that do not depend on how it was made."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from bambi_anova.posterior.summary import summarise
from bambi_anova.result import Result

POPULATIONS = ("super", "finite")


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
        ``mcse_mean``, ``ess`` (bulk), ``supported`` and ``trusted``: the means of every term and
        of the cells, the deflections and the pairwise contrasts of every factor on the link
        scale; the cell means and the contrasts on the response scale; all of them for both
        populations; and both standard deviations of every row of the ANOVA table.
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
            table = result.contrasts(factor, population=population, scale=scale)
            tables.append(_named(table, f"contrast {factor}: " + table["contrast"]))
    tables += _anova(result)
    found = pd.concat(tables, ignore_index=True)
    assert found["quantity"].is_unique
    return found


def _means(result: Result, term: str, population: str, scale: str) -> pd.DataFrame:
    table = result.means(term, population=population, scale=scale)
    shown = table[term.split(":")].astype(str).agg(":".join, axis=1)
    return _named(table, f"mean {term}: " + shown)


def _deflections(result: Result, population: str) -> pd.DataFrame:
    table = result.deflections(population=population)
    return _named(table, "deflection " + table["term"] + ": " + table["level"])


def _anova(result: Result) -> list[pd.DataFrame]:
    """Return the finite-population sds and the sigmas of the ANOVA table."""
    table = result.anova()
    sigmas = table.drop(columns=["mean", "sd", "mcse_mean", "ess_bulk"]).rename(
        columns={"sigma": "mean", "sigma_sd": "sd"}
    )
    draws = result.draws.sigmas | {"residual": result.draws.auxiliary.get("sigma")}
    # The table's own diagnostics are those of the finite-population sd.
    checks = summarise(np.stack([draws[term] for term in table["term"]], axis=-1))
    sigmas[["mcse_mean", "ess_bulk"]] = checks[["mcse_mean", "ess_bulk"]]
    finite = table[table["mean"].notna()]  # the residual has none
    return [
        _named(finite, "finite-population sd of " + finite["term"]),
        _named(sigmas, "sigma of " + sigmas["term"]),
    ]


def _named(table: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    quantity = names + " | " + table["population"] + " | " + table["scale"]
    named = table.rename(columns={"ess_bulk": "ess"}).assign(quantity=quantity)
    return named[["quantity", "mean", "sd", "mcse_mean", "ess", "supported", "trusted"]]
