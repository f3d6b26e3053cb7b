"""Eta squared and R squared: by their definitions, at known parameters, and beside afex."""

from dataclasses import replace
from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from tests.generated import generated

REFERENCE = Path(__file__).parents[1] / "reference"
pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def fitted(formula, data, family="gaussian"):
    model = ba.Model(formula, data, family=family)
    return model.fit("laplace", random_seed=1, progressbar=False)


def known(fit, cells, **sds):
    """The fit with every draw at known parameters."""
    draws, shape = fit.draws, fit.draws.sample_shape

    def constant(value):
        return np.full(shape, value)

    own = replace(
        draws,
        cells=np.broadcast_to(np.asarray(cells, dtype=float), draws.cells.shape).copy(),
        sigmas={name: constant(sds.get(name, 0.0)) for name in draws.sigmas},
        auxiliary={name: constant(sds.get(name, 0.0)) for name in draws.auxiliary},
        slopes={name: 0 * own + sds[name] for name, own in draws.slopes.items()},
    )
    return replace(fit, draws=own)


def test_every_effect_size_is_a_share_of_known_variances():
    data = pd.read_csv(REFERENCE / "repeated.csv")
    fit = fitted("time ~ group * side + Error(person/(load * side))", data)
    cells = np.array([[0, 2, 4], [2, 4, 9]])  # group by side
    sds = {"person": 3.0, "person:load": 1.0, "person:side": 0.5, "sigma": 2.0}
    table = known(fit, cells.ravel(), **sds).explained()
    found = table.set_index(["term", "effect_size"])["mean"]
    group, side = cells.mean(axis=1) - cells.mean(), cells.mean(axis=0) - cells.mean()
    left = cells - cells.mean() - group[:, None] - side
    units = 9 + 1 + 0.25
    for term, effects, judged in [
        ("group", group, units),
        ("side", side, 0.25),
        ("group:side", left, 0.25),
    ]:
        square = np.mean(effects**2)
        expected = {
            "generalised eta squared": square / (square + units + 4),
            "partial eta squared": square / (square + judged + 4),
        }
        for size, value in expected.items():
            assert found[term, size] == pytest.approx(value)
    fixed = cells.var()  # groups are of one size
    assert found["all", "marginal R squared"] == pytest.approx(fixed / (fixed + units + 4))
    assert found["all", "conditional R squared"] == pytest.approx(
        (fixed + units) / (fixed + units + 4)
    )
    assert table["denominator"][3] == "side + person:side + residual"


def test_a_term_explains_the_margins_that_it_holds():
    data = pd.read_csv(REFERENCE / "repeated.csv")
    cells = np.array([[0, 2, 4], [2, 4, 9]])
    found = {}
    for formula in ("group / side", "group * side"):
        fit = fitted(f"time ~ {formula} + Error(person/(load * side))", data)
        table = known(fit, cells.ravel(), person=3.0, sigma=2.0).explained()
        found[formula] = table.set_index(["term", "effect_size"])["mean"]
    left = cells - cells.mean(axis=1, keepdims=True)
    square = np.mean(left**2)
    assert found["group / side"]["group:side", "generalised eta squared"] == pytest.approx(
        square / (square + 9 + 4)
    )
    assert found["group / side"]["group", "generalised eta squared"] == pytest.approx(
        found["group * side"]["group", "generalised eta squared"]
    )


def test_covariates_count_for_r_squared():
    data = generated("gaussian", "identity")
    fit = known(fitted("y ~ task + dose + Error(s)", data), [1.0, 3.0], s=2.0, sigma=1.0, dose=0.5)
    found = fit.explained().set_index("effect_size")["mean"]
    eta = 2.0 * (data["task"] == "y") + 0.5 * data["dose"]
    fixed = eta.var(ddof=0)
    assert found["marginal R squared"] == pytest.approx(fixed / (fixed + 5))


def test_the_posterior_is_about_what_afex_found():
    """Classical values are of samples, and larger than those of the population."""
    data = pd.read_csv(REFERENCE / "repeated.csv")
    fit = fitted("time ~ group * load * side + Error(person/(load * side))", data)
    classical = pd.read_csv(REFERENCE / "eta_squared.csv").query("data == 'repeated'")
    found = fit.explained().query("effect_size == 'generalised eta squared'").set_index("term")
    for _, row in classical.iterrows():
        own = found.loc[row["term"]]
        assert own["hdi95_lb"] - 0.02 < row["ges"] < own["hdi95_ub"] + 0.02


def test_latent_residuals_have_an_sd_and_counts_have_none():
    found = fitted("y ~ task + Error(s)", generated("bernoulli", "logit"), "bernoulli").explained()
    assert found["denominator"].str.contains("logistic").all()
    with pytest.raises(ArgumentError, match="no residual sd"):
        fitted("y ~ task + Error(s)", generated("poisson", "log"), "poisson").explained()


def test_contrasts_are_divided_by_the_sd_within_units():
    fit = fitted("y ~ task + Error(s/task)", generated("gaussian", "identity"))
    plain, within = (
        fit.draws_of("contrasts", "task", **options) for options in ({}, {"standardize": "within"})
    )
    sd = np.hypot(fit.draws.sigmas["s:task"], fit.draws.auxiliary["sigma"])
    np.testing.assert_allclose(within[..., 0], plain[..., 0] / sd)
    table = fit.contrasts("task", standardize="within")
    assert table["standardized_by"][0] == "sd within units: s:task + residual"


def test_under_wide_priors_cohens_d_is_about_that_of_effectsize():
    expected = pd.read_csv(REFERENCE / "effect_sizes.csv").set_index("size")["value"]["cohens_d"]
    data = pd.read_csv(REFERENCE / "mixed.csv").query("week == 'w1'")
    wide = {
        "Intercept": bmb.Prior("Normal", mu=0, sigma=1e4),
        "sex": bmb.Prior("LogNormal", mu=7, sigma=0.5),
        "sigma": bmb.Prior("HalfNormal", sigma=1e4),
    }
    model = ba.Model("weight ~ sex", data, priors=wide)
    fit = model.fit("laplace", draws=2000, random_seed=1, progressbar=False)
    found = fit.contrasts("sex", standardize="residual")["median"][0]
    # A flat prior of sigma takes one more degree of freedom, and medians are not means.
    rows = len(data)
    sigma = np.sqrt((rows - 2) / stats.chi2(rows - 3).median())
    assert found == pytest.approx(expected / sigma, abs=0.015)
