"""Priors, before the data.

What the model assumes of every parameter.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
model.plot_priors()
