"""Effects in the sampler's coordinates are exactly iid normal effects, deflected or not."""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pymc as pm
import pytensor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats

from bambi_anova.bambi_model.effects import (
    Anchor,
    Children,
    MarginEffects,
    Scale,
    UnitEffects,
    Variance,
)
from bambi_anova.design.margins import zero_sum_basis

SIGMAS = [1e-3, 0.3, 1.0, 30.0]
INFORMATION = [0.0, 1e-3, 2.0, 1e8]


# -- The density, exactly ----------------------------------------------------------------------

FIXED = {"Intercept": (0.4, 1.7), "1|A": (-0.2, 0.9)}


@dataclass(frozen=True)
class Units:
    """Groups of units; perhaps with anchors, perhaps with finer units of two kinds in them."""

    groups: list
    anchored: bool = True
    finer: bool = False
    information: float = 2.0
    seed: int = 3

    @property
    def parents(self):
        """The unit of each finer unit: one, two or three of them in each."""
        found = np.repeat(np.arange(len(self.groups)), 1 + np.arange(len(self.groups)) % 3)
        return np.random.default_rng(self.seed).permutation(found)

    def effects(self):
        rng = np.random.default_rng(self.seed)
        groups = np.array(self.groups)
        size = groups.max() + 1
        anchors = (Anchor("Intercept", None), Anchor("1|A", np.arange(size)))
        children = (Children("1|fine", self.parents), Children("1|twin", np.arange(len(groups))))
        return UnitEffects(
            groups,
            information=self.information * rng.uniform(0.5, 2, size),
            estimates=rng.normal(scale=3, size=len(groups)),
            anchors=anchors if self.anchored else (),
            location=rng.normal(size=size),
            children=children if self.finer else (),
        )

    def add(self, name, sigma):
        """Put the effects, and before them all that they refer to, into the model in context."""
        for fixed, (mu, sd) in FIXED.items():
            shape = () if fixed == "Intercept" else max(self.groups) + 1
            pm.Normal(fixed, mu, sd, shape=shape)
        pm.Normal("1|fine", 0, 0.8, shape=len(self.parents))
        pm.Normal("1|twin", 0, 0.8, shape=len(self.groups))
        self.effects()(name, sigma)


class Density:
    """Effects as functions of the sampler's coordinates, at one random point of the others."""

    def __init__(self, add, seed=1):
        with pm.Model() as model:
            sigma = pm.HalfNormal("sigma", 2.0, default_transform=None)
            add("1|s", sigma)
        self.own = [rv.name for rv in model.free_RVs if rv.name.startswith("1|s_")]
        rng = np.random.default_rng(seed)
        start = model.initial_point()
        self.point = {rv.name: rng.normal(size=start[rv.name].shape) for rv in model.free_RVs}
        with pytensor.config.change_flags(mode="FAST_COMPILE"):
            self.evaluate = pytensor.function(
                [model.rvs_to_values[model[name]] for name in self.point],
                [
                    model.logp(vars=[model[name] for name in self.own]),
                    *model.replace_rvs_by_values([model["1|s"]]),
                ],
                on_unused_input="ignore",
            )

    def at(self, sigma, **steps):
        """Return the log density of the effects' own coordinates, and the effects."""
        here = {**self.point, "sigma": np.array(sigma)}
        here = [here[name] + steps.get(name, 0.0) for name in here]
        logp, effects = self.evaluate(*here)
        return float(logp), effects

    def jacobian(self, sigma):
        """Derive the effects by their own coordinates, in which they are linear."""
        columns = []
        for name in self.own:
            for index in np.ndindex(self.point[name].shape):
                step = np.zeros(self.point[name].shape)
                step[index] = 1.0
                columns.append(self.at(sigma, **{name: step})[1] - self.at(sigma)[1])
        return np.column_stack(columns)

    def of_effects(self, sigma, basis=None):
        """Return the log density of the effects, or of their coordinates in a basis."""
        jacobian = self.jacobian(sigma)
        sign, logdet = np.linalg.slogdet(jacobian if basis is None else basis.T @ jacobian)
        assert sign != 0
        logp, effects = self.at(sigma)
        return logp - logdet, effects


def iid_normal(effects, sigma):
    return stats.norm.logpdf(effects, 0, sigma).sum()


close = partial(pytest.approx, rel=1e-6, abs=1e-6)

