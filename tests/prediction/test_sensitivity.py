"""Power-scaling: exact log priors, known conflicts, and what the words mean."""

import warnings

import bambi as bmb
import numpy as np
import pytest
from scipy import integrate, stats

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.prediction.exchanged import (
    ALL_SDS,
    NOT_TOLD,
    REFITTED,
    REWEIGHTED,
    exchanges,
    refitted,
    reweighted,
)
from bambi_anova.prediction.predictors import read_predictor
from bambi_anova.prediction.rows import total_log_likelihood
from bambi_anova.prediction.sensitivity import (
    CONFLICT,
    DEPENDS,
    FINE,
    STRONG,
    _main_quantities,
    _moves,
    _sensitivity,
    diagnosis,
    implied_priors,
    log_priors,
    sensitivity_table,
)
from bambi_anova.tables.columns import SENSITIVITY

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def fit(formula, data, family="gaussian", draws=500, **options):
    model = ba.Model(formula, data, family=family, **options)
    return model.fit("laplace", draws=draws, random_seed=1, progressbar=False)


@pytest.fixture
def slopes(split_plot):
    formula = "y ~ group * task + dose + group:dose + (1|subject) + (dose|subject)"
    return fit(formula, split_plot, draws=25)


@pytest.mark.slow
def test_log_priors_are_those_of_the_bambi_model(split_plot):
    """The free variables of the PyMC model that are hyperparameters, one by one."""
    slopes = fit("y ~ group * task + dose + group:dose + (dose||subject)", split_plot, draws=25)
    posterior = slopes.idata["posterior"].to_dataset()
    found = log_priors(posterior, slopes.model)
    model = slopes.model.bambi_model.backend.model
    free = {variable.name: variable for variable in model.free_RVs}
    names = {
        "Intercept": "Intercept",
        "slope of dose": "dose",
        "sigma": "sigma",
        "sd of group": "1|group_sigma",
        "sd of task": "1|task_sigma",
        "sd of group:task": "1|group:task_sigma",
        "sd of group:dose": "dose|group_sigma",
        "sd of subject": "1|subject_sigma",
        "sd of dose|subject": "dose|subject_sigma",
    }
    assert set(found) == set(names)
    assert set(names.values()) == {n for n in free if not n.endswith("_offset")}
    import pymc as pm
    from pytensor.graph.traversal import ancestors

    for label, name in names.items():
        values = posterior[name].to_numpy()
        if label in (
            "Intercept",
            "slope of dose",
        ):  # given the standard deviations that share in it
            sigmas = [other for other in names.values() if other.endswith("_sigma")]
            want = np.array(
                [
                    [
                        pm.logp(free[name], values[chain, draw]).eval(
                            {
                                free[other]: posterior[other].to_numpy()[chain, draw]
                                for other in sigmas
                                if free[other] in set(ancestors([free[name]]))
                            }
                        )
                        for draw in range(3)
                    ]
                    for chain in range(len(values))
                ]
            )
            np.testing.assert_allclose(found[label][:, :3], want, rtol=1e-6, err_msg=label)
            continue
        want = pm.logp(free[name], values).eval()
        np.testing.assert_allclose(found[label], want, rtol=1e-6, err_msg=label)


def test_the_likelihood_is_that_of_the_rows(split_plot):
    merged = fit("y ~ group * task + (1|subject)", split_plot.round(1), draws=25)
    plain = fit("y ~ group * task + (1|subject)", split_plot.round(1), draws=25, collapse=False)
    posterior = merged.idata["posterior"].to_dataset()
    totals = [
        total_log_likelihood(read_predictor(posterior, merged.model), result.model)
        for result in (merged, plain)
    ]
    difference = totals[0] - totals[1]
    assert merged.model.collapsed.merged
    assert np.ptp(difference) < 1e-8


