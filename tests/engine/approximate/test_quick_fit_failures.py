"""Hard or unsuitable input to the quick fits: an answer that says so, or words and a way on."""

import bambi as bmb
import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.engine.approximate import quick_fit
from bambi_anova.errors import ArgumentError, PriorError, UnsupportedError

FIT = {"random_seed": 1, "progressbar": False}

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def pairs(units=6, copies=3, seed=0):
    """Units that do both tasks a few times."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        [(f"s{u}", t) for u in range(units) for t in "xy" for _ in range(copies)],
        columns=["s", "A"],
    )
    return frame.assign(y=rng.normal(size=len(frame)), z=rng.normal(size=len(frame)))


def test_two_units_are_answered():
    result = ba.Model("y ~ A + (1|s)", pairs(units=2)).fit("laplace", **FIT)
    assert np.isfinite(result.means()["mean"]).all()


def test_one_row_a_cell_is_answered():
    result = ba.Model("y ~ A + Error(s/A)", pairs(copies=1)).fit("laplace", **FIT)
    assert np.isfinite(result.means()["mean"]).all()


def test_a_search_that_runs_away_says_so(monkeypatch):
    def lost(*_):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(quick_fit, "sample", lost)
    model = ba.Model("y ~ A + (1|s)", pairs())
    with pytest.raises(UnsupportedError, match=r"ran away .* inference_method='nuts'"):
        model.fit("laplace", **FIT)


def test_separation_is_answered_with_finite_means():
    data = pairs(units=12).assign(hit=lambda d: (d["A"] == "x").astype(int))
    result = ba.Model("hit ~ A + (1|s)", data, family="bernoulli").fit("laplace", **FIT)
    row = result.contrasts("A").iloc[0]
    assert 3 < row["mean"] < 30


def test_a_unit_sd_at_zero_is_answered():
    data = pairs(units=20, copies=10)
    result = ba.Model("y ~ A + (1|s)", data).fit("laplace", **FIT)
    assert result.draws.sigmas["s"].min() < 0.05
    assert result.verdict == "trusted"


@pytest.mark.parametrize("family", ["t", "gamma", "negativebinomial", "beta"])
def test_other_families_are_answered_too(family):
    data = pairs(units=10)
    data["y"] = {
        "t": data["y"],
        "gamma": np.exp(data["y"]),
        "negativebinomial": np.random.default_rng(3).negative_binomial(3, 0.3, len(data)),
        "beta": 1 / (1 + np.exp(-data["y"])),
    }[family]
    result = ba.Model("y ~ A + (1|s)", data, family=family).fit("laplace", **FIT)
    assert np.isfinite(result.means()["mean"]).all()


def test_no_hyperparameters_no_trouble():
    result = ba.Model("y ~ z", pairs(), priors={"sigma": 1.0}).fit("laplace", **FIT)
    assert result.verdict == "trusted"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_answers_do_not_depend_on_the_unit_of_the_response(scale):
    formula, data = "y ~ A + (1|s)", pairs()
    plain = ba.Model(formula, data).fit("laplace", **FIT).contrasts("A").iloc[0]
    scaled = data.assign(y=scale * data["y"])
    other = ba.Model(formula, scaled).fit("laplace", **FIT).contrasts("A").iloc[0]
    assert other["mean"] / scale == pytest.approx(plain["mean"], abs=0.1 * plain["sd"])
    assert other["sd"] / scale == pytest.approx(plain["sd"], rel=0.1)


def test_two_modes_of_the_scales_are_both_found():
    """A prior with two separate lumps makes the posterior of the sd bimodal."""
    data = pairs(units=2, copies=2)
    formula = "y ~ 1 + (1|s)"
    prior = bmb.Prior("LogNormal", mu=0.0, sigma=3.0)
    result = ba.Model(formula, data, priors={"s": prior}).fit("laplace", **FIT)
    draws = result.draws.sigmas["s"].ravel()
    assert (draws < 0.1).mean() > 0.1
    assert (draws > 1).mean() > 0.02


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        (bmb.Prior("HalfFlat"), "improper"),
        (bmb.Prior("Uniform", lower=0, upper=np.inf), "improper"),
        (bmb.Prior("Gamma", alpha=0.0, beta=0.0), "positive and finite"),
        (bmb.Prior("HalfNormal", sigma=-1.0), "positive and finite"),
        (bmb.Prior("HalfNormal", sigma=np.nan), "positive and finite"),
    ],
)
def test_improper_priors_are_refused(prior, words):
    with pytest.raises(PriorError, match=words):
        ba.Model("y ~ A + (1|s)", pairs(), priors={"A": prior})


@pytest.mark.parametrize("method", ["laplace", "pathfinder", "advi"])
def test_what_has_no_quick_fit_names_the_way_on(method):
    student = bmb.Prior("StudentT", nu=3, mu=0, sigma=1)
    wald = bmb.Prior("Wald", mu=1.0, lam=1.0)
    for priors in ({"Intercept": student}, {"s": wald}):
        model = ba.Model("y ~ A + (1|s)", pairs(), priors=priors)
        with pytest.raises(UnsupportedError, match="inference_method='nuts'"):
            model.fit(method, **FIT)


def test_options_of_samplers_are_refused():
    with pytest.raises(ArgumentError, match="target_accept"):
        ba.Model("y ~ A + (1|s)", pairs()).fit("laplace", target_accept=0.9, **FIT)


def test_init_must_be_a_fit_of_this_model():
    model = ba.Model("y ~ A + (1|s)", pairs())
    other = ba.Model("y ~ A", pairs()).fit("laplace", **FIT)
    with pytest.raises(ArgumentError, match="init"):
        model.fit(init="laplace", **FIT)
    with pytest.raises(ArgumentError, match="fit of this model"):
        model.fit(init=other, **FIT)
    own = model.fit("laplace", **FIT)
    with pytest.raises(ArgumentError, match="init"):
        model.fit("pymc", init=own, **FIT)


def test_auto_leaves_it_at_a_trusted_quick_fit():
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    assert model.fit("auto", **FIT).sampling.method == "laplace"


def test_fits_of_different_models_are_not_compared():
    one = ba.Model("y ~ A + (1|s)", pairs()).fit("laplace", **FIT)
    other = ba.Model("y ~ A", pairs()).fit("laplace", **FIT)
    with pytest.raises(ArgumentError, match="different models"):
        ba.compare_fits(one, other)


def test_the_worst_agreement_stands_first():
    model = ba.Model("y ~ A + (1|s)", pairs())
    one, other = (model.fit("laplace", random_seed=seed) for seed in (1, 2))
    table = ba.compare_fits(one, other)
    worst = np.maximum(table["shift"].abs(), (table["sd_ratio"] - 1).abs())
    assert (worst.diff().dropna() <= 0).all()
    np.testing.assert_allclose(
        table["shift"], (table["mean_quick"] - table["mean_full"]) / table["sd_full"]
    )
    assert len(table) == len(one.trust())
