"""The log evidence of quick fits against closed forms and quadrature."""

from dataclasses import replace
from functools import cache
from itertools import product

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from scipy import interpolate, special, stats

import bambi_anova as ba
from bambi_anova.engine.approximate import conditional, importance_sampling
from bambi_anova.engine.approximate.target import Target

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

METHODS = ["laplace", "pathfinder", "advi"]
#: Standard normal coordinates and the log of their weights, for sds up to some thirty times as
#: large as what the data say of an effect.
LINE = np.linspace(-6, 6, 401)
LOG_LINE = stats.norm.logpdf(LINE) + np.log(LINE[1] - LINE[0])
TABLE = np.linspace(-200, 200, 2001)


@cache
def rows():
    """Five subjects do two tasks three times."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(product(range(5), "xy", range(3)), columns=["s", "t", "copy"])
    eta = (
        rng.normal(0, 0.8, 5)[frame["s"]]
        + rng.normal(0, 0.4, 10)[2 * frame["s"] + (frame["t"] == "y")]
    )
    size = len(frame)
    return frame.assign(
        s=[f"s{number}" for number in frame["s"]],
        y=3 + 2 * (eta + rng.normal(0, 0.7, size)),
        n=rng.integers(4, 9, size),
        hours=rng.choice([0.5, 2.0], size),
        z=rng.normal(size=size),
        k=lambda d: rng.binomial(d["n"], special.expit(eta)),
        scattered=lambda d: rng.binomial(d["n"], rng.beta(3 * special.expit(eta), 3 / 2)),
        count=lambda d: rng.poisson(d["hours"] * np.exp(1 + eta)),
    )


def evidence(formula, family="gaussian", method="laplace", **options):
    model = ba.Model(formula, rows(), family=family, **options)
    return model, model.fit(method, random_seed=1, progressbar=False).log_evidence


def agree(found, expected):
    assert found.pareto_k < 0.7
    assert found.mcse < 0.05
    assert found.value == pytest.approx(expected, abs=max(0.05, 4 * found.mcse))


# -- Oracles: dense normals, quadrature over standard normal effects, and grids of the sigmas ---


def gamma(prior):
    return stats.gamma(prior.args["alpha"], scale=1 / prior.args["beta"])


def same(values):
    """Which rows share a value, as a matrix of zeros and ones."""
    values = np.asarray(values)
    return 1.0 * (values[:, None] == values)


def normal_evidence(frame, intercept, covariance):
    """Log p(y) of normal rows whose intercept is normal too."""
    total = covariance + intercept.args["sigma"] ** 2
    mean = np.full(len(frame), intercept.args["mu"])
    return stats.multivariate_normal(mean, total).logpdf(frame["y"])


def over_scales(log_likelihood, densities, grids):
    """Log of an integral over the logs of some scales."""
    total = []
    for sigmas in product(*grids):
        log_prior = sum(d.logpdf(s) + np.log(s) for d, s in zip(densities, sigmas, strict=True))
        total.append(log_likelihood(*sigmas) + log_prior)
    steps = [np.log(grid[1] / grid[0]) for grid in grids]
    return special.logsumexp(total) + np.log(steps).sum()


def unit_evidence(log_likelihood, intercept, units, sigma):
    """Log p(y | sigma): the intercept and each unit's effect integrated on grids."""
    eta = intercept.args["mu"] + intercept.args["sigma"] * LINE[:, None] + sigma * LINE
    by_unit = [special.logsumexp(log_likelihood(u, eta) + LOG_LINE, axis=1) for u in units]
    return special.logsumexp(sum(by_unit) + LOG_LINE)


def binomial(frame, eta):
    """The log-likelihood of rows of one predictor."""
    k, n = frame["k"], frame["n"]
    log_choose = (-np.log(n + 1) - special.betaln(k + 1, n - k + 1)).sum()
    return log_choose + k.sum() * eta - n.sum() * np.logaddexp(0, eta)


def poisson(frame, eta):
    """The same for counts with exposures."""
    count, hours = frame["count"], frame["hours"]
    constant = (count * np.log(hours) - special.gammaln(count + 1)).sum()
    return constant + count.sum() * eta - hours.sum() * np.exp(eta)


