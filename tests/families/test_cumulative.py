"""Ratings: intervals, thresholds as latent coordinates, and what R and JAGS find.

Letters: M rows, G columns.
"""

from pathlib import Path

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.engine.latent.arrow import Curvature
from bambi_anova.engine.latent.build import latent_model
from bambi_anova.engine.latent.mode import ModeFinder
from bambi_anova.families.cumulative import (
    FAR,
    INTERVALS,
    log_logistic_interval,
    log_normal_interval,
)
from tests.generated import RATINGS, family_of, generated

REFERENCE = Path(__file__).parents[1] / "reference"
FORMS = [("cumulative", "probit"), ("cumulative", "logit"), ("thresholded_normal", "latent")]
EACH_FORM = pytest.mark.parametrize(("name", "link"), FORMS)
pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def model_of(name, link, formula="y ~ group * task + Error(s)", **options):
    return ba.Model(formula, generated(name, link), family=name, link=link, **options)


# -- Intervals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "made"), [(log_normal_interval, stats.norm), (log_logistic_interval, stats.logistic)]
)
def test_the_log_probability_of_intervals_keeps_its_digits(log, made):
    lower = np.array([-60.0, -9.0, -1.0, 0.0, 1e-9, 8.0, 39.0])
    for width in (1e-4, 0.5, 3.0):
        # Gauss-Legendre of the density over its value in the middle.
        nodes, weights = np.polynomial.legendre.leggauss(60)
        x = lower[:, None] + width * (nodes + 1) / 2
        top = made.logpdf(x).max(axis=1)
        inside = (np.exp(made.logpdf(x) - top[:, None]) * weights).sum(axis=1) * width / 2
        np.testing.assert_allclose(log(lower + width, lower), top + np.log(inside), rtol=1e-9)
    assert log(np.array([1.0]), np.array([1.0]))[0] == log(np.zeros(1), np.ones(1))[0] == -np.inf
    ends = log(np.array([-3.0, FAR]), np.array([-FAR, 3.0]))
    np.testing.assert_allclose(ends, [made.logcdf(-3), made.logsf(3)], rtol=1e-12)


@pytest.mark.parametrize("name", INTERVALS)
def test_derivatives_in_both_ends_are_those_of_the_log_probability(name):
    interval, rng = INTERVALS[name], np.random.default_rng(2)
    lower = rng.normal(0, 3, (50, 1))
    upper = lower + rng.uniform(0.05, 3, (50, 1))
    found, h = interval.derivatives(upper, lower), 1e-4
    for k, (du, dl) in enumerate([(h, 0), (0, h)]):
        up, down = (interval.log(upper + s * du, lower + s * dl) for s in (1, -1))
        np.testing.assert_allclose(found.gradient[k], (up - down) / (2 * h), rtol=1e-4, atol=1e-6)
        up, down = (interval.derivatives(upper + s * du, lower + s * dl).gradient for s in (1, -1))
        np.testing.assert_allclose(
            found.information[k], (down - up) / (2 * h), rtol=1e-4, atol=1e-5
        )
    assert (np.linalg.eigvalsh(found.information[..., 0].transpose(2, 0, 1)) > -1e-9).all()


# -- Thresholds as latent coordinates ----------------------------------------------------------


@EACH_FORM
def test_two_predictors_have_the_likelihood_of_one_and_thresholds(name, link):
    model, family = model_of(name, link), family_of(name, link)
    single = family.likelihood((family.link(link),), model.collapsed)
    latent, rng = latent_model(model), np.random.default_rng(3)
    thresholds = [one for one in family.auxiliary if one.name in family.thresholds]
    values = {one.name: one.prior(None).args["mu"] for one in thresholds}
    core = rng.normal(size=(latent.core.size, 2))
    for term in latent.core.terms:
        if term.key in values:
            core[term.start] = values[term.key] + rng.uniform(-0.2, 0.2, 2)
            values[term.key] = core[term.start]
    units = rng.normal(size=(latent.blocks.count * latent.blocks.size, 2))
    both = latent.offset + latent.columns @ np.vstack([core, units])
    aux = {"sigma": np.array([1.3, 0.8])} if name == "thresholded_normal" else {}
    design = latent.columns.toarray()[: len(model.collapsed.first)]
    top = model.collapsed.values < RATINGS[-1]
    effects = [term for term in latent.core.terms if term.key not in values]
    places = [k for term in effects for k in range(term.start, term.stop)]
    places += list(range(latent.core.size, latent.size))
    eta = -design[:, places] @ np.vstack([core, units])[places]
    found, wanted = latent.likelihood.log(both, aux), single.log(eta, {**aux, **values})
    np.testing.assert_allclose(found[top], wanted[top], rtol=1e-9)
    assert not np.allclose(found[~top], wanted[~top])  # there the upper end holds no eta


