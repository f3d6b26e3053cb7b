"""The posterior density of a quantity."""

import numpy as np
import pytest

from bambi_anova import plots
from bambi_anova.errors import ArgumentError


@pytest.mark.parametrize(("point", "value"), [("mean", 2.0), ("median", 1.678), ("mode", 1.0)])
def test_a_gamma_has_its_mean_median_and_mode(point, value):
    draws = np.random.default_rng(1).gamma(2.0, size=200_000)
    ax = plots.plot_posterior(draws, "x", point=point)
    (text,) = [t.get_text() for t in ax.texts if t.get_text().startswith(point)]
    assert float(text.split()[1]) == pytest.approx(value, abs=0.06)


def test_a_histogram_holds_all_draws():
    draws = np.random.default_rng(1).normal(size=3000)
    ax = plots.plot_posterior(draws, kind="histogram")
    area = sum(bar.get_width() * bar.get_height() for bar in ax.patches)
    assert area == pytest.approx(1)


def test_doubtful_posteriors_say_so():
    draws = np.random.default_rng(1).normal(size=3000)
    ax = plots.plot_posterior(draws, "x", trusted=False, supported=False)
    assert ax.get_title("left") == "x (not trusted, prior only)"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "violin"}, "kind='violin'"),
        ({"point": "max"}, "point='max'"),
        ({"rope": (1, -1)}, "rope="),
        ({"ci_prob": 95}, "ci_prob=95"),
    ],
)
def test_posteriors_refuse_what_they_cannot_draw(options, words):
    with pytest.raises(ArgumentError, match=words):
        plots.plot_posterior(np.arange(100.0), **options)
