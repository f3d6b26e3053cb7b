"""Joint draws: their weights are unbiased and exact, against brute-force quadrature."""

from dataclasses import dataclass, field, replace
from functools import cache

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.engine.approximate import conditional
from bambi_anova.engine.approximate.conditional import Candidates, draw_given_modes
from bambi_anova.engine.approximate.proposal import Plain, propose, share
from bambi_anova.engine.approximate.target import Target
from bambi_anova.engine.latent import model as latent
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.mode import COARSE, ModeFinder

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

DRAWS = 8000


# -- Tiny models -------------------------------------------------------------------------------


def rows(**columns):
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Tiny:
    """A model that can be integrated on a grid, at some log scales."""

    formula: str
    data: pd.DataFrame
    u: tuple
    family: str = "binomial"
    options: dict = field(default_factory=dict)

    @property
    def latent(self):
        model = ba.Model(self.formula, self.data, family=self.family, **self.options)
        return latent_model(model)

    @property
    def at(self):
        return np.array(self.u, dtype=float).reshape(-1, 1)


#: No failures in one unit, no successes in another: posteriors far from normal.
SPARSE = rows(s=["a", "b", "c"], k=[0, 3, 1], n=[3, 3, 3])
PAIRS = rows(s=list("aabb"), t=list("xyxy"), k=[0, 2, 3, 3], n=[3] * 4)
TRIPLE = rows(s=list("aabbcc"), t=list("xyxyxy"), k=[0, 2, 3, 3, 0, 1], n=[3] * 6)

TINY = {
    "no units": Tiny("p(k, n) ~ t", rows(t=list("xy"), k=[0, 2], n=[3, 4]), (0.7,)),
    "units": Tiny("p(k, n) ~ 1 + Error(s)", SPARSE, (0.9,)),
    "wide units": Tiny("p(k, n) ~ 1 + Error(s)", SPARSE, (2.0,)),
    "probit units": Tiny("p(k, n) ~ 1 + Error(s)", SPARSE, (0.6,), options={"link": "probit"}),
    "nested units": Tiny("p(k, n) ~ 1 + Error(s/t)", TRIPLE, (0.5, 0.2)),
    "units in the core": Tiny("p(k, n) ~ 1 + Error(s/t)", PAIRS, (0.5, 0.2)),
    "slopes": Tiny(
        "p(k, n) ~ 1 + (dose|s)", PAIRS.assign(dose=[0.0, 1.0, 0.5, 3.0]), (0.6, -0.2, 0.9)
    ),
    "counts": Tiny("k ~ 1 + Error(s)", SPARSE.assign(k=[0, 9, 2]), (0.5,), "poisson"),
    "blocks of unequal size": Tiny(
        "p(k, n) ~ 1 + (1|s) + (1|s:t)", TRIPLE.iloc[[0, 1, 2, 4, 5]], (0.5, 0.2)
    ),
}
EACH = pytest.mark.parametrize("name", TINY)


@dataclass(frozen=True)
class Truth:
    """What a grid says.

    ``log_marginal`` is log p(y, u); the moments are of the core and of the blocks, in natural
    units: means, second moments, and the products of the core with the first units.
    """

    log_marginal: float
    core: np.ndarray
    core_squares: np.ndarray
    units: np.ndarray
    unit_squares: np.ndarray
    products: np.ndarray


def grid(size, step):
    """Points in some dimensions and the log of their standard normal weights."""
    line = np.arange(-8, 8 + step / 2, step)
    points = np.array(np.meshgrid(*[line] * size, indexing="ij")).reshape(size, -1)
    return points, size * np.log(step / np.sqrt(2 * np.pi)) - (points**2).sum(axis=0) / 2


def likelihood_of_row(model, row, eta, aux):
    """The log-likelihood of one row at predictors of any shape."""
    every = np.broadcast_to(eta.ravel(), (len(model.blocks.of_row), eta.size))
    return model.likelihood.log(every, aux)[row].reshape(eta.shape)


