"""Leave-one-out: exact log-likelihoods, effects integrated out, exact refits, comparison."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate as quadrature
from scipy import special, stats

import bambi_anova as ba
from bambi_anova.data.rows import read_rows
from bambi_anova.design.build import build_design
from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.families.links import LINKS
from bambi_anova.families.registry import get_family
from bambi_anova.families.sufficient import Collapsed
from bambi_anova.formula.parse import parse_formula
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.trust import Sampling
from bambi_anova.prediction.grouping import grouping
from bambi_anova.prediction.marginal import group_log_likelihoods, integrate, nodes
from bambi_anova.prediction.predictors import read_predictor
from bambi_anova.prediction.rows import group_pieces, row_pieces
from bambi_anova.specification import of_design

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def fit(formula, data, family="gaussian", draws=50, **options):
    model = ba.Model(formula, data, family=family, **options)
    return model.fit("laplace", draws=draws, random_seed=1, progressbar=False)


def predictor_of(result):
    return read_predictor(result.idata["posterior"].to_dataset(), result.model)


# Log-likelihoods of the rows


def oracle(family, y, trials, eta, aux, link="logit"):
    """The rows' log densities as SciPy has them, shape (N, K)."""
    mean = LINKS[link].inverse(eta)
    aux = {name: values[:, 0] for name, values in aux.items()}
    y = y[:, None]
    return {
        "gaussian": lambda: stats.norm.logpdf(y, eta, aux["sigma"]),
        "t": lambda: stats.t.logpdf(y, aux["nu"], eta, aux["sigma"]),
        "bernoulli": lambda: stats.bernoulli.logpmf(y, mean),
        "binomial": lambda: stats.binom.logpmf(y, trials[:, None], mean),
        "poisson": lambda: stats.poisson.logpmf(y, np.exp(eta)),
        "negativebinomial": lambda: stats.nbinom.logpmf(
            y, aux["alpha"], aux["alpha"] / (aux["alpha"] + np.exp(eta))
        ),
        "gamma": lambda: stats.gamma.logpdf(y, aux["alpha"], scale=np.exp(eta) / aux["alpha"]),
        "betabinomial": lambda: stats.betabinom.logpmf(
            y, trials[:, None], mean * aux["kappa"], (1 - mean) * aux["kappa"]
        ),
        "betabinomial_mode": lambda: stats.betabinom.logpmf(
            y,
            trials[:, None],
            mean * aux["kappa_minus_2"] + 1,
            (1 - mean) * aux["kappa_minus_2"] + 1,
        ),
        "beta": lambda: stats.beta.logpdf(y, mean * aux["kappa"], (1 - mean) * aux["kappa"]),
    }[family]()


RESPONSES = {
    "gaussian": "y",
    "t": "y",
    "bernoulli": "hit",
    "binomial": "p(hits, tried)",
    "poisson": "hits",
    "negativebinomial": "hits",
    "gamma": "dose",
    "beta": "share",
    "betabinomial": "p(hits, tried)",
    "betabinomial_mode": "p(hits, tried)",
}


@pytest.fixture
def data(split_plot):
    return split_plot.assign(
        y=split_plot["y"].round(),  # so that rows merge in every family
        hit=(split_plot["hits"] > 2).astype(int),
        tried=split_plot["hits"] + split_plot["shown"],
        dose=split_plot["dose"].round(1) + 0.5,
        share=split_plot["dose"].round(1) / 6 + 0.05,
    )