@EACH_FORM
def test_the_latent_mode_has_no_slope_and_its_precision_is_that_of_the_rows(name, link):
    model = latent_model(model_of(name, link))
    finder, u = ModeFinder(model), np.tile([-0.5, 0.3], (len(model.scales), 1))
    modes = finder(u, 1e-8)
    aux = model.likelihood_parameters(model.values(u))
    found = model.likelihood.derivatives(modes.eta, aux)
    sd = np.vstack([modes.core_sd, np.tile(modes.factor.sd, (model.blocks.count, 1))])
    v = np.vstack([modes.core, modes.units.reshape(-1, 2)])
    slope = sd * (model.columns.T @ found.gradient.reshape(modes.eta.shape)) - v
    np.testing.assert_allclose(slope, 0, atol=1e-5)
    core, border, blocks = Curvature(model).entries(found.weights)
    dense, p = model.columns.toarray(), model.core.size
    rows = len(dense) // 2
    parts = [dense[:rows], dense[rows:]]
    expected = sum(
        np.einsum("mq,m,mr->qr", parts[k], found.information[k, j, :, 0], parts[j])
        for k in range(2)
        for j in range(2)
    )
    np.testing.assert_allclose(core[..., 0], expected[:p, :p], atol=1e-9)
    b, d = blocks.shape[:2]
    inside = expected[p:, p:].reshape(b, d, b, d)
    np.testing.assert_allclose(blocks[..., 0], inside[range(b), :, range(b)], atol=1e-9)
    outside = expected[p:, :p].reshape(b, d, p)
    np.testing.assert_allclose(border[..., 0], outside, atol=1e-9)


# -- R's clm and JAGS --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ratings():
    return pd.read_csv(REFERENCE / "ratings.csv")


@pytest.mark.parametrize("link", ["probit", "logit"])
def test_the_maximum_of_the_likelihood_is_that_of_r_s_clm(link, ratings):
    clm = pd.read_csv(REFERENCE / "ratings_clm.csv").query("link == @link")
    clm = clm.set_index("name")["value"]
    model = ba.Model("y ~ group * task", ratings, family="cumulative", link=link, collapse=False)
    signs = [np.where(ratings[c] == first, 1, -1) for c, first in (("group", "a"), ("task", "x"))]
    columns = np.column_stack([*signs, signs[0] * signs[1]])
    eta = columns @ clm[["group1", "task1", "group1:task1"]].to_numpy()
    aux = {f"threshold_{k}": np.array([clm[f"{k}|{k + 1}"]]) for k in range(1, 7)}
    likelihood = model.family.likelihood((model.link,), model.collapsed)
    assert likelihood.log(eta[:, None], aux).sum() == pytest.approx(clm["logLik"], abs=1e-6)
    slopes = likelihood.derivatives(eta[:, None], aux).slope[:, 0]
    np.testing.assert_allclose(columns.T @ slopes, 0, atol=1e-3)


def against_jags(fit, name):
    jags = pd.read_csv(REFERENCE / "ratings_jags.csv").query("family == @name")
    jags = jags.set_index("quantity")
    means = fit.means().set_index(["group", "task"])
    own = {f"mean {':'.join(key)}": row[["mean", "sd"]] for key, row in means.iterrows()}
    draws = {**fit.draws.auxiliary, "sigma s": fit.draws.sigmas["s"]}
    own |= {key: pd.Series({"mean": v.mean(), "sd": v.std()}) for key, v in draws.items()}
    assert set(own) == set(jags.index)
    for key, row in jags.iterrows():
        assert own[key]["mean"] == pytest.approx(row["mean"], abs=0.12 * row["sd"]), key
        assert own[key]["sd"] == pytest.approx(row["sd"], rel=0.12), key


