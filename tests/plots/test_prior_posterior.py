"""Priors beside posteriors."""

import numpy as np
import pytest

from bambi_anova import plots
from bambi_anova.errors import ArgumentError
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


@pytest.mark.parametrize("name", ["memory", "covariate", "few units"])
def test_priors_of_a_model_are_all_drawn(name, quick_fit):
    model = quick_fit(name).model
    figure = plots.plot_priors(model, draws=2000)
    titles = [ax.get_title("left").split("\n")[0] for ax in figure.axes if ax.get_visible()]
    assert titles == [n.replace(":", f" {TIMES} ") for n, _ in model.priors.rows()]
    for ax in figure.axes[: len(titles)]:
        x, y = ax.lines[0].get_data()
        np.testing.assert_allclose(np.trapezoid(y, x), 1, atol=0.02)
    with pytest.raises(ArgumentError, match="draws=0"):
        plots.plot_priors(model, draws=0)


def test_the_prior_of_the_intercept_has_its_share_of_the_effects(quick_fit):
    """Its axis is that of the mean of all cells, which is wider than the intercept's own."""
    model = quick_fit("memory").model
    figure = plots.plot_priors(model, draws=4000)
    x, y = figure.axes[0].lines[0].get_data()
    mean = np.average(x, weights=y)
    sd = np.sqrt(np.average((x - mean) ** 2, weights=y))
    assert sd > 1.5 * model.priors.intercept.args["sigma"]
