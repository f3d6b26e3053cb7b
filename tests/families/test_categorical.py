"""Categories without an order: JAGS, nnet, plain arithmetic, and data that are awkward."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytensor
import pytest
from scipy import special

import bambi_anova as ba
from bambi_anova.families.categorical import SOFTMAX, SPLITS, Categories, nominal
from bambi_anova.families.likelihood import Observed
from bambi_anova.posterior.populations import normal_nodes

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
REFERENCE = Path(__file__).parent.parent / "reference"
FAMILIES = {"categorical": "softmax", "conditional_logistic": "splits"}
FORMULA = "way ~ group * task + Error(s)"


@pytest.fixture(scope="module")
def data():
    return pd.read_csv(REFERENCE / "choices.csv")


@pytest.fixture(scope="module", params=FAMILIES)
def fit(request, data):
    model = ba.Model(FORMULA, data, family=request.param)
    return model.fit("laplace", random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def softmax(data):
    model = ba.Model(FORMULA, data, family="categorical")
    return model.fit("laplace", random_seed=1, progressbar=False, draws=250)


# -- The likelihood ----------------------------------------------------------------------------


def rows_of(odds, count=4, columns=3):
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(count), 3)[:, None].astype(float)
    n = rng.integers(1, 6, codes.shape).astype(float)
    likelihood = Categories(odds, tuple("abc"[: count - 1]))
    eta = rng.normal(0, 2, (count - 1, len(codes), columns))
    return likelihood, Observed(codes, np.ones_like(n), n, np.zeros_like(n)), eta


@pytest.mark.parametrize("odds", [SOFTMAX, SPLITS])
def test_probabilities_add_up_and_derivatives_are_theirs(odds):
    likelihood, data, eta = rows_of(odds)
    np.testing.assert_allclose(special.logsumexp(odds.log(eta), axis=0), 0, atol=1e-12)
    log, derivatives = likelihood.joint_rows(data)
    found, h = derivatives(eta, {}), 1e-4
    for k in range(len(eta)):
        step = np.zeros_like(eta)
        step[k] = h
        slope = (log(eta + step, {}) - log(eta - step, {})) / (2 * h)
        np.testing.assert_allclose(found.gradient[k], slope, rtol=1e-6, atol=1e-6)
        up, down = (derivatives(eta + s, {}).gradient for s in (step, -step))
        bend = (down - up) / (2 * h)
        np.testing.assert_allclose(found.information[k], bend, rtol=1e-5, atol=1e-6)
    least = np.linalg.eigvalsh(np.moveaxis(found.information, (0, 1), (-2, -1)))[..., 0]
    assert (least > 0).all()


@pytest.mark.parametrize("odds", [SOFTMAX, SPLITS])
def test_nothing_overflows(odds):
    likelihood, data, eta = rows_of(odds)
    log, derivatives = likelihood.joint_rows(data)
    for factor in (40, 1000):
        found = derivatives(factor * eta, {})
        assert np.isfinite(log(factor * eta, {})).all()
        assert np.isfinite(found.gradient).all()
        assert np.isfinite(found.information).all()


@pytest.mark.parametrize("odds", [SOFTMAX, SPLITS])
def test_replicates_have_their_probabilities(odds):
    family = nominal(odds, ["a", "b", "c"])
    names = [family.parent.name, *family.always]
    parameters = {name: np.full((40_000, 1), p) for name, p in zip(names, (0.3, 0.8), strict=True)}
    drawn = family.replicate(parameters, None, np.random.default_rng(1))
    found = np.bincount(drawn[:, 0].astype(int)) / len(drawn)
    odds_of = np.array([3 / 7, 4.0])
    expected = (
        np.array([1, *odds_of]) / (1 + odds_of.sum())
        if odds is SOFTMAX
        else np.array([0.3, 0.7 * 0.8, 0.7 * 0.2])
    )
    np.testing.assert_allclose(found, expected, atol=0.01)
    shares = [family.categories(k).value(parameters)[0, 0] for k in range(3)]
    np.testing.assert_allclose(shares, expected, rtol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_bambis_rows_have_the_same_log_density(name, data):
    model = ba.Model(FORMULA, data, family=name)
    backend = model.bambi_model.backend.model
    (observed,) = backend.observed_RVs
    names = list(model.predictors)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        wanted = [backend.logp(observed, sum=False)[0]]
        wanted += backend.replace_rvs_by_values([backend[own] for own in names])
        evaluate = pytensor.function(backend.value_vars, wanted, on_unused_input="ignore")
    likelihood = model.family.likelihood(model.links, model.collapsed)
    start, rng = backend.initial_point(), np.random.default_rng(3)
    for _ in range(2):
        point = {k: v + 0.3 * rng.normal(size=np.shape(v)) for k, v in start.items()}
        log, *eta = evaluate(*(point[v.name] for v in backend.value_vars))
        ours = likelihood.log(np.concatenate(eta)[:, None], {})[:, 0]
        np.testing.assert_allclose(ours, log, rtol=1e-6, atol=1e-8)


def test_nnets_estimates_are_the_maximum_of_the_likelihood(data):
    table = pd.read_csv(REFERENCE / "choices_nnet.csv")
    model = ba.Model("way ~ group + task", data, family="categorical", collapse=False)
    columns = np.column_stack(
        [np.ones(len(data)), data["group"].eq("b"), data["task"].eq("y")]
    ).astype(float)
    terms = ["(Intercept)", "groupb", "tasky"]
    value = table.set_index(["way", "term"])["value"]
    eta = np.concatenate(
        [columns @ [value[way, term] for term in terms] for way in ("car", "walk")]
    )[:, None]
    likelihood = model.family.likelihood(model.links, model.collapsed)
    known = table.loc[table["term"] == "logLik", "value"].item()
    assert likelihood.log(eta, {}).sum() == pytest.approx(known, abs=1e-4)
    gradient = likelihood.derivatives(eta, {}).gradient[..., 0]
    np.testing.assert_allclose(gradient @ columns, 0, atol=0.02)


# -- Fits --------------------------------------------------------------------------------------


def test_quick_fits_agree_with_jags(fit):
    table = pd.read_csv(REFERENCE / "choices_jags.csv")
    name = FAMILIES[fit.model.family.name]
    table = table[table["model"] == name].set_index("name")
    draws = fit.draws
    (further,) = draws.further.values()
    for k, own in enumerate((draws, further), 1):
        pairs = {f"m[{i},{j},{k}]": own.cells[..., 2 * i + j - 3] for i in (1, 2) for j in (1, 2)}
        scales = {"sda": "group", "sdb": "task", "sdab": "group:task", "sds": "s"}
        pairs |= {f"{short}[{k}]": own.sigmas[term] for short, term in scales.items()}
        for one, values in pairs.items():
            known = table.loc[one]
            assert abs(values.mean() - known["mean"]) < 0.12 * known["sd"], one
            assert values.std() == pytest.approx(known["sd"], rel=0.15), one


def shares_of(eta):
    return special.softmax(np.concatenate([np.zeros_like(eta[:1]), eta]), axis=0)


def test_probabilities_of_new_units_are_averages_over_all_log_odds(softmax):
    draws = softmax.draws
    (further,) = draws.further.values()
    table = softmax.category_probabilities("group:task")
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    total = 0.0
    for one, u in zip(nodes, weights, strict=True):
        for other, v in zip(nodes, weights, strict=True):
            eta = [
                own.cells + own.sigmas["s"][..., None] * node
                for own, node in ((draws, one), (further, other))
            ]
            total = total + u * v * shares_of(np.stack(eta)) / (2 * np.pi)
    expected = total.mean(axis=(1, 2)).T.ravel()
    np.testing.assert_allclose(table["mean"], expected, atol=5e-4)


def test_probabilities_of_these_units_are_averages_over_their_own_log_odds(softmax, data):
    draws = softmax.draws
    (further,) = draws.further.values()
    members = data.drop_duplicates("s").sort_values("s")["group"].to_numpy()
    table = softmax.category_probabilities("group:task", population="finite")
    found = []
    for cell, (group, _) in enumerate((g, t) for g in "ab" for t in "xy"):
        eta = [
            own.cells[..., cell, None] + own.units["s"][..., members == group]
            for own in (draws, further)
        ]
        found.append(shares_of(np.stack(eta)).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(table["mean"], np.concatenate(found), rtol=1e-9)


def test_averages_over_new_units_use_nodes_of_a_normal():
    nodes = normal_nodes(3)
    np.testing.assert_allclose(nodes.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(nodes.T, bias=True), np.eye(3), atol=0.03)


def test_contrasts_of_probabilities_are_differences(softmax):
    shares = softmax.category_probabilities("task")
    table = softmax.category_contrasts("task")
    x, y = (shares.loc[shares["task"] == level, "mean"].to_numpy() for level in "xy")
    np.testing.assert_allclose(table["mean"], x - y, atol=1e-12)
    assert list(table["category"]) == ["bus", "car", "walk"]
    assert set(softmax.category_contrasts("task", by="group")["group"]) == {"a", "b"}


def test_log_odds_ratios_are_contrasts_of_a_parameter(softmax):
    (name,) = softmax.draws.further
    table = softmax.contrasts("task", parameter=name)
    own = softmax.draws.further[name].cells.reshape(-1, 2, 2).mean(axis=1)
    assert table["mean"].item() == pytest.approx((own[:, 0] - own[:, 1]).mean())


def test_what_stands_on_the_response_scale_has_a_name(softmax):
    assert "probability of car of way" in str(softmax.means("task", scale="response"))
    assert "probability of car rather than bus" in str(softmax.means("task"))


def test_shares_of_a_category_are_what_is_checked(softmax, data):
    table = softmax.predictive_check("cell")
    shares = data["way"].eq("car").groupby([data["group"], data["task"]]).mean()
    np.testing.assert_allclose(table["observed"], shares.to_numpy())


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda fit: fit.superiority("task"), "no order.*category_contrasts"),
        (lambda fit: fit.quantiles("task"), "category_probabilities"),
        (lambda fit: fit.zeros("task"), "no probability of zero"),
        (lambda fit: fit.means("task", parameter="p_bus"), "did you mean|known"),
    ],
)
def test_what_has_no_answer_is_refused(softmax, ask, words):
    with pytest.raises(ba.errors.ArgumentError, match=words):
        ask(softmax)


def test_saved_fits_come_back(softmax, tmp_path):
    softmax.save(tmp_path / "fit.nc")
    again = ba.load(tmp_path / "fit.nc")
    one, other = (f.category_probabilities("group:task")["mean"] for f in (softmax, again))
    np.testing.assert_allclose(one, other, rtol=1e-12)


# -- Awkward data ------------------------------------------------------------------------------


def test_categories_keep_their_order_and_odd_names(data):
    named = {"bus": "bus: 12", "car": "car [own]", "walk": "on foot|far"}
    own = pd.Categorical(
        data["way"].map(named), ["on foot|far", "never", *list(named.values())[:2]]
    )
    model = ba.Model("way ~ task", data.assign(way=own), family="categorical")
    assert model.design.rows.response.categories == ("on foot|far", "bus: 12", "car [own]")
    assert list(model.predictors) == ["p_bus__12", "p_car__own_"]
    table = model.fit("laplace", random_seed=1, progressbar=False).category_probabilities()
    shares = data["way"].map(named).groupby(data["task"]).value_counts(normalize=True)
    wanted = shares[list(zip(table["task"], table["category"], strict=True))]
    np.testing.assert_allclose(table["mean"], wanted, atol=0.02)


def test_an_empty_cell_of_a_category_is_fitted(data):
    rows = data[~((data["way"] == "bus") & (data["task"] == "x"))]
    fit = ba.Model("way ~ task", rows, family="categorical").fit(
        "laplace", random_seed=1, progressbar=False
    )
    table = fit.category_probabilities("task").set_index(["task", "category"])["mean"]
    assert 0 < table["x", "bus"] < 0.02
    np.testing.assert_allclose(table.groupby("task").sum(), 1, rtol=1e-9)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["bus"] * 320, "is constant"),
        ([True, False] * 160, "found 2.*bernoulli"),
        (np.arange(320), "found 320"),
        ([1, "1", 2, 3] * 80, "read the same"),
    ],
)
def test_responses_that_are_no_categories_are_refused(data, values, words):
    rows = data.assign(way=pd.Series(list(values), index=data.index))
    with pytest.raises(ba.errors.DataError, match=words):
        ba.Model("way ~ task", rows, family="categorical")


def test_all_log_odds_have_one_formula(data):
    with pytest.raises(ba.errors.FormulaError, match="terms of the response's formula"):
        ba.Model("way ~ task; p_walk ~ 1", data, family="categorical")


def test_an_offset_has_no_place(data):
    with pytest.raises(ba.errors.FormulaError, match="one of all log odds"):
        ba.Model("way ~ task + offset(s)", data, family="categorical")


@pytest.mark.parametrize("name", ["p_car", "p_walk", "p_walk_Intercept"])
def test_covariates_cannot_have_the_names_of_parameters(data, name):
    with pytest.raises(ba.errors.DataError, match="rename the column"):
        ba.Model(f"way ~ {name}", data.assign(**{name: data["s"] / 7}), family="categorical")


@pytest.mark.slow
def test_nuts_through_bambi_agrees(fit):
    full = fit.model.fit("nuts", draws=1000, tune=1000, random_seed=1, progressbar=False)
    one, other = (own.category_probabilities("group:task") for own in (fit, full))
    assert (np.abs(one["mean"] - other["mean"]) < 0.15 * other["sd"]).all()
    np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.15)
