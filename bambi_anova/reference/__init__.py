"""Classical and other analyses of the same designs, which share no code with the model."""

from bambi_anova.reference.contrasts import COLUMNS
from bambi_anova.reference.logistic import logistic_anova, logistic_coefficients
from bambi_anova.reference.permutation import permutation_test
from bambi_anova.reference.split_plot import split_plot_anova, split_plot_contrasts

__all__ = [
    "COLUMNS",
    "logistic_anova",
    "logistic_coefficients",
    "permutation_test",
    "split_plot_anova",
    "split_plot_contrasts",
]