def integrate(model, u):
    core_sd, factor = model.spreads(model.values(u))
    aux = model.likelihood_parameters(model.values(u))
    a, p, d = model.parent.columns.toarray(), model.core.size, model.blocks.size
    core, log_core = grid(p, {1: 0.2, 2: 0.4, 3: 0.5}[p])
    core = model.core.mean + core_sd * core
    touched = a[:, p:].any()
    units, log_units = grid(d, {1: 0.1, 2: 0.25, 3: 0.5}[d] if touched else 0.5)
    units = factor.natural(units[None])[0]
    fixed = model.parent.offset + a[:, :p] @ core
    total, first, second = log_core.copy(), [], []
    for e in range(model.blocks.count):
        log = np.zeros((core.shape[1], units.shape[1])) + log_units
        for row in np.flatnonzero(model.blocks.of_row == e):
            eta = fixed[row][:, None] + a[row, p + e * d : p + (e + 1) * d] @ units
            log += likelihood_of_row(model, row, eta, aux)
        height = special.logsumexp(log, axis=1, keepdims=True)
        mass = np.exp(log - height)
        total += height[:, 0]
        first.append(units @ mass.T)
        second.append(units**2 @ mass.T)
    weights = special.softmax(total)
    first, second = np.array(first), np.array(second)
    return Truth(
        special.logsumexp(total) + float(model.log_prior(u)[0]),
        core @ weights,
        core**2 @ weights,
        first @ weights,
        second @ weights,
        (core * first[0, 0]) @ weights,
    )


@cache
def truth(name):
    return integrate(TINY[name].latent, TINY[name].at)


@cache
def modes_of(name):
    model = TINY[name].latent
    return model, ModeFinder(model), ModeFinder(model)(TINY[name].at, COARSE)


def draw(name, count, mixed, draws=DRAWS, modes=None, seed=1):
    """Draws at the point, and their log weights under standard normal noise."""
    model, finder, found = modes_of(name)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((model.core.size, 1, draws))
    candidates = Candidates(count, np.broadcast_to(mixed, model.blocks.count).copy())
    drawn = draw_given_modes(model, modes or found, noise, candidates, finder.curvature, rng)
    return drawn, drawn.log_ratio + (noise[:, 0] ** 2).sum(axis=0) / 2


def standard_errors(name, log_weight):
    """How many standard errors the mean weight is from the truth, and how large one is."""
    relative = np.exp(log_weight - truth(name).log_marginal)
    error = relative.std() / np.sqrt(len(relative))
    return (relative.mean() - 1) / error, error


COUNTS = [(1, False), (2, False), (2, True), (4, False), (4, True), (8, False), (8, True)]


@pytest.mark.parametrize(
    ("name", "count", "mixed"),
    # Weights of narrow normals have no variance where units are this wide.
    [(n, k, mixed) for n in TINY for k, mixed in COUNTS if mixed or n != "wide units"],
)
def test_the_mean_weight_is_the_marginal_likelihood(name, count, mixed):
    gap, error = standard_errors(name, draw(name, count, mixed)[1])
    assert abs(gap) < 4.5
    assert error < 0.05


def test_blocks_may_differ_in_how_they_draw():
    drawn, log_weight = draw("wide units", 4, [True, False, True])
    gap, error = standard_errors("wide units", log_weight)
    assert abs(gap) < 4.5
    assert error < 0.05
    assert drawn.spread.shape == drawn.narrow_spread.shape == (3,)


@pytest.mark.parametrize("name", ["units", "nested units", "slopes", "blocks of unequal size"])
@pytest.mark.parametrize(("count", "mixed"), [(2, False), (4, True)])
def test_the_mean_weight_does_not_depend_on_where_candidates_come_from(name, count, mixed):
    """Modes only propose; away from the mode the weights still make up for it."""
    _, _, modes = modes_of(name)
    moved = replace(modes, core=modes.core + 0.3, units=modes.units - 0.4, eta=modes.eta + 0.5)
    gap, error = standard_errors(name, draw(name, count, mixed, modes=moved)[1])
    assert abs(gap) < 4.5
    assert error < 0.1


