"""One page of a fit.

What the cells are, what differs, what varies, and whether to believe it.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
model.fit("laplace", random_seed=1).plot()
