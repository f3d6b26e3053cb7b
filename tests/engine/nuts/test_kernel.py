"""The compiled log density: its gradient, the density it stands for, and what it samples."""

import ctypes
import subprocess
import sys
import warnings

import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.nuts import packing, whitening
from bambi_anova.engine.nuts.kernel_sampling import sample_latent
from bambi_anova.engine.nuts.packing import pack
from bambi_anova.engine.nuts.whitening import draw_start, whiten
from bambi_anova.errors import AnovaWarning, UnsupportedError
from bambi_anova.families.registry import get_family
from bambi_anova.priors.distributions import Prior
from bambi_anova.specification import of_design
from tests.generated import COMPILED, generated, left_hand_side

REALS = ctypes.POINTER(ctypes.c_double)


def latent(formula, data, family="gaussian", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        model = ba.Model(formula, data, family=family, **options)
    return latent_model(model)


def rows(units=6):
    """Units between groups, two tasks within, three attempts; one unit did only one task."""
    return generated("gaussian", "identity", units=units)


def of_family(name, link=None):
    family = get_family(name)
    formula = f"{left_hand_side(family)} ~ group * task + Error(s/task)"
    return latent(formula, generated(name, link or family.link(None).name), name, link=link)


DESIGNS = {
    "nested": lambda: latent("y ~ group * task + Error(s/task)", rows()),
    "binary": lambda: of_family("bernoulli"),
    "crossed": lambda: latent("y ~ group * task + (1|s) + (1|item)", rows()),
    "many": lambda: latent("y ~ group * task + Error(s/task)", rows(units=70)),
    "slopes": lambda: latent("y ~ group * dose + (1 + dose|s)", rows()),
    "independent slopes": lambda: latent("y ~ group * dose + (1 + dose||s)", rows()),
    "cells": lambda: latent("y ~ group * task + Error(s/task, cov='unstructured')", rows()),
    "cells and a slope": lambda: latent("y ~ task * dose + (task + dose|s) + (1|item)", rows()),
    "cells of units in others": lambda: latent("y ~ task + (task|s) + (1|group)", rows(units=7)),
    "cells without a residual": lambda: latent(
        "y ~ task + Error(s/task, cov='unstructured')",
        rows(units=7).drop_duplicates(["s", "task"]),
    ),
    "no units": lambda: latent("y ~ group * task", rows()),
    "overparameterized": lambda: latent(
        "y ~ group * task + Error(s)", rows(), parameterization="overparameterized"
    ),
    "three terms": lambda: latent("y ~ task * item + Error(s/(task*item))", rows()),
}


class Density:
    """The compiled log density of a whitened model, called as nutpie calls it."""

    def __init__(self, whitened):
        from bambi_anova.engine.nuts.entry import entry_points

        self.buffer = pack(whitened)
        self.call = entry_points()[0].ctypes

    def __call__(self, theta):
        theta = np.ascontiguousarray(theta)
        gradient, value = np.zeros(len(theta)), np.zeros(1)
        pointers = [array.ctypes.data_as(REALS) for array in (theta, gradient, value)]
        code = self.call(len(theta), *pointers, self.buffer.ctypes.data)
        return value[0], gradient, code


def points(whitened, count=4, spread=1.0):
    return spread * np.random.default_rng(1).normal(size=(whitened.size, count))


def numerical_jacobian(whitened, theta, step=1e-5):
    """Of the map to natural units, those coordinates left out that stand for nothing."""
    occupied = np.flatnonzero(whitened.model.blocks.occupied)
    moves = step * np.eye(len(theta))

    def natural(moved):
        u, core, units = whitened.natural(moved)
        return np.vstack([u, core, units.reshape(-1, len(theta))[occupied]])

    return (natural(theta[:, None] + moves) - natural(theta[:, None] - moves)) / (2 * step)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize(("family", "link"), COMPILED)
def test_gradient_is_the_density_s(family, link, rng):
    whitened, _ = whiten(of_family(family, link), rng)
    density = Density(whitened)
    for theta in points(whitened, 2).T:
        gradient = density(theta)[1]
        steps = 1e-5 * np.eye(len(theta))
        differences = [
            (density(theta + step)[0] - density(theta - step)[0]) / 2e-5 for step in steps
        ]
        np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("family", "link"), COMPILED)
