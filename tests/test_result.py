"""A result is a table of contents: its methods are functions of a posterior."""

import inspect

import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.posterior.posterior import Posterior

METHODS = (
    "means deflections contrasts slopes unit_slopes unit_correlations sphericity anova explained "
    "probability orders kruschke draws_of category_probabilities category_contrasts superiority "
    "zeros quantiles summary trust predict posterior_predictive predictive_check prior_predictive "
    "loo misfit sensitivity marginal_likelihood savage_dickey order_bayes_factor save plot "
    "plot_priors table to_markdown to_latex report".split()
)
PROPERTIES = "graph verdict complaints diagnostics model design family link priors".split()
FIELDS = "idata draws sampling log_evidence specification".split()

#: Tables as methods of a result, to be compared with the functions of the posterior alone.
TABLES = {
    "means": ("nitrogen",),
    "deflections": (),
    "contrasts": ("nitrogen", "poly"),
    "anova": (),
    "probability": ("Victory > Marvellous", "variety"),
    "orders": ("variety",),
    "kruschke": (),
    "trust": (),
    "summary": (),
    "sensitivity": (),
    "misfit": (),
    "marginal_likelihood": (),
    "explained": (),
}


def test_the_public_names_are_these(quick_fit):
    public = {name for name in dir(quick_fit("oats")) if not name.startswith("_")}
    assert public == {*METHODS, *PROPERTIES, *FIELDS, "parameter"}


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_functions_of_a_posterior(name):
    method = getattr(ba.Result, name)
    first = next(iter(inspect.signature(method).parameters))
    assert first in ("posterior", "model")
    assert method.__qualname__ == method.__name__  # a function of a module
    assert "Examples\n" in method.__doc__


def test_a_summary_names_parameters_for_readers_and_for_bambi(quick_fit):
    result = quick_fit("covariate")
    table = result.summary(0.9).set_index("parameter")
    assert table["variable"].to_dict() == {
        "Intercept": "Intercept",
        "slope of age": "age",
        "sigma": "sigma",
        "sd of encouragement": "1|encouragement_sigma",
        "sd of encouragement:age": "age|encouragement_sigma",
        "sd of person": "1|person_sigma",
    }
    draws = result.idata["posterior"]["age|encouragement_sigma"].to_numpy()
    row = table.loc["sd of encouragement:age"]
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["hdi90_lb"] < row["mean"] < row["hdi90_ub"]
    names = set(result.trust()["quantity"])
    assert set(table.index) <= names
    assert set(table.index) == {name for name, _ in result.priors.rows()}


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties_say_what_they_are(name):
    assert getattr(ba.Result, name).__doc__


@pytest.mark.parametrize("name", TABLES)
def test_functions_take_a_posterior_that_is_no_result(name, quick_fit):
    result = quick_fit("oats")
    posterior = Posterior(**vars(result))
    found = getattr(ba.Result, name)(posterior, *TABLES[name])
    pd.testing.assert_frame_equal(found, getattr(result, name)(*TABLES[name]))


def test_tables_of_trust_are_the_users_own(quick_fit):
    result = quick_fit("oats")
    table = result.trust()
    table["trusted"] = False
    assert result.trust()["trusted"].any()
