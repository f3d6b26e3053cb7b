"""All analyses that apply, side by side.

One experiment by every analysis that applies to it, also by those that should not be trusted.
"""

import bambi_anova as ba

memory = ba.load_data("memory")
formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
model = ba.Model(formula, memory, family="binomial")
table = ba.compare_analyses(model, ["trial_type", "condition"], random_seed=1)
ba.plot_analyses(table)