@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_candidates_of_gaussian_noise_are_standard_normal_in_all_coordinates(count):
    """Strata and mirrors must leave every candidate as it was, whatever company it is in.

    Where scales are tiny the likelihood is flat: all candidates weigh the same, and those that
    are kept are standard normal, in every direction.
    """
    flat = replace(TINY["slopes"], u=(-12.0, -12.0, 0.0))
    model = flat.latent
    finder = ModeFinder(model)
    noise = np.zeros((1, 1, DRAWS))
    candidates = Candidates(count, np.zeros(2, dtype=bool))
    rng = np.random.default_rng(1)
    drawn = draw_given_modes(model, finder(flat.at), noise, candidates, finder.curvature, rng)
    np.testing.assert_allclose(drawn.spread, 0, atol=1e-6)
    z = drawn.units.reshape(-1, DRAWS) / np.exp(-12)
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=5 / np.sqrt(DRAWS))
    np.testing.assert_allclose(np.cov(z), np.eye(len(z)), atol=5 * np.sqrt(2 / DRAWS))


# -- The kept candidates -----------------------------------------------------------------------


def moments(drawn):
    return {
        "core": drawn.core,
        "core_squares": drawn.core**2,
        "units": drawn.units,
        "unit_squares": drawn.units**2,
        "products": drawn.core * drawn.units[0, 0],
    }


def gaps(name, drawn, weights):
    """How far weighted moments are from the truth, in standard errors."""
    found = []
    for key, values in moments(drawn).items():
        expected = getattr(truth(name), key)
        mean = values @ weights
        error = np.sqrt(((values - mean[..., None]) ** 2) @ weights**2)
        known = error > 1e-12
        found.append(((mean - expected)[known] / error[known]).ravel())
        np.testing.assert_allclose(mean[~known], expected[~known], atol=1e-9)
    return np.concatenate(found)


@EACH
@pytest.mark.parametrize(("count", "mixed"), [(1, False), (2, True), (4, False), (8, True)])
def test_weighted_draws_have_the_moments_of_the_posterior(name, count, mixed):
    drawn, log_weight = draw(name, count, mixed, seed=2)
    assert np.abs(gaps(name, drawn, special.softmax(log_weight))).max() < 4.5


def test_draws_without_their_weights_are_told_apart():
    drawn, log_weight = draw("wide units", 1, False)
    equal = np.full(log_weight.shape, 1 / len(log_weight))
    assert np.abs(gaps("wide units", drawn, equal)).max() > 10
    # A candidate that is kept at random in place of by its weight is no draw of the posterior.
    more, log_weight = draw("wide units", 8, True)
    assert np.abs(gaps("wide units", more, special.softmax(log_weight))).max() < 4.5
    careless = replace(more, units=np.random.default_rng(3).permuted(more.units, axis=-1))
    assert np.abs(gaps("wide units", careless, special.softmax(log_weight))).max() > 10


