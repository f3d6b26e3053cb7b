"""Likelihoods made of Bambi's families by symbolic differentiation.

They are held to differences of their own logs, and to the hand-written ones; those are held to
Bambi's models in the contract.
"""

import numpy as np
import pytest

from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.families.generated import generated_rows
from bambi_anova.families.likelihood import Observed
from bambi_anova.families.registry import get_family
from bambi_anova.families.sufficient import unmerged
from bambi_anova.families.values import ResponseValues
from tests.generated import auxiliary_of

#: Every family of Bambi whose rows depend on single numbers: the values that are tried.
VALUES = {
    "asymmetriclaplace": (-1.0, 0.5, 3.0),
    "bernoulli": (0.0, 1.0, 1.0),
    "beta": (0.2, 0.5, 0.9),
    "beta_binomial": (0.0, 2.0, 6.0),
    "binomial": (0.0, 2.0, 6.0),
    "exgaussian": (-1.0, 0.5, 3.0),
    "exponential": (0.2, 1.0, 3.0),
    "gamma": (0.2, 1.0, 3.0),
    "gaussian": (-1.0, 0.5, 3.0),
    "hurdle_gamma": (0.0, 1.0, 3.0),
    "hurdle_lognormal": (0.0, 1.0, 3.0),
    "hurdle_negativebinomial": (0.0, 1.0, 3.0),
    "hurdle_poisson": (0.0, 1.0, 3.0),
    "laplace": (-1.0, 0.5, 3.0),
    "lognormal": (0.2, 1.0, 3.0),
    "negativebinomial": (0.0, 1.0, 3.0),
    "poisson": (0.0, 1.0, 3.0),
    "t": (-1.0, 0.5, 9.0),
    "vonmises": (-1.0, 0.5, 3.0),
    "wald": (0.2, 1.0, 3.0),
    "weibull": (0.2, 1.0, 3.0),
    "zero_inflated_binomial": (0.0, 2.0, 6.0),
    "zero_inflated_negativebinomial": (0.0, 1.0, 3.0),
    "zero_inflated_poisson": (0.0, 1.0, 3.0),
}
#: Quickly compiled ones, and all others.
EACH = [
    pytest.param(name, marks=() if name in ("poisson", "laplace") else pytest.mark.slow)
    for name in VALUES
]


def observed(values, trials=6.0, n=1.0):
    y = np.asarray(values, dtype=float)[:, None]
    return Observed(y, np.full_like(y, trials), np.full_like(y, n), np.zeros_like(y))


def differences(function, eta, step):
    """First differences of a function of predictors of shape (K, M, G), shape (K, ...)."""
    found = []
    for move in np.eye(len(eta))[:, :, None, None] * step:
        found.append((function(eta + move) - function(eta - move)) / (2 * step))
    return np.array(found)


@pytest.mark.parametrize("name", EACH)
def test_derivatives_in_all_parameters_are_those_of_the_log_density(name):
    from bambi.defaults.families import BUILTIN_FAMILIES

    rows = generated_rows(name, BUILTIN_FAMILIES[name]["likelihood"]["params"])
    count, data = len(rows.predicted), observed(VALUES[name], n=2.0)
    log, derivatives = rows.make(data)
    rng = np.random.default_rng(1)
    eta = rng.normal(0.1, 0.3, (count, 3, 2))
    eta[0] = np.abs(eta[0]) + 0.3 if rows.links[0].startswith("inverse") else eta[0]

    def shaped(own):
        return own[0] if count == 1 else own

    found = derivatives(shaped(eta), {})
    slopes = differences(lambda own: log(shaped(own), {}), eta, 1e-4)
    np.testing.assert_allclose(found.gradient, slopes, rtol=1e-6, atol=1e-6)
    bends = differences(lambda own: derivatives(shaped(own), {}).gradient, eta, 1e-4)
    positive = (np.linalg.eigvalsh(-np.moveaxis(bends, (0, 1), (-2, -1))) > 0).all(axis=-1)
    np.testing.assert_allclose(
        found.information[..., positive], -bends[..., positive], rtol=1e-5, atol=1e-5
    )
    least = np.linalg.eigvalsh(np.moveaxis(found.information, (0, 1), (-2, -1)))
    assert (least > -1e-9).all()
    assert np.isfinite(rows.start(data)).all()


HAND_WRITTEN = [
    ("poisson", "poisson", ("mu",)),
    pytest.param("gamma", "gamma", ("mu",), marks=pytest.mark.slow),
    pytest.param("weibull", "weibull", ("mu",), marks=pytest.mark.slow),
    pytest.param("negativebinomial", "negativebinomial", ("mu",), marks=pytest.mark.slow),
    pytest.param("zero_inflated_poisson", "zero_inflated_poisson", ("mu",), marks=pytest.mark.slow),
    pytest.param("hurdle_poisson", "hurdle_poisson", ("mu",), marks=pytest.mark.slow),
    pytest.param("exponential", "exponential", ("mu",), marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("ours", "bambis", "predicted"), HAND_WRITTEN)
def test_they_are_the_hand_written_ones(ours, bambis, predicted):
    family = get_family(ours)
    link = family.parent.links[0]
    data = observed(VALUES[bambis], n=1.0)
    written, generated = family.form((link,)), generated_rows(bambis, predicted, (link.name,))
    eta = np.random.default_rng(2).normal(0.2, 0.6, (3, 5))
    aux = {key: np.full(5, value) for key, value in auxiliary_of(family).items()}
    rows = unmerged(ResponseValues("y", data.y[:, 0], data.trials[:, 0]), None)
    log, derivatives = written.make(family.columns(rows, None))
    one_log, one = log(eta, aux), derivatives(eta, aux)
    log, derivatives = generated.make(data)
    other_log, other = log(eta, aux), derivatives(eta, aux)
    constants = family.constants(data.y[:, 0], data.trials[:, 0])[:, None]
    np.testing.assert_allclose(other_log, one_log + constants, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(other.gradient, one.gradient, rtol=1e-6, atol=1e-8)
    # Others take the expected curvature.
    if ours in ("poisson", "gamma", "weibull", "negativebinomial", "exponential"):
        np.testing.assert_allclose(other.curvature, one.curvature, rtol=1e-6, atol=1e-8)


def test_far_predictors_leave_everything_finite():
    log, derivatives = generated_rows("poisson").make(observed([0.0, 4.0]))
    eta = np.tile([-900.0, 0.0, 900.0], (2, 1))
    assert not np.isnan(log(eta, {})).any()
    found = derivatives(eta, {})
    assert np.isfinite(found.gradient).all()
    assert (found.curvature >= 0).all()


def test_a_likelihood_of_several_predictors_takes_them_one_after_the_other():
    rows = generated_rows("laplace", ("mu", "b"))
    data = observed([-1.0, 0.5, 3.0])
    whole, (log, _) = rows.likelihood(data), rows.make(data)
    eta = np.random.default_rng(3).normal(size=(2, 3, 4))
    np.testing.assert_allclose(whole.log(eta.reshape(6, 4), {}), log(eta, {}))
    assert whole.predictors == 2
    assert whole.own_predictor().shape == (6, 1)


@pytest.mark.parametrize(
    ("family", "predicted", "error", "text"),
    [
        ("cumulative", (), UnsupportedError, "thresholds"),
        ("categorical", (), UnsupportedError, "categories"),
        ("poisson", ("sigma",), ArgumentError, "no parameter 'sigma'"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(family, predicted, error, text):
    with pytest.raises(error, match=text):
        generated_rows(family, predicted)
