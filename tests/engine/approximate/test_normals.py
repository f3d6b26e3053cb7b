"""Normal approximations: their noise, their ELBOs, and one for each mode."""

import numpy as np
import pytest

from bambi_anova.engine.approximate.normals import (
    Normal,
    best_of_modes,
    elbo_terms,
    even_noise,
)


def test_means_over_even_noise_are_exact_for_quadratics():
    noise = even_noise(np.random.default_rng(1), 3, 8)
    assert noise.shape == (3, 8)
    assert noise.mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-12)
    assert noise @ noise.T / 8 == pytest.approx(np.eye(3))
    assert (noise**3).mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-12)


def test_the_elbo_of_a_normal_is_the_mass_less_the_divergence(gaussian):
    noise = even_noise(np.random.default_rng(1), 3, 8)
    mean, factor = gaussian.mean, gaussian.factor
    normals = [Normal(mean, factor), Normal(mean + factor @ [0, 2.0, 0], factor)]
    elbos = elbo_terms(gaussian, normals, noise).mean(axis=1)
    assert elbos == pytest.approx([7, 7 - 2.0**2 / 2])
    assert normals[0].distance(normals[1]) == pytest.approx(2)
    assert normals[0].sd == pytest.approx(gaussian.sd)


def test_modes_are_kept_once_and_only_where_they_matter():
    wide = [Normal(np.array([at]), np.eye(1)) for at in (0.0, 0.1, 9.0, 20.0)]
    kept, elbos = best_of_modes(wide, [1.0, 1.5, 0.0, -30.0])
    assert [normal.mean[0] for normal in kept] == [0.1, 9.0]
    assert elbos == [1.5, 0.0]
