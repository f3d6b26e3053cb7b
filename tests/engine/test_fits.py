"""Posteriors: sampling quality, equal forms of the data, and agreement with R's estimates."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).parents[1] / "reference"
MEMORY = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
FIT = {"random_seed": 1, "progressbar": False}


@pytest.fixture(scope="module")
def memory():
    return ba.Model(MEMORY, ba.load_data("memory"), family="binomial").fit(**FIT)


@pytest.fixture(scope="module")
def oats():
    formula = "yield ~ variety * nitrogen + Error(block/variety)"
    return ba.Model(formula, ba.load_data("oats")).fit(**FIT)


@pytest.fixture(scope="module")
def mixed():
    data = pd.read_csv(REFERENCE / "mixed.csv")
    return ba.Model("weight ~ diet * sex * week + Error(animal)", data).fit(**FIT)


def sigmas(result):
    return result.diagnostics[result.diagnostics.index.str.endswith("sigma")]


def test_memory_samples_cleanly(memory):
    assert memory.sampling.divergences == 0
    for table in (
        memory.deflections(),
        memory.contrasts("condition"),
        memory.contrasts("trial_type"),
        memory.contrasts("condition:trial_type"),
        memory.contrasts("condition", population="finite"),
        sigmas(memory),
    ):
        assert (table["r_hat"] <= 1.01).all()
        assert (table["ess_bulk"] >= 1000).all()
        assert (table["ess_tail"] >= 1000).all()


@pytest.mark.parametrize("name", ["oats", "mixed"])
def test_small_gaussian_designs_sample_cleanly(name, request):
    result = request.getfixturevalue(name)
    assert result.complaints == []
    assert result.deflections()["trusted"].all()
    assert result.verdict.trusted
    # Sds of terms with few degrees of freedom have tails that 4,000 draws may not settle.
    assert result.anova()["trusted"].mean() > 0.7


def reference(name, quantity="contrast"):
    table = pd.read_csv(REFERENCE / name)
    return table[table["quantity"] == quantity]


@pytest.mark.parametrize("tool", ["lme4", "glmmTMB"])
def test_memory_agrees_with_maximum_likelihood(memory, tool):
    """The priors are weak beside 51,170 trials: a tenth of a standard error is what they move."""
    theirs = reference("memory_glmer_glmmtmb.csv")
    theirs = theirs[theirs["tool"].str.startswith(tool)].set_index("level")
    for term, level in (("condition", "A - B"), ("trial_type", "x - y")):
        ours = memory.contrasts(term).iloc[0]
        row = theirs.loc[level]
        assert ours["mean"] == pytest.approx(row["estimate"], abs=0.1 * row["se"])
        assert ours["sd"] == pytest.approx(row["se"], rel=0.15)
    sds = reference("memory_glmer_glmmtmb.csv", "sd")
    sds = sds[sds["tool"].str.startswith(tool)].set_index("term")["estimate"]
    # Posterior means of an sd lie above the ML estimate: by under half a posterior sd here.
    for unit in ("participant", "participant:trial_type"):
        draws = memory.draws.sigmas[unit]
        assert abs(draws.mean() - sds[unit]) < 0.6 * draws.std()


def test_the_two_populations_differ_as_they_should(memory):
    wide = memory.contrasts("condition", population="super").iloc[0]
    narrow = memory.contrasts("condition", population="finite").iloc[0]
    assert wide["sd"] > 3 * narrow["sd"]
    assert wide["hdi95_lb"] < 0 < narrow["hdi95_lb"]


CONTRASTS = {
    "oats": ("oats_lmer.csv", ["variety", "nitrogen"]),
    "mixed": ("mixed_lmer.csv", ["diet", "sex", "week"]),
}


@pytest.mark.parametrize("name", CONTRASTS)
def test_gaussian_contrasts_are_those_of_lmer_less_shrinkage(name, request):
    """Kruschke's priors shrink: towards zero, and by less than 0.7 standard errors here."""
    result = request.getfixturevalue(name)
    file, factors = CONTRASTS[name]
    theirs = reference(file)
    for factor in factors:
        ours = result.contrasts(factor).set_index("contrast")
        rows = theirs[theirs["term"] == factor].set_index("level")
        assert set(ours.index) == set(rows.index)
        kept = ours["mean"] / rows["estimate"]
        shift = (ours["mean"] - rows["estimate"]).abs() / rows["se"]
        assert kept.between(0, 1.05).all(), kept
        assert (shift < 0.7).all(), shift
        ratio = ours["sd"] / rows["se"]
        assert ratio.between(0.6, 1.4).all(), ratio


