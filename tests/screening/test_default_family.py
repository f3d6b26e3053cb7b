"""Responses that are gaussian only because nobody said what they are."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import DefaultFamilyWarning
from bambi_anova.families.registry import FAMILIES
from bambi_anova.screening.default_family import look

RNG = np.random.default_rng(1)
ORDINARY = {
    "yields of oats": ba.load_data("oats")["yield"],
    "weights in grams": RNG.normal(1203, 150, 60).round(),
    "weights that vary much": np.exp(RNG.normal(7, 0.8, 60)).round(),
    "response times in ms": np.exp(RNG.normal(6.3, 0.4, 200)).round(),
    "response times in s": np.exp(RNG.normal(-0.7, 0.15, 200)),
    "points in an exam": np.clip(RNG.normal(68, 14, 80).round(), 0, 100),
    "IQ": RNG.normal(100, 15, 80).round(),
    "temperatures": RNG.normal(2, 4, 80).round(),
    "differences of ratings": RNG.integers(-3, 4, 80),
    "mean ratings": RNG.integers(1, 8, (80, 5)).mean(axis=1),
    "proportions far from the borders": RNG.normal(0.5, 0.05, 80),
    "any numbers": RNG.normal(size=80),
    "large counts": RNG.poisson(300, 80),
}
OTHERWISE = {
    "bernoulli": RNG.integers(0, 2, 50),
    "beta": RNG.beta(1, 3, 80),
    "binomial": RNG.binomial(4, 0.4, 80) / 4,
    "poisson": RNG.poisson(2.5, 80),
    "negativebinomial": RNG.poisson(30 * RNG.gamma(0.4, 2.5, 80)),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_metric_responses_are_left_in_peace(name):
    assert look(np.asarray(ORDINARY[name], dtype=float)) == ""


@pytest.mark.parametrize("family", OTHERWISE)
def test_others_are_told_the_family_to_try(family):
    assert f"family='{family}'" in look(OTHERWISE[family].astype(float))


def test_ratings_are_told_of_cumulative_only_where_there_is_such_a_family(monkeypatch):
    ratings = RNG.integers(1, 8, 80).astype(float)
    monkeypatch.delitem(FAMILIES, "cumulative", raising=False)
    assert look(ratings) == ""
    monkeypatch.setitem(FAMILIES, "cumulative", FAMILIES["gaussian"])
    assert look(ratings).endswith("of ratings try family='cumulative'")


def data(**columns):
    return pd.DataFrame({"g": ["a", "b"] * 20, **columns})


def test_a_model_warns_only_where_no_family_was_named():
    frame = data(y=RNG.poisson(3, 40), hit=RNG.uniform(size=40) < 0.5, w=RNG.normal(size=40))
    with pytest.warns(DefaultFamilyWarning, match="taken as gaussian; yet it is whole numbers"):
        model = ba.Model("y ~ g", frame)
    assert model.family.name == "gaussian"
    with pytest.warns(DefaultFamilyWarning, match="'hit'.*family='bernoulli'"):
        ba.Model("hit ~ g", frame)
    with pytest.warns(DefaultFamilyWarning, match="'y'"):
        ba.Model.from_design(frame.assign(s=frame.index // 4), dv="y", unit="s", within="g")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ba.Model("y ~ g", frame, family="gaussian")
        ba.Model("y ~ g", frame, family="poisson")
        ba.Model("w ~ g", frame)
        ba.Model("sqrt(y) ~ g", frame)  # its author knows that it is a count
