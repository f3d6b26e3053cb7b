"""Two fits of one model."""

import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova import plots
from bambi_anova.errors import ArgumentError
from tests.plots.drawn import markers, segments


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")
def test_fits_are_drawn_as_they_compare(quick_fit):
    quick = quick_fit("memory")
    model = ba.Model(quick.design.formula.text, ba.load_data("memory"), family="binomial")
    other = model.fit("laplace", random_seed=2, draws=500)
    table = ba.compare_fits(quick, other).head(10)
    ax = plots.plot_fits(quick, other, rows=10)
    np.testing.assert_allclose(markers(ax)[0][:, 0], table["shift"])
    np.testing.assert_allclose(markers(ax)[1][:, 0], 0)
    reach = np.ptp(segments(ax)[0][:, :, 0], axis=1) / np.ptp(segments(ax)[1][:, :, 0], axis=1)
    np.testing.assert_allclose(reach, table["sd_ratio"])
    with pytest.raises(ArgumentError, match="rows=0"):
        plots.plot_fits(quick, other, rows=0)