@pytest.mark.parametrize("offset", ["", " + offset(np.log(shown))"])
@pytest.mark.parametrize("family", RESPONSES)
def test_log_likelihoods_of_rows_and_groups_are_scipys(data, family, offset):
    result = fit(f"{RESPONSES[family]} ~ group * task{offset}", data, family, draws=5)
    design, model, predictor = result.design, result.model, predictor_of(result)
    every = np.arange(len(data))
    eta = predictor.at(every).T
    if offset:
        eta = eta + design.rows.offset[:, None]
    response = design.rows.response
    want = oracle(family, response.values, response.trials, eta, predictor.auxiliary)
    pieces = row_pieces(model)
    got = group_log_likelihoods(predictor, pieces, model)[pieces.of_row]
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
    # Groups across the model's own cells: none of its sufficient rows fits into one of them.
    codes = np.random.default_rng(1).integers(0, 3, len(data))
    pieces = group_pieces(model, codes)
    got = group_log_likelihoods(predictor, pieces, model)
    sums = [want[codes == group].sum(axis=0) for group in range(3)]
    np.testing.assert_allclose(got, sums, rtol=1e-9, atol=1e-8)


def test_rows_that_are_equal_are_computed_once(data):
    result = fit("hit ~ group * task + (1|subject)", data, "bernoulli", draws=50)
    pieces = row_pieces(result.model)
    assert pieces.groups < len(data)
    assert len(result.loo("row").table) == len(data)
    table = result.loo("row").table.assign(hit=data["hit"], subject=data["subject"])
    table["task"] = data["task"]
    assert (table.groupby(["subject", "task", "hit"])["elpd"].agg(np.ptp) == 0).all()


# Effects integrated out


def brute(likelihood, base, aux, design, sigmas, points=161, reach=10.0):
    """The same integral on a grid over every effect, for one draw."""
    grid = np.linspace(-reach, reach, points)
    axes = np.meshgrid(*[grid] * design.shape[1], indexing="ij")
    z = np.array([axis.ravel() for axis in axes])
    eta = base + design @ (sigmas * z)
    aux = {name: np.repeat(values, z.shape[1]) for name, values in aux.items()}
    log = likelihood.log(eta, aux).sum(axis=0) + stats.norm.logpdf(z).sum(axis=0)
    return special.logsumexp(log) + design.shape[1] * np.log(grid[1] - grid[0])


#: rows by effects: one unit; a slope; a unit and its parts; two rows that three effects move.
DESIGNS = {
    "unit": np.ones((3, 1)),
    "slope": np.array([[1.0, -0.7], [1.0, 0.1], [1.0, 1.3]]),
    "parts": np.array([[1.0, 1, 0], [1, 0, 1]]),
    "parts and rows": np.array([[1.0, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]]),
}


#: Not log-concave, so that a normal about the mode fits them less well.
HARD = ("t", "betabinomial", "betabinomial_mode")


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("family", RESPONSES)
def test_integrals_are_those_on_a_grid(family, design):
    matrix = DESIGNS[design]
    rng, rows = np.random.default_rng(7), len(matrix)
    y = {
        "gaussian": rng.normal(size=rows),
        "t": rng.normal(size=rows) * 2,
        "bernoulli": np.zeros(rows),  # a unit that never fails
        "binomial": rng.integers(0, 9, rows).astype(float),
        "poisson": rng.integers(0, 9, rows).astype(float),
        "negativebinomial": rng.integers(0, 9, rows).astype(float),
        "gamma": rng.uniform(0.5, 5, rows),
        "beta": rng.uniform(0.1, 0.9, rows),
        "betabinomial": rng.integers(0, 9, rows).astype(float),
        "betabinomial_mode": rng.integers(0, 9, rows).astype(float),
    }[family]
    trials = np.full(rows, 9.0 if "binomial" in family else 1.0)
    own = np.arange(rows)
    data = Collapsed(own, own, y, trials, None, np.ones(rows), np.zeros(rows))
    known = get_family(family)
    likelihood = known.likelihood((known.link(None),), data)
    base = rng.normal(size=(rows, 2))
    aux = {"sigma": [0.7, 1.3], "nu": [4.0, 9.0], "alpha": [1.4, 5.0], "kappa": [4.0, 12.0]}
    aux["kappa_minus_2"] = [2.0, 10.0]
    aux = {name: np.array(values) for name, values in aux.items()}
    sigmas = np.array([[1.1, 0.2], [0.6, 1.7], [0.6, 1.7]])[: matrix.shape[1]]
    got = integrate(likelihood, base, aux, matrix, sigmas)
    for draw in range(2):
        one = {name: values[draw : draw + 1] for name, values in aux.items()}
        points = 71 if matrix.shape[1] == 3 else 601
        column = (base[:, draw : draw + 1], one, matrix, sigmas[:, draw : draw + 1])
        want = brute(likelihood, *column, points=points)
        assert got[draw] == pytest.approx(want, abs=2e-3 if family in HARD else 2e-4)


