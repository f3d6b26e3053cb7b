"""Bayes factors of all sub-models.

Which terms belong to the model, and which models are likely.
"""

from matplotlib import pyplot as plt

import bambi_anova as ba

oats = ba.load_data("oats")
model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
found = ba.bayes_factors(model, priors="jzs", random_seed=1, progressbar=False)
figure, axes = plt.subplots(1, 2, figsize=(11, 3), layout="constrained")
ba.plots.plot_inclusion(found, axes[0])
ba.plots.plot_models(found, axes[1])
