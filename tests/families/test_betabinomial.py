"""Beta-binomial families: exact sums of factors, limits, priors, and posteriors known otherwise."""

import warnings
from functools import cache

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

import bambi_anova as ba
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.errors import PriorError
from bambi_anova.families.betabinomial import _smooth_tails, _tails_of
from bambi_anova.families.registry import get_family
from bambi_anova.families.rising import count_factors
from bambi_anova.families.sufficient import unmerged
from bambi_anova.families.values import ResponseValues

FAMILIES = {"betabinomial": "kappa", "betabinomial_mode": "kappa_minus_2"}
EACH = pytest.mark.parametrize("family", FAMILIES)


def experiment(kappa=8.0, units=8, rows=12, seed=0, trials=11):
    """Units in two groups do two tasks; each row has a probability of its own, given its mode."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [(u, task) for u in range(units) for task in "xy" for _ in range(rows)],
        columns=["s", "task"],
    )
    frame["group"] = np.where(frame["s"] % 2, "A", "B")
    own = 0.5 * rng.standard_normal(units)
    omega = special.expit(-1.2 + own[frame["s"]] + 0.8 * (frame["task"] == "x"))
    excess = kappa - 2
    theta = rng.beta(omega * excess + 1, (1 - omega) * excess + 1)
    frame["shown"] = rng.integers(2, trials, len(frame))
    frame["hits"] = rng.binomial(frame["shown"], theta)
    return frame


def build(formula, data, family, **options):
    with warnings.catch_warnings():  # that units are left out, in designs kept small
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        return ba.Model(formula, data, family=family, **options)


def fit(model, method="laplace", **options):
    with warnings.catch_warnings():  # that kappa is not trusted
        warnings.simplefilter("ignore", ba.errors.ConvergenceWarning)
        return model.fit(method, random_seed=1, progressbar=False, **options)


FORMULA = "p(hits, shown) ~ group * task + (1|s)"


@cache
def fitted(family):
    return fit(build(FORMULA, experiment(), family), draws=500)


# -- Sums of factors ---------------------------------------------------------------------------


def of_factors(rows, m, c):
    """The log-likelihood of sets of rows, as ``rising`` writes it."""
    a, b = c * m, c * (1 - m)
    once = rows.once[:, :, None]
    total = rows.successes.log(a) + rows.failures.log(b) - rows.trials.log(c + 0 * m)
    return total + once[0] * np.log(a) + once[1] * np.log(b)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([3, 40, 2000]),
    st.integers(0, 1),
    st.floats(0.05, 300),
)
def test_sums_over_rows_are_those_of_beta_functions(seed, most, first, c):
    rng = np.random.default_rng(seed)
    trials = rng.integers(0, most, 9)
    y = rng.binomial(trials, 0.2)
    weight, sets = rng.integers(1, 4, 9).astype(float), rng.integers(0, 3, 9)
    rows = count_factors(y.astype(float), trials.astype(float), weight, sets, 3, first)
    m = rng.uniform(0.01, 0.99, (3, 2))
    a, b = (c * m + first)[sets], (c * (1 - m) + first)[sets]
    each = special.betaln(a + y[:, None], b + (trials - y)[:, None]) - special.betaln(a, b)
    expected = np.zeros((3, 2))
    np.add.at(expected, sets, weight[:, None] * each)
    np.testing.assert_allclose(of_factors(rows, m, c), expected, rtol=1e-8, atol=1e-8)


def test_many_trials_take_gamma_functions_and_few_take_logs():
    one = np.ones(1)
    few, many = (
        count_factors(0.2 * n, n, one, np.zeros(1, int), 1, 0) for n in (10 * one, 1e5 * one)
    )
    assert not few.failures.gamma.any()
    assert len(many.failures.shift) == 3
    x, h = np.array([[3.0, 70.0]]), 1e-4
    for factors in (few.failures, many.failures):
        slope = (factors.log(x + h) - factors.log(x - h)) / (2 * h)
        np.testing.assert_allclose(factors.slope(x), slope, rtol=1e-5)
        bend = (factors.slope(x - h) - factors.slope(x + h)) / (2 * h)
        np.testing.assert_allclose(factors.curvature(x), bend, rtol=1e-5)


@EACH
def test_without_scatter_rows_are_binomial(family):
    """Where beta functions themselves have lost all digits."""
    model = build(FORMULA, experiment(), family)
    likelihood = latent_model(model).likelihood
    eta = np.linspace(-3, 2, len(likelihood.data.y))[:, None] + np.array([0.0, 0.4])
    found = likelihood.log(eta, {FAMILIES[family]: np.full(2, 1e12)})
    data = likelihood.data
    expected = data.y * special.log_expit(eta) + (data.trials - data.y) * special.log_expit(-eta)
    np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-6)


def test_at_kappa_two_every_number_of_successes_is_as_likely_whatever_the_mode():
    model = build("p(hits, shown) ~ group", experiment(), "betabinomial_mode")
    likelihood = latent_model(model).likelihood
    rows = model.design.rows.response
    choose = stats.betabinom.logpmf(rows.values, rows.trials, 1, 1) - special.gammaln(
        rows.trials + 1
    )
    choose += special.gammaln(rows.values + 1) + special.gammaln(rows.trials - rows.values + 1)
    for eta in (-3.0, 2.0):
        found = likelihood.log(np.full((2, 1), eta), {"kappa_minus_2": np.full(1, 1e-300)})
        assert found.sum() == pytest.approx(choose.sum())


@EACH
def test_the_curvature_is_the_observed_one_or_a_part_of_its_positive_terms(family):
    model = build(FORMULA, experiment(), family)
    likelihood = latent_model(model).likelihood
    eta = np.random.default_rng(1).normal(-1, 1.5, (len(likelihood.data.y), 40))
    aux = {FAMILIES[family]: np.full(40, 6.0)}
    up, down = (likelihood.derivatives(eta + h, aux).slope for h in (1e-4, -1e-4))
    observed = (down - up) / 2e-4
    found = likelihood.derivatives(eta, aux).curvature
    same = np.abs(found - observed) < 1e-6 * (1 + np.abs(observed))
    near = np.abs(eta - likelihood.own_predictor()) < 0.7
    assert same[near].mean() > 0.95
    assert same.mean() < 0.95
    assert (found[~same] > observed[~same]).all()
    assert (found > 0).all()


# -- Rows, parameters and priors ---------------------------------------------------------------


@EACH
def test_rows_that_share_predictors_are_one_row_of_the_quick_fits(family):
    data = experiment()
    model = build(FORMULA, data, family)
    latent = latent_model(model)
    distinct = data[["s", "task", "shown", "hits"]].drop_duplicates()
    assert len(model.collapsed.first) == len(distinct)
    assert len(latent.likelihood.data.y) == 16
    assert latent.likelihood.data.trials.sum() == data["shown"].sum()
    apart = build(FORMULA, data, family, collapse=False)
    assert len(latent_model(apart).likelihood.data.y) == len(data)


def test_kappa_is_reported_beside_what_has_the_prior():
    result = fitted("betabinomial_mode")
    draws = result.draws.auxiliary
    assert set(draws) == {"kappa_minus_2", "kappa"}
    np.testing.assert_array_equal(draws["kappa"], draws["kappa_minus_2"] + 2)
    assert "kappa" in result.idata["posterior"]
    assert set(fitted("betabinomial").draws.auxiliary) == {"kappa"}
    assert get_family("betabinomial").with_derived(draws).keys() == set(draws)


def test_bambis_model_reports_kappa_too():
    model = fitted("betabinomial_mode").model.bambi_model
    assert {"kappa", "kappa_minus_2", "omega"} <= set(model.backend.model.named_vars)


@EACH
def test_default_priors(family):
    prior = fitted(family).priors.auxiliary[FAMILIES[family]]
    expected = {"betabinomial": "HalfCauchy(beta=1)"}
    assert str(prior) == expected.get(family, "Gamma(alpha=0.01, beta=0.01)")


def test_a_prior_of_kappa_is_refused_where_kappa_minus_2_has_one():
    prior, formula = bmb.Prior("Gamma", alpha=2, beta=0.1), "p(hits, shown) ~ group"
    with pytest.raises(PriorError, match=r"kappa > 2.*kappa_minus_2"):
        build(formula, experiment(), "betabinomial_mode", priors={"kappa": prior})
    model = build(formula, experiment(), "betabinomial_mode", priors={"kappa_minus_2": prior})
    assert model.priors.auxiliary["kappa_minus_2"].given is prior
    model = build(formula, experiment(), "betabinomial", priors={"kappa": prior})
    assert model.priors.auxiliary["kappa"].given is prior


@EACH
def test_a_concentration_may_be_held_at_a_value(family):
    name = FAMILIES[family]
    model = build("p(hits, shown) ~ group", experiment(), family, priors={name: 7})
    draws = fit(model, draws=100).draws.auxiliary
    assert (draws[name] == 7).all()
    assert (draws["kappa"] == 7 + 2 * (family == "betabinomial_mode")).all()
    assert "kappa" not in model.bambi_model.backend.model.named_vars or family == "betabinomial"


def test_cells_on_the_response_scale_are_modes_for_the_mode_family():
    model = build("p(hits, shown) ~ task", experiment(), "betabinomial_mode")
    result = fit(model, draws=500)
    modes = special.expit(result.draws.cells).mean(axis=(0, 1))
    np.testing.assert_allclose(result.means(scale="response")["mean"], modes, rtol=1e-10)
    # Means are nearer to one half; these are what proportions estimate.
    excess = result.draws.auxiliary["kappa_minus_2"][..., None]
    means = (special.expit(result.draws.cells) * excess + 1) / (excess + 2)
    observed = experiment().groupby("task")[["hits", "shown"]].sum()
    rates = (observed["hits"] / observed["shown"]).to_numpy()
    np.testing.assert_allclose(means.mean(axis=(0, 1)), rates, atol=0.03)
    assert (modes < rates - 0.02).all()


# -- Posteriors --------------------------------------------------------------------------------


def log_rising(x, count):
    """Log of x (x + 1) ... (x + count - 1), factor by factor."""
    return sum((np.log(x + j) for j in range(count)), np.zeros_like(x))


def exact(data, family):
    """Moments of the intercept and of log kappa, and P(kappa - 2 < 1e-3), on a grid."""
    first = int(family == "betabinomial_mode")
    eta = np.linspace(-8, 8, 161)[:, None]
    u = np.concatenate([np.linspace(-720, -40, 700), np.linspace(-40, 40, 1001)[1:]])[None]
    c = np.exp(u)
    a, b = special.expit(eta) * c + first, special.expit(-eta) * c + first
    log_p = stats.norm.logpdf(eta, 0, 2) + u
    log_p = log_p + ((0.01 - 1) * u - 0.01 * c if first else -np.logaddexp(0, 2 * u))
    for (hits, shown), count in data[["hits", "shown"]].value_counts().items():
        each = log_rising(a, hits) + log_rising(b, shown - hits) - log_rising(a + b, shown)
        log_p = log_p + count * each
    p = np.exp(log_p - log_p.max()) * np.gradient(u[0])
    p /= p.sum()

    def moments(values):
        mean = (p * values).sum()
        return mean, np.sqrt((p * (values - mean) ** 2).sum())

    return moments(eta + 0 * u), moments(np.log(c + 2 * first) + 0 * eta), (p * (c < 1e-3)).sum()


@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi"])
@pytest.mark.parametrize(
    ("family", "kappa", "rows", "spike"),
    [
        ("betabinomial", 6.0, 4, 0.0),
        ("betabinomial_mode", 60.0, 16, 0.0),
        # So few rows that the prior's spike at kappa = 2 keeps a part of the posterior.
        ("betabinomial_mode", 4.0, 3, 0.5),
    ],
)
def test_quick_fits_are_exact_on_two_parameters(family, kappa, rows, spike, method):
    data = experiment(kappa, units=4, rows=rows, trials=9)
    (mean, sd), (log_mean, log_sd), below = exact(data, family)
    assert (below > spike) if spike else (below < 1e-3)
    model = build("p(hits, shown) ~ 1", data, family)
    result = fit(model, method, draws=4000)
    eta, log_kappa = result.draws.cells.ravel(), np.log(result.draws.auxiliary["kappa"]).ravel()
    assert abs(eta.mean() - mean) < 0.15 * sd
    assert eta.std() == pytest.approx(sd, rel=0.15)
    assert abs(log_kappa.mean() - log_mean) < 0.15 * log_sd
    if family == "betabinomial_mode":
        found = (result.draws.auxiliary["kappa_minus_2"] < 1e-3).mean()
        assert found == pytest.approx(below, abs=0.06)
    if spike:
        trust = result.trust().set_index("quantity")["trusted"]
        assert not trust[["kappa", "kappa_minus_2"]].any()
        assert "kappa" in str(result.verdict.reservations)


def test_a_concentration_without_a_mean_is_not_trusted():
    """Where the data could be binomial, a half-Cauchy prior leaves kappa without a mean."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"shown": np.full(60, 6), "hits": rng.binomial(6, 0.3, 60)})
    result = build("p(hits, shown) ~ 1", data, "betabinomial").fit("laplace", random_seed=1)
    assert "kappa" in str(result.verdict.reservations)
    trust = result.trust().set_index("quantity")["trusted"]
    assert not trust["kappa"]
    assert trust["Intercept"]