def test_without_shrinkage_contrasts_are_those_of_lmer():
    """Scales held far above the effects leave no shrinkage, so the estimates are lmer's."""
    import bambi as bmb

    wide = bmb.Prior("Uniform", lower=500, upper=1000)
    priors = dict.fromkeys(("variety", "nitrogen", "variety:nitrogen"), wide)
    formula = "yield ~ variety * nitrogen + Error(block/variety)"
    result = ba.Model(formula, ba.load_data("oats"), priors=priors).fit(**FIT)
    theirs = reference("oats_lmer.csv").set_index(["term", "level"])
    for factor in ("variety", "nitrogen"):
        for row in result.contrasts(factor).itertuples():
            expected = theirs.loc[(factor, row.contrast)]
            assert row.mean == pytest.approx(expected["estimate"], abs=0.1 * expected["se"])
            assert row.sd == pytest.approx(expected["se"], rel=0.35)


def test_oats_sds_agree_with_lmer(oats):
    sds = reference("oats_lmer.csv", "sd").set_index("term")["estimate"]
    draws = {**oats.draws.sigmas, "residual": oats.draws.auxiliary["sigma"]}
    for name in ("block", "block:variety", "residual"):
        assert abs(draws[name].mean() - sds[name]) < 0.6 * draws[name].std()


def same(first, second, term, tolerance=4.0):
    """Whether two fits have the same contrast within their Monte Carlo errors."""
    a, b = first.contrasts(term), second.contrasts(term)
    error = np.hypot(a["mcse_mean"], b["mcse_mean"])
    # Chains that alternate know a mean better than an sd: the tails' sample size is the sd's.
    sizes = [np.minimum(table["ess_bulk"], table["ess_tail"]) for table in (a, b)]
    spread = np.hypot(a["sd"] / np.sqrt(2 * sizes[0]), b["sd"] / np.sqrt(2 * sizes[1]))
    means = (a["mean"] - b["mean"]).abs() < tolerance * error
    return (means & ((a["sd"] - b["sd"]).abs() < tolerance * spread * 1.5)).all()


def test_grid_positions_trials_and_cells_have_one_posterior():
    """164,000 Bernoulli rows, 4,100 trials and 82 cell totals: the same 82 sufficient rows."""
    design = "condition * trial_type + Error(participant/trial_type)"
    trials = ba.load_data("memory")
    keys = ["participant", "condition", "trial_type"]
    cells = trials.groupby(keys, as_index=False)[["errors", "positions"]].sum()
    fits = [
        ba.Model(f"{response} ~ {design}", data, family=family).fit(**FIT)
        for response, data, family in (
            ("error", ba.load_data("memory_grid"), "bernoulli"),
            ("p(errors, positions)", trials, "binomial"),
            ("p(errors, positions)", cells, "binomial"),
        )
    ]
    np.testing.assert_array_equal(fits[0].draws.cells, fits[1].draws.cells)
    # The cell totals are as many rows as they were, so they keep their order: the same posterior
    # from other draws.
    assert same(fits[0], fits[2], "condition")
    assert same(fits[0], fits[2], "trial_type")


