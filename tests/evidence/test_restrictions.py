"""Savage-Dickey ratios and Bayes factors of orders."""

from functools import cache

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.errors import ArgumentError, UnsupportedError
from tests.generated import generated

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@cache
def one_way():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"A": ["a"] * 6 + ["b"] * 4 + ["c"] * 5})
    mean = frame["A"].map({"a": 0.0, "b": 1.3, "c": 0.4})
    return frame.assign(y=2 + mean + rng.normal(0, 1, len(frame)), z=rng.normal(size=len(frame)))


def fitted(formula, data, family="gaussian", **priors):
    model = ba.Model(formula, data, family=family, priors=priors)
    return model.fit("laplace", random_seed=1, progressbar=False)


def by_quadrature(fit, contrast):
    """Log Bayes factor for a contrast of A, one sigma, residual sd 1: normals given the sigma."""
    frame, priors = one_way(), fit.priors
    rows = 1.0 * (frame["A"].to_numpy()[:, None] == list("abc"))
    intercept, prior = priors.intercept.args, priors.sigmas["A"].args
    gamma = stats.gamma(prior["alpha"], scale=1 / prior["beta"])
    direction = np.array(contrast)

    def joint(sigma):
        """Return log p(y | sigma), and the posterior density of the contrast at zero."""
        covariance = intercept["sigma"] ** 2 + sigma**2 * rows @ rows.T + np.eye(len(frame))
        gap = frame["y"] - intercept["mu"]
        shared = sigma**2 * rows @ direction
        pull = np.linalg.solve(covariance, shared)
        mean, variance = pull @ gap, sigma**2 * direction @ direction - pull @ shared
        height = stats.multivariate_normal(np.zeros(len(gap)), covariance).logpdf(gap)
        return height, stats.norm.pdf(0, mean, np.sqrt(variance))

    grid = np.exp(np.linspace(-25, 8, 800))
    height, density = map(np.array, zip(*map(joint, grid), strict=True))
    weight = np.exp(height - height.max()) * gamma.pdf(grid) * grid
    posterior = (weight * density).sum() / weight.sum()
    # The mean of 1 / sigma, times the standard normal density at zero.
    prior_density = prior["beta"] / (prior["alpha"] - 1) / np.sqrt(2 * np.pi)
    return np.log(prior_density / np.linalg.norm(direction) / posterior)


@pytest.mark.parametrize("method", ["laplace", pytest.param("nuts", marks=pytest.mark.slow)])
def test_savage_dickey_ratios_are_quadrature(method):
    model = ba.Model("y ~ A", one_way(), priors={"sigma": 1.0})
    fit = model.fit(method, random_seed=1, progressbar=False)
    table = fit.savage_dickey("A", random_seed=1)
    contrasts = [(1, -1, 0), (1, 0, -1), (0, 1, -1)]
    assert table["trusted"].all()
    for (_, row), contrast in zip(table.iterrows(), contrasts, strict=True):
        expected = by_quadrature(fit, contrast)
        assert row["mcse"] < 0.05
        assert row["log_bf"] == pytest.approx(expected, abs=4 * row["mcse"])
        assert row["bf"] == pytest.approx(np.exp(row["log_bf"]))


def smooth_ratio(fit, term):
    """The ratio of densities at zero from draws: posterior by a narrow kernel, prior by normals."""
    draws = fit.draws_of("contrasts", term).to_numpy().ravel()
    posterior = stats.gaussian_kde(draws, 0.05)(0)[0]
    model, rng = fit.specification, np.random.default_rng(1)
    size = 400_000
    levels = [len(own) for own in model.design.levels.values()]
    variance = 0.0
    for name, prior in model.priors.sigmas.items():
        factors = next((t.factors for t in model.design.terms if t.name == name), None)
        if factors is None or not set(term.split(":")) <= set(factors):
            continue
        sigma = rng.gamma(prior.args["alpha"], 1 / prior.args["beta"], size)
        averaged = [model.design.levels[f] for f in factors if f not in term.split(":")]
        variance = variance + 2 * sigma**2 / np.prod([len(own) for own in averaged])
    assert levels == [2, 2]
    # Few of the draws, which are copies of each other in part, lie where the kernel counts them.
    error = 2 / np.sqrt((np.abs(draws) < 0.1 * draws.std()).sum())
    return np.log(np.mean(1 / np.sqrt(2 * np.pi * variance)) / posterior), error


