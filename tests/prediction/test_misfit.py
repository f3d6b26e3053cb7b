"""What the likelihood misses: found where it is there, by its name, and not where it is not."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.families.registry import FAMILIES
from bambi_anova.prediction.misfit import (
    LEVEL,
    _means,
    _outliers,
    _shape,
    _spread,
    _without_few,
    _zeros,
    known_misfit,
    misfit_text,
    p_of_excess,
    p_of_skew,
    skew_and_excess,
)
from bambi_anova.prediction.residuals import _scores, residuals

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

SHARED = "Error(s/task)"


def frame(units=12, times=8):
    rows = pd.DataFrame(product(range(units), "xy", range(times)), columns=["s", "task", "time"])
    return rows.assign(group=np.where(rows["s"] % 2, "A", "B"), label=rows["s"].map("s{}".format))


def fit(formula, data, family="gaussian", draws=50, **options):
    model = ba.Model(formula, data, family=family, **options)
    return model.fit("laplace", draws=draws, random_seed=1, progressbar=False)


def missed(result):
    table = result.misfit().query("missed")
    return set(zip(table["by"], table["feature"], strict=True))


def level(data, rng, sd=1.0):
    return sd * rng.normal(size=data["s"].max() + 1)[data["s"]] + 0.5 * (data["task"] == "y")


# -- Residuals ---------------------------------------------------------------------------------


def test_scores_are_standard_normal_for_the_chances_of_what_was_drawn():
    """Counts of one mean: the random part makes them normal, far tails and all."""
    rng = np.random.default_rng(1)
    y = rng.poisson(1.3, 40_000)
    scores = _scores(stats.poisson.cdf(y - 1, 1.3), stats.poisson.sf(y, 1.3), rng)
    assert stats.kstest(scores, "norm").pvalue > 0.01
    # Far out in both tails, where one less the other would be lost to rounding.
    far = _scores(np.array([1e-14, 1.0]), np.array([1.0, 1e-14]), rng)
    np.testing.assert_allclose(far, stats.norm.ppf(1e-14) * np.array([1, -1]), rtol=1e-3)


def test_gaussian_residuals_are_those_of_the_rows_though_rows_were_merged():
    data = frame()
    data["y"] = level(data, np.random.default_rng(2)) + np.random.default_rng(3).normal(
        size=len(data)
    )
    result = fit("y ~ group * task + " + SHARED, data)
    assert result.model.collapsed.merged
    found = residuals(result, np.random.default_rng(0))
    posterior = result.idata["posterior"]
    mean = found.predictor.at(np.arange(len(data)))
    sigma = found.predictor.auxiliary["sigma"]
    assert sigma[0, 0] == float(posterior["sigma"][0, 0])
    np.testing.assert_allclose(found.values, (data["y"].to_numpy() - mean) / sigma, atol=1e-7)


@pytest.mark.parametrize("name", FAMILIES)
def test_replicates_stand_in_for_probabilities(name, monkeypatch):
    """A family that does not say its tails has residuals all the same, from its replicates."""
    family = FAMILIES[name]
    if family.response.binary or family.response.ordered:
        pytest.skip("has no rows of its own, or ratings that the contract covers")
    rng = np.random.default_rng(4)
    data = frame(units=6, times=30).assign(n=8.0)
    rows = SimpleNamespace(trials=data["n"].to_numpy() if family.response.trials else None)
    from tests.generated import draw, left_hand_side

    link = family.link(None)
    data["y"] = draw(family, link, level(data, rng, 0.3).to_numpy(), rng, rows.trials)
    data["y"] = data["y"].clip(1e-9, None) if not family.response.trials else data["y"]
    if family.response.counts:
        data["y"] = data["y"].round()
    result = fit(f"{left_hand_side(family)} ~ task + Error(s)", data, family=name)
    exact = residuals(result, np.random.default_rng(0))
    bare = replace(result.family, tails=None)  # of categories that of these
    model = replace_family(result, bare)
    other = residuals(model, np.random.default_rng(0))
    gap = np.abs(stats.norm.cdf(exact.values) - stats.norm.cdf(other.values))
    if family.response.counts or family.response.trials:
        exact_mean, other_mean = exact.zero.mean(), other.zero.mean()
        assert exact_mean == pytest.approx(other_mean, abs=0.01)
        assert stats.kstest(other.values[0], "norm").pvalue > 1e-4
    else:
        # Responses at the ends of the support have a place at random within their probability.
        inside = data["y"].between(0, 1, inclusive="neither") | (name != "ordered_beta")
        assert gap[:, inside.to_numpy()].max() < 6 * 0.5 / 10


def replace_family(result, family):
    from bambi_anova.posterior.posterior import Posterior
    from bambi_anova.specification import Specification

    old = result.model
    model = Specification(family, old.predictors, old.priors, old.options)
    return Posterior(model, result.idata, result.draws, result.sampling)


# -- Tests of standard normals: their levels --------------------------------------------------


@pytest.fixture(scope="module")
def normals():
    return np.random.default_rng(5).normal(size=(4000, 60))


def rejected(p, at=0.02):
    """The share of p-values below a level, in standard errors from it."""
    return (np.mean(p < at) - at) / np.sqrt(at * (1 - at) / len(p))


def test_p_values_are_uniform_for_standard_normals(normals):
    codes = np.repeat(np.arange(6), 10)
    about = SimpleNamespace(values=normals, single=True, observed=np.zeros(60))
    names = list("abcdef")
    found = [
        *_shape("row", normals, normals),
        _outliers("row", normals, [str(i) for i in range(60)]),
        *_means("cell", normals, codes, names),
        *_spread("cell", about, codes, names),
    ]
    assert [one.feature for one in found] == ["skew", "tails", "outliers", "means", "spread"]
    for one in found:
        assert rejected(one.p) < 4, one.feature
        assert np.mean(one.p < 0.5) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("size", [20, 57, 4000])
def test_skew_and_excess_are_tested_as_elsewhere(size):
    z = np.random.default_rng(17).gamma(3.0, size=(50, size))
    skew, excess = skew_and_excess(z)
    np.testing.assert_allclose(skew, stats.skew(z, axis=1))
    np.testing.assert_allclose(excess, stats.kurtosis(z, axis=1))
    np.testing.assert_allclose(p_of_skew(skew, size), stats.skewtest(z, axis=1).pvalue, rtol=1e-6)
    wanted = stats.kurtosistest(z, axis=1).pvalue
    np.testing.assert_allclose(p_of_excess(excess, size), wanted, rtol=1e-6)


@pytest.mark.parametrize("mean", [0.2, 1.0, 4.0])
def test_p_values_of_zeros_are_not_too_small(mean):
    rng = np.random.default_rng(6)
    rates = mean * np.exp(0.5 * rng.normal(size=80))
    p = []
    for _ in range(2000):
        y = rng.poisson(rates)
        p.append(_zeros(SimpleNamespace(observed=y, zero=np.exp(-rates)[None])).p[0])
    assert rejected(np.array(p), 0.05) < 3
    many = np.where(np.arange(80) < 20, 0, rng.poisson(rates))
    assert _zeros(SimpleNamespace(observed=many, zero=np.exp(-rates)[None])).p[0] < (
        1e-4 if mean > 1 else 0.5
    )


def test_a_few_outliers_are_not_the_shape_of_all(normals):
    z = normals[:, :].copy().reshape(400, 600)
    z[:, 17] = 7.5
    assert _without_few(z).shape == (400, 595 + 4)
    skew, tails = _shape("row", z, _without_few(z))
    assert not skew.large
    assert not tails.large
    found = _outliers("row", z, [f"row {i}" for i in range(600)])
    assert found.where == "row 17"
    assert found.p.max() < 1e-8


# -- Fits --------------------------------------------------------------------------------------


def test_skewed_times_under_a_gaussian_are_told_with_a_family_to_try():
    rng, data = np.random.default_rng(7), frame()
    data["rt"] = np.exp(6 + level(data, rng, 0.15) + 0.5 * rng.normal(size=len(data)))
    wrong = fit("rt ~ group * task + " + SHARED, data)
    assert ("row", "skew") in missed(wrong)
    text = misfit_text(wrong)
    assert text.startswith("the model misses the skew of rt")
    assert "try family='lognormal'" in text
    assert text in repr(wrong)
    assert "the skew of rt" in wrong._repr_html_()
    right = fit("rt ~ group * task + " + SHARED, data, "lognormal")
    assert not missed(right)
    assert "misfit: none found" in repr(right)
    assert misfit_text(right) == ""


def test_left_skew_has_no_family_to_try():
    rng, data = np.random.default_rng(7), frame()
    data["y"] = 2000 - np.exp(6 + level(data, rng, 0.15) + 0.5 * rng.normal(size=len(data)))
    text = misfit_text(fit("y ~ group * task + " + SHARED, data))
    assert "the skew of y" in text
    assert "lognormal" not in text


def test_outlying_rows_are_named():
    rng, data = np.random.default_rng(8), frame()
    data["y"] = level(data, rng) + 0.5 * rng.normal(size=len(data))
    data.index = data.index + 1000
    data.loc[1007, "y"] += 8
    result = fit("y ~ group * task + " + SHARED, data)
    assert missed(result) == {("row", "outliers")}
    assert "(row 1007); try family='t'" in misfit_text(result)
    data["y"] = level(data, rng) + rng.standard_t(2, len(data))
    assert ("row", "outliers") in missed(fit("y ~ group * task + " + SHARED, data))
    assert not missed(fit("y ~ group * task + " + SHARED, data, "t"))


def test_unequal_spread_between_cells_and_between_units():
    rng, data = np.random.default_rng(9), frame()
    noise = rng.normal(size=len(data))
    data["y"] = level(data, rng) + noise * np.where(data["task"] == "y", 2.0, 0.7)
    result = fit("y ~ group * task + " + SHARED, data)
    assert missed(result) == {("cell", "spread")}
    assert "(" + result.misfit().query("missed")["where"].item() + ")" in misfit_text(result)
    assert result.misfit().query("missed")["where"].item().endswith(":y")
    data["y"] = level(data, rng) + noise * np.where(data["s"] < 3, 3.0, 0.7)
    assert ("s", "spread") in missed(fit("y ~ group * task + " + SHARED, data))


@pytest.mark.parametrize(
    ("family", "right"), [("poisson", "negativebinomial"), ("binomial", "betabinomial")]
)
def test_overdispersion_and_the_family_that_has_it(family, right):
    rng, data = np.random.default_rng(10), frame().assign(n=20)
    eta = level(data, rng, 0.3).to_numpy()
    if family == "poisson":
        data["y"] = rng.poisson(np.exp(1.5 + eta) * rng.gamma(1.5, 1 / 1.5, len(data)))
        left = "y"
    else:
        share = 1 / (1 + np.exp(-eta))
        data["y"] = rng.binomial(20, rng.beta(3 * share, 3 * (1 - share)))
        left = "p(y, n)"
    formula = f"{left} ~ group * task + {SHARED}"
    wrong = fit(formula, data, family)
    assert ("row", "dispersion") in missed(wrong)
    assert f"try family='{right}'" in misfit_text(wrong)
    assert not missed(fit(formula, data, right))


def test_zeros_beside_counts():
    rng, data = np.random.default_rng(11), frame(units=20)
    mean = np.exp(2 + level(data, rng, 0.2))
    data["y"] = rng.poisson(mean) * (rng.uniform(size=len(data)) > 0.25)
    assert ("row", "zeros") in missed(fit("y ~ group * task + " + SHARED, data, "poisson"))
    data["y"] = rng.poisson(mean / 8)  # many zeros, all of them Poisson
    assert not missed(fit("y ~ group * task + " + SHARED, data, "poisson"))


def test_proportions_that_reach_both_borders_have_lighter_tails_than_a_normal():
    rng, data = np.random.default_rng(12), frame(units=20)
    share = 1 / (1 + np.exp(-level(data, rng, 0.2)))
    data["y"] = np.clip(rng.beta(1.2 * share, 1.2 * (1 - share)), 1e-9, 1 - 1e-9)
    wrong = fit("y ~ group * task + " + SHARED, data)
    assert ("row", "tails") in missed(wrong)
    assert "try family='beta'" in misfit_text(wrong)
    assert not missed(fit("y ~ group * task + " + SHARED, data, "beta"))


def test_terms_that_the_formula_leaves_out():
    rng, data = np.random.default_rng(13), frame(units=12)
    both = (data["group"] == "A") & (data["task"] == "y")
    data["y"] = level(data, rng) + 2.0 * both + 0.7 * rng.normal(size=len(data))
    assert ("cell", "means") in missed(fit("y ~ group + task + Error(s)", data))
    assert not missed(fit("y ~ group * task + Error(s)", data))
    own = rng.normal(size=(12, 2))[data["s"], (data["task"] == "y").astype(int)]
    data["y"] = level(data, rng) + 1.5 * own + 0.7 * rng.normal(size=len(data))
    assert ("s", "means") in missed(fit("y ~ group * task + Error(s)", data))
    assert not missed(fit("y ~ group * task + Error(s/task)", data))


def test_an_outlying_unit_is_named():
    rng, data = np.random.default_rng(14), frame(units=30)
    effect = np.where(np.arange(30) == 4, 9.0, rng.normal(size=30))
    data["y"] = effect[data["s"]] + 0.5 * rng.normal(size=len(data))
    result = fit("y ~ group * task + Error(label)", data)
    assert ("label", "outliers") in missed(result)
    assert "outlying units of label (s4)" in misfit_text(result)


def test_a_single_yes_or_no_says_nothing_of_rows():
    rng, data = np.random.default_rng(15), frame()
    data["y"] = rng.binomial(1, 1 / (1 + np.exp(-level(data, rng))))
    result = fit("y ~ group * task + " + SHARED, data, "bernoulli")
    assert "row" not in set(result.misfit()["by"])
    assert not missed(result)


def test_the_same_seed_gives_the_same_table(quick_fit):
    result = quick_fit("memory")
    one, other = result.misfit(), result.misfit()
    pd.testing.assert_frame_equal(one, other)
    assert not result.misfit(random_seed=2)["p"].equals(one["p"])
    assert known_misfit(result) is known_misfit(result)


@pytest.mark.parametrize(
    "name", ["memory", "oats", "recall", "covariate", "no units", "no factors", "empty cell"]
)
def test_nothing_is_amiss_with_designs_that_come_from_their_model(name, quick_fit):
    assert not missed(quick_fit(name))


def test_the_odd_ones_do_not_fail():
    """One row a cell, one unit, two units, a lone row beside others, weights of one, an offset."""
    rng = np.random.default_rng(16)
    data = frame(units=2, times=1)
    data["y"], data["hours"] = rng.normal(size=len(data)), 2.0
    data["yes"] = [0, 1, 1, 0]
    data["count"] = rng.poisson(3, len(data)) + np.arange(4)
    for formula, family in (
        ("y ~ task + Error(s)", "gaussian"),
        ("y ~ task", "gaussian"),
        ("y ~ 1", "gaussian"),
        ("yes ~ task", "bernoulli"),
        ("count ~ task + offset(log(hours))", "poisson"),
    ):
        result = fit(formula, data, family)
        table = result.misfit()
        assert "misfit: " in repr(result)
        assert table["p"].between(0, 1).all()
        assert (table["p"] > LEVEL / 20).all() or table["missed"].any()