def test_more_candidates_make_weights_more_even():
    sizes = [np.exp(draw("wide units", k, True)[1]).std() for k in (2, 4, 8)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_a_normal_wide_enough_keeps_weights_of_sparse_units_even():
    narrow, mixed = (draw("wide units", 8, wide)[1] for wide in (False, True))
    assert np.exp(mixed - mixed.mean()).max() < np.exp(narrow - narrow.mean()).max()


# -- In one pass over memory -------------------------------------------------------------------

ONE_PASS = {
    name: tiny for name, tiny in TINY.items() if name not in ("no units", "probit units")
} | {
    "yes or no": Tiny(
        "k ~ 1 + Error(s)",
        rows(s=list("aaabbbcc"), k=[0, 0, 1, 1, 1, 1, 0, 0], x=range(8)),
        (0.9,),
        "bernoulli",
    )
}


def draw_both(monkeypatch, name, count, mixed):
    """Draws by NumPy and in one pass, from the same noise; three points, two draws each."""
    model = ONE_PASS[name].latent
    u = ONE_PASS[name].at + np.array([-0.5, 0.0, 0.5])
    finder = ModeFinder(model)
    modes = finder(u, COARSE)
    noise = np.random.default_rng(2).standard_normal((model.core.size, 3, 2))
    choice = np.broadcast_to(mixed, model.blocks.count).copy()
    choice[1:2] = False  # one block draws from the narrow normal alone
    candidates, found = Candidates(count, choice), []
    means = conditional._means_and_wider(model, modes, candidates, finder.curvature)
    monkeypatch.setattr(conditional, "_means_and_wider", lambda *given: means)
    for rows_needed in (10**9, 0):
        monkeypatch.setattr(latent, "MANY_ROWS", rows_needed)
        rng = np.random.default_rng(3)
        found.append(draw_given_modes(model, modes, noise, candidates, finder.curvature, rng))
    return found


@pytest.mark.parametrize("name", ONE_PASS)
@pytest.mark.parametrize("count", [2, 4, 8])
def test_one_pass_draws_what_numpy_draws(monkeypatch, name, count):
    by_numpy, in_one_pass = draw_both(monkeypatch, name, count, mixed=False)
    for part in ("core", "units", "log_ratio", "spread", "narrow_spread"):
        np.testing.assert_allclose(
            getattr(in_one_pass, part), getattr(by_numpy, part), rtol=1e-9, atol=1e-10
        )


@pytest.mark.parametrize("name", ONE_PASS)
@pytest.mark.parametrize("count", [4, 8])
def test_one_pass_weighs_mixed_candidates_as_numpy_does(monkeypatch, name, count):
    by_numpy, in_one_pass = draw_both(monkeypatch, name, count, mixed=True)
    for part in ("log_ratio", "spread", "narrow_spread"):
        np.testing.assert_allclose(
            getattr(in_one_pass, part), getattr(by_numpy, part), rtol=1e-9, atol=1e-10
        )


@pytest.mark.parametrize(
    ("name", "count", "mixed"), [("wide units", 4, True), ("counts", 2, False)]
)
def test_what_one_pass_keeps_has_the_moments_of_the_posterior(monkeypatch, name, count, mixed):
    monkeypatch.setattr(latent, "MANY_ROWS", 0)
    drawn, log_weight = draw(name, count, mixed, seed=2)
    assert np.abs(gaps(name, drawn, special.softmax(log_weight))).max() < 4.5


@pytest.mark.parametrize("name", ONE_PASS)
def test_one_pass_finds_the_modes_and_normals_that_numpy_finds(monkeypatch, name):
    model = ONE_PASS[name].latent
    u = ONE_PASS[name].at + np.array([-0.5, 0.0, 0.5])
    candidates = Candidates(4, np.arange(model.blocks.count) != 1)
    found = []
    for rows_needed in (10**9, 0):
        monkeypatch.setattr(latent, "MANY_ROWS", rows_needed)
        finder = ModeFinder(model)
        modes = finder(u)
        normals = conditional._means_and_wider(model, modes, candidates, finder.curvature)
        found.append((modes, *normals))
    (by_numpy, means, wide), (in_one_pass, other_means, other_wide) = found
    for part in ("core", "units", "eta", "log_marginal"):
        np.testing.assert_allclose(
            getattr(in_one_pass, part), getattr(by_numpy, part), rtol=1e-9, atol=1e-10
        )
    for part in ("blocks", "core_inverse", "block_log_det"):
        np.testing.assert_allclose(
            getattr(in_one_pass.arrow, part), getattr(by_numpy.arrow, part), rtol=1e-9, atol=1e-10
        )
    # NumPy takes third derivatives by differences.
    np.testing.assert_allclose(other_means, means, atol=2e-3)
    mixed = candidates.mixed
    np.testing.assert_allclose(other_wide[mixed], wide[mixed], rtol=1e-9, atol=1e-10)


def test_exponentials_and_logarithms_have_all_digits():
    from bambi_anova.engine.latent.vector_math import exponentials, logarithms

    x = np.concatenate([np.linspace(-700, 700, 99_991), np.linspace(-2, 2, 9999)])
    np.testing.assert_allclose(exponentials(x), np.exp(x), rtol=2e-15)
    numbers = np.concatenate([np.exp(x), 1 + np.exp(-np.abs(x)), np.linspace(0.5, 2, 999)])
    np.testing.assert_allclose(logarithms(numbers), np.log(numbers), rtol=2e-15, atol=1e-16)


# -- Gaussian responses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "formula", ["y ~ t + Error(s/t)", "y ~ t + (1|s)", "y ~ t + dose", "y ~ t + dose + (dose|s)"]
)
def test_weights_of_gaussian_responses_are_all_the_marginal_likelihood(formula):
    rng = np.random.default_rng(1)
    data = rows(s=list("aabbcc") * 2, t=list("xy") * 6, y=rng.normal(size=12))
    model = latent_model(ba.Model(formula, data.assign(dose=rng.uniform(size=12))))
    u = rng.normal(size=(len(model.scales), 3))
    finder = ModeFinder(model)
    modes = finder(u)
    noise = rng.standard_normal((model.core.size, 3, 5))
    candidates = Candidates.first(model)
    assert candidates.count == 1
    drawn = draw_given_modes(model, modes, noise, candidates, finder.curvature, rng)
    found = drawn.log_ratio.reshape(3, 5) + (noise**2).sum(axis=0) / 2
    np.testing.assert_allclose(found, modes.log_marginal[:, None] + np.zeros(5), atol=1e-8)