@cache
def inner_evidence(inner):
    """Log of binomial rows of each unit s, those of its units s:t integrated, by its predictor."""
    at = TABLE[:, None] + inner * LINE

    def of_cell(group):
        return special.logsumexp(binomial(group, at) + LOG_LINE, axis=1)

    tables = [
        sum(of_cell(group) for _, group in unit.groupby("t")) for _, unit in rows().groupby("s")
    ]
    return [interpolate.CubicSpline(TABLE, table) for table in tables]


def nested_evidence(intercept, sigma, inner):
    """Log p(y | sigma, inner) for binomial rows in units s:t within units s."""
    eta = intercept.args["mu"] + intercept.args["sigma"] * LINE[:, None] + sigma * LINE
    by_unit = [special.logsumexp(f(eta) + LOG_LINE, axis=1) for f in inner_evidence(inner)]
    return special.logsumexp(sum(by_unit) + LOG_LINE)


# -- Closed forms ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_without_scales_the_evidence_of_a_gaussian_model_is_known(method):
    priors = {"sigma": 1.3, "z": bmb.Prior("Normal", mu=0.2, sigma=0.8)}
    model, found = evidence("y ~ z", method=method, priors=priors)
    z = rows()["z"] - rows()["z"].mean()
    covariance = 1.3**2 * np.eye(len(z)) + 0.8**2 * np.outer(z, z)
    frame = rows().assign(y=lambda d: d["y"] - 0.2 * z)
    expected = normal_evidence(frame, model.priors.intercept, covariance)
    assert found.mcse < 0.01
    agree(found, expected)


@pytest.mark.parametrize("method", METHODS)
def test_with_known_scales_the_evidence_is_the_conjugate_one(method):
    def known(sd):
        return bmb.Prior("LogNormal", mu=np.log(sd), sigma=0.02)

    priors = {"s": known(1.5), "s:t": known(0.8), "t": known(0.6), "sigma": 1.3}
    model, found = evidence("y ~ t + Error(s/t)", method=method, priors=priors)
    frame = rows()
    covariance = 0.6**2 * same(frame["t"]) + 1.5**2 * same(frame["s"])
    covariance += 0.8**2 * same(frame["s"] + frame["t"]) + 1.3**2 * np.eye(len(frame))
    agree(found, normal_evidence(frame, model.priors.intercept, covariance))


# -- Quadrature --------------------------------------------------------------------------------


def one_sigma_of_normal_rows(model):
    frame, intercept = rows(), model.priors.intercept
    units, own = same(frame["s"]), 1.3**2 * np.eye(len(frame))

    def log_likelihood(sigma):
        return normal_evidence(frame, intercept, sigma**2 * units + own)

    prior = gamma(model.priors.sigmas["s"])
    return over_scales(log_likelihood, [prior], [np.geomspace(1e-6, 100, 400)])


def two_sigmas_of_normal_rows(model):
    frame, intercept = rows(), model.priors.intercept
    units, own = same(frame["s"]), np.eye(len(frame))

    def log_likelihood(sigma, residual):
        return normal_evidence(frame, intercept, sigma**2 * units + residual**2 * own)

    lower, upper = (model.priors.auxiliary["sigma"].args[key] for key in ("lower", "upper"))
    priors = [gamma(model.priors.sigmas["s"]), stats.uniform(lower, upper - lower)]
    grids = [np.geomspace(1e-5, 60, 60), np.geomspace(lower * 1.0001, upper * 0.9999, 60)]
    return over_scales(log_likelihood, priors, grids)


def one_sigma_of(log_likelihood):
    """Of rows whose log-likelihood in a predictor that they share is given."""

    def oracle(model):
        units = [unit for _, unit in rows().groupby("s")]

        def given(sigma):
            return unit_evidence(log_likelihood, model.priors.intercept, units, sigma)

        prior = gamma(model.priors.sigmas["s"])
        return over_scales(given, [prior], [np.geomspace(1e-5, 40, 60)])

    return oracle


def two_sigmas_of_binomial_rows(model):
    def log_likelihood(sigma, inner):
        return nested_evidence(model.priors.intercept, sigma, inner)

    priors = [gamma(model.priors.sigmas[name]) for name in ("s", "s:t")]
    return over_scales(log_likelihood, priors, [np.geomspace(1e-3, 30, 16)] * 2)