@pytest.mark.parametrize("name", ["cumulative", "thresholded_normal"])
def test_quick_fits_find_what_jags_finds(name, ratings):
    link = "probit" if name == "cumulative" else None
    model = ba.Model("y ~ group * task + Error(s)", ratings, family=name, link=link)
    fit = model.fit("laplace", draws=2000, random_seed=1, progressbar=False)
    assert fit.verdict == "trusted"
    against_jags(fit, name)


@pytest.mark.slow
def test_nuts_finds_what_jags_finds(ratings):
    model = ba.Model("y ~ group * task + Error(s)", ratings, family="thresholded_normal")
    fit = model.fit("nuts", draws=2000, random_seed=1, progressbar=False)
    against_jags(fit, "thresholded_normal")


# -- How ratings are read ----------------------------------------------------------------------


def test_categories_in_words_are_ratings_in_their_order(ratings):
    words = ["never", "once", "seldom", "at times", "often", "mostly", "always"]
    named = ratings.assign(
        y=pd.Categorical([words[k - 1] for k in ratings["y"]], [*words, "unheard of"], ordered=True)
    )
    one, other = (ba.Model("y ~ task", data, family="cumulative") for data in (ratings, named))
    np.testing.assert_array_equal(one.collapsed.values, other.collapsed.values)
    assert other.design.rows.response.categories == tuple(words)
    assert other.family.thresholds == one.family.thresholds
    unordered = named.assign(y=named["y"].cat.as_unordered())
    with pytest.raises(ba.errors.DataError, match=r"ordered=True"):
        ba.Model("y ~ task", unordered, family="cumulative")


@pytest.mark.parametrize(
    ("values", "family", "message"),
    [
        ([1, 2], "cumulative", "found 2; use family='bernoulli'"),
        (np.arange(40), "cumulative", "found 40; use family='gaussian'"),
        ([1.5, 2, 3], "cumulative", "whole numbers, or ordered categories"),
        ([1, 2, 4, 5], "thresholded_normal", "follow each other.*found 1, 2, 4, 5"),
        (["a", "b", "c"], "cumulative", "expected numbers"),
    ],
)
def test_what_is_no_rating_is_refused_in_words(values, family, message):
    frame = pd.DataFrame({"y": np.tile(values, 4), "A": np.repeat(list("xy"), 2 * len(values))})
    with pytest.raises(ba.errors.DataError, match=message):
        ba.Model("y ~ A", frame, family=family)


def test_thresholds_that_lie_apart_have_the_likelihood_of_the_categories_that_occur():
    frame = generated("cumulative", "probit")
    apart = frame.assign(y=frame["y"].map({1: 1, 2: 2, 3: 5, 4: 6, 5: 10}))
    one, other = (ba.Model("y ~ task", data, family="cumulative") for data in (frame, apart))
    start = [latent_model(model).likelihood.own_predictor() for model in (one, other)]
    np.testing.assert_allclose(*start)


def test_free_effects_of_every_level_are_refused_where_thresholds_take_their_mean():
    with pytest.raises(ba.errors.ArgumentError, match="identified"):
        model_of("cumulative", "probit", parameterization="overparameterized")


def test_priors_of_thresholds_are_given_together_or_one_by_one():
    given = {"threshold": bmb.Prior("Normal", mu=0, sigma=3), "threshold_2": bmb.Prior("Normal")}
    priors = model_of("cumulative", "probit", priors=given).priors.auxiliary
    assert str(priors["threshold_1"]) == str(priors["threshold_4"]) == "Normal(mu=0, sigma=3)"
    assert priors["threshold_2"].args == {}
    with pytest.raises(ba.errors.PriorError, match="expected a Normal"):
        model_of("cumulative", "probit", priors={"threshold": bmb.Prior("HalfNormal")})
    with pytest.raises(ba.errors.PriorError, match="Intercept"):
        model_of("cumulative", "probit", priors={"Intercept": bmb.Prior("Normal")})