TINY = [0, 1, 0]
CASES = [
    *(Units(TINY, anchored, finer, 2.0) for anchored, finer in product([True, False], repeat=2)),
    *(Units(TINY, information=information) for information in INFORMATION),
    *(Units(TINY, finer=True, information=information) for information in INFORMATION),
    Units([0, 0, 0]),
    Units([2, 0, 1, 1, 0, 1, 1, 0], finer=True),
    Units([0, 1, 2, 3], finer=True),
    Units([0, 1, 2, 3], anchored=False),
    Units([1, 0, 0, 0, 0, 0], anchored=False, finer=True),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unit_effects_have_the_density_of_iid_normals_whatever_they_refer_to(case):
    density = Density(case.add)
    for sigma in SIGMAS:
        found, effects = density.of_effects(sigma)
        assert found == close(iid_normal(effects, sigma))


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
    st.floats(0, 1e4),
    st.floats(0.01, 20),
    st.integers(0, 1000),
)
@settings(max_examples=15)
def test_the_density_holds_for_any_groups(labels, anchored, finer, information, sigma, seed):
    groups = np.unique(labels, return_inverse=True)[1].tolist()
    density = Density(Units(groups, anchored, finer, information, seed).add, seed)
    found, effects = density.of_effects(sigma)
    assert found == close(iid_normal(effects, sigma))


def test_other_densities_are_told_apart():
    found, effects = Density(Units(TINY).add).of_effects(1.0)
    assert abs(found - iid_normal(effects, 1.05)) > 1e-3
    assert abs(found - iid_normal(effects + np.array([0.1, 0, 0]), 1.0)) > 1e-3


@pytest.mark.parametrize(("information", "moves"), [(1e8, 1.0), (0.0, 0.0)])
def test_units_follow_what_they_refer_to_only_where_the_data_decide(information, moves):
    density = Density(Units(TINY, finer=True, information=information).add)
    here = density.at(1.0)[1]
    up = density.at(1.0, Intercept=0.5)[1]
    np.testing.assert_allclose(up - here, -0.5 * moves, atol=1e-6)
    one = density.at(1.0, **{"1|twin": np.array([0.5, 0, 0])})[1]
    np.testing.assert_allclose(one - here, [-0.5 * moves, 0, 0], atol=1e-6)


@pytest.mark.parametrize("groups", [[0, 0, 0], [1, 0, 1, 1, 2, 0]])
def test_where_the_data_decide_the_sampler_starts_from_the_estimates(groups):
    case = Units(groups, anchored=False, information=1e8)
    density = Density(case.add)
    zeros = {name: -density.point[name] for name in density.own}
    effects = density.at(1.0, **zeros)[1]
    estimates = case.effects().estimates
    means = np.bincount(groups, estimates) / np.bincount(groups)
    np.testing.assert_allclose(effects, estimates - means[groups], atol=1e-6)


def zero_sum_effects(levels, information, sigma):
    """Effects of one margin, whose standard deviation is a variable or a number."""
    variance = Variance({"sigma": 1.0}, {"sigma": Scale(lambda name: sigma, {})})
    return MarginEffects({"A": zero_sum_basis(*levels)}, {"A": variance}, information)


@pytest.mark.parametrize("information", INFORMATION)
@pytest.mark.parametrize("levels", [(2,), (4,), (2, 3)])
def test_deflected_effects_have_the_density_of_iid_normals_in_their_subspace(levels, information):
    basis = zero_sum_basis(*levels)
    density = Density(lambda name, sigma: zero_sum_effects(levels, information, sigma)(name, sigma))
    for sigma in SIGMAS:
        found, effects = density.of_effects(sigma, basis)
        assert found == close(iid_normal(basis.T @ effects, sigma))
        np.testing.assert_allclose(basis @ (basis.T @ effects), effects, atol=1e-9 * sigma)


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
    "with finer units": Units([1, 0, 1, 1, 2, 0], finer=True),
}


@pytest.fixture(scope="module")
def prior():
    """Draws of every kind of effect from one model."""
    first, *others = UNITS
    with pm.Model() as model:
        for name, levels in ZERO_SUM.items():
            zero_sum_effects(levels, 2.0, np.float64(SIGMA))(name, np.float64(SIGMA))
        UNITS[first].add(first, np.float64(SIGMA))
        for name in others:
            UNITS[name].effects()(name, np.float64(SIGMA))
    names = [*FIXED, "1|fine", *ZERO_SUM, *UNITS]
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
def test_drawn_unit_effects_are_independent_of_what_they_refer_to(prior, name):
    others = np.column_stack([prior["Intercept"], prior["1|A"], prior["1|fine"]])
    np.testing.assert_allclose(others[:, :5].std(axis=0), [1.7, 0.9, 0.9, 0.9, 0.8], rtol=0.03)
    joint = np.corrcoef(np.hstack([others, prior[name]]).T)
    size = others.shape[1]
    np.testing.assert_allclose(joint[:size, size:], 0, atol=5 / np.sqrt(DRAWS))


def test_the_covariance_of_the_draws_has_the_rank_of_the_term(prior):
    rank = np.linalg.matrix_rank(np.cov(prior["interaction"].T), tol=1e-8)
    assert rank == 2
    assert linalg.null_space(np.cov(prior["one factor"].T), rcond=1e-8).shape[1] == 1
