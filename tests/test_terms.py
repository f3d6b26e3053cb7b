"""Effects in the sampler's coordinates are exactly iid normal effects, deflected or not."""

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats

from bambi_anova.backend.terms import Anchor, UnitEffects, ZeroSumEffects, zero_sum_basis

SIGMAS = [1e-3, 0.3, 1.0, 30.0]
INFORMATION = [0.0, 1e-3, 2.0, 1e8]


# -- The basis ---------------------------------------------------------------------------------


@given(st.lists(st.integers(2, 5), min_size=1, max_size=3))
@settings(max_examples=30)
def test_the_basis_is_orthonormal_and_sums_to_zero_along_each_axis(levels):
    basis = zero_sum_basis(*levels)
    size = int(np.prod(levels))
    assert basis.shape == (size, int(np.prod([n - 1 for n in levels])))
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    for axis in range(len(levels)):
        sums = basis.reshape(*levels, -1).sum(axis=axis)
        np.testing.assert_allclose(sums, 0, atol=1e-12)


@pytest.mark.parametrize("levels", [(2, 3), (4, 2, 3)])
def test_the_basis_of_an_interaction_is_the_kronecker_product_of_its_factors(levels):
    product = np.ones((1, 1))
    for size in levels:
        product = np.kron(product, zero_sum_basis(size))
    np.testing.assert_allclose(zero_sum_basis(*levels), product)


@pytest.mark.parametrize("levels", [(2,), (5,), (2, 3), (3, 2, 2)])
def test_the_basis_spans_what_deflecting_leaves(levels):
    deflect = np.ones((1, 1))
    for size in levels:
        deflect = np.kron(deflect, np.eye(size) - 1 / size)
    basis = zero_sum_basis(*levels)
    np.testing.assert_allclose(basis @ basis.T, deflect, atol=1e-12)


# -- The density, exactly ----------------------------------------------------------------------

FIXED = {"Intercept": (0.4, 1.7), "1|A": (-0.2, 0.9)}


def add_fixed(levels):
    """Put an intercept and the effects of a factor into the model in context."""
    for name, (mu, sd) in FIXED.items():
        pm.Normal(name, mu, sd, shape=() if name == "Intercept" else levels)


def density_of_effects(effects, sigma_name, levels, seed):
    """Evaluate a model with these effects at a random point of its coordinates.

    Returns the log density of the effects' own coordinates given all the rest, and the effects
    with their derivatives by these coordinates.
    """
    with pm.Model() as model:
        add_fixed(levels)
        sigma = pm.HalfNormal(sigma_name, 2.0, default_transform=None)
        effects("1|s", sigma)
    rng = np.random.default_rng(seed)
    own = [rv for rv in model.free_RVs if rv.name.startswith("1|s_") and rv.name != sigma_name]
    point = {
        rv.name: rng.normal(size=model.initial_point()[rv.name].shape) for rv in model.free_RVs
    }
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        values = [model.rvs_to_values[rv] for rv in model.free_RVs]
        (added,) = model.replace_rvs_by_values([model["1|s"]])
        evaluate = pytensor.function(
            values, [model.logp(vars=own), added], on_unused_input="ignore"
        )
    names = [rv.name for rv in model.free_RVs]

    def at(sigma, shift=None):
        here = point | {sigma_name: np.array(sigma)}
        here = {name: here[name] + (shift or {}).get(name, 0) for name in names}
        logp, found = evaluate(*(here[name] for name in names))
        return float(logp), found

    def jacobian(sigma):
        # The effects are linear in their own coordinates, so a step of any length is exact.
        columns = []
        for rv in own:
            for index in np.ndindex(point[rv.name].shape):
                step = np.zeros(point[rv.name].shape)
                step[index] = 1.0
                columns.append(at(sigma, {rv.name: step})[1] - at(sigma)[1])
        return np.column_stack(columns)

    return at, jacobian, point


@dataclass(frozen=True)
class Units:
    """Groups of units, with anchors or without."""

    groups: list
    anchored: bool = True
    information: float = 2.0
    seed: int = 3

    def effects(self):
        rng = np.random.default_rng(self.seed)
        groups = np.array(self.groups)
        size = groups.max() + 1
        information = self.information * rng.uniform(0.5, 2, size)
        estimates = rng.normal(scale=3, size=len(groups))
        if not self.anchored:
            return UnitEffects(groups, information, estimates)
        anchors = (Anchor("Intercept", None), Anchor("1|A", np.arange(size)))
        return UnitEffects(groups, information, estimates, anchors, rng.normal(size=size))


TINY = [0, 1, 0]
CASES = [
    *(
        Units(TINY, anchored, information)
        for anchored in (True, False)
        for information in INFORMATION
    ),
    Units([0, 0, 0]),
    Units([2, 0, 1, 1, 0, 1, 1, 0]),
    Units([0, 1, 2, 3]),
    Units([0, 1, 2, 3], anchored=False),
    Units([1, 0, 0, 0, 0, 0], anchored=False),
]


def iid_normal(effects, sigma):
    return stats.norm.logpdf(effects, 0, sigma).sum()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unit_effects_have_the_density_of_iid_normals(case):
    at, jacobian, _ = density_of_effects(case.effects(), "1|s_sigma", max(case.groups) + 1, 1)
    for sigma in SIGMAS:
        logp, effects = at(sigma)
        sign, logdet = np.linalg.slogdet(jacobian(sigma))
        assert sign != 0
        assert logp - logdet == pytest.approx(iid_normal(effects, sigma), rel=1e-6, abs=1e-6)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=8),
    st.booleans(),
    st.floats(0, 1e4),
    st.floats(0.01, 20),
    st.integers(0, 1000),
)
@settings(max_examples=15)
def test_the_density_holds_for_any_groups(labels, anchored, information, sigma, seed):
    groups = np.unique(labels, return_inverse=True)[1].tolist()
    case = Units(groups, anchored, information, seed)
    at, jacobian, _ = density_of_effects(case.effects(), "1|s_sigma", max(groups) + 1, seed)
    logp, effects = at(sigma)
    logdet = np.linalg.slogdet(jacobian(sigma))[1]
    assert logp - logdet == pytest.approx(iid_normal(effects, sigma), rel=1e-6, abs=1e-6)


