"""The parameters of the model themselves, under readers' names and Bambi's.

Letters: K parameters.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bambi_anova.families.base import THRESHOLD
from bambi_anova.names import correlated_pairs, correlation_name
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.summary import summarise
from bambi_anova.posterior.trust import is_trusted
from bambi_anova.posterior.variables import read_parameter
from bambi_anova.specification import variable_names
from bambi_anova.tables.columns import DIAGNOSTICS
from bambi_anova.tables.interval import Interval
from bambi_anova.tables.printing import Table


def summary(posterior: Posterior, ci_prob: float = 0.95, ci_kind: str = "hdi") -> pd.DataFrame:
    """Return a summary of every parameter but the effects of levels and units.

    What the model says of levels is in ``means``, ``deflections`` and ``contrasts``; all
    variables, effects included, are summarised by ``arviz.summary(result.idata)``.

    Parameters
    ----------
    posterior : Posterior
    ci_prob : float
    ci_kind : {"hdi", "eti"}

    Returns
    -------
    pandas.DataFrame
        A row a parameter: its name as in all tables, ``parameter``, its ``variable`` in the Bambi
        model and in ``idata``, then ``mean``, ``median``, ``sd``, the interval, diagnostics and
        ``trusted``; on the link scale.

    Examples
    --------
    >>> result.summary()  # doctest: +SKIP
    """
    interval = Interval(ci_prob, ci_kind)
    variables = posterior.idata["posterior"].to_dataset()
    names = [str(name) for name in variables if set(variables[name].dims) == {"chain", "draw"}]
    names += posterior.family.thresholds
    called, pairs = variable_names(posterior.specification), correlated_pairs(posterior.design)
    draws = np.stack(
        [
            *(read_parameter(variables, posterior.family, name) for name in names),
            *(posterior.draws.correlations[one.name][..., i, j] for one, i, j in pairs.values()),
        ],
        axis=-1,
    )
    found = summarise(draws, interval, posterior.sampling.weighting)
    shown = ["mean", "median", "sd", *interval.bounds, *DIAGNOSTICS]
    labels = pd.DataFrame(
        {
            "parameter": [*(called.get(name, name) for name in names), *pairs],
            "variable": [
                *(THRESHOLD if name in posterior.family.thresholds else name for name in names),
                *(correlation_name(joint.name) for joint, _, _ in pairs.values()),
            ],
        }
    )
    trusted = is_trusted(found, posterior.sampling)
    return Table(pd.concat([labels, found[shown]], axis=1).assign(trusted=trusted))