def test_many_effects_at_once():
    """A unit with five parts: inner integrals one by one inside the outer one."""
    rows = 5
    y, own = np.array([0.0, 3, 1, 9, 4]), np.arange(rows)
    data = Collapsed(own, own, y, np.full(rows, 9.0), None, np.ones(rows), np.zeros(rows))
    likelihood = get_family("binomial").likelihood((LINKS["logit"],), data)
    base = np.array([[-0.5, 0.3]] * rows)
    matrix = np.hstack([np.ones((rows, 1)), np.eye(rows)])
    sigmas = np.array([[0.8, 1.5]] + [[0.6, 0.9]] * rows)
    got = integrate(likelihood, base, {}, matrix, sigmas)

    def outer(u, draw):
        grid = np.linspace(-8, 8, 400)
        eta = base[:, draw : draw + 1] + sigmas[0, draw] * u + sigmas[1, draw] * grid
        log = likelihood.log(eta, {}) + stats.norm.logpdf(grid)
        total = special.logsumexp(log, axis=1).sum() + rows * np.log(grid[1] - grid[0])
        return np.exp(total) * stats.norm.pdf(u)

    for draw in range(2):
        want, _ = quadrature.quad(outer, -8, 8, args=(draw,), limit=100)
        assert got[draw] == pytest.approx(np.log(want), abs=0.01)


def test_gaussian_units_are_multivariate_normal(split_plot):
    result = fit("y ~ group * task + dose + (1|subject) + (dose|subject)", split_plot, draws=8)
    predictor, design = predictor_of(result), result.design
    groups = grouping(design, "unit")
    pieces = group_pieces(result.model, groups.codes)
    got = group_log_likelihoods(predictor, pieces, result.model)
    fixed, y = predictor.fixed_at(np.arange(72)), design.rows.response.values
    dose = (split_plot["dose"] - split_plot["dose"].mean()).to_numpy()
    sigma = {term.name: term.sigma for term in predictor.units}
    rho = result.draws.correlations["dose|subject"][..., 0, 1].ravel()
    assert np.ptp(rho) > 0.3
    for unit in (0, 7):
        rows = np.flatnonzero(groups.codes == unit)
        for draw in (0, 31):
            covariance = np.eye(len(rows)) * predictor.auxiliary["sigma"][draw] ** 2
            covariance += sigma["subject"][draw] ** 2
            covariance += sigma["dose|subject"][draw] ** 2 * np.outer(dose[rows], dose[rows])
            together = rho[draw] * sigma["subject"][draw] * sigma["dose|subject"][draw]
            covariance += together * np.add.outer(dose[rows], dose[rows])
            want = stats.multivariate_normal.logpdf(y[rows], fixed[draw, rows], covariance)
            assert got[unit, draw] == pytest.approx(want, rel=1e-10)


