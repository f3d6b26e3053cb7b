"""Classical and other analyses of the same designs, which share no code with the model.

Each takes a ``bambi_anova.Model``, of which it reads the coded columns only, and returns a tidy
table of contrasts with the same columns: ``analysis``, ``term``, ``contrast``, ``estimate``,
``lower``, ``upper``, ``p``, ``scale``, ``population`` (what it generalises to: "super" for new
units, "finite" for these units, "rows" for new rows as if they were independent) and ``seconds``.
"""

from bambi_anova.classical.applicable import ANALYSES, applicable
from bambi_anova.classical.hierarchical import hierarchical_binomial
from bambi_anova.classical.logistic import logistic_anova, logistic_coefficients
from bambi_anova.classical.pairwise import COLUMNS
from bambi_anova.classical.permutation import permutation_test
from bambi_anova.classical.split_plot import split_plot_anova, split_plot_contrasts

__all__ = [
    "ANALYSES",
    "COLUMNS",
    "applicable",
    "hierarchical_binomial",
    "logistic_anova",
    "logistic_coefficients",
    "permutation_test",
    "split_plot_anova",
    "split_plot_contrasts",
]