#: Formula, family, options and oracle.
CASES = {
    "a unit sigma, gaussian": (
        "y ~ 1 + Error(s)",
        "gaussian",
        {"priors": {"sigma": 1.3}},
        one_sigma_of_normal_rows,
    ),
    "two sigmas, gaussian": ("y ~ 1 + Error(s)", "gaussian", {}, two_sigmas_of_normal_rows),
    "a unit sigma, binomial": (
        "p(k, n) ~ 1 + Error(s)",
        "binomial",
        {},
        one_sigma_of(binomial),
    ),
    "two unit sigmas, binomial": (
        "p(k, n) ~ 1 + Error(s/t)",
        "binomial",
        {},
        two_sigmas_of_binomial_rows,
    ),
    "a unit sigma, poisson": (
        "count ~ 1 + Error(s) + offset(np.log(hours))",
        "poisson",
        {},
        one_sigma_of(poisson),
    ),
}


@cache
def by_quadrature(name):
    formula, family, options, oracle = CASES[name]
    return oracle(ba.Model(formula, rows(), family=family, **options))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_the_evidence_is_that_of_quadrature(name, method):
    formula, family, options, _ = CASES[name]
    agree(evidence(formula, family, method, **options)[1], by_quadrature(name))


# -- Rows merged or not ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "response"),
    [
        ("gaussian", "y"),
        ("binomial", "p(k, n)"),
        ("poisson", "offset(np.log(hours)) + count"),
        ("betabinomial", "p(scattered, n)"),
        ("negativebinomial", "count"),
    ],
)
def test_merged_rows_have_the_evidence_of_all_rows(family, response):
    *offset, response = response.split(" + ")
    formula = " + ".join([f"{response} ~ t", "Error(s)", *offset])
    merged, single = (evidence(formula, family, collapse=c)[1] for c in (True, False))
    error = np.hypot(merged.mcse, single.mcse)
    assert error < 0.05
    assert merged.value == pytest.approx(single.value, abs=4 * error + 1e-6)


# -- Candidates --------------------------------------------------------------------------------


def test_many_blocks_try_simpler_candidates_and_turn_back_where_tails_are_long(monkeypatch):
    """Candidates from one normal, if they do; the evidence is the same either way."""
    frame = pd.DataFrame({"s": np.repeat(np.arange(80), 40)})  # nearly normal, one and all
    frame["y"] = (np.random.default_rng(1).random(len(frame)) < 0.5).astype(int)
    tried = []
    draw = Target.draw

    def recorded(self, proposals, points, each, candidates, rng, keep_units=False):
        if keep_units:
            tried.append((candidates.count, bool(candidates.mixed.any())))
        batch = draw(self, proposals, points, each, candidates, rng, keep_units)
        pilot = not keep_units and points > importance_sampling.SCOUTS
        if importance_sampling.MANY_BLOCKS == 1 and pilot and candidates.mixed.any():
            return replace(batch, log_weight=100 * batch.log_weight)  # the pilot speaks against it
        return batch

    monkeypatch.setattr(Target, "draw", recorded)
    monkeypatch.setattr(conditional, "HEAVY", -1.0)  # every block asks for the wider normal

    def fitted(blocks, tail):
        tried.clear()
        monkeypatch.setattr(importance_sampling, "MANY_BLOCKS", blocks)
        monkeypatch.setattr(importance_sampling, "LONG_TAIL", tail)
        model = ba.Model("y ~ (1|s)", frame, family="bernoulli")
        found = model.fit("laplace", random_seed=1, progressbar=False).log_evidence
        return found, list(tried)

    usual, usual_tried = fitted(10**9, 0.5)
    simple, simple_tried = fitted(1, np.inf)
    back, back_tried = fitted(1, -np.inf)
    assert all(mixed for _, mixed in usual_tried)
    assert set(simple_tried) == {(4, False)}
    assert back_tried[0] == (4, False)
    assert back_tried[-1][1]
    for other in (simple, back):
        assert abs(other.value - usual.value) < 4 * np.hypot(other.mcse, usual.mcse) + 1e-3
