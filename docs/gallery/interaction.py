"""An interaction in panels.

Up to four factors: the first on the axis, the second in colour, others in panels.
"""

import bambi_anova as ba

ratings = ba.load_data("ratings")
formula = "rating ~ author * length + Error(person/author) + (1|text)"
model = ba.Model(formula, ratings, family="cumulative")
result = model.fit("laplace", random_seed=1)
ba.plots.plot_interaction(result, "author:length")
