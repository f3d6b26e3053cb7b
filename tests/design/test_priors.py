"""Priors: Kruschke's numbers, and the user's in their place."""

from dataclasses import dataclass, field

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

import bambi_anova as ba
from bambi_anova.design.priors import check_priors, make_priors
from bambi_anova.errors import ConcentrationWarning, PriorError
from bambi_anova.families.registry import get_family
from bambi_anova.priors.distributions import Prior
from bambi_anova.priors.kruschke import gamma_from_mode


@dataclass
class Given:
    """Stands in for a ``bambi.Prior``: anything with a name and arguments will do."""

    name: str
    args: dict = field(default_factory=dict)


HALF_NORMAL = Given("HalfNormal", {"sigma": 3.0})


@pytest.fixture
def priors(build):
    """From a formula, data and the user's priors to all priors."""

    def priors(text, data, family="gaussian", given=None):
        return make_priors(build(text, data, family), get_family(family), given)

    return priors


def gamma(prior):
    assert prior.name == "Gamma"
    assert set(prior.args) == {"alpha", "beta"}
    return stats.gamma(prior.args["alpha"], scale=1 / prior.args["beta"])


def mode(distribution):
    """Return the place of the highest density, found numerically."""
    middle = distribution.median()
    found = optimize.minimize_scalar(
        lambda x: -distribution.logpdf(x), bounds=(0, 3 * middle), options={"xatol": 1e-9 * middle}
    )
    return found.x


# -- Kruschke's numbers ------------------------------------------------------------------------


@given(st.floats(1e-3, 1e3), st.floats(0.1, 10))
def test_the_gamma_has_the_mode_and_sd_asked_for(wanted, ratio):
    distribution = gamma(gamma_from_mode(wanted, wanted * ratio))
    assert distribution.std() == pytest.approx(wanted * ratio)
    around = wanted * np.array([0.999, 1.0, 1.001])
    assert np.argmax(distribution.logpdf(around)) == 1


def test_the_mode_is_the_highest_point_of_the_density():
    assert mode(gamma(gamma_from_mode(2.0, 4.0))) == pytest.approx(2, rel=1e-4)
    # Kruschke rounds this one to shape 1.64 and rate 0.32.
    assert gamma_from_mode(2.0, 4.0).args == pytest.approx({"alpha": 1.64, "beta": 0.32}, abs=5e-3)


@pytest.mark.parametrize("family", ["gaussian", "t"])
def test_metric_responses(priors, split_plot, family):
    found = priors("y ~ group * task + Error(subject/task)", split_plot, family)
    sd = split_plot["y"].std(ddof=1)
    assert found.intercept == Prior(
        "Normal", {"mu": pytest.approx(split_plot["y"].mean()), "sigma": pytest.approx(5 * sd)}
    )
    assert list(found.sigmas) == ["group", "task", "group:task", "subject", "subject:task"]
    for prior in found.sigmas.values():
        assert mode(gamma(prior)) == pytest.approx(sd / 2, rel=1e-4)
        assert gamma(prior).std() == pytest.approx(2 * sd)
    assert found.auxiliary["sigma"] == Prior(
        "Uniform", {"lower": pytest.approx(sd / 100), "upper": pytest.approx(10 * sd)}
    )
    assert not found.covariates


def test_the_sd_is_that_of_a_sample(priors):
    data = pd.DataFrame({"A": list("aabb"), "y": [1.0, 2.0, 3.0, 6.0]})
    sd = np.sqrt(14 / 3)
    assert priors("y ~ A", data).auxiliary["sigma"].args["upper"] == pytest.approx(10 * sd)


def test_positive_responses_are_judged_by_their_logarithm(priors, split_plot):
    split_plot["time"] = np.exp(split_plot["y"] / 3)
    found = priors("time ~ group", split_plot, "gamma")
    assert found.intercept.args["mu"] == pytest.approx(split_plot["y"].mean() / 3)
    assert found.intercept.args["sigma"] == pytest.approx(5 * split_plot["y"].std() / 3)