def test_other_densities_are_told_apart():
    at, jacobian, _ = density_of_effects(Units(TINY).effects(), "1|s_sigma", 2, 1)
    logp, effects = at(1.0)
    found = logp - np.linalg.slogdet(jacobian(1.0))[1]
    assert abs(found - iid_normal(effects, 1.05)) > 1e-3
    assert abs(found - iid_normal(effects + np.array([0.1, 0, 0]), 1.0)) > 1e-3


def test_anchored_effects_move_with_the_fixed_effects_where_the_data_decide():
    case = Units(TINY, information=1e8)
    at, _, point = density_of_effects(case.effects(), "1|s_sigma", 2, 1)
    _, here = at(1.0)
    _, there = at(1.0, {"Intercept": np.array(0.5)})
    np.testing.assert_allclose(there - here, -0.5, atol=1e-6)
    assert point["Intercept"] != 0

    case = Units(TINY, information=0.0)
    at, _, _ = density_of_effects(case.effects(), "1|s_sigma", 2, 1)
    np.testing.assert_allclose(at(1.0, {"Intercept": np.array(0.5)})[1], at(1.0)[1])


@pytest.mark.parametrize("information", INFORMATION)
@pytest.mark.parametrize("levels", [(2,), (4,), (2, 3)])
def test_deflected_effects_have_the_density_of_iid_normals_in_their_subspace(levels, information):
    basis = zero_sum_basis(*levels)
    effects = ZeroSumEffects(basis, information)
    at, jacobian, _ = density_of_effects(effects, "1|s_sigma", 2, 1)
    for sigma in SIGMAS:
        logp, found = at(sigma)
        logdet = np.linalg.slogdet(basis.T @ jacobian(sigma))[1]
        expected = iid_normal(basis.T @ found, sigma)
        assert logp - logdet == pytest.approx(expected, rel=1e-6, abs=1e-6)
        np.testing.assert_allclose(basis @ (basis.T @ found), found, atol=1e-9 * sigma)


# -- Draws from the prior ----------------------------------------------------------------------

SIGMA = 1.7
DRAWS = 20_000
#: Five standard errors of a covariance of two independent N(0, SIGMA).
TOLERANCE = 5 * SIGMA**2 * np.sqrt(2 / DRAWS)

ZERO_SUM = {"one factor": (4,), "interaction": (2, 3)}
UNITS = {
    "anchored": Units([1, 0, 1, 1, 2, 0]),
    "anchored, much information": Units([1, 0, 1, 1, 2, 0], information=1e6),
    "without anchors": Units([1, 0, 1, 1, 2, 0], anchored=False),
}


@pytest.fixture(scope="module")
def prior():
    """Draws of every kind of effect from one model."""
    with pm.Model() as model:
        add_fixed(3)
        for name, levels in ZERO_SUM.items():
            ZeroSumEffects(zero_sum_basis(*levels), 2.0)(name, np.float64(SIGMA))
        for name, units in UNITS.items():
            units.effects()(name, np.float64(SIGMA))
    names = [*FIXED, *ZERO_SUM, *UNITS]
    draws = pm.draw([model[name] for name in names], DRAWS, random_seed=1)
    return dict(zip(names, draws, strict=True))


@pytest.mark.parametrize("name", ZERO_SUM)
def test_drawn_deflections_have_the_covariance_of_deflected_iid_effects(prior, name):
    deflect = np.ones((1, 1))
    for size in ZERO_SUM[name]:
        deflect = np.kron(deflect, np.eye(size) - 1 / size)
    np.testing.assert_allclose(prior[name].mean(axis=0), 0, atol=5 * SIGMA / np.sqrt(DRAWS))
    np.testing.assert_allclose(np.cov(prior[name].T), SIGMA**2 * deflect, atol=TOLERANCE)


@pytest.mark.parametrize("name", UNITS)
def test_drawn_unit_effects_are_iid_normal(prior, name):
    draws = prior[name]
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=5 * SIGMA / np.sqrt(DRAWS))
    covariance = SIGMA**2 * np.eye(draws.shape[1])
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=TOLERANCE)
    for unit in range(draws.shape[1]):
        assert stats.kstest(draws[:, unit] / SIGMA, "norm").pvalue > 1e-4


@pytest.mark.parametrize("name", UNITS)
def test_drawn_unit_effects_are_independent_of_the_fixed_effects(prior, name):
    fixed = np.column_stack([prior["Intercept"], prior["1|A"]])
    np.testing.assert_allclose(fixed.std(axis=0), [1.7, 0.9, 0.9, 0.9], rtol=0.03)
    joint = np.corrcoef(np.hstack([fixed, prior[name]]).T)
    np.testing.assert_allclose(joint[:4, 4:], 0, atol=5 / np.sqrt(DRAWS))


def test_the_covariance_of_the_draws_has_the_rank_of_the_term(prior):
    rank = np.linalg.matrix_rank(np.cov(prior["interaction"].T), tol=1e-8)
    assert rank == 2
    assert linalg.null_space(np.cov(prior["one factor"].T), rcond=1e-8).shape[1] == 1
