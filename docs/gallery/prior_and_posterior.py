"""Priors, and what became of them.

The prior and the posterior of every standard deviation.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
model.fit("laplace", random_seed=1).plot_priors()
