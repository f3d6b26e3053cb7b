"""Summaries with the columns of Kruschke's scripts.

Letters: K quantities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError
from bambi_anova.estimates.contrasts import contrast_quantities
from bambi_anova.estimates.deflections import deflection_quantities
from bambi_anova.estimates.effects import mean_effects
from bambi_anova.estimates.means import mean_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.quantity_table import (
    Rope,
    check_comp_val,
    check_rope,
    quantity_table,
)
from bambi_anova.estimates.reference_grid import reference_grid
from bambi_anova.names import SD_OF
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.tables.columns import KRUSCHKE
from bambi_anova.tables.interval import DEFAULT, Interval
from bambi_anova.tables.printing import Table


def kruschke(
    posterior: Posterior,
    term: str | None = None,
    method: Any = None,
    comp_val: float | None = None,
    rope: Rope | None = None,
    ci_prob: float = 0.95,
    **options: Any,
) -> pd.DataFrame:
    """Return summaries with the columns of the scripts of *Doing Bayesian Data Analysis*.

    Parameters
    ----------
    posterior : Posterior
    term : str, optional
        Whose means, or contrasts, are wanted; by default the baseline, all deflections and
        all standard deviations, as in ``smryMCMC``.
    method : str, mapping or array, optional
        Contrasts instead of means; as for ``contrasts``.
    comp_val : float, optional
    rope : sequence of two floats, optional
    ci_prob : float
        Mass of the HDI.
    **options
        Further arguments of ``means`` or ``contrasts``, such as ``population="finite"``,
        which is what Kruschke's split-plot script looks at.

    Returns
    -------
    pandas.DataFrame
        A row a quantity, named by it, with ``Mean``, ``Median``, ``Mode``, ``ESS``,
        ``HDImass``, ``HDIlow``, ``HDIhigh``, ``CompVal``, ``PcntGtCompVal``, ``ROPElow``,
        ``ROPEhigh``, ``PcntLtROPE``, ``PcntInROPE`` and ``PcntGtROPE``, then ``supported``
        and ``trusted``.

    Examples
    --------
    >>> contrast = {"ridge and moldboard vs chisel": (["Ridge", "Moldbrd"], ["Chisel"])}
    >>> result.kruschke("tillage", contrast, comp_val=0, rope=(-5, 5))  # doctest: +SKIP
    """
    if term is not None and method is not None:
        found = contrast_quantities(posterior, term, method, **options)
    elif method is not None:
        raise ArgumentError("method: name the term whose levels it compares, as in term='A'")
    elif term is not None:
        found = mean_quantities(posterior, term, **options)
    else:
        found = parameter_quantities(posterior, **options)
    return kruschke_table(found, posterior.sampling, comp_val, rope, Interval(ci_prob))


def kruschke_table(
    quantities: Quantities,
    sampling: Sampling,
    comp_val: float | None = None,
    rope: Rope | None = None,
    interval: Interval = DEFAULT,
) -> pd.DataFrame:
    """Summarise quantities as ``smryMCMC`` of *Doing Bayesian Data Analysis* does.

    Parameters
    ----------
    quantities : Quantities
    sampling : Sampling
    comp_val : float, optional
    rope : sequence of two floats, optional
    interval : Interval
        Of highest density.

    Returns
    -------
    pandas.DataFrame
        K rows, named by the quantities, with the columns of ``tables.columns.KRUSCHKE``.
        ``Mode`` is the peak of a kernel density; ``ESS`` that of the mean; shares are percent.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> labels = pd.DataFrame({"contrast": ["a - b"]})
    >>> draws = rng.normal(3, 1, size=(4, 1000, 1))
    >>> quantities = Quantities(labels, draws, np.array([True]), "super", "link")
    >>> table = kruschke_table(quantities, Sampling("nuts", 0, 1.0), comp_val=0)
    >>> table.loc["a - b", ["CompVal", "PcntGtCompVal"]].round(0).tolist()
    [0.0, 100.0]
    """
    known = quantity_table(quantities, sampling, interval, rope, comp_val)
    lower, upper = interval.bounds
    low, high = (np.nan, np.nan) if rope is None else check_rope(rope)
    nothing = np.full(len(known), np.nan)
    draws = quantities.draws.reshape(-1, len(known))
    mode = [np.nan if np.ptp(column) == 0 else _peak(column) for column in draws.T]
    with np.errstate(divide="ignore", invalid="ignore"):  # constants have no error
        effective = (known["sd"] / known["mcse_mean"]) ** 2
    columns = {
        "Mean": known["mean"],
        "Median": known["median"],
        "Mode": np.array(mode, dtype=float),
        "ESS": np.minimum(effective, len(draws)) if sampling.weighting else effective,
        "HDImass": interval.prob,
        "HDIlow": known[lower],
        "HDIhigh": known[upper],
        "CompVal": np.nan if comp_val is None else check_comp_val(comp_val),
        "PcntGtCompVal": 100 * known.get("above_comp_val", nothing),
        "ROPElow": low,
        "ROPEhigh": high,
        "PcntLtROPE": 100 * known.get("below_rope", nothing),
        "PcntInROPE": 100 * known.get("in_rope", nothing),
        "PcntGtROPE": 100 * known.get("above_rope", nothing),
        "supported": known["supported"],
        "trusted": known["trusted"],
    }
    table = pd.DataFrame(columns)[KRUSCHKE]
    table.index = pd.Index(quantities.names)
    return Table(table)


def _peak(draws: np.ndarray) -> float:
    """Return the peak of a kernel density, of Scott's bandwidth as in the figures."""
    from arviz_stats.base import array_stats

    x, density, _ = array_stats.kde(draws, bw="scott")
    return float(x[density.argmax()])


def parameter_quantities(posterior: Posterior, population: str = "super") -> Quantities:
    """Return the baseline, all deflections and all standard deviations, on the link scale.

    These are the b0, b1, b2, b1b2, ... and the sigmas of Kruschke's scripts.
    """
    points = reference_grid(posterior, population)
    names: list[str] = []
    draws, support = [], []
    if posterior.family.intercept:
        baseline = points.quantities(mean_effects(points.grid, []))
        names, draws, support = ["baseline"], [baseline.draws], [baseline.supported]
    if posterior.design.factor_terms:
        effects = deflection_quantities(posterior, None, population)
        names += (effects.labels["term"] + " " + effects.labels["level"]).tolist()
        draws.append(effects.draws)
        support.append(effects.supported)
    scales = {SD_OF.format(name): values for name, values in posterior.draws.sigmas.items()}
    for name, values in {**scales, **posterior.draws.auxiliary}.items():
        names.append(name)
        draws.append(values[..., None])
        support.append(np.array([True]))
    labels = pd.DataFrame({"parameter": names})
    everything = np.concatenate(draws, axis=-1)
    return Quantities(labels, everything, np.concatenate(support), population, "link")
