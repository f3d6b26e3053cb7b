"""The wall with either core of Bambi: whichever is installed, and stand-ins of the rewritten one.

The stand-ins have the few names that the adapter asks for; what they do is checked by reading.
"""

import sys
from collections import namedtuple
from types import ModuleType, SimpleNamespace

import bambi as bmb
import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.bambi_model.weights import refuse_new_rows
from bambi_anova.errors import ArgumentError
from bambi_anova.families import bambi_api
from bambi_anova.families.registry import FAMILIES, get_family


def module(monkeypatch, name, **members):
    """Put a module with some members where it would be imported from."""
    made = ModuleType(name)
    vars(made).update(members)
    monkeypatch.setitem(sys.modules, name, made)
    return made


@pytest.fixture
def rewritten(monkeypatch):
    """The names of the rewritten core; returns what is registered, by class."""
    known = {}

    def transform_parameters(family):
        return lambda function: known.setdefault(family, function)

    class Plain:
        def __init__(self, name, likelihood, link):
            self.name, self.likelihood, self.link = name, likelihood, link

    names = ("LogNormal", "ExGaussian", "BetaBinomial")
    classes = {name: type(name, (Plain,), {}) for name in names}
    module(monkeypatch, "bambi.families.builtin", **classes)
    spec = namedtuple("ParamSpec", "links ndim coefs_dim", defaults=(0, None))
    module(monkeypatch, "bambi.families.types", ParamSpec=spec)
    transforms = {"transforms_registry": SimpleNamespace(transform_parameters=transform_parameters)}
    module(monkeypatch, "bambi.backend.pymc.transform.register", **transforms)
    module(
        monkeypatch,
        "bambi.backend.pymc.utils",
        get_distribution_from_prior=lambda prior: ("theirs", prior.name),
    )
    return known


def rows_of(values):
    return SimpleNamespace(merged=False, values=values, n=np.ones(len(values)))


def test_the_installed_bambi_builds_every_family_that_has_a_class_of_ours(plots):
    data = plots.assign(y=plots["y"].abs() + 0.1)
    for family in ("lognormal", "exgaussian"):
        model = ba.Model("y ~ feed + Error(block/feed)", data, family).bambi_model
        assert np.isfinite(model.backend.model.compile_logp()(model.backend.model.initial_point()))


def test_features_are_those_of_the_installed_bambi():
    classes = bambi_api.bambi_class("LogNormal"), bambi_api.bambi_class("UnivariateFamily")
    assert all(issubclass(one, bmb.Family) for one in classes)
    new = any(name == "PARAMETERS" for one in classes for name in vars(one))
    assert bambi_api.is_rewritten() == new
    assert bambi_api.distribution_of_prior(bmb.Prior("Normal", mu=0, sigma=1)).__name__ == "Normal"


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("lognormal", {"mu": np.e, "sigma": 2.0}, {"mu": 1.0, "sigma": 2.0}),
        ("exgaussian", {"mu": 5.0, "sigma": 1.0, "nu": 2.0}, {"mu": 3.0, "sigma": 1.0, "nu": 2.0}),
        (
            "betabinomial_mode",
            {"omega": 0.25, "kappa_minus_2": 8.0},
            {"alpha": 3.0, "beta": 7.0},
        ),
    ],
)
def test_the_other_core_is_told_links_and_parameters(name, parameters, expected, rewritten):
    family = get_family(name).bambi(rows_of(np.array([1.0, 2.0])))
    own = type(family)
    links = {parameter: spec.links for parameter, spec in own.PARAMETERS.items()}
    assert set(links) == set(parameters)
    assert links[next(iter(links))][0] in FAMILIES[name].parent.links[0].name
    written = rewritten[own](parameters)
    assert {key: float(getattr(v, "eval", lambda v=v: v)()) for key, v in written.items()} == (
        pytest.approx(expected)
    )
    assert not hasattr(own, "SUPPORTED_LINKS")


def test_the_other_core_has_its_own_place_of_distributions(rewritten):
    prior = bmb.Prior("Normal", mu=0, sigma=1)
    assert bambi_api.distribution_of_prior(prior) == ("theirs", "Normal")
    assert bambi_api.is_rewritten()


def test_a_feature_that_fails_for_another_reason_is_no_missing_feature(monkeypatch, tmp_path):
    package = tmp_path / "half_there"
    package.mkdir()
    (package / "__init__.py").write_text("import a_package_that_is_gone")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_gone"):
        bambi_api.first_of("half_there", "math")


def test_merged_rows_predict_no_new_ones_where_their_counts_would_be_taken():
    model = SimpleNamespace(predict=lambda idata, kind="response", data=None: "predicted")
    refuse_new_rows(model)
    assert model.predict("idata") == "predicted"
    for given in ({"data": "rows"}, {}):
        args = ("idata",) if given else ("idata", "response", "rows")
        with pytest.raises(ArgumentError, match=r"use result\.predict"):
            model.predict(*args, **given)