@pytest.mark.parametrize(
    ("family", "response"),
    [("bernoulli", "hit"), ("binomial", "p(hits, shown)"), ("beta", "share")],
)
def test_binary_responses_and_proportions(priors, split_plot, family, response):
    data = split_plot.assign(hit=split_plot["y"] > 10, share=split_plot["y"] / 100)
    found = priors(f"{response} ~ group * task + Error(subject)", data, family)
    assert found.intercept == Prior("Normal", {"mu": 0, "sigma": 2})
    assert len(found.sigmas) == 4
    for prior in found.sigmas.values():
        assert prior == Prior("Gamma", {"alpha": 1.64, "beta": 0.32})


def test_counts_one_to_a_cell(priors):
    counts = [20, 84, 17, 94, 68, 119, 26, 7]
    data = pd.DataFrame({"A": list("aaaabbbb"), "B": list("wxyzwxyz"), "count": counts})
    found = priors("count ~ A * B", data, "poisson")
    y_log_mean = np.log(sum(counts) / 8)
    y_log_sd = np.log(np.std([0] * 7 + [sum(counts)], ddof=1))
    assert found.intercept.args == pytest.approx({"mu": y_log_mean, "sigma": 2 * y_log_sd})
    for prior in found.sigmas.values():
        assert mode(gamma(prior)) == pytest.approx(y_log_sd, rel=1e-4)
        assert gamma(prior).std() == pytest.approx(2 * y_log_sd)


@pytest.mark.parametrize("family", ["poisson", "negativebinomial"])
def test_counts_with_exposures_are_judged_by_their_rate(priors, split_plot, family):
    split_plot["area"] = split_plot["dose"] + 1
    plain = priors("hits ~ group", split_plot, family)
    assert plain.intercept.args["mu"] == pytest.approx(np.log(split_plot["hits"].mean()))
    rates = priors("hits ~ group + offset(log(area))", split_plot, family)
    expected = np.log(split_plot["hits"].sum() / split_plot["area"].sum())
    assert rates.intercept.args["mu"] == pytest.approx(expected)
    assert rates.sigmas == plain.sigmas


def test_a_handful_of_counts_still_has_a_prior(priors):
    data = pd.DataFrame({"A": list("abab"), "count": [0, 1, 0, 0]})
    found = priors("count ~ A", data, "poisson")
    assert gamma(found.sigmas["A"]).std() == pytest.approx(2)
    assert found.intercept.args["sigma"] == pytest.approx(2)


def test_slopes_are_per_unit_of_their_covariate(priors, split_plot):
    text = "y ~ dose * group + (dose|subject)"
    found = priors(text, split_plot)
    y_sd, sd = split_plot["y"].std(), split_plot["dose"].std()
    slope = found.covariates["dose"]
    assert slope == Prior("Normal", {"mu": 0, "sigma": pytest.approx(2 * y_sd / sd)})
    for name in ("dose:group", "dose|subject"):
        assert mode(gamma(found.sigmas[name])) == pytest.approx(y_sd / 2 / sd, rel=1e-4)
        assert gamma(found.sigmas[name]).std() == pytest.approx(2 * y_sd / sd)
    # In other units of the covariate the prior of what it does is the same.
    grams = priors(text, split_plot.assign(dose=split_plot["dose"] * 1000))
    assert grams.covariates["dose"].args["sigma"] == pytest.approx(slope.args["sigma"] / 1000)
    for name in ("dose:group", "dose|subject"):
        assert gamma(grams.sigmas[name]).std() == pytest.approx(
            gamma(found.sigmas[name]).std() / 1000
        )


