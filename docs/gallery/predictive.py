"""Observed and replicated means.

Would the model have made such participants as these?
"""

import bambi_anova as ba

memory = ba.load_data("memory")
formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
result = ba.Model(formula, memory, family="binomial").fit("laplace", random_seed=1)
ba.plots.plot_predictive(result, by="unit", random_seed=1)
