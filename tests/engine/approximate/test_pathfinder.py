"""Pathfinder's paths, and what becomes of those that lead nowhere."""

import numpy as np
import pytest
from scipy import special

from bambi_anova.engine.approximate import pathfinder
from bambi_anova.errors import AnovaError, UnsupportedError


@pytest.fixture
def find(starts):
    def find(log_density, size, seed=1):
        return pathfinder.find_normals(log_density, starts(size), np.random.default_rng(seed))

    return find


@pytest.mark.parametrize("value", [np.nan, -np.inf, 0.0])
def test_where_no_path_climbs_the_error_names_the_way_out(find, value):
    with pytest.raises(UnsupportedError, match=r"none of \d paths .* use inference_method='nuts'"):
        find(lambda u: np.full(u.shape[1], value), 2)
    assert issubclass(UnsupportedError, AnovaError)


def test_a_path_into_nothing_is_dropped(find, gaussian):
    """Beyond the wall nothing can be evaluated; the paths on this side are kept."""
    normals, _ = find(lambda u: np.where(u[0] < -1, np.nan, gaussian(u)), 3)
    assert normals[0].mean == pytest.approx(gaussian.mean, abs=0.05 * gaussian.sd.min())


def test_the_inverse_hessian_explains_the_last_step_and_stays_positive(gaussian):
    rng = np.random.default_rng(1)
    precision = np.linalg.inv(gaussian.covariance)
    steps = rng.normal(size=(5, 3)) * gaussian.sd
    pairs = [(s, precision @ s) for s in steps]
    diagonal = np.ones(3)
    for s, z in pairs:
        diagonal = pathfinder.next_diagonal(diagonal, s, z)
        assert (diagonal > 0).all()
    inverse = pathfinder.inverse_hessian(diagonal, pairs)
    assert inverse @ pairs[-1][1] == pytest.approx(pairs[-1][0])
    assert np.linalg.eigvalsh(inverse).min() > 0


def test_every_point_of_a_path_is_higher_than_the_one_before(make_normal, starts):
    low, high = (make_normal(np.full(2, at), np.diag([0.25, 1.0])) for at in (-4.0, 4.0))

    def two_modes(u):
        return special.logsumexp([low(u) + np.log(0.3), high(u) + np.log(0.7)], axis=0)

    for path in pathfinder.follow_paths(two_modes, starts(2, count=4)):
        heights = two_modes(np.array(path.points).T)
        assert (np.diff(heights) > 0).all()
        assert path.done