# -- Over the hyperparameters too --------------------------------------------------------------


@cache
def over_a_grid(name):
    """The marginal likelihood of the data, log p(y), and the mean log scale given the data."""
    u = np.linspace(-6, 4, 101)
    model = TINY[name].latent
    heights = np.array([integrate(model, np.array([[one]])).log_marginal for one in u])
    mass = special.softmax(heights)
    return special.logsumexp(heights) + np.log(u[1] - u[0]), float(u @ mass)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("name", ["units", "no units"])
def test_a_batch_of_draws_is_weighted_for_its_hyperparameters_too(name, parts):
    model = TINY[name].latent
    centres = [np.array([c]) for c in (0.5, -1.0, 1.5)[:parts]]
    proposals = [
        propose(Plain(), centre, np.array([[1.5**2]]), model.core.size, freedom=4.0)
        for centre in centres
    ]
    proposals = share(proposals, [0.0, -0.5, 0.3][:parts])
    points, each = 4000, 2
    candidates = Candidates(4, np.ones(model.blocks.count, dtype=bool))
    batch = Target(model).draw(
        proposals, points, each, candidates, np.random.default_rng(1), keep_units=True
    )
    log_evidence, mean = over_a_grid(name)
    relative = np.exp(batch.log_weight - log_evidence).mean(axis=1)
    error = relative.std() / np.sqrt(points)
    assert error < 0.03
    assert abs(relative.mean() - 1) < 4.5 * error
    assert np.isfinite([batch.spread, batch.narrow_spread]).all()
    share_of = batch.weights.sum(axis=1)
    gap = share_of @ batch.u[0] - mean
    assert abs(gap) < 4.5 * np.sqrt(share_of**2 @ (batch.u[0] - mean) ** 2)
    assert set(batch.effects) == {block.key for block in model.blocks.terms}
    assert all(effects.shape == (3, points, each) for effects in batch.effects.values())


def test_units_of_a_batch_are_those_of_its_draws():
    """The posterior means of unit effects, over all hyperparameters."""
    model = TINY["units"].latent
    proposals = [propose(Plain(), np.array([0.8]), np.array([[1.3**2]]), model.core.size)]
    candidates = Candidates(4, np.ones(model.blocks.count, dtype=bool))
    batch = Target(model).draw(
        proposals, 3000, 2, candidates, np.random.default_rng(2), keep_units=True
    )
    u = np.linspace(-6, 4, 51)
    truths = [integrate(model, np.array([[one]])) for one in u]
    mass = special.softmax([one.log_marginal for one in truths])
    expected = np.array([one.units[:, 0] for one in truths]).T @ mass
    weights = batch.weights.ravel()
    effects = batch.effects["s"].reshape(3, -1)
    error = np.sqrt((effects - expected[:, None]) ** 2 @ weights**2)
    assert (np.abs(effects @ weights - expected) < 5 * error).all()
    assert expected[0] < -0.5 < 0.5 < expected[1]


# -- What blocks need ------------------------------------------------------------------------


def test_blocks_that_need_the_wider_normal_are_found():
    model = Tiny(
        "p(k, n) ~ 1 + Error(s)",
        rows(s=list("abcdef"), k=[0, 0, 30, 28, 41, 3], n=[1, 60, 60, 60, 60, 3]),
        (2.0,),
        options={"priors": {"s": bmb.Prior("HalfNormal", sigma=5)}},
    )
    finder = ModeFinder(model.latent)
    modes = finder(model.at)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((1, 1, 4000))
    first = Candidates.first(model.latent)
    assert first.count == 4
    assert first.mixed.all()
    drawn = draw_given_modes(model.latent, modes, noise, first, finder.curvature, rng)
    chosen = first.suited_to(drawn.spread, drawn.narrow_spread)
    assert not chosen.mixed[[2, 3, 4]].any()
    assert chosen.mixed[:2].all()
    assert chosen.count in (2, 4, 8, 16)
