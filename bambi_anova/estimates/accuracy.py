"""How far a fit can be believed: diagnostics of its parameters, and a verdict.

Letters: H chains, D draws, K quantities.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.estimates.contrast_families import as_text
from bambi_anova.estimates.effects import Effects, Grid, deflection_effects, mean_effects
from bambi_anova.names import scaled_terms, sigma_name
from bambi_anova.posterior.once import once
from bambi_anova.posterior.parameter import of_parameter
from bambi_anova.posterior.populations import cell_means
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import diagnose
from bambi_anova.posterior.trust import Verdict, is_trusted, judge
from bambi_anova.specification import variable_names
from bambi_anova.tables.columns import TRUST
from bambi_anova.tables.printing import Table

Array = np.ndarray


@once
def diagnostics(posterior: Posterior) -> pd.DataFrame:
    """Summary of every parameter of the model, by ArviZ, with Bambi's names as index."""
    import arviz_stats

    with np.errstate(invalid="ignore", divide="ignore"):
        return arviz_stats.summary(posterior.idata, round_to="none").astype(float)


def trust(posterior: Posterior) -> pd.DataFrame:
    """Return how far each quantity of the fit can be believed.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    pandas.DataFrame
        A row a quantity: every scalar parameter, the cell means and the deflections of every
        term, both for new units and, where there are units, for these (link scale).  Columns
        ``quantity``, ``population``, ``mean``, ``sd``, ``mcse_mean``, ``mcse_sd``,
        ``mcse_bounds`` (the larger Monte Carlo error of the bounds of the 95% HDI), ``ess_bulk``,
        ``ess_tail``, ``r_hat`` (of chains only), ``pareto_k`` (tail shape of the draws or of
        their importance weights, whichever is heavier), ``pareto_k_sd`` (of squared distances
        from the mean) and ``trusted``.

    Examples
    --------
    >>> result.trust()  # doctest: +SKIP
    """
    return Table(_trust(posterior))


@once
def _trust(posterior: Posterior) -> pd.DataFrame:
    variables = posterior.idata["posterior"].to_dataset()
    scalars = [str(name) for name in variables if variables[name].dims == ("chain", "draw")]
    known = variable_names(posterior.specification)
    names, populations = [known.get(name, name) for name in scalars], [""] * len(scalars)
    draws = [variables[name].to_numpy()[..., None] for name in scalars]
    parts = [("", posterior)]
    for part in posterior.specification.further:
        name = part.parent.name
        parts.append((f"{name}: ", of_parameter(posterior, name)))
    for start, one in parts:
        effects = _cell_effects(one)
        for population in ("super", "finite") if one.design.units else ("super",):
            cells = cell_means(one, population, "link")
            for kind, own in effects.items():
                # Levels alone would not do: two factors may both have "yes" and "no".
                levels = own.labels.itertuples(index=False, name=None)
                names += [f"{start}{kind} {as_text(level)}" for level in levels]
                populations += [population] * len(own.labels)
                draws.append(own.of(cells))
    table = diagnose(np.concatenate(draws, axis=-1), posterior.sampling.weighting)
    trusted = is_trusted(table, posterior.sampling)
    return table.assign(quantity=names, population=populations, trusted=trusted)[TRUST]


def _cell_effects(posterior: Posterior) -> dict[str, Effects]:
    """Return the means of the cells and the deflections of the terms."""
    grid = Grid(posterior.design.levels)
    found = {"mean": mean_effects(grid, list(grid.levels))} if grid.levels else {}
    for term in posterior.design.factor_terms:
        name = f"deflection {':'.join(term.factors)}"
        found[name] = deflection_effects(grid, term.factors)
    return found


def verdict(posterior: Posterior) -> Verdict:
    """Equal to "trusted" or "not trusted"; its ``reasons`` say why, in words.

    It is about means and effects.  What is wrong with sigmas and further parameters of the
    likelihood alone are ``reservations``; rows of tables that report them are judged by themselves.
    """
    table = _trust(posterior)
    names = (table["quantity"] + " " + table["population"]).str.strip()
    model = posterior.specification
    known = variable_names(model)
    nuisance = {known[sigma_name(term)] for term in scaled_terms(model.design).values()}
    for part in model.further:
        terms = scaled_terms(part.design).values()
        nuisance |= {known[part.parent.prefix + sigma_name(term)] for term in terms}
    nuisance |= set(posterior.draws.auxiliary)
    return judge(table.set_index(names), posterior.sampling, nuisance)


def complaints(posterior: Posterior) -> list[str]:
    """What is wrong with the fit, in words; empty if nothing is."""
    return list(verdict(posterior).reasons)
