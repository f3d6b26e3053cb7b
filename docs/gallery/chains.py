"""Chains of NUTS.

Ranks of the draws, chain by chain; `kind="trace"` draws traces.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety + nitrogen + Error(block/variety)", oats)
ba.plots.plot_chains(model.fit(random_seed=1, progressbar=False))