@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_likelihoods_are_the_model_s(family, link, spread, rng):
    """Differences between points far apart, so that the tails are compared too."""
    whitened, _ = whiten(of_family(family, link), rng)
    density, theta = Density(whitened), points(whitened, 5, spread)
    compiled = np.array([density(point)[0] for point in theta.T])
    log_det = [np.linalg.slogdet(numerical_jacobian(whitened, point))[1] for point in theta.T]
    expected = whitened.model.log_density(*whitened.natural(theta)) + log_det
    np.testing.assert_allclose(np.diff(compiled), np.diff(expected), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("name", DESIGNS)
def test_density_is_the_model_s_times_the_volume(name, rng):
    whitened, _ = whiten(DESIGNS[name](), rng)
    density, theta = Density(whitened), points(whitened, 3)
    compiled = np.array([density(point)[0] for point in theta.T])
    log_det = [np.linalg.slogdet(numerical_jacobian(whitened, point))[1] for point in theta.T]
    expected = whitened.model.log_density(*whitened.natural(theta)) + log_det
    np.testing.assert_allclose(compiled - compiled[0], expected - expected[0], atol=1e-5)


@pytest.mark.parametrize("name", DESIGNS)
def test_gradient_in_every_design(name, rng):
    whitened, _ = whiten(DESIGNS[name](), rng)
    density, theta = Density(whitened), points(whitened, 1)[:, 0]
    direction = points(whitened, 2)[:, 1]
    slope = (density(theta + 1e-5 * direction)[0] - density(theta - 1e-5 * direction)[0]) / 2e-5
    np.testing.assert_allclose(density(theta)[1] @ direction, slope, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", DESIGNS)
def test_the_map_goes_both_ways(name, rng):
    whitened, _ = whiten(DESIGNS[name](), rng)
    theta = points(whitened, 7)
    np.testing.assert_allclose(whitened.whitened(*whitened.natural(theta)), theta, atol=1e-8)


def test_long_conversions_go_in_pieces(monkeypatch, rng):
    whitened, _ = whiten(DESIGNS["nested"](), rng)
    theta = points(whitened, 50)
    at_once = whitened.natural(theta)
    monkeypatch.setattr(whitening, "PIECE", 1)
    for one, other in zip(at_once, whitened.natural(theta), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_groups_of_blocks_do_not_matter(monkeypatch, rng):
    whitened, _ = whiten(DESIGNS["many"](), rng)
    theta = points(whitened, 1)[:, 0]
    value, gradient, _ = Density(whitened)(theta)
    monkeypatch.setattr(packing, "MOST_LANES", 8)
    other_value, other_gradient, _ = Density(whitened)(theta)
    assert other_value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(other_gradient, gradient, rtol=1e-8, atol=1e-10)


def test_given_the_scales_a_gaussian_model_is_standard_normal(rng):
    whitened, _ = whiten(DESIGNS["nested"](), rng)
    density, h = Density(whitened), len(whitened.centre)
    for theta in points(whitened, 3, spread=2.0).T:
        np.testing.assert_allclose(density(theta)[1][h:], -theta[h:], atol=1e-8)


def test_priors_go_on_beyond_their_tables(rng):
    whitened, _ = whiten(DESIGNS["nested"](), rng)
    density, theta = Density(whitened), np.zeros(whitened.size)
    theta[0] = -60 / whitened.turn[0, 0]
    value, gradient, code = density(theta)
    assert code == 0
    assert np.isfinite(value)
    assert gradient[0] > 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_what_is_not_finite_is_refused(bad, rng):
    whitened, _ = whiten(DESIGNS["binary"](), rng)
    density = Density(whitened)
    for place in (0, len(whitened.centre), whitened.size - 1):
        theta = np.zeros(whitened.size)
        theta[place] = bad
        assert density(theta)[2] > 0


def test_starts_lie_near_the_modes(rng):
    model = DESIGNS["nested"]()
    whitened, peaks = whiten(model, rng)
    starts = np.column_stack([draw_start(whitened, peaks, rng) for _ in range(300)])
    assert np.abs(starts[len(whitened.centre) :].mean(axis=1)).max() < 0.3
    for peak in peaks:
        gaps = whitened.natural(starts)[0] - peak.u[:, None]
        assert np.einsum("hg,hk,kg->g", gaps, peak.precision, gaps).min() < 4


def test_too_many_crossed_units_are_refused(monkeypatch, rng):
    monkeypatch.setattr(whitening, "MOST_WORK", 100)
    monkeypatch.setattr(whitening, "MOST_WORK_EACH", 1)
    with pytest.raises(UnsupportedError, match="cross the units"):
        whiten(DESIGNS["crossed"](), rng)


def test_a_covariance_without_operations_is_refused(monkeypatch, rng):
    monkeypatch.setattr(packing, "TOGETHER", {})
    whitened, _ = whiten(DESIGNS["independent slopes"](), rng)
    with pytest.raises(UnsupportedError, match="covariance Diagonal"):
        pack(whitened)


def test_without_a_place_to_write_the_kernel_is_compiled_all_the_same():
    from bambi_anova.engine.nuts.entry import _COPY, _compile

    names = {}
    exec("def copy(size, expanded, theta, out, data):\n    out[0] = theta[0]\n    return 0", names)
    out = np.zeros(1)
    pointer = np.ones(1).ctypes.data_as(REALS)
    assert _compile(names["copy"], _COPY).ctypes(1, 1, pointer, out.ctypes.data_as(REALS), 0) == 0
    assert out[0] == 1


def test_the_kernel_is_loaded_late():
    code = "import sys, bambi_anova.engine.nuts.kernel_sampling\n"
    code += "print(*{'numba', 'nutpie', 'arviz', 'xarray', 'pymc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.fixture(scope="module")
def short():
    return sample_latent(of_family("binomial"), draws=60, tune=80, chains=2, random_seed=5)


def test_shapes_and_statistics(short):
    model = of_family("binomial")
    assert short.u.shape == (len(model.scales), 2, 60)
    assert short.core.shape == (model.core.size, 2, 60)
    assert short.units.shape == (model.blocks.count, model.blocks.size, 2, 60)
    assert short.diverging.shape == short.steps.shape == (2, 60)
    assert short.steps.min() >= 1
    assert short.tuning_steps >= 160
    assert 0 < short.tuning_seconds < short.sampling_seconds
    assert not short.units[~model.blocks.occupied[..., 0]].any()
    assert np.isfinite(short.u).all()


def test_a_seed_repeats_the_draws_whatever_the_cores(short):
    again = sample_latent(
        of_family("binomial"), draws=60, tune=80, chains=2, random_seed=5, cores=1
    )
    np.testing.assert_array_equal(short.u, again.u)
    np.testing.assert_array_equal(short.units, again.units)
    assert not np.array_equal(short.u[:, 0], short.u[:, 1])
    other = sample_latent(of_family("binomial"), draws=60, tune=80, chains=2, random_seed=6)
    assert not np.array_equal(short.u, other.u)


def test_chains_start_from_given_points():
    model = of_family("binomial")
    far = np.full((len(model.scales), 3), 8.0)
    core = np.full((model.core.size, 3), 0.7)
    units = (
        np.broadcast_to(model.blocks.occupied, (model.blocks.count, model.blocks.size, 3)) * -0.4
    )
    options = {"draws": 1, "tune": 1, "chains": 2, "random_seed": 1, "maxdepth": 1}
    begun = sample_latent(model, start=(far, core, units), **options)
    assert begun.u.min() > 4
    assert sample_latent(model, **options).u.max() < 4


def test_sampling_is_silent(capfd):
    sample_latent(of_family("poisson"), draws=20, tune=20, chains=2, random_seed=1)
    assert capfd.readouterr() == ("", "")


def test_divergences_call_for_smaller_steps(monkeypatch):
    from bambi_anova.engine.nuts import kernel_sampling as kernel_nuts

    monkeypatch.setattr(kernel_nuts, "TARGETS", (0.2, 0.98))
    model = latent(
        "y ~ group * task + Error(s/task)", generated("poisson", "log", units=4), "poisson"
    )
    assert sample_latent(model, draws=300, tune=300, random_seed=1).target_accept == 0.98
    chosen = sample_latent(model, draws=50, tune=50, random_seed=1, target_accept=0.6)
    assert chosen.target_accept == 0.6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bambi_anova.errors.IncompleteUnitsWarning")
def test_draws_have_the_moments_of_the_exact_posterior():
    """With all but known scales a gaussian model's posterior is normal, and known."""
    known = {"group": 0.8, "task": 0.5, "group:task": 0.3, "s": 0.9, "s:task": 0.4, "sigma": 0.7}
    priors = {
        name: Prior("LogNormal", {"mu": np.log(sd), "sigma": 1e-3}) for name, sd in known.items()
    }
    data = rows()
    built = ba.Model("y ~ group * task + Error(s/task)", data)
    sigmas = {name: priors[name] for name in built.priors.sigmas}
    exact = type(built.priors)(
        built.priors.intercept, built.priors.covariates, sigmas, {"sigma": priors["sigma"]}
    )
    model = latent_model(of_design(built.design, built.family, built.link, exact))
    values = np.array([[known[scale.name]] for scale in model.scales])
    core_sd, factor = model.spreads(values)
    unit_sd = factor.sd
    prior_sd = np.concatenate([core_sd, np.tile(unit_sd, (model.blocks.count, 1))])[:, 0]
    columns, observed = model.parent.columns.toarray(), model.likelihood.data
    weights = observed.n[:, 0] / known["sigma"] ** 2
    covariance = np.linalg.inv(np.diag(prior_sd**-2) + (columns.T * weights) @ columns)
    prior_mean = np.zeros(len(prior_sd))
    prior_mean[: model.core.size] = model.core.mean[:, 0]
    pull = prior_mean / prior_sd**2 + columns.T @ (weights * observed.y[:, 0])

    found = sample_latent(model, draws=2000, tune=500, random_seed=2)
    x = np.concatenate([found.core, found.units.reshape(-1, 4, 2000)]).reshape(len(prior_sd), -1)
    standing = np.concatenate([np.ones(model.core.size, bool), model.blocks.occupied.ravel()])
    sds = np.sqrt(np.diag(covariance))[standing]
    gaps = (x.mean(axis=1) - covariance @ pull)[standing] / sds
    assert np.abs(gaps).max() < 0.07
    np.testing.assert_allclose(x.std(axis=1)[standing] / sds, 1, atol=0.07)
    assert found.divergences == 0


@pytest.mark.slow
def test_the_memory_experiment_mixes():
    from arviz_stats.base import array_stats

    memory = ba.load_data("memory")
    formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    found = sample_latent(latent(formula, memory, "binomial"), random_seed=1)
    assert found.divergences == 0
    for draws in [*found.u, *found.core, *found.units[::8].reshape(-1, 4, 1000)]:
        bulk = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk")
        tail = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))
        assert min(bulk, tail) > 1000
