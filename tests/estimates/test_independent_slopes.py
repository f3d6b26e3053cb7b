"""Slopes that go together with units' effects are told; independent ones are not."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import CorrelatedSlopesWarning
from bambi_anova.estimates.independent_slopes import independent_correlations

FORMULA = "y ~ A + x + (x||s)"


def simulate(rho, units=150, rows=6, seed=1, at=0.0):
    """Rows of units whose effects at the covariate's mean and slopes have a correlation."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rows)
    x = rng.normal(at, 1, len(unit))
    effect, slope = rng.multivariate_normal([0, 0], [[1, 0.6 * rho], [0.6 * rho, 0.36]], units).T
    group = np.where(unit % 2, "p", "q")
    # Whole groups that differ in both are no correlation of units.
    mean = effect[unit] + 2.0 * (unit % 2) + (0.5 + slope[unit]) * (x - at)
    y = mean + rng.normal(0, 0.5, len(unit))
    return pd.DataFrame({"s": [f"s{i:03d}" for i in unit], "A": group, "x": x, "y": y})


def fitted(frame, formula=FORMULA):
    """Return what a fit warns of, and the correlations."""
    model = ba.Model(formula, frame)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = model.fit("laplace", draws=300, random_seed=1, progressbar=False)
    found = [w for w in caught if w.category is CorrelatedSlopesWarning]
    return [str(w.message) for w in found], independent_correlations(result)


@pytest.mark.parametrize("rho", [0.9, -0.9])
def test_a_clear_correlation_is_told(rho):
    (message,), (found,) = fitted(simulate(rho))
    assert message.startswith(
        "(x||s) takes the slopes of 'x' and the effects of 's' for independent"
    )
    assert np.sign(found.mean) == np.sign(rho)
    assert abs(found.mean) > 0.6
    assert found.clear


@pytest.mark.parametrize("seed", range(3))
def test_independent_slopes_are_not_told(seed):
    messages, (found,) = fitted(simulate(0.0, seed=seed, at=5.0))
    assert messages == []
    assert abs(found.mean) < 0.25


def test_groups_that_differ_in_both_are_no_correlation_of_units():
    frame = simulate(0.0).assign(y=lambda d: d["y"] + (d["A"] == "p") * 3 * d["x"])
    messages, _ = fitted(frame, "y ~ A * x + (x||s)")
    assert messages == []


def test_few_units_say_nothing():
    messages, found = fitted(simulate(0.9, units=6))
    assert messages == []
    assert found == []


def test_the_printed_design_says_that_slopes_are_independent():
    model = ba.Model(FORMULA, simulate(0.0, units=10))
    assert "10 slopes, independent of other effects" in str(model.design)