def test_collapsed_gaussian_has_the_posterior_of_its_rows():
    rng = np.random.default_rng(5)
    data = pd.DataFrame(
        [(s, "ab"[s % 2], t, r) for s in range(10) for t in "xy" for r in range(6)],
        columns=["s", "a", "t", "r"],
    )
    data["y"] = rng.normal(size=10)[data["s"]] + (data["a"] == "a") + rng.normal(size=len(data))
    formula = "y ~ a * t + Error(s/t)"
    merged = ba.Model(formula, data)
    assert len(merged.collapsed.first) == 20
    first, second = merged.fit(**FIT), ba.Model(formula, data, collapse=False).fit(**FIT)
    assert same(first, second, "a")
    assert same(first, second, "t")
    sigma = [result.draws.auxiliary["sigma"] for result in (first, second)]
    assert abs(sigma[0].mean() - sigma[1].mean()) < 0.1 * sigma[0].std()


def test_the_overparameterized_model_agrees_after_deflection_and_not_before(memory):
    model = ba.Model(
        MEMORY, ba.load_data("memory"), family="binomial", parameterization="overparameterized"
    )
    result = model.fit(**FIT)
    assert same(memory, result, "trial_type")
    assert same(memory, result, "condition")
    # Its raw coefficients: main effect and interaction trade off freely.
    raw = result.idata["posterior"]["1|trial_type"].to_numpy()
    difference = raw[..., 0] - raw[..., 1]
    deflected = result.contrasts("trial_type").iloc[0]
    assert difference.std() > 5 * deflected["sd"]


@pytest.mark.parametrize("name", ["memory", "oats"])
def test_our_own_sampler_and_bambis_have_one_posterior(name, request):
    """The compiled density is written apart from the Bambi model, which defines the posterior."""
    ours = request.getfixturevalue(name)
    assert ours.sampling.method == "nuts"
    model = ba.Model(ours.design.formula.text, ba.load_data(name), family=ours.family.name)
    with warnings.catch_warnings():  # fewer effective draws than ours
        warnings.simplefilter("ignore", ba.errors.ConvergenceWarning)
        theirs = model.fit("nutpie", **FIT)
    for term in ours.design.levels:
        assert same(ours, theirs, term)
    table = ba.compare_fits(ours, theirs)
    assert table["trusted_quick"].mean() > 0.8
    trusted = table[table["trusted_quick"]]
    assert trusted["shift"].abs().max() < 0.15
    assert trusted["sd_ratio"].between(0.85, 1.15).all()


def test_a_fit_starts_from_the_draws_of_another(memory):
    model = ba.Model(MEMORY, ba.load_data("memory"), family="binomial")
    quick = model.fit("laplace", **FIT)
    full = model.fit(init=quick, **FIT)
    assert full.verdict == "trusted"
    assert full.idata["posterior"].attrs["tuning_leapfrog_steps"] < (
        0.6 * memory.idata["posterior"].attrs["tuning_leapfrog_steps"]
    )
    assert same(memory, full, "condition")
    table = ba.compare_fits(quick, full)
    worst = np.maximum(table["shift"].abs(), (table["sd_ratio"] - 1).abs())
    assert (worst.diff().dropna() <= 0).all()
    assert worst[0] < 0.15


def test_same_seed_same_draws(oats):
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    again = model.fit(**FIT)
    np.testing.assert_array_equal(again.draws.cells, oats.draws.cells)


def test_bambi_tools_work_on_what_is_handed_out(oats):
    import arviz as az

    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    idata = model.bambi_model.predict(oats.idata, kind="response_params", inplace=False)
    mu = idata["posterior"]["mu"].mean(("chain", "draw")).to_numpy()
    data = ba.load_data("oats")
    pd.testing.assert_series_equal(
        model.bambi_model.data["yield"], data["yield"], check_dtype=False
    )
    assert np.corrcoef(mu, data["yield"])[0, 1] > 0.9
    assert az.summary(oats.idata).shape[0] > 10
    model.bambi_model.plot_priors(draws=50)
