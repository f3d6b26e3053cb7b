"""Tables of fits by Bambi: against our own results, Bambi's comparisons and emmeans."""

import bambi as bmb
import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.bambi_fits.anova import anova
from bambi_anova.bambi_fits.estimates import contrasts, means, slopes
from bambi_anova.bambi_model.build import built
from bambi_anova.errors import ArgumentError, ConvergenceWarning

NUMBERS = ["mean", "sd", "hdi95_lb", "hdi95_ub"]


@pytest.fixture(scope="module")
def oats():
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    return model.fit("laplace", random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def memory():
    data = ba.load_data("memory")
    data = data[~((data["participant"] == "P01") & (data["trial_type"] == "x"))]
    with pytest.warns(ba.errors.AnovaWarning):
        model = ba.Model(
            "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
            data,
            "binomial",
        )
    return model.fit("laplace", random_seed=1, progressbar=False)


def same(ours, theirs):
    """Equal labels, and numbers to rounding."""
    assert list(ours.columns) == list(theirs.columns)
    plain = [name for name in theirs if theirs[name].dtype.kind not in "fc"]
    for name in plain:
        assert ours[name].astype(str).tolist() == theirs[name].astype(str).tolist(), name
    numbers = [name for name in theirs if name not in plain]
    np.testing.assert_allclose(
        ours[numbers].to_numpy(float), theirs[numbers].to_numpy(float), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("population", ["super", "finite", "average"])
@pytest.mark.parametrize("scale", ["link", "response"])
def test_tables_are_those_of_our_own_result_of_the_same_model(oats, population, scale):
    model, options = built(oats.model), {"population": population, "scale": scale}
    factors = ["variety", "nitrogen"]
    same(
        means(model, oats, "variety", factors=factors, **options), oats.means("variety", **options)
    )
    same(
        contrasts(model, oats, "nitrogen", "poly", by="variety", factors=factors, **options),
        oats.contrasts("nitrogen", "poly", by="variety", **options),
    )
    ours = anova(model, oats, population, scale, factors=factors).sort_values("term")
    same(ours, oats.anova(population, scale).sort_values("term"))


@pytest.mark.parametrize("population", ["super", "average"])
@pytest.mark.parametrize("scale", ["link", "response"])
def test_rates_are_those_of_our_own_result(memory, population, scale):
    model, options = built(memory.model), {"population": population, "scale": scale}
    factors = ["condition", "trial_type"]
    for weights in ("equal", "observed", "proportional"):
        same(
            means(model, memory, "condition", factors=factors, weights=weights, **options),
            memory.means("condition", weights=weights, **options),
        )
    compare = {"compare": "odds_ratio"}
    same(
        contrasts(model, memory, "trial_type", factors=factors, **options, **compare),
        memory.contrasts("trial_type", **options, **compare),
    )


@pytest.mark.parametrize(
    ("formula", "family", "contrast", "conditional"),
    [
        ("y ~ A * B + x", "gaussian", {"A": ["a1", "a2"]}, {"B": ["x", "y"]}),
        ("yes ~ A * B + x + (1|s)", "bernoulli", {"A": ["a1", "a2"]}, {"B": ["x", "y"]}),
        ("count ~ A * level", "poisson", {"A": ["a1", "a2"]}, {"level": ["low", "mid", "high"]}),
    ],
)
def test_differences_are_those_of_bambis_comparisons(
    formula, family, contrast, conditional, fitted, trials
):
    model, idata = fitted(formula, family)
    fixed = {"x": [trials["x"].mean()]} if "x" in formula.split() else {}
    if "s" in formula:
        idata = idata.copy(deep=True)
        idata["posterior"]["1|s"] *= 0  # Bambi compares a group of the data, here of no effect
    with np.errstate(all="ignore"):
        found = bmb.interpret.comparisons(
            model, idata, contrast=contrast, conditional={**conditional, **fixed}
        ).summary
    (by,) = conditional
    ours = contrasts(
        model, idata, "A", "revpairwise", by=by, population="average", scale="response"
    )
    found = found.set_index(by).loc[list(ours[by])]
    np.testing.assert_allclose(ours["mean"], found["estimate"], rtol=1e-10, atol=1e-12)


def test_slopes_of_straight_and_bent_columns(fitted, trials):
    model, idata = fitted("y ~ x * A + bs(z, df=4) + (x|s)")
    posterior = idata["posterior"]
    own = slopes(model, idata, "x")
    assert own["A"].tolist() == ["a1", "a2"]
    expected = posterior["x"], posterior["x"] + posterior["x:A"].squeeze()
    np.testing.assert_allclose(own["mean"], [v.mean() for v in expected], rtol=1e-8)
    # Of these units each slope counts where it was: in its own group.
    finite = slopes(model, idata, "x", population="finite")
    effects = posterior["x|s"].mean(("chain", "draw")).to_numpy()
    shifts = [effects[:6].mean(), effects[6:].mean()]
    np.testing.assert_allclose(finite["mean"] - own["mean"], shifts, atol=1e-8)
    bent = slopes(model, idata, "z", at={"z": [0.0, 1.0]})
    pair = means(model, idata, "z", at={"z": [-1e-4, 1e-4]})
    assert bent["z"].tolist() == [0.0, 1.0]
    steep = (pair["mean"][1] - pair["mean"][0]) / 2e-4
    assert bent["mean"][0] == pytest.approx(steep, rel=1e-3)
    apart = contrasts(model, idata, "A", "revpairwise", slope="x")
    assert apart["mean"][0] == pytest.approx(float(posterior["x:A"].mean()), rel=1e-8)


def test_parameters_with_a_formula_have_tables_of_their_own(fitted):
    model, idata = fitted(["y ~ A", "sigma ~ B"])
    posterior = idata["posterior"]
    ours = contrasts(model, idata, "B", "revpairwise", parameter="sigma")
    assert ours["of"].tolist() == ["sigma"]
    assert ours["mean"][0] == pytest.approx(float(posterior["sigma_B"].mean()), rel=1e-10)
    ratio = contrasts(model, idata, "B", "revpairwise", parameter="sigma", compare="ratio")
    expected = float(np.exp(posterior["sigma_B"]).mean())
    assert ratio["mean"][0] == pytest.approx(expected, rel=1e-10)
    shown = means(model, idata, "B", parameter="sigma", scale="response")
    own = float(np.exp(posterior["sigma_Intercept"]).mean())
    assert shown["mean"][0] == pytest.approx(own, rel=1e-10)


def test_categories_are_an_axis_of_their_own(fitted):
    model, idata = fitted("rating ~ A + x", "cumulative")
    table = means(model, idata, "A", scale="response")
    assert table["category"].tolist() == ["1", "1", "2", "2", "3", "3", "4", "4"]
    assert table.groupby("A")["mean"].sum().tolist() == pytest.approx([1.0, 1.0])
    assert set(table["of"]) == {"probability"}
    apart = contrasts(model, idata, "A", scale="response")
    assert apart["mean"].sum() == pytest.approx(0, abs=1e-12)


def test_a_column_right_of_a_bar_may_be_named(fitted):
    model, idata = fitted("y ~ A + (1|s) + (x|item)")
    table = means(model, idata, "item")
    assert means(model, idata, "A", factors="item")["mean"].mean() == pytest.approx(
        table["mean"].mean()
    )
    effects = idata["posterior"]["1|item"].mean(("chain", "draw"))
    slope = idata["posterior"]["x|item"].mean(("chain", "draw")) * model.data["x"].mean()
    shifts = (effects + slope).to_numpy()
    np.testing.assert_allclose(np.diff(table["mean"]), np.diff(shifts), atol=1e-10)


def test_cells_without_data_are_not_supported(trials, fake):
    data = trials[~((trials["A"] == "a2") & (trials["level"] == "high"))]
    model = bmb.Model("y ~ A * level", data)
    idata = fake(model)
    table = means(model, idata, "A:level")
    assert table["supported"].tolist() == [True, True, True, True, True, False]
    apart = contrasts(model, idata, "level", by="A")
    assert apart["supported"].tolist() == [True] * 4 + [False] * 2
    additive = bmb.Model("y ~ A + level", data)
    assert means(additive, fake(additive), "A:level")["supported"].all()


def test_missing_rows_stay_out(trials, fake):
    data = trials.assign(x=trials["x"].where(trials["x"] > 1.2))
    model = bmb.Model("y ~ A + x", data, dropna=True)
    idata = fake(model)
    shown = means(model, idata, "A")["mean"][0]
    posterior = idata["posterior"]
    mean = data["x"].mean()
    assert shown == pytest.approx(float((posterior["Intercept"] + mean * posterior["x"]).mean()))


def test_draws_that_may_be_no_chains_are_not_trusted(oats, fitted):
    model, idata = fitted("y ~ A + B")
    big = built(oats.model)
    assert contrasts(big, oats, "variety", factors=["nitrogen"])["trusted"].all()
    with pytest.warns(ConvergenceWarning, match="nothing says that these draws are Markov chains"):
        approximate = contrasts(big, oats.idata, "variety", factors=["nitrogen"])
    assert not approximate["trusted"].any()
    thinned = idata.isel(draw=slice(None, None, 2))
    assert len(contrasts(model, thinned, "A")) == 1
    one = idata.isel(chain=slice(0, 1))
    assert len(contrasts(model, one, "A")) == 1


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda m, i, o: contrasts(m, i, "C"), "'C' is not a factor"),
        (lambda m, i, o: contrasts(m, o, "A"), "idata: .* pass the draws of the same model"),
        (lambda m, i, o: contrasts(m, None, "A"), "idata: expected what model.fit"),
        (lambda m, i, o: contrasts(m, i["posterior"], "A"), "idata: expected what model.fit"),
        (lambda m, i, o: contrasts("y ~ A", i, "A"), "model: expected a bambi.Model"),
        (lambda m, i, o: means(m, i, at={"A": 1}), "'A' is a factor"),
        (lambda m, i, o: means(m, i, at={"w": 1}), "'w' is no numeric column"),
        (lambda m, i, o: slopes(m, i, "w"), "'w' is no numeric column"),
        (lambda m, i, o: means(m, i, scale="median"), "scale='median'"),
        (lambda m, i, o: means(m, i, population="new"), "population='new'"),
        (lambda m, i, o: means(m, i, parameter="sigma"), "it has no formula"),
        (lambda m, i, o: means(m, i, parameter="tau"), "parameter='tau'"),
        (lambda m, i, o: means(m, i, factors="x"), "factors: 'x'"),
        (lambda m, i, o: contrasts(m, i, "A", compare="ratio", slope="x"), None),
    ],
)
def test_what_cannot_be_asked_is_named(ask, text, fitted):
    model, idata = fitted("y ~ A + x + (1|s)")
    _, other = fitted("y ~ level")
    with pytest.raises(ArgumentError, match=text):
        ask(model, idata, other)


