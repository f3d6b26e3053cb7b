"""Priors beside posteriors."""

import numpy as np
import pytest

from bambi_anova import plots
from bambi_anova.present.wording import TIMES

DESIGNS = ["memory", "oats", "recall"]


@pytest.mark.parametrize("name", DESIGNS)
def test_priors_are_drawn_as_scipy_knows_them(name, quick_fit):
    from scipy import stats

    result = quick_fit(name)
    figure = plots.plot_priors(result)
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert len(axes) == len(result.priors.sigmas) + ("sigma" in result.priors.auxiliary)
    for ax, (term, prior) in zip(axes, result.priors.sigmas.items(), strict=False):
        line = next(line for line in ax.lines if line.get_label() == "prior")
        x, y = line.get_data()
        gamma = stats.gamma(prior.args["alpha"], scale=1 / prior.args["beta"])
        np.testing.assert_allclose(y, gamma.pdf(x))
        assert ax.get_title("left").replace("\n", " ") == f"sd of {term.replace(':', f' {TIMES} ')}"
