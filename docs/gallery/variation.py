"""Sources of variation.

The standard deviation of every source, stratum by stratum: Gelman's picture of an ANOVA.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
ba.plots.plot_anova(model.fit("laplace", random_seed=1))