@pytest.mark.parametrize(
    ("family", "response", "further"),
    [("t", "y", ["sigma", "nu"]), ("binomial", "p(hits, shown)", []), ("poisson", "hits", [])],
)
def test_all_parameters_have_priors_in_one_order(priors, split_plot, family, response, further):
    found = priors(f"{response} ~ group + dose + Error(subject)", split_plot, family)
    labels = [label for label, _ in found.rows()]
    assert labels[:4] == ["Intercept", "slope of dose", "sd of group", "sd of subject"]
    assert labels[4:] == further


# -- The user's priors -------------------------------------------------------------------------

TEXT = "y ~ group * task + dose + Error(subject/task) + (dose|subject)"


@pytest.mark.parametrize(
    "name", ["group", "group:task", "subject", "subject:task", "dose|subject", "1|subject"]
)
def test_a_prior_of_a_scale_replaces_that_one_alone(priors, split_plot, name):
    default, found = priors(TEXT, split_plot), priors(TEXT, split_plot, given={name: HALF_NORMAL})
    key = name.removeprefix("1|")
    assert found.sigmas[key] == Prior("HalfNormal", {"sigma": 3.0})
    assert found.sigmas[key].given is HALF_NORMAL
    changed = {k for k in default.sigmas if default.sigmas[k] != found.sigmas[k]}
    assert changed == {key}
    assert found.intercept == default.intercept
    assert found.covariates == default.covariates
    assert found.auxiliary == default.auxiliary


def test_priors_of_the_intercept_a_slope_and_the_residual(priors, split_plot):
    normal = Given("Normal", {"mu": 1, "sigma": 2})
    given_priors = {"Intercept": normal, "dose": normal, "sigma": HALF_NORMAL}
    before = dict(given_priors)
    found = priors(TEXT, split_plot, given=given_priors)
    assert found.intercept == found.covariates["dose"] == Prior("Normal", {"mu": 1, "sigma": 2})
    assert found.auxiliary["sigma"] == Prior("HalfNormal", {"sigma": 3.0})
    assert found.sigmas == priors(TEXT, split_plot).sigmas
    assert given_priors == before


@pytest.mark.parametrize("value", [2, 0.5, np.float64(0.5), np.int64(2)])
def test_the_residual_may_be_a_known_number(priors, split_plot, value):
    assert priors(TEXT, split_plot, given={"sigma": value}).auxiliary["sigma"] == value


def test_priors_of_bambi_are_taken(priors, split_plot):
    found = priors(
        TEXT,
        split_plot,
        given={
            "Intercept": bmb.Prior("Normal", mu=1, sigma=2),
            "group": bmb.Prior("HalfNormal", sigma=3),
            "subject": bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=4)),
            "sigma": bmb.Prior("Exponential", lam=1),
        },
    )
    assert found.intercept == Prior("Normal", {"mu": 1, "sigma": 2})
    assert found.sigmas["group"] == Prior("HalfNormal", {"sigma": 3})
    assert found.sigmas["subject"] == Prior("HalfNormal", {"sigma": 4})
    assert found.auxiliary["sigma"] == Prior("Exponential", {"lam": 1})
    assert isinstance(found.sigmas["group"].given, bmb.Prior)


@pytest.mark.parametrize("mu", [0, 0.0, np.array(0.0)])
def test_the_scale_may_be_written_as_bambi_writes_it(priors, split_plot, mu):
    hyper = Given("Normal", {"mu": mu, "sigma": HALF_NORMAL})
    found = priors(TEXT, split_plot, given={"subject": hyper})
    assert found.sigmas["subject"] == Prior("HalfNormal", {"sigma": 3.0})
    assert found.sigmas["subject"].given is HALF_NORMAL


