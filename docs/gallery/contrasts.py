"""Contrasts with a region of practical equivalence.

Each against the first level, as a forest; the shaded region is what would not matter.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
result = model.fit("laplace", random_seed=1)
ba.plots.plot_contrasts(result, "nitrogen", "trt_vs_ctrl", rope=(-5, 5))
