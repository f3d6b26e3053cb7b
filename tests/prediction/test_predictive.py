"""Replicated data: each family's distribution, rows, cells, units, and the prior."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.bambi_model.any_prior import distribution_of, pymc_distribution
from bambi_anova.errors import ArgumentError
from bambi_anova.prediction.grouping import grouping
from bambi_anova.prediction.predictors import predictor_of, read_predictor
from bambi_anova.prediction.rows import replicate_rows
from bambi_anova.priors.distributions import Prior, distribution

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")

QUICK = {"inference_method": "laplace", "random_seed": 1, "progressbar": False}


def quick(formula, data, family="gaussian", draws=250, **options):
    model = ba.Model(formula, data, family=family, **options)
    return model.fit(draws=draws, **QUICK)


@pytest.fixture(scope="module")
def memory():
    data = ba.load_data("memory")
    formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    return quick(formula, data, "binomial", draws=1000)


def test_every_row_of_the_data_is_checked_though_rows_were_merged(memory):
    assert memory.model.collapsed.merged
    table = memory.predictive_check("row", draws=200, random_seed=1)
    data = ba.load_data("memory")
    np.testing.assert_allclose(table["observed"], data["errors"] / data["markers"])
    share = ((table["tail_probability"] - 0.5).abs() > 0.475).mean()
    assert 0.015 < share < 0.06  # counts of some 12 markers, where ties count half


@pytest.fixture
def with_slopes(split_plot):
    formula = (
        "y ~ group * task + dose + group:dose + (1|subject) + (1|subject:task) + (dose|subject)"
    )
    return quick(formula, split_plot)


# The linear predictor


def test_new_units_are_new_in_further_predictors_too(with_slopes):
    known = predictor_of(with_slopes)
    both = replace(known, further={"sigma": known})
    new = both.with_new_units(np.random.default_rng(1))
    for own in (new, new.further["sigma"]):
        assert all(
            not np.isclose(one.effects, other.effects).any()
            for one, other in zip(own.units, known.units, strict=True)
        )


def test_the_predictor_of_the_rows_adds_up_every_part(with_slopes, split_plot):
    posterior = with_slopes.idata["posterior"]
    predictor = read_predictor(posterior.to_dataset(), with_slopes.model)
    got = predictor.at(np.arange(len(split_plot))).reshape(4, 250, -1)

    def effect(name, labels):
        array = posterior[name]
        dim = array.dims[-1]
        return array.sel({dim: list(labels)}).to_numpy()

    data = split_plot
    dose = (data["dose"] - data["dose"].mean()).to_numpy()
    both = data["subject"] + ":" + data["task"]
    want = posterior["Intercept"].to_numpy()[..., None]
    want = want + effect("1|group", data["group"]) + effect("1|task", data["task"])
    want = want + effect("1|group:task", data["group"] + ":" + data["task"])
    want = want + posterior["dose"].to_numpy()[..., None] * dose
    want = want + effect("dose|group", data["group"]) * dose
    want = want + effect("1|subject", data["subject"]) + effect("1|subject:task", both)
    want = want + effect("dose|subject", data["subject"]) * dose
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-10)


def test_thinned_predictors_keep_their_draws_together(with_slopes):
    posterior = with_slopes.idata["posterior"].to_dataset()
    predictor = read_predictor(posterior, with_slopes.model)
    few = predictor.thinned(7)
    kept = np.linspace(0, 999, 7).round().astype(int)
    np.testing.assert_array_equal(few.at(np.arange(5)), predictor.at(np.arange(5))[kept])
    np.testing.assert_array_equal(few.auxiliary["sigma"], predictor.auxiliary["sigma"][kept])


# Rows, cells and units


def test_replicates_by_cell_and_unit_are_means_of_those_by_row(memory):
    seed = {"draws": 50, "random_seed": 3}
    name = "p(errors, markers)"
    rows = memory.posterior_predictive("row", **seed)
    for by, label in (("cell", ["condition", "trial_type"]), ("unit", ["participant"])):
        groups = memory.posterior_predictive(by, **seed)
        drawn = rows["posterior_predictive"][name]
        frame = pd.DataFrame({key: drawn[key].to_numpy() for key in label})
        frame["errors"] = drawn.to_numpy()[0].T.tolist()
        frame["trials"] = rows["constant_data"]["base"].to_numpy()
        want = [
            np.sum(part["errors"].tolist(), axis=0) / part["trials"].sum()
            for _, part in frame.groupby(label)
        ]
        got = groups["posterior_predictive"][name].to_numpy()[0].T
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_observed_means_are_those_of_the_data(memory):
    data = ba.load_data("memory")
    table = memory.predictive_check("cell", draws=100, random_seed=1)
    sums = data.groupby(["condition", "trial_type"])[["errors", "markers"]].sum()
    np.testing.assert_allclose(table["observed"], sums["errors"] / sums["markers"])
    assert table["rows"].sum() == len(data)
    assert table.columns[:5].tolist() == ["condition", "trial_type", "units", "rows", "observed"]


def test_a_model_with_unit_terms_reproduces_its_own_cells_and_units(memory):
    for by in ("cell", "unit", "participant:trial_type"):
        table = memory.predictive_check(by, ci_kind="eti", random_seed=1)
        inside = (table["eti95_lb"] <= table["observed"]) & (table["observed"] <= table["eti95_ub"])
        assert inside.mean() > 0.9
        assert table["tail_probability"].between(0, 1).all()


def test_data_that_the_model_cannot_make_are_found(split_plot):
    rng = np.random.default_rng(1)
    # A mixture with much more scatter in one cell than a common sigma allows for.
    split_plot["y"] = np.where(split_plot["subject"] == "s03", 30.0, 0) + rng.normal(size=72)
    result = quick("y ~ group * task + (1|subject)", split_plot, priors=None)
    table = result.predictive_check("unit", units="new", random_seed=1).set_index("subject")
    assert table["tail_probability"].idxmin() == "s03"


@pytest.mark.parametrize("units", ["these", "new"])
def test_variance_of_replicated_unit_means(split_plot, units):
    """Gaussian: sigma^2 / n for these units given their effects, and that of the units for new."""
    result = quick("y ~ group + (1|subject)", split_plot, draws=2500)
    posterior = result.idata["posterior"].to_dataset()
    predictor = read_predictor(posterior, result.model)
    tree = result.posterior_predictive("unit", units=units, random_seed=2)
    drawn = tree["posterior_predictive"]["y"].to_numpy().reshape(10_000, 12)
    first = result.design.unit("subject").first
    residual = predictor.auxiliary["sigma"] ** 2 / 6
    if units == "these":
        scaled = (drawn - predictor.at(first)) / np.sqrt(residual)
    else:
        sigma = predictor.units[0].sigma[:, None]
        scaled = (drawn - predictor.fixed_at(first)) / np.sqrt(residual + sigma**2)
    assert stats.kstest(scaled[:, 4], "norm").pvalue > 0.001
    assert stats.kstest(scaled[:, 11], "norm").pvalue > 0.001


def test_collapsing_changes_no_replicated_means(split_plot):
    split_plot["hit"] = (split_plot["hits"] > 3).astype(int)
    results = [
        quick("hit ~ group * task + (1|subject)", split_plot, "bernoulli", 2000, collapse=collapse)
        for collapse in (True, False)
    ]
    trees = [r.posterior_predictive("cell", random_seed=4) for r in results]
    assert results[0].posterior_predictive("row")["observed_data"].sizes["__obs__"] == 24
    assert results[1].posterior_predictive("row")["observed_data"].sizes["__obs__"] == 72
    one, two = (t["posterior_predictive"]["hit"].to_numpy().reshape(8000, 4) for t in trees)
    np.testing.assert_allclose(one.mean(axis=0), two.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(one.std(axis=0), two.std(axis=0), rtol=0.05)


def test_rows_that_share_a_response_are_replicated_one_by_one(split_plot):
    split_plot["y"] = split_plot["y"].round()  # so that some rows merge
    model = ba.Model("y ~ group * task", split_plot, family="t")
    assert model.collapsed.merged
    assert len(replicate_rows(model).first) == 72


def test_counts_are_rates_of_all_exposure(split_plot):
    formula = "hits ~ group + offset(np.log(shown)) + (1|subject)"
    result = quick(formula, split_plot, "poisson")
    table = result.predictive_check("cell", random_seed=1)
    sums = split_plot.groupby("group")[["hits", "shown"]].sum()
    np.testing.assert_allclose(table["observed"], sums["hits"] / sums["shown"])
    assert (table["observed"] - table["mean"]).abs().max() < 0.1


def test_seeds_repeat(memory):
    a, b, c = (memory.predictive_check("unit", draws=40, random_seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(a, b)
    assert not a["mean"].equals(c["mean"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "unti"}, "by='unti'.*did you mean 'unit'"),
        ({"units": "old"}, "units='old'.*these"),
        ({"units": "prior"}, "prior_predictive"),
        ({"draws": 0}, "draws=0: expected a whole number from 1 to 4000"),
        ({"draws": True}, "draws=True"),
    ],
)
def test_bad_arguments(memory, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        memory.posterior_predictive(**arguments)


def test_by_unit_needs_units(split_plot):
    with pytest.raises(ArgumentError, match="no unit terms"):
        grouping(ba.Model("y ~ group", split_plot).design, "unit")


def test_labels_survive_columns_that_are_called_like_groupings(split_plot):
    data = split_plot.rename(columns={"subject": "unit", "task": "cell", "group": "row"})
    result = quick("y ~ row * cell + (1|unit)", data, draws=50)
    tree = result.posterior_predictive("row", random_seed=1)
    assert set(tree["posterior_predictive"]["row"].to_numpy()) == {"A", "B"}
    assert result.predictive_check("unit", random_seed=1)["unit"].nunique() == 12


# The prior


DISTRIBUTIONS = [
    Prior("Normal", {"mu": 1.0, "sigma": 2.0}),
    Prior("Normal", {"mu": 1.0, "tau": 0.3}),
    Prior("StudentT", {"nu": 3.0, "mu": 1.0, "sigma": 2.0}),
    Prior("Cauchy", {"alpha": 1.0, "beta": 2.0}),
    Prior("Laplace", {"mu": 1.0, "b": 2.0}),
    Prior("Gamma", {"alpha": 1.6, "beta": 0.3}),
    Prior("Gamma", {"mu": 1.6, "sigma": 0.7}),
    Prior("HalfNormal", {"sigma": 2.0}),
    Prior("HalfCauchy", {"beta": 2.0}),
    Prior("HalfStudentT", {"nu": 3.0, "sigma": 2.0}),
    Prior("Exponential", {"lam": 2.0}),
    Prior("Exponential", {"scale": 2.0}),
    Prior("Uniform", {"lower": 0.5, "upper": 9.0}),
    Prior("LogNormal", {"mu": 0.2, "sigma": 0.7}),
    Prior("InverseGamma", {"alpha": 2.0, "beta": 3.0}),
    Prior("InverseGamma", {"mu": 2.0, "sigma": 3.0}),
    Prior("Weibull", {"alpha": 2.0, "beta": 3.0}),
    Prior("ChiSquared", {"nu": 3.0}),
    Prior("TruncatedNormal", {"mu": 1.0, "sigma": 2.0, "lower": 0.0}),
    Prior("Pareto", {"alpha": 2.0, "m": 0.5}),
]


@pytest.mark.parametrize("prior", DISTRIBUTIONS, ids=str)
def test_priors_have_pymcs_densities_and_their_draws(prior):
    values = np.array([0.6, 1.0, 2.5, 7.0])
    own = distribution(prior)
    assert own is not None
    np.testing.assert_allclose(
        own.log_density(values),
        pymc_distribution(prior).log_density(values),
        rtol=1e-6,  # some of PyMC's constants
    )
    drawn = own.draw(np.random.default_rng(2), 4000)
    grid = np.quantile(drawn, np.linspace(0.002, 0.998, 4001))
    density = np.exp(own.log_density(grid))
    mass = np.r_[0, np.cumsum(np.diff(grid) * (density[1:] + density[:-1]) / 2)]
    assert abs(mass[-1] - 0.996) < 0.02
    assert np.abs(mass + 0.002 - np.linspace(0.002, 0.998, 4001)).max() < 0.05


def test_other_priors_are_pymcs():
    prior = Prior("Kumaraswamy", {"a": 2.0, "b": 3.0})
    assert distribution(prior) is None
    assert distribution(Prior("Gamma", {"beta": 3.0, "sigma": 1.0})) is None
    found = distribution_of(prior)
    np.testing.assert_allclose(found.log_density(np.array([0.5])), np.log(6 * 0.5 * 0.75**2))
    drawn = found.draw(np.random.default_rng(1), 2000)
    assert abs(np.mean(drawn < 0.5) - (1 - 0.75**3)) < 0.05


def test_prior_draws_follow_the_model(split_plot):
    model = ba.Model("y ~ group * task + dose + (1|subject)", split_plot)
    tree = model.prior_predictive(draws=4000, random_seed=1)
    prior = tree["prior"]
    deflections = prior["1|group:task"].to_numpy()[0].reshape(-1, 2, 2)
    np.testing.assert_allclose(deflections.sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(deflections.sum(axis=2), 0, atol=1e-9)
    # One degree of freedom: each of the four effects is z / 2.
    z = 2 * deflections[:, 0, 0] / prior["1|group:task_sigma"].to_numpy()[0]
    assert stats.kstest(z, "norm").pvalue > 0.001
    scaled = prior["1|subject"].to_numpy()[0] / prior["1|subject_sigma"].to_numpy()[0][:, None]
    assert stats.kstest(scaled[:, 5], "norm").pvalue > 0.001
    assert tree["prior_predictive"]["y"].shape == (1, 4000, 72)


def test_the_literal_prior_leaves_every_level_free(split_plot):
    model = ba.Model("y ~ group * task", split_plot, parameterization="overparameterized")
    prior = model.prior_predictive(draws=2000, random_seed=1)["prior"]
    effects = prior["1|group"].to_numpy()[0] / prior["1|group_sigma"].to_numpy()[0][:, None]
    assert abs(np.corrcoef(effects.T)[0, 1]) < 0.1
    assert stats.kstest(effects[:, 0], "norm").pvalue > 0.001


def test_prior_predictive_of_a_result_is_the_models(memory):
    one = memory.prior_predictive(draws=20, by="cell", random_seed=9)
    two = memory.model.prior_predictive(draws=20, by="cell", random_seed=9)
    assert one["prior_predictive"].to_dataset().identical(two["prior_predictive"].to_dataset())
    with pytest.raises(ArgumentError, match="draws=0"):
        memory.prior_predictive(draws=0)


@pytest.mark.slow
@pytest.mark.parametrize("parameterization", ["identified", "overparameterized"])
def test_prior_predictive_is_bambis(split_plot, parameterization):
    model = ba.Model(
        "y ~ group * task + dose + (1|subject) + (dose|subject)",
        split_plot,
        parameterization=parameterization,
    )
    theirs = model.bambi_model.prior_predictive(draws=2000, random_seed=1)
    theirs = theirs["prior_predictive"]["y"].to_numpy().reshape(2000, -1)
    ours = model.prior_predictive(draws=2000, random_seed=1)
    ours = ours["prior_predictive"]["y"].to_numpy().reshape(2000, -1)
    assert ours.shape == theirs.shape == (2000, 72)
    for row in (0, 30, 71):
        assert stats.ks_2samp(ours[:, row], theirs[:, row]).pvalue > 0.001
    contrasts = [values[:, 0] - values[:, 3] for values in (ours, theirs)]
    assert stats.ks_2samp(*contrasts).pvalue > 0.001
    negative = stats.ks_2samp(ours[:, 0] * 1.3, theirs[:, 0])
    assert stats.ks_2samp(3 * contrasts[0], contrasts[1]).pvalue < 0.001 or negative.pvalue < 0.001


def test_seeds_and_draws_are_numbers():
    model = ba.Model("y ~ g", pd.DataFrame({"y": [1.0, 2, 4, 3], "g": list("aabb")}))
    with pytest.raises(ArgumentError, match="random_seed=-1"):
        model.prior_predictive(random_seed=-1)
    assert model.prior_predictive(np.int64(3))["prior_predictive"]["y"].shape[1] == 3
