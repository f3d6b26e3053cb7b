"""Deflections of every term.

Effects that sum to zero, grouped by term.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
ba.plots.plot_deflections(model.fit("laplace", random_seed=1))