# -- Refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("grup", "did you mean 'group'"),
        ("intercept", "did you mean 'Intercept'"),
        ("subject:tsk", "did you mean 'subject:task'"),
        ("sgma", "did you mean 'sigma'"),
        ("doze", "did you mean 'dose'"),
        ("zzz", "known: 'Intercept', 'dose', 'group'"),
        ("nu", "known: 'Intercept'"),
        (3, "known: 'Intercept'"),
    ],
)
def test_a_name_that_is_not_used_is_refused_with_the_nearest(priors, split_plot, name, hint):
    with pytest.raises(PriorError, match=f"{name!r} is not a parameter of this model; {hint}"):
        priors(TEXT, split_plot, given={name: HALF_NORMAL})


@pytest.mark.parametrize("name", ["group", "subject", "dose|subject", "sigma"])
@pytest.mark.parametrize(
    "prior",
    [
        Given("Normal", {"mu": 0, "sigma": 1}),
        Given("StudentT", {"nu": 3, "sigma": 1}),
        Given("Cauchy", {"alpha": 0, "beta": 1}),
        Given("Moyal", {"mu": 0, "sigma": 1}),
        Given("Uniform", {"lower": -1, "upper": 1}),
        Given("TruncatedNormal", {"mu": 0, "sigma": 1, "lower": -1}),
        Given("TruncatedNormal", {"mu": 0, "sigma": 1}),
        Given("TruncatedNormal", {"mu": 0, "sigma": 1, "upper": 2}),
    ],
    ids=str,
)
def test_a_scale_cannot_be_negative(priors, split_plot, name, prior):
    with pytest.raises(PriorError, match=rf"priors\['{name.replace('|', '.')}'\].*HalfNormal"):
        priors(TEXT, split_plot, given={name: prior})


@pytest.mark.parametrize(
    "prior",
    [
        Given("HalfNormal", {"sigma": 1}),
        Given("HalfCauchy", {"beta": 1}),
        Given("Exponential", {"lam": 1}),
        Given("Uniform", {"lower": 0, "upper": 1}),
        Given("TruncatedNormal", {"mu": 1, "sigma": 1, "lower": 0}),
        Given("HalfStudentT", {"nu": 3, "sigma": 1}),
    ],
    ids=str,
)
def test_a_scale_may_have_any_prior_above_zero(priors, split_plot, prior):
    found = priors(TEXT, split_plot, given={"group": prior, "sigma": prior})
    assert found.sigmas["group"] == found.auxiliary["sigma"] == Prior(prior.name, prior.args)


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("Intercept", "Flat"),
        ("dose", "Flat"),
        ("group", "HalfFlat"),
        ("subject", "HalfFlat"),
        ("sigma", "HalfFlat"),
    ],
)
def test_improper_priors_are_refused(priors, split_plot, name, prior):
    with pytest.raises(PriorError, match=rf"priors\['{name}'\]: {prior} is improper"):
        priors(TEXT, split_plot, given={name: Given(prior)})
    with pytest.raises(PriorError, match="improper"):
        priors(TEXT, split_plot, given={name: bmb.Prior(prior)})


@pytest.mark.parametrize("name", ["Intercept", "dose", "group", "sigma"])
@pytest.mark.parametrize("value", ["HalfNormal", None, {"sigma": 1}])
def test_something_else_than_a_prior_is_refused(priors, split_plot, name, value):
    with pytest.raises(PriorError, match=rf"priors\['{name}'\]: expected a bambi.Prior"):
        priors(TEXT, split_plot, given={name: value})


@pytest.mark.parametrize("value", [1, 2.5])
def test_only_parameters_of_the_likelihood_may_be_fixed(priors, split_plot, value):
    with pytest.raises(PriorError, match=r"priors\['group'\]: expected a bambi.Prior"):
        priors(TEXT, split_plot, given={"group": value})


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_fixed_residual_must_be_a_positive_number(priors, split_plot, value):
    with pytest.raises(PriorError, match=r"priors\['sigma'\]: expected a positive number"):
        priors(TEXT, split_plot, given={"sigma": value})


