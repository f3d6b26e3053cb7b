"""Families and links: look-up, inverses, and the tables that other modules keep of them."""

import numpy as np
import pytest
from scipy import stats

from bambi_anova.errors import ArgumentError
from bambi_anova.families.links import LINKS
from bambi_anova.families.registry import FAMILIES, get_family
from bambi_anova.families.sufficient import Collapse

MEANS = np.array([0.001, 0.2, 0.5, 0.9, 0.999])
FORWARD = {
    "identity": lambda mean: mean,
    "log": np.log,
    "logit": lambda mean: np.log(mean / (1 - mean)),
    "probit": stats.norm.ppf,
    "cloglog": lambda mean: np.log(-np.log(1 - mean)),
}


@pytest.mark.parametrize("name", LINKS)
def test_inverse_links_undo_their_links(name):
    np.testing.assert_allclose(LINKS[name].inverse(FORWARD[name](MEANS)), MEANS, rtol=1e-12)
    np.testing.assert_allclose(LINKS[name].forward(MEANS), FORWARD[name](MEANS), rtol=1e-12)
    assert LINKS[name].name == name


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog"])
def test_inverse_links_of_probabilities_stay_between_0_and_1(name):
    found = LINKS[name].inverse(np.array([-300.0, 0.0, 300.0]))
    assert found[0] == pytest.approx(0)
    assert 0 < found[1] < 1
    assert found[2] == pytest.approx(1)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_collapse_and_links(name):
    family = get_family(name)
    assert family.name == name
    assert isinstance(family.collapse, Collapse)
    assert family.parent.links
    assert {link.name for link in family.parent.links} <= set(LINKS)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_link_is_the_default(name):
    family = get_family(name)
    default = {"gaussian": "identity", "t": "identity", "gamma": "log"}.get(
        name, "log" if family.response.counts else "logit"
    )
    assert family.link(None).name == default
    assert [family.link(link.name) for link in family.parent.links] == list(family.parent.links)


def test_only_families_with_a_normal_like_residual_have_one():
    assert {name for name, family in FAMILIES.items() if family.residual} == {"gaussian", "t"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gausian", "family='gausian' is not supported; did you mean 'gaussian'"),
        ("Poisson", "did you mean 'poisson'"),
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