def test_units_that_keep_rows_keep_their_effects(split_plot):
    """Crossed units: leaving a subject out leaves the items as they were drawn."""
    data = split_plot.rename(columns={"attempt": "item"})
    result = fit("y ~ task + (1|subject) + (1|item)", data, draws=8)
    predictor, design = predictor_of(result), result.design
    pieces = group_pieces(result.model, design.unit("subject").codes)
    got = group_log_likelihoods(predictor, pieces, result.model)
    subject, item = predictor.units
    rows = np.flatnonzero(subject.codes == 3)
    draw, y = 5, design.rows.response.values
    mean = predictor.fixed_at(rows)[draw] + item.effects[draw, item.codes[rows]]
    covariance = np.eye(6) * predictor.auxiliary["sigma"][draw] ** 2 + subject.sigma[draw] ** 2
    want = stats.multivariate_normal.logpdf(y[rows], mean, covariance)
    assert got[3, draw] == pytest.approx(want, rel=1e-10)


def test_an_effect_of_its_own_for_each_row_is_integrated_by_row(split_plot):
    data = split_plot.assign(row=np.arange(72))
    result = fit("hits ~ group + (1|row)", data, "poisson", draws=8)
    predictor = predictor_of(result)
    pieces = row_pieces(result.model)
    got = group_log_likelihoods(predictor, pieces, result.model)[pieces.of_row]
    eta, sigma = predictor.fixed_at(np.arange(72)), predictor.units[0].sigma
    y = result.design.rows.response.values

    def joint(z, row, draw):
        rate = np.exp(eta[draw, row] + sigma[draw] * z)
        return stats.poisson.pmf(y[row], rate) * stats.norm.pdf(z)

    for row, draw in ((0, 0), (50, 9)):
        want, _ = quadrature.quad(joint, -9, 9, args=(row, draw), epsabs=1e-13)
        assert got[row, draw] == pytest.approx(np.log(want), abs=1e-5)


def test_nodes_integrate_polynomials():
    for dimensions in (1, 2, 3):
        points, log_weights = nodes(dimensions)
        weights = np.exp(log_weights - (points**2).sum(axis=1) / 2)
        assert weights.sum() == pytest.approx(1)
        assert weights @ points[:, 0] ** 4 == pytest.approx(3)
    points, log_weights = nodes(5)
    weights = np.exp(log_weights - (points**2).sum(axis=1) / 2)
    assert weights.sum() == pytest.approx(1, abs=0.01)


def test_too_many_effects_are_refused(split_plot):
    data = split_plot.assign(half=split_plot["subject"] < "s06", row=np.arange(72).astype(str))
    data["half"] = data["half"].map({True: "first", False: "second"})
    result = fit("hits ~ task + (1|half) + (1|subject) + (1|row)", data, "poisson", draws=8)
    with pytest.raises(UnsupportedError, match="expected at most 16"):
        result.loo("half")


# Leaving out in earnest


def refit_without(result, data, keep):
    """The same priors and model, fitted to some of the rows."""
    formula = parse_formula(result.design.formula.text)
    rows = read_rows(formula, data[keep], result.family)
    design = build_design(formula, rows, result.family)
    model = ba.Model.of(of_design(design, result.family, result.link, result.priors))
    return model.fit("laplace", random_seed=2, progressbar=False)


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("y ~ group * task + (1|subject)", "gaussian"),
        ("p(hits, tried) ~ task + (1|subject)", "binomial"),
    ],
)
def test_leaving_a_unit_out_is_a_refit_without_it(data, formula, family):
    effect = np.random.default_rng(5).normal(size=12).repeat(6)
    data = data.assign(y=data["y"] + 2 * effect)
    result = fit(formula, data, family, draws=1000)
    loo = result.loo("unit")
    good = np.flatnonzero(loo.table["pareto_k"] < 0.6)
    assert len(good) > 6
    for unit in good[[0, -1]]:
        keep = (data["subject"] != f"s{unit:02d}").to_numpy()
        posterior = refit_without(result, data, keep).idata["posterior"].to_dataset()
        fixed = read_predictor(
            posterior.drop_vars("1|subject").assign(
                {"1|subject": (("chain", "draw", "s"), np.zeros((4, 1000, 12)))}
            ),
            result.model,
        )
        codes = result.design.unit("subject").codes
        pieces = group_pieces(result.model, codes)
        log = group_log_likelihoods(fixed, pieces, result.model)[unit]
        want = special.logsumexp(log) - np.log(len(log))
        assert loo.table["elpd"][unit] == pytest.approx(want, abs=0.05)


