"""Sub-models, their weights, inclusion Bayes factors and averages."""

from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.errors import (
    ArgumentError,
    EvidenceWarning,
    MissingUnitTermWarning,
    PseudoreplicationWarning,
)
from bambi_anova.evidence.bayes_factors import BayesFactors, WeighedModel, warn_of_noise
from bambi_anova.evidence.submodels import sub_specification, submodels
from bambi_anova.posterior.importance import LogEvidence
from bambi_anova.posterior.trust import Verdict
from tests.generated import generated

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.ReplicationWarning")
QUIET = {"random_seed": 1, "progressbar": False}


def oats():
    return ba.load_data("oats").astype({"nitrogen": str})


def split_plot():
    return ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats())


@cache
def weighed(priors=None):
    return ba.bayes_factors(split_plot(), priors=priors, **QUIET)


# -- Which models ------------------------------------------------------------------------------


def three_way():
    return ba.Model(
        "y ~ group * task * dose + item + Error(s)", generated("gaussian", "identity")
    ).design


def by_brute_force(design, marginal):
    names = [frozenset((*t.factors, *filter(None, [t.covariate]))) for t in design.terms]
    found = set()
    for size in range(len(names) + 1):
        for own in combinations(names, size):
            parts = all(n in own for one in own for n in names if n < one)
            if parts or not marginal:
                found.add(frozenset(own))
    return found


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
@pytest.mark.parametrize("kind", ["hierarchical", "all"])
def test_all_sub_models_are_found_once(kind):
    design = three_way()
    found = submodels(design, kind)
    sets = [
        frozenset(frozenset((*t.factors, *filter(None, [t.covariate]))) for t in one.terms)
        for one in found
    ]
    assert len(set(sets)) == len(sets)
    assert set(sets) == by_brute_force(design, kind == "hierarchical")


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_a_term_that_is_kept_is_everywhere_and_top_is_one_step_down():
    design = three_way()
    kept = submodels(design, "hierarchical", keep=["item", "task"])
    assert all({"item", "task"} <= set(one.names) for one in kept)
    top = submodels(design, "top")
    assert len(top) == len(design.terms) + 1
    assert [len(one.terms) for one in top] == [len(design.terms) - 1] * len(design.terms) + [8]
    assert submodels(design, "hierarchical", keep="task:group")[0].names == (
        "group",
        "task",
        "group:task",
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": "some"}, "models='some'"),
        ({"keep": ["plot"]}, "'plot' is not a fixed term"),
        ({"keep": ["variety", "nitrogen", "variety:nitrogen"]}, "no fixed term to compare"),
        ({"priors": "wide"}, "priors='wide'"),
        ({"scales": {"fixed": 1.0}}, "scales"),
        ({"inference_method": "nutpie"}, "inference_method='nutpie'"),
        ({"prior_probabilities": {"plot": 1.0}}, "'plot' is no model"),
        ({"prior_probabilities": {"null": -1.0}}, "not negative"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(ArgumentError, match=words):
        ba.bayes_factors(split_plot(), **QUIET, **options)


def test_only_models_are_compared():
    with pytest.raises(ArgumentError, match="expected a Model"):
        ba.bayes_factors("y ~ a", **QUIET)


# -- What models share -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
@pytest.mark.parametrize("family", ["gaussian", "poisson", "betabinomial", "negativebinomial"])
def test_sub_models_share_rows_units_cells_and_priors(family):
    response = "p(y, n)" if family == "betabinomial" else "y"
    link = "logit" if family == "betabinomial" else "identity" if family == "gaussian" else "log"
    model = ba.Model(
        f"{response} ~ group * task + dose + Error(s/task)", generated(family, link), family=family
    )
    for one in submodels(model.design, "hierarchical"):
        own = sub_specification(model, one)
        assert own.design.units == model.design.units
        assert own.design.shape == model.design.shape
        assert own.design.rows is model.design.rows
        assert own.priors.intercept == model.priors.intercept
        assert own.priors.auxiliary == model.priors.auxiliary
        assert own.priors.sigmas == {k: model.priors.sigmas[k] for k in own.priors.sigmas}
        assert set(own.priors.sigmas) | set(own.priors.covariates) == {
            *one.names,
            *(unit.name for unit in model.design.units),
        }
        again = ba.Model(own.formula.text, generated(family, link), family=family)
        assert [t.name for t in again.design.terms] == list(one.names)
        assert [u.name for u in again.design.units] == [u.name for u in model.design.units]


def test_the_weights_are_those_of_models_of_their_own():
    """Where priors do not depend on the terms, separate models give the same evidence."""
    found = weighed()
    for one in found.weighed:
        terms = " + ".join(one.model.names) or "1"
        model = ba.Model(f"yield ~ {terms} + Error(block/variety)", oats())
        fit = model.fit("laplace", random_seed=7, progressbar=False)
        error = np.hypot(fit.log_evidence.mcse, one.evidence.mcse)
        assert one.evidence.value == pytest.approx(fit.log_evidence.value, abs=4 * error)


def test_missing_unit_terms_are_not_dropped_silently():
    frame = generated("gaussian", "identity")
    with pytest.warns(MissingUnitTermWarning):
        model = ba.Model("y ~ task + Error(s)", frame)
    with pytest.warns(MissingUnitTermWarning, match="'task' varies within 's'"):
        ba.bayes_factors(model, **QUIET)
    with pytest.warns(PseudoreplicationWarning):
        model = ba.Model("y ~ group", frame)
    with pytest.warns(PseudoreplicationWarning):
        ba.bayes_factors(model, **QUIET)


# -- Tables ------------------------------------------------------------------------------------


def made(log_evidence, prior=None, mcse=0.01, trusted=True):
    """Bayes factors of the split-plot's models with marginal likelihoods of our own."""
    model = split_plot()
    chosen = submodels(model.design, "hierarchical")
    verdict = Verdict(() if trusted else ("noisy",))
    weighed = tuple(
        WeighedModel(one, LogEvidence(log_evidence[one.name], mcse, 0.1), verdict, None)
        for one in chosen
    )
    prior = np.full(len(chosen), 1 / len(chosen)) if prior is None else np.array(prior)
    return BayesFactors(model, weighed, prior, "")


LOGS = {
    "null": -3.0,
    "variety": -2.0,
    "nitrogen": 0.5,
    "variety + nitrogen": 1.0,
    "variety + nitrogen + variety:nitrogen": -1.0,
}


def test_the_models_table_is_bayes_theorem():
    prior = [0.1, 0.2, 0.3, 0.25, 0.15]
    found = made(LOGS, prior)
    table = found.models("null").set_index("model")
    names = [one.model.name for one in found.weighed]
    weight = np.exp([LOGS[name] for name in names]) * prior
    expected = dict(zip(names, weight / weight.sum(), strict=True))
    for name, log in LOGS.items():
        own = table.loc[name]
        assert own["posterior_probability"] == pytest.approx(expected[name])
        assert own["bf"] == pytest.approx(np.exp(log + 3))
        p, q = expected[name], own["prior_probability"]
        assert own["bf_model"] == pytest.approx(p / (1 - p) / (q / (1 - q)))
        assert own["mcse"] == pytest.approx(0 if name == "null" else 0.01 * 2**0.5)
    assert found.models().iloc[0]["model"] == "variety + nitrogen"
    assert found.models("full").query("bf == 1")["model"].tolist() == [
        "variety + nitrogen + variety:nitrogen"
    ]
    with pytest.raises(ArgumentError, match="against='plot'"):
        found.models("plot")


def test_inclusion_bayes_factors_are_odds_of_sets_of_models():
    found = made(LOGS)
    e = {name: np.exp(log) for name, log in LOGS.items()}
    full = "variety + nitrogen + variety:nitrogen"
    matched = found.terms().set_index("term")["bf"]
    assert matched["variety"] == pytest.approx(
        (e["variety"] + e["variety + nitrogen"]) / (e["null"] + e["nitrogen"])
    )
    assert matched["variety:nitrogen"] == pytest.approx(e[full] / e["variety + nitrogen"])
    every = found.terms(matched=False).set_index("term")
    has = e["variety"] + e["variety + nitrogen"] + e[full]
    assert every.loc["variety", "bf"] == pytest.approx(has / (e["null"] + e["nitrogen"]) / (3 / 2))
    assert every.loc["variety", "prior_probability"] == pytest.approx(0.6)
    assert every.loc["variety", "models"] == 5
    shares = special.softmax([LOGS[n] for n in ("variety", "variety + nitrogen", full)])
    others = special.softmax([LOGS[n] for n in ("null", "nitrogen")])
    error = 0.01 * np.sqrt((shares**2).sum() + (others**2).sum())
    assert every.loc["variety", "mcse"] == pytest.approx(error)


def test_unequal_prior_probabilities_leave_inclusion_bayes_factors_of_two_models_alone():
    prior = [0.1, 0.2, 0.3, 0.3, 0.1]
    one, two = (made(LOGS, p).terms().set_index("term")["bf"] for p in (None, prior))
    assert one["variety:nitrogen"] == pytest.approx(two["variety:nitrogen"])
    assert one["variety"] != pytest.approx(two["variety"])


def test_models_that_are_not_trusted_are_told():
    found = made(LOGS, mcse=0.5, trusted=False)
    assert not found.models()["trusted"].any()
    assert not found.terms()["trusted"].any()
    with pytest.warns(EvidenceWarning, match="5 of 5 marginal likelihoods are not trusted"):
        warn_of_noise(found.weighed)


def test_prior_probabilities_are_the_users():
    given = {"null": 1, "nitrogen": 3}
    found = ba.bayes_factors(
        split_plot(), priors="jzs", prior_probabilities=given, draws=10, **QUIET
    )
    table = found.models().set_index("model")
    assert table.loc["nitrogen", "prior_probability"] == 0.75
    assert table.loc["variety", "posterior_probability"] == 0


def test_the_same_seed_gives_the_same_numbers_and_another_not():
    one, two, other = (
        ba.bayes_factors(split_plot(), priors="jzs", random_seed=s, draws=10, progressbar=False)
        for s in (1, 1, 2)
    )
    assert one.models().equals(two.models())
    assert not one.models().equals(other.models())
    means = [found.average().draws.cells for found in (one, two)]
    np.testing.assert_array_equal(*means)


def test_the_printout_says_what_the_priors_are():
    assert "lean to models without" in repr(weighed())
    text = repr(weighed("jzs"))
    assert "r = 0.5 for fixed terms" in " ".join(text.split())
    assert "variety:nitrogen" in text


# -- Averages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("priors", [None, "jzs"])
def test_averages_weigh_the_models_by_their_probabilities(priors):
    found = weighed(priors)
    average = found.average()
    expected = sum(
        p * one.fit.draws.cells.mean(axis=(0, 1))
        for p, one in zip(found.probabilities, found.weighed, strict=True)
    )
    cells = average.draws.cells
    assert cells.mean(axis=(0, 1)) == pytest.approx(expected, abs=4 * cells.std() / 4000**0.5)
    table = average.contrasts("variety")
    lacks = 1 - found.terms(matched=False).set_index("term").loc["variety", "posterior_probability"]
    draws = average.draws_of("contrasts", "variety")
    assert float((abs(draws) < 1e-9).mean()) == pytest.approx(lacks, abs=1e-3)
    if priors == "jzs":  # lumps of five sixths leave few draws beside them
        assert table["trusted"].all()
    assert average.means()["trusted"].all()
    assert average.probability("Victory < Marvellous", "variety")["probability"][0] > 0.05


def test_averages_over_models_with_a_term_have_no_lump_at_zero():
    found = weighed("jzs")
    draws = found.average("variety").draws_of("contrasts", "variety")
    assert not (abs(draws) < 1e-9).any()
    with_it = [one for one in found.weighed if one.model.names == ("variety", "nitrogen")]
    alone = with_it[0].fit
    expected = alone.draws.cells[..., 0] - alone.draws.cells[..., 4]
    assert float(draws[..., 0].mean()) == pytest.approx(expected.mean(), abs=0.6)
    interaction = found.average("variety:nitrogen").draws.sigmas["variety:nitrogen"]
    assert (interaction > 0).all()


def test_averages_of_models_that_are_not_trusted_are_not():
    from dataclasses import replace

    found = weighed("jzs")
    noisy = tuple(replace(one, verdict=Verdict(("noisy",))) for one in found.weighed)
    average = replace(found, weighed=noisy).average()
    assert not average.means()["trusted"].any()


@pytest.mark.slow
def test_nuts_bridges_to_the_quick_fits_numbers():
    model = ba.Model("yield ~ variety + Error(block/variety)", oats())
    quick = ba.bayes_factors(model, **QUIET)
    full = ba.bayes_factors(model, inference_method="nuts", **QUIET)
    gap = full.models("null")["log_bf"] - quick.models("null")["log_bf"]
    assert gap.abs().max() < 0.1
    one, two = (f.average().contrasts("variety") for f in (quick, full))
    assert (one["mean"] - two["mean"]).abs().max() < 0.1 * one["sd"].max()


@pytest.mark.parametrize(
    ("family", "link"),
    [("binomial", "logit"), ("poisson", "log"), ("t", "identity"), ("cumulative", "probit")],
)
@pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
def test_every_family_is_weighed(family, link):
    response = "p(y, n)" if family == "binomial" else "y"
    model = ba.Model(f"{response} ~ task + Error(s)", generated(family, link), family=family)
    found = ba.bayes_factors(model, **QUIET)
    assert len(found.weighed) == 2
    assert found.terms()["mcse"].max() < 0.1
    assert isinstance(found.average().means("task"), pd.DataFrame)


def test_the_report_names_models_units_priors_and_evidence_with_its_side():
    found = weighed("jzs")
    text = " ".join(found.report().split())
    best, terms = found.models().iloc[0], found.terms().set_index("term")
    assert f"{len(found.weighed)} models" in text
    assert "unit terms block, block:variety" in text
    assert best["model"] in text
    assert f"; nitrogen {terms.loc['nitrogen', 'bf']:.3g} to 1 for it" in text
    assert terms.loc["variety:nitrogen", "bf"] < 1
    assert f"variety:nitrogen {1 / terms.loc['variety:nitrogen', 'bf']:.3g} to 1 against it" in text
    assert "JZS" in text
