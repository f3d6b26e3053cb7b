"""Other names and colours.

A `Style` renames factors and levels, takes other colours, and leaves the caption out.
"""

import bambi_anova as ba

memory = ba.load_data("memory")
formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
result = ba.Model(formula, memory, family="binomial").fit("laplace", random_seed=1)
style = ba.plots.Style(
    labels={"trial_type": "Trial", "x": "easy", "y": "hard", "condition": "Training"},
    colours=["#3b6d8c", "#c26a2d"],
    caption=False,
)
ba.plots.plot_means(result, "condition:trial_type", scale="response", style=style)
