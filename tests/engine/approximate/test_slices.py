"""Tabulated densities: maps to the standard normal and back, tails included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bambi_anova.engine.approximate.modes import OFFSETS
from bambi_anova.engine.approximate.slices import FARTHEST, Slice

#: Log densities as the marginal posteriors of log scales look: normal, skewed, flat on one side,
#: with a shoulder, and steep.
SHAPES = {
    "normal": lambda x: -(x**2) / 2,
    "shifted and narrow": lambda x: -((x - 0.4) ** 2) / (2 * 0.3**2),
    "skewed": lambda x: 1.6 * x - np.exp(x),
    "flat to the left": lambda x: 0.05 * x - 3 * np.logaddexp(0, x),
    "two modes": lambda x: np.logaddexp(-((x + 2) ** 2) / 2, -2 * (x - 2) ** 2),
    "heavy": lambda x: -2 * np.log1p(x**2 / 3),
}
EACH = pytest.mark.parametrize("name", SHAPES)


def cut(name, nodes=OFFSETS):
    return Slice(nodes, SHAPES[name](nodes))


def fine_grid(low=-60.0, high=60.0):
    return np.linspace(low, high, 120_001)


@EACH
def test_the_density_integrates_to_one(name):
    slice_ = cut(name)
    rates = slice_.left, slice_.right
    x = np.linspace(OFFSETS[0] - 40 / rates[0], OFFSETS[-1] + 40 / rates[1], 2_000_001)
    assert integrate.trapezoid(np.exp(slice_.log_density(x)), x) == pytest.approx(1, abs=1e-4)


@EACH
def test_between_the_nodes_the_density_is_the_tabulated_one(name):
    x = np.linspace(-3, 3, 200)
    found = cut(name).log_density(x)
    expected = SHAPES[name](x)
    gap = found - expected
    assert np.ptp(gap) < 0.4
    at_nodes = OFFSETS[np.abs(OFFSETS) < 3.5]
    gap = cut(name).log_density(at_nodes) - SHAPES[name](at_nodes)
    np.testing.assert_allclose(gap, gap[0], atol=1e-9)


@EACH
def test_deviates_are_those_of_the_distribution_function(name):
    slice_ = cut(name)
    x = np.linspace(-14, 6, 400_001)
    below = integrate.cumulative_trapezoid(np.exp(slice_.log_density(x)), x, initial=0)
    below += np.exp(slice_.log_density(x[0])) / slice_.left
    some = slice(None, None, 5000)
    inside = (below[some] > 1e-6) & (below[some] < 1 - 1e-6)
    np.testing.assert_allclose(
        slice_.deviate(x[some])[inside], stats.norm.ppf(below[some][inside]), atol=1e-4
    )


@EACH
def test_quantiles_and_deviates_are_each_others_inverse(name):
    slice_ = cut(name)
    v = np.linspace(-25, 5.5, 2001)
    np.testing.assert_allclose(slice_.deviate(slice_.quantile(v)), v, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "heavy"])
def test_quantiles_and_deviates_are_each_others_inverse_far_up(name):
    slice_ = cut(name)
    v = np.linspace(5.5, 25, 400)
    assert (np.diff(slice_.quantile(v)) > 0).all()
    np.testing.assert_allclose(slice_.deviate(slice_.quantile(v)), v, rtol=1e-6, atol=1e-6)


@EACH
def test_the_map_is_the_same_seen_in_a_mirror(name):
    slice_ = cut(name)
    mirrored = Slice(-OFFSETS[::-1], SHAPES[name](OFFSETS)[::-1])
    v = np.linspace(-5, 5, 301)
    np.testing.assert_allclose(slice_.quantile(v), -mirrored.quantile(-v), rtol=1e-5, atol=1e-5)
    x = np.linspace(-3, 2, 301)
    np.testing.assert_allclose(slice_.log_density(x), mirrored.log_density(-x), atol=1e-9)


@EACH
def test_quantiles_rise_and_stay_finite(name):
    slice_ = cut(name)
    v = np.linspace(-2 * FARTHEST, 2 * FARTHEST, 4001)
    u = slice_.quantile(v)
    assert np.isfinite(u).all()
    assert (np.diff(u)[v[1:] < 7] >= 0).all()
    inner = np.abs(v) < 5
    assert (np.diff(u[inner]) > 0).all()
    deviates = slice_.deviate(np.linspace(-200, 200, 4001))
    assert (np.diff(deviates) >= 0).all()
    assert np.abs(deviates).max() <= FARTHEST


@EACH
def test_quantiles_of_normal_noise_have_the_density(name):
    slice_ = cut(name)
    x = np.sort(slice_.quantile(np.random.default_rng(1).standard_normal(20_000)))
    grid = fine_grid(-60 / slice_.left - 12, 60 / slice_.right + 12)
    mass = integrate.cumulative_trapezoid(np.exp(slice_.log_density(grid)), grid, initial=0)
    found = stats.kstest(x, lambda q: np.interp(q, grid, mass / mass[-1]))
    assert found.pvalue > 1e-3


def test_a_table_of_the_normal_density_is_the_normal_distribution():
    slice_ = Slice(np.linspace(-8, 8, 65), SHAPES["normal"](np.linspace(-8, 8, 65)))
    v = np.linspace(-5, 5, 101)
    np.testing.assert_allclose(slice_.quantile(v), v, atol=5e-3)
    np.testing.assert_allclose(slice_.deviate(v), v, atol=5e-3)
    np.testing.assert_allclose(slice_.log_density(v), stats.norm.logpdf(v), atol=2e-2)


@given(
    st.lists(st.floats(-40, 0), min_size=5, max_size=5),
    st.lists(st.floats(0.05, 4), min_size=4, max_size=4),
    st.floats(-50, 50),
)
def test_any_table_is_a_distribution(heights, gaps, start):
    x = start + np.concatenate([[0.0], np.cumsum(gaps)])
    slice_ = Slice(x, np.array(heights))
    low, high = x[0] - 60 / slice_.left, x[-1] + 60 / slice_.right
    grid = np.concatenate([np.linspace(low, x[0], 4001), slice_.x, np.linspace(x[-1], high, 4001)])
    grid = np.unique(grid)
    fine = np.interp(np.linspace(0, len(grid) - 1, 20 * len(grid)), np.arange(len(grid)), grid)
    total = integrate.trapezoid(np.exp(slice_.log_density(fine)), fine)
    assert total == pytest.approx(1, abs=1e-3)
    v = np.linspace(-5, 5, 41)
    u = slice_.quantile(v)
    assert (np.diff(u) >= 0).all()
    np.testing.assert_allclose(slice_.deviate(u), v, atol=1e-4)


def test_a_constant_added_to_the_table_changes_nothing():
    one, other = Slice(OFFSETS, SHAPES["skewed"](OFFSETS)), cut("skewed")
    other = Slice(OFFSETS, SHAPES["skewed"](OFFSETS) + 1234.5)
    x = np.linspace(-15, 15, 61)
    np.testing.assert_allclose(one.log_density(x), other.log_density(x), atol=1e-9)
    np.testing.assert_allclose(one.quantile(x / 3), other.quantile(x / 3), atol=1e-9)