def test_leaving_a_row_out_is_a_refit_without_it(data):
    data = data.assign(kind=np.resize(list("abcdefgh"), 72))
    result = fit("y ~ kind", data, draws=1000)
    loo = result.loo("row")
    for row in (0, 5):
        posterior = refit_without(result, data, np.arange(72) != row).idata["posterior"]
        predictor = read_predictor(posterior.to_dataset(), result.model)
        eta, sigma = predictor.at(np.array([row]))[:, 0], predictor.auxiliary["sigma"][:, 0]
        want = special.logsumexp(stats.norm.logpdf(data["y"][row], eta, sigma)) - np.log(4000)
        assert loo.table["elpd"][row] == pytest.approx(want, abs=0.03)


def test_few_draws_are_refused(data):
    with pytest.raises(ArgumentError, match=r"expected 25 or more.*got 20"):
        fit("y ~ task", data).loo(draws=20)


@pytest.fixture(scope="module")
def memory():
    formula = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"
    return fit(formula, ba.load_data("memory"), "binomial", draws=500)


def test_leaving_a_whole_cell_out_is_not_trusted(memory):
    loo = memory.loo("cell")
    assert loo.verdict == "not trusted"
    assert "4 of 4 left out by 'cell'" in loo.verdict.reasons[0]
    assert "not trusted" in repr(loo)


def test_the_table_adds_up(memory):
    loo = memory.loo("unit", draws=400)
    assert loo.by == "participant"
    assert loo.draws == 400
    assert loo.table["rows"].sum() == 4100
    arviz = loo.to_arviz()
    assert arviz.elpd == pytest.approx(loo.table["elpd"].sum())
    assert loo.good_k == pytest.approx(1 - 1 / np.log10(400))
    assert memory.loo("unit").verdict == "trusted"


@pytest.mark.parametrize("by", ["row", "cell", "unit"])
def test_large_data_are_taken_in_blocks(data, by, monkeypatch):
    result = fit("y ~ group * task + (1|subject)", data)
    whole = result.loo(by).table
    monkeypatch.setattr("bambi_anova.prediction.loo.LARGEST", 1500)
    pd.testing.assert_frame_equal(result.loo(by).table, whole)


@pytest.mark.slow
def test_by_row_is_arviz_on_bambis_log_likelihood(data):
    import arviz_stats

    result = fit("hit ~ group * task + (1|subject)", data, "bernoulli", collapse=False, draws=500)
    merged = fit("hit ~ group * task + (1|subject)", data, "bernoulli", draws=500)
    idata = result.idata.copy()
    result.model.bambi_model.compute_log_likelihood(idata, inplace=True)
    theirs = arviz_stats.loo(idata, pointwise=True)
    ours = result.loo("row")
    assert ours.elpd == pytest.approx(theirs.elpd, abs=0.01)
    assert ours.se == pytest.approx(theirs.se, abs=0.01)
    np.testing.assert_allclose(ours.table["elpd"], theirs.elpd_i, atol=0.005)
    # The rows that were merged are left out one by one all the same.
    np.testing.assert_allclose(merged.loo("row").table["elpd"], ours.table["elpd"], atol=0.1)


# Comparison


