"""Families and links: look-up, inverses, and the tables that other modules keep of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bambi_anova.errors import ArgumentError
from bambi_anova.families.base import Family
from bambi_anova.families.gaussian import GAUSSIAN
from bambi_anova.families.links import IDENTITY, LINKS, PROBIT
from bambi_anova.families.parameters import Predicted
from bambi_anova.families.registry import FAMILIES, get_family, register
from bambi_anova.families.response import REAL
from bambi_anova.families.sufficient import MEANS

VALUES = np.array([0.001, 0.2, 0.5, 0.9, 0.999])
FORWARD = {
    "identity": lambda mean: mean,
    "log": np.log,
    "logit": lambda mean: np.log(mean / (1 - mean)),
    "probit": stats.norm.ppf,
    "cloglog": lambda mean: np.log(-np.log(1 - mean)),
}


@pytest.mark.parametrize("name", LINKS)
def test_inverse_links_undo_their_links(name):
    np.testing.assert_allclose(LINKS[name].inverse(FORWARD[name](VALUES)), VALUES, rtol=1e-12)
    np.testing.assert_allclose(LINKS[name].forward(VALUES), FORWARD[name](VALUES), rtol=1e-12)
    assert LINKS[name].name == name


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog"])
def test_inverse_links_of_probabilities_stay_between_0_and_1(name):
    found = LINKS[name].inverse(np.array([-300.0, 0.0, 300.0]))
    assert found[0] == pytest.approx(0)
    assert 0 < found[1] < 1
    assert found[2] == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gausian", "family='gausian' is not supported; did you mean 'gaussian'"),
        ("Poissson", "did you mean 'poisson'"),
        ("zzz", "known: 'gaussian', 'bernoulli'"),
        (None, "family=None is not supported"),
        (["gaussian"], "is not supported"),
    ],
)
def test_unknown_families_are_refused(name, message):
    with pytest.raises(ArgumentError, match=message):
        get_family(name)


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("log", "link='log' cannot be used with family='binomial'; expected one of 'logit', 'prob"),
        (3, "link=3 cannot be used"),
        (["logit"], "cannot be used"),
        ({}, "expected one link"),
        ({"mu": "logit", "kappa": "log"}, "expected one link, that of the mean"),
        ({"kappa": "logit"}, "expected one link, that of the mean"),
    ],
)
def test_links_that_the_family_cannot_have(link, message):
    with pytest.raises(ArgumentError, match=message):
        get_family("binomial").link(link)


def test_a_link_may_be_given_for_the_mean_by_name():
    assert get_family("binomial").link({"mu": "probit"}).name == "probit"


# -- What a family must say --------------------------------------------------------------------

PROBIT_ONLY = (Predicted("mu", (PROBIT,)),)
SIGMA = GAUSSIAN.auxiliary[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "gaussian"}, "there is one of this name already"),
        ({"name": "two words"}, "expected a name that is a word"),
        ({"response": "real"}, "response: expected Response, got 'real'"),
        ({"scale": None}, "scale: expected ResponseScale, got None"),
        ({"collapse": "weights"}, "collapse: expected Collapse"),
        ({"replicate": None}, "replicate: expected a function, got None"),
        ({"constants": 0.0}, "constants: expected a function"),
        ({"bambi": "gaussian"}, "bambi: expected a function"),
        ({"predicted": ()}, "predicted: expected at least one parameter"),
        ({"likelihoods": {}}, r"likelihoods: expected one for the links \('identity',\)"),
        ({"predicted": PROBIT_ONLY}, r"likelihoods: expected one for the links \('probit',\)"),
        (
            {"likelihoods": {**GAUSSIAN.likelihoods, ("log",): GAUSSIAN.likelihoods["identity",]}},
            r"likelihoods: no predictor can have the links \('log',\)",
        ),
        ({"auxiliary": (SIGMA, SIGMA)}, "parameters: expected names that differ"),
        ({"auxiliary": (replace(SIGMA, prior=None),)}, "auxiliary 'sigma': expected a default pri"),
        (
            {"auxiliary": tuple(replace(SIGMA, name=name) for name in ("sigma", "a", "b"))},
            "auxiliary: expected at most 2 with a compiled likelihood",
        ),
        ({"residual": "tau"}, "residual: 'tau' is not among its parameters"),
        ({"latent": True}, "latent: expected links with a latent variable"),
        ({"scale": replace(GAUSSIAN.scale, word="")}, "scale: expected a word"),
        (
            {"predicted": (Predicted("mu", (IDENTITY,), ""),)},
            "predicted 'mu': expected links",
        ),
        ({"overdispersed": "t"}, "overdispersed: expected for families without a parameter"),
        ({"auxiliary": (), "residual": ""}, "overdispersed: expected for families without a para"),
    ],
)
def test_what_is_missing_is_named_when_a_family_is_registered(changes, message):
    before = dict(FAMILIES)
    with pytest.raises(ArgumentError, match=message):
        register(replace(GAUSSIAN, **{"name": "another", **changes}))
    assert before == FAMILIES


def test_a_family_cannot_leave_anything_out():
    with pytest.raises(TypeError, match="'constants', 'replicate', and 'bambi'"):
        Family("x", REAL, GAUSSIAN.predicted, GAUSSIAN.scale, MEANS, GAUSSIAN.likelihoods)


def test_a_registered_family_can_be_used_at_once(monkeypatch):
    monkeypatch.setattr("bambi_anova.families.registry.FAMILIES", dict(FAMILIES))
    register(replace(GAUSSIAN, name="normal"))
    assert get_family("normal").link(None) is IDENTITY
