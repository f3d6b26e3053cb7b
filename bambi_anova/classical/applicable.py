"""Which analyses apply to a model, and how each is run with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    run : callable
        From a model, a scale, a random seed and ``ci_prob`` to the table of contrasts.
    """

    about: str
    population: str
    check: Callable[[Study], object]
    run: Callable[[Model, str, int | None, float], pd.DataFrame]


#: The analyses by the name that their tables give them.
ANALYSES = {
    "permutation test": Analysis(
        "shuffles labels within the limits of the design; no distribution assumed",
        "super",
        check_permutation,
        lambda model, scale, seed, ci_prob: permutation_test(
            model, scale=scale, random_seed=seed, ci_prob=ci_prob
        ),
    ),
    "split-plot ANOVA": Analysis(
        "the classical table with an error term for each stratum",
        "super",
        check_split_plot,
        lambda model, scale, seed, ci_prob: split_plot_contrasts(model, ci_prob=ci_prob),
    ),
    "logistic ANOVA, no units": Analysis(
        "maximum likelihood; every trial counts as independent",
        "rows",
        check_logistic,
        lambda model, scale, seed, ci_prob: logistic_anova(model, scale=scale, ci_prob=ci_prob),
    ),
    "logistic ANOVA, fixed units": Analysis(
        "maximum likelihood with an effect for each of these units",
        "finite",
        lambda study: check_logistic(study, units="fixed"),
        lambda model, scale, seed, ci_prob: logistic_anova(
            model, units="fixed", scale=scale, ci_prob=ci_prob
        ),
    ),
    "logistic ANOVA, robust units": Analysis(
        "no units in the model, errors robust against their clusters",
        "super",
        lambda study: check_logistic(study, robust=True),
        lambda model, scale, seed, ci_prob: logistic_anova(
            model, robust=True, scale=scale, ci_prob=ci_prob
        ),
    ),
    "hierarchical binomial": Analysis(
        "Kruschke's chapter 9: units in categories, their pairing is lost",
        "super",
        check_hierarchical,
        lambda model, scale, seed, ci_prob: hierarchical_binomial(
            model, scale=scale, random_seed=seed, ci_prob=ci_prob
        ),
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
