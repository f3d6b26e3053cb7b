"""Normal variables in order: their chance and their draws."""

import numpy as np
import pytest
from scipy import stats

from bambi_anova.priors.ordered import OrderedNormals


def test_two_variables_have_a_closed_form():
    found = OrderedNormals((0.3, -0.4), (1.0, 2.0)).log_probability
    assert found == pytest.approx(stats.norm.logcdf(-0.7 / np.sqrt(5)), abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_variables_alike_have_every_order_as_often(count):
    found = OrderedNormals((1.0,) * count, (2.0,) * count).log_probability
    assert found == pytest.approx(-np.log(np.arange(1, count + 1)).sum(), abs=2e-4)


def test_draws_are_those_that_rejection_keeps():
    rng = np.random.default_rng(1)
    ordered = OrderedNormals((-1.0, 0.0, 0.2, 1.5), (1.0, 0.5, 2.0, 1.0))
    free = rng.normal(ordered.means, ordered.sds, (200_000, 4))
    kept = free[(np.diff(free, axis=1) > 0).all(axis=1)]
    assert np.exp(ordered.log_probability) == pytest.approx(len(kept) / len(free), rel=0.03)
    drawn = ordered.draw(rng, len(kept))
    assert (np.diff(drawn, axis=0) > 0).all()
    for own, other in zip(drawn, kept.T, strict=True):
        assert stats.ks_2samp(own, other).pvalue > 1e-3
    np.testing.assert_allclose(np.corrcoef(drawn), np.corrcoef(kept.T), atol=0.03)