@pytest.mark.parametrize(
    "argument", [[1, 2], np.array([1.0, 2.0]), HALF_NORMAL, "wide", None], ids=repr
)
def test_arguments_of_priors_are_single_numbers(priors, split_plot, argument):
    prior = Given("Normal", {"mu": 0, "sigma": argument})
    with pytest.raises(PriorError, match=r"priors\['dose'\]: sigma must be one number"):
        priors(TEXT, split_plot, given={"dose": prior})


@pytest.mark.parametrize("mu", [1, -0.5, [0, 0]])
def test_the_effects_of_a_term_have_mean_zero(priors, split_plot, mu):
    prior = Given("Normal", {"mu": mu, "sigma": HALF_NORMAL})
    with pytest.raises(PriorError, match=r"priors\['group'\]"):
        priors(TEXT, split_plot, given={"group": prior})


# -- As text -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [2.0, 1.23456, 12345.6, 3.2e-6])
def test_priors_as_text_keep_small_numbers(sigma):
    shown = str(Prior("Normal", {"mu": 0.0, "sigma": sigma}))
    start, number = shown.removesuffix(")").split("sigma=")
    assert start == "Normal(mu=0, "
    assert float(number) == pytest.approx(sigma, rel=1e-3)
    assert len(number) <= 8


# -- Concentrations without an inner mode ------------------------------------------------------

LITERAL = bmb.Prior("Gamma", alpha=0.01, beta=0.01)


@pytest.mark.parametrize(
    ("prior", "share"),
    [
        (LITERAL, stats.gamma(0.01, scale=100).cdf(2)),
        (bmb.Prior("Exponential", lam=1.0), stats.expon.cdf(2)),
        (1.5, 1.0),
        (bmb.Prior("Gamma", mu=20, sigma=20), None),
        (2.5, None),
    ],
)
def test_a_prior_of_kappa_below_two_is_warned_of(priors, split_plot, prior, share):
    data = split_plot.assign(hits=np.minimum(split_plot["hits"], split_plot["shown"]))
    text = "p(hits, shown) ~ group * task + Error(subject/task)"
    family = get_family("betabinomial")
    found = list(check_priors(priors(text, data, "betabinomial", {"kappa": prior}), family))
    assert len(found) == (share is not None)
    for warning in found:
        assert isinstance(warning, ConcentrationWarning)
        shown = float(str(warning).split(" has ")[1].split("%")[0]) / 100
        assert shown == pytest.approx(share, abs=0.02)
        assert "kappa_minus_2" in str(warning)


def test_only_the_users_priors_are_warned_of(priors, split_plot):
    data = split_plot.assign(hits=np.minimum(split_plot["hits"], split_plot["shown"]))
    for family in ("binomial", "betabinomial", "betabinomial_mode"):
        own = priors("p(hits, shown) ~ group * task + Error(subject)", data, family)
        assert not list(check_priors(own, get_family(family)))


def test_proportions_are_given_another_remedy(priors, split_plot):
    data = split_plot.assign(share=split_plot["dose"].clip(0.1, 4.9) / 5)
    own = priors("share ~ group + Error(subject)", data, "beta", {"kappa": LITERAL})
    (warning,) = check_priors(own, get_family("beta"))
    assert "mu=20" in str(warning)
    assert "betabinomial" not in str(warning)


def test_the_model_warns(split_plot):
    data = split_plot.assign(hits=np.minimum(split_plot["hits"], split_plot["shown"]))
    text = "p(hits, shown) ~ group * task + Error(subject/task)"
    with pytest.warns(ConcentrationWarning, match="below 2"):
        ba.Model(text, data, family="betabinomial", priors={"kappa": LITERAL})


@pytest.mark.parametrize("mean", [0.02, 0.3, 0.5, 0.9])
def test_below_two_a_beta_distribution_is_unbounded(mean):
    for kappa in (0.5, 1.99):
        assert min(mean * kappa, (1 - mean) * kappa) < 1
