"""A Bayes factor over the scale of its prior."""

import numpy as np
import pandas as pd
import pytest

from bambi_anova import plots
from bambi_anova.errors import ArgumentError
from tests.plots.drawn import markers


def test_the_curve_is_drawn_in_the_order_of_its_scales():
    curve = pd.DataFrame({"multiple": [2.0, 0.5, 1.0], "log_bf": [-1.0, 1.0, 0.3]})
    curve = curve.assign(term="A:B", mcse=0.02, trusted=[True, True, False])
    ax = plots.plot_prior_scale(curve)
    drawn = markers(ax)[0]
    np.testing.assert_allclose(drawn[:, 0], [0.5, 1.0, 2.0])
    np.testing.assert_allclose(drawn[:, 1], np.array([1.0, 0.3, -1.0]) / np.log(10))
    assert "not trusted" in ax.get_title("left")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.5", "1", "2"]
    with pytest.raises(ArgumentError, match="prior_scale_curve"):
        plots.plot_prior_scale(curve.drop(columns="log_bf"))