@EACH
def test_scatter_between_rows_widens_what_a_binomial_model_is_too_sure_of(family):
    binomial = build(FORMULA, experiment(), "binomial")
    known = fit(binomial, draws=500).contrasts("task")
    found = fitted(family).contrasts("task")
    assert found["sd"].iloc[0] > 1.15 * known["sd"].iloc[0]


# -- Against models written by hand ------------------------------------------------------------


def by_hand(data, family):
    """The same model in PyMC: cell means of two factors, units, a beta for each row."""
    import pymc as pm

    group = (data["group"] == "B").to_numpy().astype(int)
    task = (data["task"] == "y").to_numpy().astype(int)
    signs = np.array([1.0, -1.0]) / np.sqrt(2)
    with pm.Model() as model:
        intercept = pm.Normal("b0", 0, 2)
        sd = {name: pm.Gamma(f"sd_{name}", 1.64, 0.32) for name in ("g", "t", "gt", "s")}
        z = {name: pm.Normal(f"z_{name}") * sd[name] for name in ("g", "t", "gt")}
        unit = pm.Normal("unit", shape=data["s"].nunique()) * sd["s"]
        eta = intercept + z["g"] * signs[group] + z["t"] * signs[task]
        eta = eta + z["gt"] * signs[group] * signs[task] + unit[data["s"].to_numpy()]
        rate = pm.math.invlogit(eta)
        if family == "betabinomial":
            kappa = pm.HalfCauchy("kappa", 1)
            a, b = rate * kappa, (1 - rate) * kappa
        else:
            excess = pm.Gamma("excess", 0.01, 0.01)
            a, b = rate * excess + 1, (1 - rate) * excess + 1
        pm.BetaBinomial("hits", a, b, data["shown"].to_numpy(), observed=data["hits"].to_numpy())
        pm.Deterministic("x - y", z["t"] * np.sqrt(2))
        pm.Deterministic("A - B", z["g"] * np.sqrt(2))
        c = kappa if family == "betabinomial" else excess + 2
        pm.Deterministic(
            "inverse kappa", 1 / c
        )  # of kappa itself the half-Cauchy tail leaves no sd
    return model


