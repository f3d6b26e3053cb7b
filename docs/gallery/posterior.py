"""Any quantity of your own.

Draws of whatever you computed, with an interval, a comparison value and a region.
"""

import numpy as np

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
result = model.fit("laplace", random_seed=1)
draws = result.draws_of("means", "nitrogen")
last, first = draws.sel(nitrogen="0.6"), draws.sel(nitrogen="0.0")
ba.plots.plot_posterior(np.asarray(last / first), "yield at 0.6 over yield at 0", comp_val=1)