def test_draws_of_other_data_are_refused(trials, fake, fitted):
    _, idata = fitted("y ~ B + (1|s)")
    renamed = bmb.Model("y ~ B + (1|s)", trials.assign(s=trials["s"].str.upper()))
    with pytest.raises(ArgumentError, match="has the levels s00"):
        means(renamed, idata, "B")


def test_new_groups_are_drawn_from_normals_only(trials, fake):
    prior = bmb.Prior("StudentT", nu=4, mu=0, sigma=bmb.Prior("HalfNormal", sigma=1))
    model = bmb.Model(
        "yes ~ A + (1|s)", trials, family="bernoulli", priors={"1|s": prior}, noncentered=False
    )
    idata = fake(model)
    assert len(means(model, idata, "A")) == 2
    with pytest.raises(ArgumentError, match="normals about zero only"):
        means(model, idata, "A", scale="response")
    assert len(means(model, idata, "A", "finite", "response")) == 2


def test_the_families_of_users_have_the_parameter_of_their_formula(trials, fake):
    likelihood = bmb.Likelihood("Normal", params=["mu", "sigma"], parent="mu")
    model = bmb.Model(
        "y ~ A",
        trials,
        family=bmb.Family("mine", likelihood, "identity"),
        priors={"sigma": bmb.Prior("HalfNormal", sigma=1)},
    )
    table = means(model, fake(model), "A", scale="response")
    assert set(table["of"]) == {"mu"}


