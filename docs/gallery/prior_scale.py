"""How a Bayes factor depends on its prior.

The scale of the prior on one axis, the Bayes factor on the other.
"""

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
curve = ba.prior_scale_curve(
    model, "variety:nitrogen", priors="jzs", random_seed=1, progressbar=False
)
ba.plots.plot_prior_scale(curve)
