"""The modes of latent effects at given hyperparameters."""

import numpy as np
import pandas as pd

from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.mode import ModeFinder
from bambi_anova.specification import specify


def test_thresholds_that_rows_would_put_out_of_order_find_their_mode():
    """The rows' own predictors are no start there; the prior means are."""
    rng = np.random.default_rng(108)
    unit = np.repeat(np.arange(12), 4)
    y = np.round(4 + 1.2 * rng.normal(size=48) + rng.normal(size=12)[unit])
    data = pd.DataFrame({"s": unit, "t": np.tile(list("wxyz"), 12), "y": np.clip(y, 1, 7)})
    finder = ModeFinder(latent_model(specify("y ~ t + Error(s)", data, "thresholded_normal")))
    u = np.array([[0.3, 1.0, -0.5], [0.9, 0.2, 1.0], [-1.5, 0.5, 1.5]])
    modes = finder(u)
    assert np.isfinite(modes.log_marginal).all()
    likelihood, aux = finder.model.likelihood, finder.model.likelihood_parameters
    height = likelihood.log(modes.eta, aux(finder.model.values(u))).sum(axis=0)
    assert np.isfinite(height).all()