#: Families whose response is drawn, by formula: numbers of a column that suits them.
DRAWN = {
    "asymmetriclaplace": "y ~ A",
    "beta": "share ~ A",
    "exgaussian": "positive ~ A",
    "exponential": "positive ~ A",
    "gamma": "positive ~ A",
    "hurdle_gamma": "positive ~ A",
    "hurdle_lognormal": "positive ~ A",
    "hurdle_negativebinomial": "count ~ A",
    "hurdle_poisson": "count ~ A",
    "laplace": "y ~ A",
    "lognormal": "positive ~ A",
    "negativebinomial": "count ~ A",
    "wald": "positive ~ A",
    "weibull": "positive ~ A",
    "zero_inflated_negativebinomial": "count ~ A",
    "zero_inflated_poisson": "count ~ A",
}


@pytest.mark.slow
@pytest.mark.parametrize("family", DRAWN)
def test_response_means_are_those_of_responses_that_bambi_draws(family, fitted):
    link = "log" if family in ("gamma", "wald") else None
    model, idata = fitted(DRAWN[family], family, **({"link": link} if link else {}))
    one = idata.isel(chain=[0] * 4, draw=[3] * 20_000)
    frame = pd.DataFrame({"A": ["a1", "a2"]})
    drawn = model.predict(one, kind="response", data=frame, inplace=False, random_seed=1)
    values = next(iter(drawn["posterior_predictive"].to_dataset().values())).to_numpy()
    table = means(model, one, "A", scale="response")
    error = values.std(axis=(0, 1)) / np.sqrt(80_000)
    assert (np.abs(table["mean"] - values.mean(axis=(0, 1))) < 5 * error).all()
