"""Chebyshev polynomials of what is smooth in a box."""

import numpy as np
import pytest

from bambi_anova.engine.approximate.polynomials import Box, Polynomials, terms


def smooth(points):
    """log(1 + rho^2) at log rho, and a product: the kind of functions that units leave."""
    first = np.logaddexp(0, 2 * points[0])
    second = 1 / (1 + np.exp(2 * points.sum(axis=0)))
    return np.column_stack([100 * first, second])


BOXES = {
    "narrow": ([-0.2, 0.3], [0.1, 0.7]),
    "wide in one": ([-4.0, 0.3], [1.0, 0.5]),
    "one variable": ([-1.0], [2.0]),
}


@pytest.mark.parametrize(("lower", "upper"), BOXES.values(), ids=BOXES)
def test_digits_are_had_with_the_terms_that_widths_call_for(lower, upper):
    box = Box(np.array(lower), np.array(upper))
    errors = []
    for digits in (6.0, 16.0):
        degrees = terms(box, np.pi / 2, digits)
        points = box.spread(int(1.4 * len(degrees)) + 2)
        fitted = Polynomials.fitted(box, degrees, points, smooth(points))
        trial = box.spread(300, edges=False)
        errors.append(np.abs(fitted(trial) - smooth(trial)).max(axis=0) / [100, 1])
    assert np.all(errors[1] < 1e-5)
    assert np.all(errors[0] > 5 * errors[1])  # fewer digits, more error


def test_wide_boxes_get_high_degrees_where_they_are_wide():
    degrees = terms(Box(np.array([-4.0, 0.0]), np.array([4.0, 0.2])), np.pi / 2, 10.0)
    assert degrees[:, 0].max() > 4 * degrees[:, 1].max()
    assert [0, 0] in degrees.tolist()


def test_points_are_spread_over_the_box():
    box = Box(np.array([-1.0, 5.0]), np.array([1.0, 6.0]))
    points = box.spread(400, edges=False)
    assert box.inside(points).all()
    counts, *_ = np.histogram2d(*points, bins=4)
    assert counts.min() > 15
    assert not np.isin(box.spread(5, skip=5), box.spread(5)).any()
