"""What may be trusted.

The effective sample size of every quantity against what is asked of it.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
ba.plots.plot_trust(model.fit("laplace", random_seed=1))
