"""The posterior of a contrast, for new units and for these.

The same difference of two conditions, as it would be expected of other participants, and as it is
for those of the study.
"""

import bambi_anova as ba

memory = ba.load_data("memory")
formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
result = ba.Model(formula, memory, family="binomial").fit("laplace", random_seed=1)
for population in ("super", "finite"):
    ba.plots.plot_posteriors(result, "condition", population=population)
