"""A quick fit and a full one.

The worst agreement first.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety + nitrogen + Error(block/variety)", oats)
quick = model.fit("laplace", random_seed=1)
full = model.fit(init=quick, random_seed=1, progressbar=False)
ba.plot_fits(quick, full, rows=12)
