"""Importance weights of a quick fit.

Largest first, with their Pareto k: how much rests on few draws.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
ba.plots.plot_weights(model.fit("laplace", random_seed=1))
