"""Which analyses apply to a model, and how each is run with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

import pandas as pd

from bambi_anova.arguments import own_floats
from bambi_anova.classical.hierarchical import check_hierarchical, hierarchical_binomial
from bambi_anova.classical.logistic import check_logistic, logistic_anova
from bambi_anova.classical.permutation import check_permutation, permutation_test
from bambi_anova.classical.split_plot import check_split_plot, split_plot_contrasts
from bambi_anova.classical.study import Study, read_study
from bambi_anova.errors import NotApplicableError, SeparationError

if TYPE_CHECKING:
    from bambi_anova.model import Model


@dataclass(frozen=True)
class Analysis:
    """One analysis that returns contrasts.

    Attributes
    ----------
    about : str
        What sets it apart.
    population : str
        What its contrasts generalise to: "super" (new units), "finite" (these units) or "rows"
        (new rows, as if they were independent).
    check : callable
        Raises ``NotApplicableError`` or ``SeparationError`` if a study is not for it.
    function : callable
        From a model to the table of contrasts.
    """

    about: str
    population: str
    check: Callable[..., object]
    function: Callable[..., pd.DataFrame]

    def run(self, model: Model, **options: Any) -> pd.DataFrame:
        """Return the table of contrasts, by those options that the analysis has."""
        known = signature(self.function).parameters
        return self.function(model, **{k: v for k, v in options.items() if k in known})


#: The analyses by the name that their tables give them.
ANALYSES = {
    "permutation test": Analysis(
        "shuffles labels within the limits of the design; no distribution assumed",
        "super",
        check_permutation,
        permutation_test,
    ),
    "split-plot ANOVA": Analysis(
        "the classical table with an error term for each stratum",
        "super",
        check_split_plot,
        split_plot_contrasts,
    ),
    "logistic ANOVA, no units": Analysis(
        "maximum likelihood; every trial counts as independent",
        "rows",
        check_logistic,
        logistic_anova,
    ),
    "logistic ANOVA, fixed units": Analysis(
        "maximum likelihood with an effect for each of these units",
        "finite",
        partial(check_logistic, units="fixed"),
        partial(logistic_anova, units="fixed"),
    ),
    "logistic ANOVA, robust units": Analysis(
        "no units in the model, errors robust against their clusters",
        "super",
        partial(check_logistic, robust=True),
        partial(logistic_anova, robust=True),
    ),
    "hierarchical binomial": Analysis(
        "Kruschke's chapter 9: units in categories, their pairing is lost",
        "super",
        check_hierarchical,
        hierarchical_binomial,
    ),
}


@own_floats
def applicable(model: Model) -> pd.DataFrame:
    """Tell which analyses apply to a model, and why the others do not.

    Parameters
    ----------
    model : bambi_anova.Model

    Returns
    -------
    pandas.DataFrame
        A row an analysis of ``ANALYSES``: ``analysis``, ``applies``, ``population`` (what its
        contrasts generalise to) and ``reason`` (empty if it applies).

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    >>> table = applicable(model)
    >>> table.loc[table["applies"], "analysis"].tolist()
    ['permutation test', 'split-plot ANOVA']
    """
    study = read_study(model)
    rows = []
    for name, analysis in ANALYSES.items():
        reason = _reason(analysis, study)
        rows.append((name, not reason, analysis.population, reason))
    return pd.DataFrame(rows, columns=["analysis", "applies", "population", "reason"])


def _reason(analysis: Analysis, study: Study) -> str:
    try:
        analysis.check(study)
    except (NotApplicableError, SeparationError) as error:
        return str(error)
    return ""
