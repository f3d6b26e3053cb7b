"""Means of the cells.

Marginal means with their intervals, over the observed means of the units.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
result = model.fit("laplace", random_seed=1)
ba.plots.plot_means(result, "variety:nitrogen")