@pytest.mark.slow
@EACH
def test_posteriors_are_those_of_a_model_written_by_hand(family):
    import pymc as pm

    # Modes near zero leave the likelihood flat, and sds to draws of the tail: rows that do not.
    data = experiment(kappa=30.0, rows=16)
    with by_hand(data, family):
        theirs = pm.sample(
            1500,
            tune=1500,
            chains=2,
            cores=2,
            target_accept=0.95,
            random_seed=1,
            progressbar=False,
            initvals=None if family == "betabinomial" else {"excess": 6.0},
        )["posterior"]
    model = build(FORMULA, data, family)
    for method in ("laplace", "pathfinder", "advi", "nuts"):
        result = fit(model, method, draws=4000)
        cells = result.draws.cells.reshape(-1, 2, 2)
        ours = {
            "A - B": (cells[:, 0] - cells[:, 1]).mean(axis=1),
            "x - y": (cells[:, :, 0] - cells[:, :, 1]).mean(axis=1),
            "inverse kappa": 1 / result.draws.auxiliary["kappa"].ravel(),
        }
        for name, values in ours.items():
            expected = theirs[name].to_numpy()
            assert abs(values.mean() - expected.mean()) < 0.15 * expected.std(), (method, name)
            assert values.std() == pytest.approx(expected.std(), rel=0.15), (method, name)


@pytest.mark.slow
@EACH
def test_quick_fits_of_the_memory_experiment_agree_with_nuts(family):
    formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    model = build(formula, ba.load_data("memory"), family)
    full = fit(model, draws=2000, method="nuts")
    for method in ("laplace", "pathfinder", "advi"):
        table = ba.compare_fits(fit(model, method), full)
        trusted = table[table["trusted_quick"]]
        assert len(trusted) >= len(table) - 1  # the sd of a heavy tail may be left open
        assert trusted["shift"].abs().max() < 0.15
        assert trusted["sd_ratio"].between(0.85, 1.15).all()


@pytest.mark.parametrize("kappa", [3.0, 400.0, 1e6])
def test_tails_of_very_many_trials_are_those_that_would_be_added_up(kappa):
    n, y = np.full(5, 5000.0), np.array([0.0, 1000, 1480, 1530, 4000])
    rows = unmerged(ResponseValues("y", y, n), None)
    a, b = np.full((1, 1), 0.3 * kappa), np.full((1, 1), 0.7 * kappa)
    for ours, added in zip(_smooth_tails(a, b, y, n), _tails_of(a, b, rows), strict=True):
        np.testing.assert_allclose(ours, added, atol=2e-3)