def conjugate(data_mean=5.0, prior_mean=0.0, prior_sd=1.0, n=4, draws=40_000):
    """Draws of a normal mean with a normal prior, log prior and log likelihood."""
    precision = n + 1 / prior_sd**2
    mean = (n * data_mean + prior_mean / prior_sd**2) / precision
    rng = np.random.default_rng(1)
    mu = rng.normal(mean, precision**-0.5, (4, draws // 4))
    return mu, -((mu - prior_mean) ** 2) / (2 * prior_sd**2), -n * (mu - data_mean) ** 2 / 2


def test_shifts_are_those_of_the_conjugate_normal():
    mu, log_prior, _ = conjugate()
    # posterior mean at alpha: n 5 / (n + alpha), so its derivative at 1 is -20 / 25
    want = np.log(2) * (-20 / 25) / 5**-0.5
    assert _moves(mu[None], log_prior)[0] == pytest.approx(want, rel=0.03)


def test_sensitivity_is_that_of_reweighted_draws():
    """Negative control: power-scaling a prior that is far from the data moves the mean."""
    mu, log_prior, log_likelihood = conjugate()
    table = sensitivity_table({"mu": mu}, {"prior": log_prior}, log_likelihood)
    assert table["diagnosis"].tolist() == [CONFLICT]
    mu, log_prior, log_likelihood = conjugate(prior_sd=50.0)
    table = sensitivity_table({"mu": mu}, {"prior": log_prior}, log_likelihood)
    assert table["diagnosis"].tolist() == [FINE]
    assert table["likelihood"][0] > 0.05
    mu, log_prior, log_likelihood = conjugate(data_mean=0.02, prior_sd=0.01, n=1)
    table = sensitivity_table({"mu": mu}, {"prior": log_prior}, log_likelihood)
    assert table["diagnosis"].tolist() == [STRONG]


def test_what_does_not_move_is_not_sensitive():
    mu, log_prior, _ = conjugate(draws=400)
    constant = np.ones_like(mu)
    assert _sensitivity(np.stack([mu, constant]), log_prior)[1] == 0
    assert _sensitivity(mu[None], constant).tolist() == [0]
    assert _moves(np.stack([constant]), log_prior).tolist() == [0]
    assert diagnosis(np.nan, 1.0) == FINE


def test_a_prior_that_disagrees_with_the_data_is_found(split_plot):
    split_plot["y"] += 8 * (split_plot["task"] == "y")
    # With an interaction its sd would do the work of the task's.
    formula = "y ~ group + task + (1|subject)"
    tight = {"task": bmb.Prior("HalfNormal", sigma=0.2)}
    found = {}
    for name, priors in (("default", None), ("tight", tight)):
        table = fit(formula, split_plot, priors=priors, draws=1000).sensitivity()
        own = table[(table["prior"] == "sd of task") & (table["quantity"] == "task: x - y")]
        found[name] = own.iloc[0]
    assert found["tight"]["diagnosis"] == CONFLICT
    assert found["default"]["diagnosis"] == FINE
    assert found["tight"]["shift"] > 0.3  # towards no difference: x - y is -8


def test_the_table_holds_every_prior_and_what_an_anova_is_about(slopes):
    table = slopes.sensitivity(refit=False)
    assert table.columns.tolist() == SENSITIVITY
    of_units = {"sd of subject", "sd of dose|subject", "correlation of dose|subject"}
    assert {"Intercept", "slope of dose", "sigma"} | of_units == set(table["prior"]) - {
        "sd of group",
        "sd of task",
        "sd of group:task",
        "sd of group:dose",
        "all sds",
    }
    assert {
        "correlation of subject and dose|subject",
        "group: A - B",
        "task: x - y",
        "deflection group:task A:x",
        "slope of dose",
        "sigma",
    } < set(table["quantity"])
    assert len(table) == table["prior"].nunique() * table["quantity"].nunique()
    finite = slopes.sensitivity(population="finite", refit=False)
    assert not finite["sensitivity"].equals(table["sensitivity"])
    with pytest.raises(ArgumentError, match="population"):
        slopes.sensitivity(population="all")


def test_parameters_that_are_held_have_no_prior(split_plot):
    result = fit("y ~ group + (1|subject)", split_plot, priors={"sigma": 2.0}, draws=25)
    assert "sigma" not in set(result.sensitivity(refit=False)["prior"])


def test_factors_with_the_same_levels_are_told_apart(split_plot):
    """Compared by levels alone, "no" of one factor would stand beside "no" of the other."""
    yes = {"A": "no", "B": "yes", "x": "no", "y": "yes"}
    frame = split_plot.assign(third=split_plot["attempt"].map({0: "no", 1: "yes", 2: "no"}))
    frame = frame.replace({"group": yes, "task": yes})
    result = fit("y ~ group * task * third + (1|subject)", frame, draws=25)
    quantities = result.trust()[["quantity", "population"]]
    assert not quantities.duplicated().any()
    same = ba.compare_fits(result, result)
    assert len(same) == len(quantities)
    assert same["shift"].abs().max() == 0
    # Three pairs, four deflections of each two-way interaction and eight of the other.
    names = result.sensitivity(refit=False)["quantity"].unique()
    assert sum(name.startswith("deflection ") for name in names) == 3 * 4 + 8
    assert sum(name.endswith(": no - yes") for name in names) == 3
    with pytest.raises(ArgumentError, match="full: expected a Result"):
        ba.compare_fits(result, result.model)
    with pytest.raises(ArgumentError, match="threshold"):
        result.sensitivity(threshold="much")


# -- Other priors ------------------------------------------------------------------------------


def test_reweighted_draws_are_the_conjugate_posterior_under_another_prior():
    mu, _, _ = conjugate()  # data of mean 5, n = 4, prior N(0, 1)
    for sd in (0.8, 2.0):
        other = -(mu**2) / (2 * sd**2) + mu**2 / 2
        precision = 4 + 1 / sd**2
        mean, spread = reweighted(mu[None], other)
        assert mean[0] == pytest.approx(20 / precision, abs=0.04)
        assert spread[0] == pytest.approx(precision**-0.5, rel=0.1)
    assert reweighted(mu[None], -200 * (mu - 8) ** 2) is None
    mean, spread = reweighted(mu[None], np.zeros_like(mu))
    assert (mean[0], spread[0]) == (mu.mean(), mu.std())


@pytest.fixture(scope="module")
def few():
    """Four blocks of two plots: hardly any data about the sds of blocks and of the treatment."""
    import pandas as pd

    rng = np.random.default_rng(5)
    data = pd.DataFrame({"block": list("aabbccdd"), "dose": ["lo", "hi"] * 4})
    data["y"] = np.repeat(rng.normal(size=4), 2) + 1.2 * (data["dose"] == "hi")
    data["y"] += rng.normal(size=8)
    return fit("y ~ dose + Error(block)", data, draws=1000), data


def test_every_exchange_is_that_of_a_fit_under_the_other_prior(few):
    """By brute force: fits of models that are made anew, with the priors by name."""
    result, data = few
    variables = result.idata["posterior"].to_dataset()
    own = sum(log_priors(variables, result.model).values())
    quantities = _main_quantities(result, "super")
    values = np.stack(list(quantities.values()))
    asked = {(one.prior, one.exchange): one.model for one in exchanges(result.model)}
    assert len(asked) == 3 * 3 + 2 * 2
    told = 0
    for key in [
        ("sd of dose", "half the scale"),
        (ALL_SDS, "half-normal"),
        ("sigma", "half the scale"),
        ("Intercept", "double the scale"),
    ]:
        new = asked[key].priors
        named = {
            "Intercept": new.intercept,
            **new.sigmas,
            "sigma": new.auxiliary["sigma"],
        }
        priors = {name: bmb.Prior(one.name, **one.args) for name, one in named.items()}
        brute = fit("y ~ dose + Error(block)", data, draws=4000, priors=priors)
        wanted = np.stack(list(_main_quantities(brute, "super").values()))
        found = reweighted(values, sum(log_priors(variables, asked[key]).values()) - own)
        if found is None:
            continue
        told += 1
        sd = wanted.std(axis=(1, 2))
        assert np.abs(found[0] - wanted.mean(axis=(1, 2))).max() < 0.15 * sd.max()
        assert (np.abs(found[0] - wanted.mean(axis=(1, 2))) < 0.15 * sd).all(), key
        np.testing.assert_allclose(found[1], sd, rtol=0.25)
    assert told >= 3


def test_refits_take_the_place_of_weights_that_run_wild(few):
    """A prior that holds the treatment's sd near zero, exchanged for one that does not."""
    _, data = few
    tight = {"dose": bmb.Prior("Gamma", alpha=400.0, beta=4000.0)}
    result = fit("y ~ dose + Error(block)", data, priors=tight, draws=500)
    one = next(e for e in exchanges(result.model) if e.exchange == "double the scale")
    assert str(one.model.priors.sigmas["dose"]) == "Gamma(alpha=400, beta=2000)"
    table = result.sensitivity(progressbar=False)
    own = table[(table["prior"] == "sd of dose") & (table["quantity"] == "sd of dose")].iloc[0]
    assert own["how"] == REFITTED
    sd = result.draws.sigmas["dose"].std()
    assert own["moved"] * sd == pytest.approx(0.1, abs=0.01) or own["exchange"] == "half-normal"
    untold = result.sensitivity(refit=False)
    assert set(untold["how"]) == {REWEIGHTED, NOT_TOLD}
    again = refitted(one, lambda p: {"x": p.draws.sigmas["dose"]}, (4, 100), 1)
    assert again[0][0] == pytest.approx(0.2, abs=0.02)


def test_what_an_exchange_moves_is_not_called_insensitive(few):
    result, _ = few
    table = result.sensitivity()
    far = (table["moved"].abs() >= 0.3) | (np.log(table["sd_ratio"]).abs() >= np.log(1.3))
    assert far.any()
    assert (table.loc[far, "diagnosis"] != FINE).all()
    assert (table.loc[~far & (table["sensitivity"] < 0.05), "diagnosis"] == FINE).all()
    assert set(table["diagnosis"]) <= {CONFLICT, STRONG, DEPENDS, FINE}
    # Whatever power-scaling says.
    alone = result.sensitivity(threshold=10.0)
    assert set(alone["diagnosis"]) == {DEPENDS, FINE}
    assert (alone["diagnosis"] == DEPENDS).sum() == far.sum()


def test_implied_priors_are_those_of_the_mixture(few):
    """Two levels whose effects are N(0, sigma) with sigma from a gamma distribution."""
    result, _ = few
    args = result.model.priors.sigmas["dose"].args
    sigma = stats.gamma(args["alpha"], scale=1 / args["beta"])
    table = implied_priors(result.model, "super", 0.7, np.random.default_rng(1))
    row = table.set_index("quantity").loc["dose: hi - lo"]
    assert row["prior_sd"] == pytest.approx(
        np.sqrt(2 * (sigma.var() + sigma.mean() ** 2)), rel=0.05
    )
    want, _ = integrate.quad(
        lambda s: sigma.pdf(s) * (2 * stats.norm.cdf(0.7 / (s * np.sqrt(2))) - 1), 0, np.inf
    )
    assert row["prior_near"] == pytest.approx(want, abs=0.015)
    assert row["near"] == 0.7


def test_the_same_seed_gives_the_same_sensitivity(few):
    import pandas as pd

    result, _ = few
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = (result.sensitivity(refit=False) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    with pytest.raises(ArgumentError, match="near"):
        result.sensitivity(near="small")
