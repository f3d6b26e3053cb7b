"""Further parameters with predictors: derivatives, glmmTMB's maxima, what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.families.distributional import mean_depends_on, with_predictors
from bambi_anova.families.registry import FAMILIES, get_family
from tests.generated import generated, left_hand_side

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
REFERENCE = Path(__file__).parent.parent / "reference"

PREDICTABLE = [
    (name, one.name)
    for name, family in FAMILIES.items()
    for one in family.auxiliary
    if one.predictable is not None and one.name not in family.always
]


def likelihood_of(family, parameter):
    """The likelihood of some rows, a point of its predictors, and its further parameters."""
    known, rng = get_family(family), np.random.default_rng(3)
    link = known.parent.links[0].name
    model = ba.Model(
        f"{left_hand_side(known)} ~ group",
        generated(family, link, units=4),
        family=family,
        predictors={parameter: "group"},
    )
    likelihood = model.family.likelihood(model.links, model.collapsed)
    rows = len(model.collapsed.first)
    first = model.link.forward(model.family.response.middle(likelihood.data))
    eta = np.concatenate([0.3 * first.mean() + 0.3 * first, 0.3 * rng.normal(size=(rows, 1))])
    aux = {one.name: np.array([0.7]) for one in model.family.auxiliary}
    return likelihood, np.repeat(eta, 2, axis=1), {k: np.repeat(v, 2) for k, v in aux.items()}


@pytest.mark.parametrize(("family", "parameter"), PREDICTABLE)
def test_the_gradient_is_that_of_the_log_likelihood(family, parameter):
    likelihood, eta, aux = likelihood_of(family, parameter)
    found, h, size = likelihood.derivatives(eta, aux), 1e-5, len(eta) // 2
    for k in range(2):
        shift = np.zeros_like(eta)
        shift[k * size : (k + 1) * size] = h
        slope = (likelihood.log(eta + shift, aux) - likelihood.log(eta - shift, aux)) / (2 * h)
        np.testing.assert_allclose(found.gradient[k], slope, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(("family", "parameter"), PREDICTABLE)
def test_the_information_of_every_row_is_positive_definite(family, parameter):
    likelihood, eta, aux = likelihood_of(family, parameter)
    information = likelihood.derivatives(eta, aux).information
    determinant = information[0, 0] * information[1, 1] - information[0, 1] ** 2
    assert (information[0, 0] > 0).all()
    assert (determinant > 0).all()


def by_differences(family, parameter):
    """The same family without derivatives in closed form."""
    from dataclasses import replace

    known = get_family(family)
    forms = {links: replace(own, predicted={}) for links, own in known.likelihoods.items()}
    return with_predictors(replace(known, likelihoods=forms), [parameter])


@pytest.mark.parametrize("family", ["gaussian", "lognormal"])
def test_closed_forms_are_what_differences_give(family):
    known = get_family(family)
    model = ba.Model(
        f"{left_hand_side(known)} ~ group",
        generated(family, known.parent.links[0].name, units=4),
        family=family,
        sigma="group",
    )
    links, rows = model.links, model.collapsed
    exact = model.family.likelihood(links, rows)
    other = by_differences(family, "sigma").likelihood(links, rows)
    rng = np.random.default_rng(1)
    eta = rng.normal(size=(2 * len(rows.first), 3))
    one, two = exact.derivatives(eta, {}), other.derivatives(eta, {})
    np.testing.assert_allclose(exact.log(eta, {}), other.log(eta, {}), rtol=1e-9)
    np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(one.information, two.information, rtol=1e-4, atol=1e-2)


def test_information_about_a_gamma_shape_is_its_expectation():
    likelihood, eta, aux = likelihood_of("gamma", "alpha")
    size = len(eta) // 2
    alpha, n = np.exp(eta[size:]), likelihood.data.n
    expected = n * (alpha**2 * special.polygamma(1, alpha) - alpha)
    found = likelihood.derivatives(eta, aux).information
    np.testing.assert_allclose(found[1, 1], expected, rtol=1e-3)
    np.testing.assert_allclose(found[0, 1], 0, atol=1e-3 * np.abs(found[0, 0]).max())


@pytest.mark.parametrize(
    ("family", "response", "parameter", "power"),
    [
        ("gaussian", "y", "sigma", 0.5),
        ("negativebinomial", "count", "alpha", 1.0),
        ("beta", "share", "kappa", 1.0),
    ],
)
def test_glmmtmbs_estimates_are_maxima_of_the_likelihood(family, response, parameter, power):
    data = pd.read_csv(REFERENCE / "spread.csv")
    table = pd.read_csv(REFERENCE / "spread_glmmtmb.csv")
    table = table[table["family"] == family]
    mean = table.loc[table["part"] == "mean", "value"].to_numpy()
    # Of normal rows glmmTMB's dispersion is the variance.
    spread = power * table.loc[table["part"] == "spread", "value"].to_numpy()
    model = ba.Model(
        f"{response} ~ group + cond",
        data,
        family=family,
        predictors={parameter: "group"},
        collapse=False,
    )
    likelihood = model.family.likelihood(model.links, model.collapsed)
    b, v, w = (data["group"] == "b"), (data["cond"] == "v"), (data["cond"] == "w")
    ones = np.ones(len(data))
    of_mean, of_spread = np.column_stack([ones, b, v, w]), np.column_stack([ones, b])
    eta = np.concatenate([of_mean @ mean, of_spread @ spread])[:, None]
    values = model.design.rows.response.values
    total = likelihood.log(eta, {}).sum() + model.family.constants(values, ones).sum()
    log_likelihood = table.loc[table["part"] == "logLik", "value"].item()
    assert total == pytest.approx(log_likelihood, abs=1e-4)
    gradient = likelihood.derivatives(eta, {}).gradient[..., 0]
    np.testing.assert_allclose(gradient[0] @ of_mean, 0, atol=0.02)
    np.testing.assert_allclose(gradient[1] @ of_spread, 0, atol=0.02)


def test_what_the_response_scale_depends_on():
    depends = {
        (name, one): mean_depends_on(get_family(name), one)
        for name, one in PREDICTABLE
        if name in ("gaussian", "t", "lognormal", "gamma", "zero_inflated_poisson", "exgaussian")
    }
    assert {pair for pair, yes in depends.items() if yes} == {
        ("lognormal", "sigma"),
        ("zero_inflated_poisson", "psi"),
    }


@pytest.fixture(scope="module")
def rows():
    return pd.read_csv(REFERENCE / "spread.csv")


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ group; nu ~ group", {}, "nu ~ .*family='gaussian'.*known: 'sigma'"),
        ("count ~ group; sigma ~ 1", {"family": "poisson"}, "it has none"),
        ("y ~ group; sigma ~ 0 + cond", {}, "removes the intercept"),
        ("y ~ group; sigma ~ y", {}, "would explain the response"),
        ("y ~ group; sigma ~ group; sigma ~ cond", {}, "two formulas for 'sigma'"),
        ("y ~ group; sigma ~ offset(count)", {}, "offset.* of the mean alone"),
        ("y ~ group; sigma", {}, "expected one '~'"),
        ("y ~ group; 'a' ~ 1", {}, "expected a parameter such as sigma"),
        ("y ~ group", {"sigma": 3.0}, "sigma=3.0: expected the right-hand side"),
        ("y ~ group", {"sigma": "  "}, "expected the right-hand side"),
        ("y ~ group", {"predictors": "group"}, "expected right-hand sides by parameter"),
        ("y ~ group", {"predictors": {"sigma": "1"}, "sigma": "1"}, "two formulas for 'sigma'"),
        ("y ~ group", {"sigma": "nothing"}, "no column 'nothing'"),
        ("y ~ group", {"sigma": "group", "priors": {"sigma": 2.0}}, "its priors are a mapping"),
        (
            "y ~ group",
            {"sigma": "group", "priors": {"sigma": {"cond": None}}},
            r"priors\['sigma'\]: 'cond' is not a parameter",
        ),
    ],
)
def test_formulas_that_mean_nothing_are_refused_in_words(rows, formula, options, words):
    with pytest.raises(ba.errors.AnovaError, match=words):
        ba.Model(formula, rows, **options)


@pytest.mark.parametrize(
    ("family", "name", "words"),
    [
        ("cumulative", "threshold", r"share their thresholds.*\(1\|item\).*fit_many"),
        ("sratio", "threshold_1", "share their thresholds"),
        ("shifted_lognormal", "shift", "below every time.*fit_many.*exgaussian"),
        ("exgaussian", "shift", "known: "),
    ],
)
def test_what_is_the_same_for_all_says_what_to_do_instead(family, name, words):
    with pytest.raises(ba.errors.FormulaError, match=words):
        with_predictors(get_family(family), [name])


def test_three_ways_to_write_a_model_are_one(rows):
    import bambi as bmb

    one = ba.Model("y ~ group; sigma ~ cond", rows)
    for other in (
        ba.Model(bmb.Formula("y ~ group", "sigma ~ cond"), rows),
        ba.Model("y ~ group", rows, sigma="cond"),
        ba.Model("y ~ group", rows, predictors={"sigma": "~ cond"}),
    ):
        assert str(other) == str(one)


def test_a_spread_of_rows_that_do_not_differ_is_refused(rows):
    cell = (rows["group"] == "a") & (rows["cond"] == "u")
    same = rows.assign(y=rows["y"].where(~cell, 11.0))
    with pytest.raises(ba.errors.DataError, match="does not vary in the 14 rows of a:u"):
        ba.Model("y ~ group * cond", same, family="gaussian", sigma="group * cond")
    # In what is left of the group rows vary, so that a sd for the group has a least value.
    ba.Model("y ~ group * cond", same, family="gaussian", sigma="group + cond")
    single = rows[~cell | (cell.cumsum() == 1)]
    ba.Model("y ~ group * cond", single, family="gaussian", sigma="group * cond")


def test_a_gamma_shape_starts_at_the_scatter_of_the_log_response():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"A": list("ab") * 20, "y": np.exp(rng.normal(-4, 0.5, 40))})
    model = ba.Model("y ~ A", frame, family="gamma", alpha="A")
    likelihood = model.family.likelihood(model.links, model.collapsed)
    _, start = np.split(likelihood.own_predictor()[:, 0], 2)
    np.testing.assert_allclose(start, np.log(np.log(frame["y"]).std(ddof=0)))