@pytest.mark.parametrize(
    ("family", "link", "response"),
    [("binomial", "logit", "p(y, n)"), ("poisson", "log", "y"), ("gaussian", "identity", "y")],
)
def test_every_family_has_them_with_several_sigmas_and_units(family, link, response):
    data = generated(family, link)
    model = ba.Model(f"{response} ~ group * task + Error(s)", data, family=family)
    fit = model.fit("laplace", draws=5000, random_seed=1, progressbar=False)
    for term in ("group", "task"):
        row = fit.savage_dickey(term, random_seed=1).iloc[0]
        assert row["mcse"] < 0.06
        expected, error = smooth_ratio(fit, term)
        assert row["log_bf"] == pytest.approx(expected, abs=4 * np.hypot(error, row["mcse"]))


def test_the_same_seed_gives_the_same_ratios():
    fit = fitted("y ~ A", one_way(), sigma=1.0)
    one, two = (fit.savage_dickey("A", {"a": {"a": 1, "b": -1}}, random_seed=3) for _ in "12")
    assert one.equals(two)


def test_contrasts_without_a_finite_prior_density_are_refused():
    fit = fitted("y ~ A", one_way(), A=bmb.Prior("HalfNormal", sigma=1))
    with pytest.raises(UnsupportedError, match="does not vanish at zero"):
        fit.savage_dickey("A")


def test_contrasts_of_several_terms_and_of_none_are_refused():
    data = generated("gaussian", "identity")
    fit = fitted("y ~ group + Error(s)", data)
    with pytest.raises(ArgumentError, match="task"):
        fit.savage_dickey("task")
    nested = fitted("y ~ group + group:task + Error(s)", data)
    assert len(nested.savage_dickey("task", random_seed=1)) == 1
    both = fitted("y ~ group + task + Error(s)", data)
    with pytest.raises(UnsupportedError, match="is zero in this model"):
        both.savage_dickey("group:task")


# -- Orders ------------------------------------------------------------------------------------


def test_orders_have_the_prior_of_equal_levels():
    fit = fitted("y ~ A", one_way())
    row = fit.order_bayes_factor("a < c < b", "A", random_seed=1).iloc[0]
    assert row["prior_probability"] == pytest.approx(1 / 6, abs=0.01)
    posterior = fit.probability("a < c < b", "A")["probability"][0]
    assert row["posterior_probability"] == posterior
    assert row["bf"] == pytest.approx(posterior / row["prior_probability"])
    odds = posterior / (1 - posterior)
    assert row["bf_complement"] == pytest.approx(
        odds * (1 - row["prior_probability"]) / row["prior_probability"]
    )
    assert row["log_bf"] == pytest.approx(np.log(row["bf"]))
    assert row["trusted"]
    assert 0 < row["mcse"] < 0.1


def test_orders_that_no_draw_has_are_not_trusted():
    shifted = one_way().assign(y=lambda d: d["y"] + 40 * (d["A"] == "b"))
    row = fitted("y ~ A", shifted).order_bayes_factor("b < a", "A", random_seed=1).iloc[0]
    assert row["bf"] == 0
    assert not row["trusted"]


def test_every_statement_is_true_half_of_the_time_within_each_level():
    fit = fitted("y ~ group * task + Error(s)", generated("gaussian", "identity"))
    table = fit.order_bayes_factor("x < y", "task", by="group", random_seed=1)
    assert table["group"].tolist() == ["A", "B"]
    assert table["prior_probability"].to_numpy() == pytest.approx(0.5, abs=0.02)