@pytest.mark.slow
def test_a_needed_term_is_found(memory):
    data = ba.load_data("memory")
    without = fit(
        "p(errors, markers) ~ condition + Error(participant/trial_type)", data, "binomial", 500
    )
    table = ba.compare({"with": memory, "without": without}, by="unit")
    assert table["model"].tolist() == ["with", "without"]
    assert table["by"].tolist() == ["participant", "participant"]
    assert table["elpd_diff"][0] == 0
    assert table["elpd_diff"][1] < -5
    one, two = (r.loo("unit").table["elpd"] for r in (memory, without))
    assert table["elpd_diff"][1] == pytest.approx((two - one).sum())
    assert table["se_diff"][1] == pytest.approx(np.sqrt(41 * (two - one).var(ddof=1)))
    assert table["weight"].sum() == pytest.approx(1)
    rows = ba.compare([memory, without], by="cell")
    assert set(rows["model"]) == {memory.design.formula.text, without.design.formula.text}


def test_models_without_units_are_judged_by_the_units_of_others(data):
    effect = np.random.default_rng(5).normal(size=12).repeat(6)
    data = data.assign(y=data["y"] + 3 * effect)
    results = {"units": fit("y ~ task + (1|subject)", data), "none": fit("y ~ task", data)}
    table = ba.compare(results, by="unit")
    assert table["by"].tolist() == ["subject"] * 2
    assert table["model"][0] == "units"
    by_row = ba.compare(results)
    assert by_row["elpd_diff"][1] < table["elpd_diff"][1] < 0


def test_families_with_the_same_response_compare(data):
    results = [fit("y ~ task", data), fit("y ~ task", data, "t")]
    with pytest.raises(ArgumentError, match="same formula; name them"):
        ba.compare(results)
    table = ba.compare(dict(zip(["gaussian", "t"], results, strict=True)))
    assert abs(table["elpd_diff"][1]) < 5


def test_comparisons_that_have_no_meaning_are_refused(data):
    one = fit("y ~ task", data)
    for other, message in (
        (fit("y ~ group", data.iloc[:60]), "72 rows and 60"),
        (fit("dose ~ task", data), "responses differ, 'y' and 'dose'"),
        (fit("y ~ group", data.sample(frac=1, random_state=1)), "rows are in another order"),
    ):
        with pytest.raises(ArgumentError, match=message):
            ba.compare({"one": one, "other": other})
    hits = [
        fit(f"p(hits, {n}) ~ task", data.assign(more=data["tried"] + 1), "binomial")
        for n in ("tried", "more")
    ]
    with pytest.raises(ArgumentError, match="trials differ"):
        ba.compare(hits)
    with pytest.raises(ArgumentError, match="expected several fits, got Result of y ~ task"):
        ba.compare(one)
    with pytest.raises(ArgumentError, match="two fits or more, got 1"):
        ba.compare([one])
    with pytest.raises(ArgumentError, match="expected a Result"):
        ba.compare({"one": one, "other": "fit"})
    with pytest.raises(ArgumentError, match="none of the models has unit terms"):
        ba.compare([one, fit("y ~ group", data)], by="unit")


def test_results_are_not_changed(memory):
    before = memory.idata.copy(deep=True)
    memory.loo("row", draws=100)
    assert before.identical(memory.idata)
    assert isinstance(memory.loo("unit", draws=100).table, pd.DataFrame)
    assert replace(memory, sampling=memory.sampling).verdict == memory.verdict


def test_counts_and_densities_are_not_compared(split_plot):
    counts = fit("hits ~ task", split_plot, "poisson")
    metric = fit("hits ~ task", split_plot)
    with pytest.raises(ArgumentError, match="no common scale"):
        ba.compare({"poisson": counts, "gaussian": metric})
    overdispersed = fit("hits ~ task", split_plot, "negativebinomial")
    assert len(ba.compare({"one": counts, "other": overdispersed})) == 2


@pytest.mark.parametrize("name", ["row", "cell"])
def test_units_named_like_other_groupings_are_told_apart(name, split_plot):
    result = fit(f"y ~ task + (1|{name})", split_plot.rename(columns={"subject": name}))
    with pytest.raises(ArgumentError, match="a unit term too"):
        result.loo(name)
    loo = result.loo("unit").table
    assert loo[name].tolist() == sorted(set(split_plot["subject"]))
    same = fit("y ~ task + (1|subject)", split_plot).loo("unit").table
    assert np.allclose(loo["elpd"], same["elpd"])
    assert "__unit__" in result.posterior_predictive(by="unit")["posterior_predictive"].dims


