"""Methods that look for normals, on known densities and on models; and the normals' tails."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.engine.approximate import advi, pathfinder
from bambi_anova.engine.approximate.normals import Normal
from bambi_anova.engine.approximate.tails import FAR, find_tails, mix, walk_ridges

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

FIND = {"pathfinder": pathfinder.find_normals, "advi": advi.find_normals}
EACH = pytest.mark.parametrize("method", FIND)


@pytest.fixture
def find(method, starts):
    """The normals of a method for a log density of some coordinates."""

    def find(log_density, size, seed=1):
        return FIND[method](log_density, starts(size), np.random.default_rng(seed))

    return find


@pytest.fixture
def two_modes(make_normal):
    """Three tenths of the mass at -4, the rest at 4."""

    def two_modes(u):
        parts = [make_normal(np.full(2, at), np.diag([0.25, 1.0])) for at in (-4.0, 4.0)]
        heights = [part(u) + np.log(mass) for part, mass in zip(parts, (0.3, 0.7), strict=True)]
        return special.logsumexp(heights, axis=0)

    return two_modes


# -- Methods -----------------------------------------------------------------------------------


@EACH
def test_a_normal_density_is_recovered(method, find, gaussian):
    normals, elbos = find(gaussian, 3)
    assert len(normals) == 1
    gap = np.linalg.solve(gaussian.factor, normals[0].mean - gaussian.mean)
    assert gap == pytest.approx(np.zeros(3), abs=0.03)
    ratio = np.linalg.solve(gaussian.covariance, normals[0].covariance)
    if method == "pathfinder":
        assert normals[0].mean == pytest.approx(gaussian.mean, abs=0.05 * gaussian.sd.min())
    spread, height = {"pathfinder": (0.2, 0.05), "advi": (0.05, 0.01)}[method]
    assert np.linalg.eigvals(ratio).real == pytest.approx(np.ones(3), rel=spread)
    assert elbos[0] == pytest.approx(7, abs=height)


@EACH
def test_two_modes_are_both_found_and_share_as_their_masses_do(method, find, two_modes):
    normals, elbos = find(two_modes, 2)
    near, share = {"pathfinder": (0.05, 0.05), "advi": (0.1, 0.02)}[method]
    assert [normal.mean[0] for normal in normals] == pytest.approx([4, -4], abs=near)
    assert special.softmax(elbos) == pytest.approx([0.7, 0.3], abs=share)
    assert elbos[0] == pytest.approx(7 + np.log(0.7), abs=0.1)


@EACH
def test_the_same_seed_gives_the_same_normals(find, two_modes):
    (one, _), (other, _) = find(two_modes, 2), find(two_modes, 2)
    for a, b in zip(one, other, strict=True):
        assert (a.mean == b.mean).all()
        assert (a.factor == b.factor).all()


# -- Tails -------------------------------------------------------------------------------------


def flattening(u):
    """The logarithm of a scale that may be zero: the tail to the left is exponential."""
    return (u - np.exp(u)).sum(axis=0)


def test_a_normal_has_no_tails_that_its_proposal_misses(gaussian):
    normal = Normal(gaussian.mean, gaussian.factor)
    ridges = walk_ridges(gaussian, normal)
    assert ridges.heights[:3] == pytest.approx(ridges.heights[3:])  # both sides
    expected = gaussian(gaussian.mean[:, None]) - FAR**2 / 2
    assert ridges.heights[0] == pytest.approx(expected, abs=0.01)
    assert find_tails(ridges, normal, mix([normal], [7.0], 2), 7.0) == []


def test_an_exponential_tail_is_found_and_covered():
    """Where the density has a tail, the ratio to the proposal stays low."""
    normal = Normal(np.zeros(2), 0.8 * np.eye(2))
    ridges = walk_ridges(flattening, normal)
    tails = find_tails(ridges, normal, mix([normal], [0.0], 0), 0.0)
    assert len(tails) == 2
    assert all(tail.mean.min() < -1.5 and tail.mean.max() < 1 for tail, _ in tails)
    parts = mix([normal, *(tail for tail, _ in tails)], np.log([1, *(m for _, m in tails)]), 0)
    u = np.array([np.linspace(-7, 0, 29), np.zeros(29)])
    ratio = {}
    for name, mixture in (("normal", mix([normal], [0.0], 0)), ("all", parts)):
        logs = [p.log_share + p.log_density(u, np.zeros((0, 29, 1)))[:, 0] for p in mixture]
        ratio[name] = np.exp(flattening(u) - special.logsumexp(logs, axis=0)).max()
    assert ratio["all"] < 10 < ratio["normal"]


# -- Models ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows():
    """Ten units, five in each group, three times each."""
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(10), 3)
    y = rng.normal(size=30) + rng.normal(size=10)[unit] + (unit < 5)
    return pd.DataFrame({"s": unit, "A": np.where(unit < 5, "a1", "a2"), "y": y})


def fit(rows, method, **options):
    return ba.Model("y ~ A + Error(s)", rows).fit(
        method, **{"random_seed": 1, "progressbar": False, **options}
    )


@EACH
def test_a_small_model_is_what_laplace_says(rows, method):
    one, other = fit(rows, method).diagnostics, fit(rows, "laplace").diagnostics
    error = np.hypot(one["mcse_mean"], other["mcse_mean"])
    assert ((one["mean"] - other["mean"]).abs() < 4.5 * error).all()
    assert (one["sd"] / other["sd"]).between(0.85, 1.15).all()


@EACH
def test_draws_depend_on_the_seed_alone(rows, method):
    one, same, other = (fit(rows, method, random_seed=seed) for seed in (1, 1, 2))
    values = [result.idata["posterior"]["Intercept"].to_numpy() for result in (one, same, other)]
    assert (values[0] == values[1]).all()
    assert (values[0] != values[2]).any()


@EACH
def test_without_hyperparameters_there_is_nothing_to_find(rows, method):
    model = ba.Model("y ~ 1", rows, priors={"sigma": 1.0})
    assert model.fit(method, random_seed=1, progressbar=False).verdict == "trusted"