def test_factors_named_like_columns_of_the_table_are_refused(split_plot):
    result = fit("y ~ p + (1|subject)", split_plot.rename(columns={"task": "p"}))
    with pytest.raises(ArgumentError, match="one of this table's own"):
        result.loo("cell")


def test_a_tail_of_copies_is_not_trusted(split_plot):
    """A quick fit that failed may repeat one draw hundreds of times."""
    result = fit("y ~ task + (1|subject)", split_plot)
    posterior = result.idata["posterior"].to_dataset()
    copies = posterior.isel(draw=[0] * 49 + [1], chain=[0] * 4).assign_coords(posterior.coords)
    idata = result.idata.copy()
    idata["posterior"] = copies
    loo = replace(result, idata=idata).loo()
    assert np.isposinf(loo.table["pareto_k"]).any()
    assert np.isfinite(loo.elpd)
    assert loo.verdict == "not trusted"
    row = loo.table["pareto_k"].argmax()
    assert loo.table["elpd"][row] < result.loo().table["elpd"][row] + 2


def test_draws_that_cannot_be_believed_predict_nothing_to_believe(split_plot):
    model = ba.Model("y ~ task + (1|subject)", split_plot)
    result = model.fit("laplace", random_seed=1, progressbar=False)
    assert result.loo().verdict == "trusted"
    divergent = replace(result, sampling=replace(result.sampling, divergences=7))
    assert divergent.loo().verdict == "not trusted"
    few = fit("y ~ task + (1|subject)", split_plot, draws=25).loo()
    assert any("effective sample size" in reason for reason in few.verdict.reasons)
    table = ba.compare({"one": divergent, "two": model.fit("laplace", progressbar=False)})
    assert table.set_index("model")["trusted"].to_dict() == {"one": False, "two": True}


def repeated(result, times):
    """The same posterior as chains that stand still: every draw comes several times in a row."""
    posterior = result.idata["posterior"].to_dataset()
    many = posterior.isel(draw=np.repeat(np.arange(posterior.sizes["draw"]), times))
    many = many.assign_coords(draw=np.arange(many.sizes["draw"]))
    idata = result.idata.copy()
    idata["posterior"] = xr.DataTree(many)
    chains = Sampling("nuts", 0, 1.0)
    return replace(result, idata=idata, draws=extract_draws(many, result.model), sampling=chains)


def test_draws_that_depend_on_each_other_count_as_what_they_are_worth(split_plot):
    """Pareto k of a chain that stands still is about that of its different draws.

    The tail that is fitted grows as the draws' worth falls (Vehtari et al. 2024): otherwise copies
    of a few draws would be taken for the whole of it.
    """
    split_plot.loc[5, "y"] += 9.0  # one row that matters
    result = fit("y ~ group * task + (1|subject)", split_plot, draws=300)
    once, many = repeated(result, 1), repeated(result, 8)
    own, other = once.loo().table, many.loo().table
    settled = own["pareto_k"] < 0.5
    np.testing.assert_allclose(other["elpd"][settled], own["elpd"][settled], atol=0.01)
    gap = np.abs(other["pareto_k"] - own["pareto_k"])
    # As though they were independent, by ArviZ on the same log-likelihoods.
    from arviz_stats.base import array_stats

    pieces = row_pieces(many.model)
    log = group_log_likelihoods(predictor_of(many), pieces, many.model)[pieces.of_row]
    _, naive, _ = array_stats.loo(log.reshape(len(log), *many.draws.sample_shape), r_eff=1.0)
    naive_gap = np.abs(naive - own["pareto_k"])
    assert np.median(gap) < 0.05
    assert np.median(naive_gap) > 2 * np.median(gap)
