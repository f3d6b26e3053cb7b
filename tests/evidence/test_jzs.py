"""JZS priors: against R's BayesFactor, and against quadrature."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bambi_anova as ba
from bambi_anova.engine.request import Request
from bambi_anova.errors import ArgumentError, UnsupportedError
from bambi_anova.evidence.jzs import SCALES, fit_jzs, jzs_model

REFERENCE = Path(__file__).parents[1] / "reference"
pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def request(seed=1, draws=1000):
    return Request("laplace", draws, 1000, 4, seed, False)


# -- BayesFactor in R --------------------------------------------------------------------------


def reference(name):
    return pd.read_csv(REFERENCE / f"{name}.csv", keep_default_na=False)


def terms_of(model):
    """A model's terms, whatever their order; "null" is no missing value."""
    return " + ".join(sorted(model.split(" + ")))


def oats():
    return ba.load_data("oats").astype({"nitrogen": str})


#: Formula, data and scales of each case of bayes_factors.R.
CASES = {
    "oats": ("yield ~ variety * nitrogen + Error(block/variety)", oats, None),
    "wide": (
        "yield ~ variety * nitrogen + Error(block/variety)",
        oats,
        {"fixed": 2**0.5 / 2},
    ),
    "repeated": (
        "time ~ group * load * side + Error(person/(load * side))",
        lambda: reference("repeated"),
        None,
    ),
    "mixed": (
        "weight ~ diet + sex + week + diet:week + Error(animal/week)",
        lambda: reference("mixed"),
        None,
    ),
    "between": (
        "weight ~ diet * sex",
        lambda: reference("mixed").query("week == 'w1'"),
        None,
    ),
    "covariate": ("y ~ A + x", lambda: reference("kruschke_data_covariate"), None),
}


@pytest.mark.parametrize("name", CASES)
def test_bayes_factors_are_those_of_r(name):
    formula, data, scales = CASES[name]
    expected = reference("bayes_factors").query("case == @name")
    expected = expected.set_index(expected["model"].map(terms_of))
    model = ba.Model(formula, data())
    found = ba.bayes_factors(
        model, priors="jzs", scales=scales, draws=50, random_seed=1, progressbar=False
    )
    table = found.models()
    table = table.set_index(table["model"].map(terms_of))
    assert table["trusted"].all()
    if name in ("between", "covariate"):  # the grand mean alone has a Bayes factor of one
        null = terms_of("null")
        assert table.loc[null, "log_marginal_likelihood"] == pytest.approx(0, abs=1e-9)
        table = table.drop(null)
    assert set(table.index) == set(expected.index)
    own = pd.Series({terms_of(one.model.name): one.evidence.mcse for one in found.weighed})
    error = np.hypot(own[table.index], expected.loc[table.index, "error"])
    gap = table["log_marginal_likelihood"] - expected.loc[table.index, "log_bf"]
    assert own.max() < 0.015
    assert (gap.abs() < 4 * error + 0.005).all()
    # As a whole they are as close as the errors say, those of R included.
    assert ((gap / (error + 0.002)) ** 2).mean() < 2


# -- Quadrature --------------------------------------------------------------------------------


@cache
def small():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"A": ["a"] * 7 + ["b"] * 5 + ["c"] * 9, "B": list("xyz") * 7})
    effect = frame["A"].map({"a": 0.0, "b": 0.8, "c": 0.3})
    return frame.assign(y=5 + effect + rng.normal(0, 1, len(frame)), x=rng.normal(size=21))


def centred(y):
    return y - np.mean(y)


def log_ratio(frame, columns, g):
    """Log p(y | g) over that of the grand mean alone, by dense matrices."""
    y, x = centred(frame["y"].to_numpy()), columns - columns.mean(axis=0)
    covariance = np.eye(len(y)) + (x * g) @ x.T
    log_det = np.linalg.slogdet(covariance)[1]
    left = y @ np.linalg.solve(covariance, y)
    return -log_det / 2 - (len(y) - 1) / 2 * np.log(left / (y @ y))


def zero_sum(values):
    """Orthonormal coordinates of a factor, by another basis than the package's."""
    codes = np.unique(values, return_inverse=True)[1]
    size = codes.max() + 1
    _, vectors = np.linalg.eigh(np.eye(size) - 1 / size)
    return vectors[codes, 1:]


def g_density(g, r):
    return stats.invgamma(0.5, scale=r**2 / 2).pdf(g)


def one_g(frame, columns, r):
    return np.log(
        integrate.quad(
            lambda v: np.exp(log_ratio(frame, columns, np.exp(v)) + v) * g_density(np.exp(v), r),
            -12,
            12,
            limit=200,
        )[0]
    )


def test_one_g_is_quadrature():
    model = ba.Model("y ~ A", small())
    found = fit_jzs(model, request()).log_evidence
    expected = one_g(small(), zero_sum(small()["A"]), 0.5)
    assert found.value == pytest.approx(expected, abs=4 * found.mcse)
    assert found.mcse < 0.01
    covariate = ba.Model("y ~ x", small())
    x = centred(small()["x"].to_numpy())
    expected = one_g(small(), (x / x.std())[:, None], SCALES["continuous"])
    found = fit_jzs(covariate, request()).log_evidence
    assert found.value == pytest.approx(expected, abs=4 * found.mcse)


def test_two_g_are_quadrature():
    model = ba.Model("y ~ A + (1|B)", small())
    found = fit_jzs(model, request()).log_evidence
    fixed, units = zero_sum(small()["A"]), 1.0 * (small()["B"].to_numpy()[:, None] == list("xyz"))
    columns = np.hstack([fixed, units])
    grid = np.linspace(-9, 10, 48)
    total = 0.0
    for u in grid:
        for v in grid:
            g = np.exp([u, u, v, v, v])
            weight = g_density(g[0], 0.5) * g_density(g[2], 1.0) * np.exp(u + v)
            total += weight * np.exp(log_ratio(small(), columns, g))
    expected = np.log(total * (grid[1] - grid[0]) ** 2)
    assert found.value == pytest.approx(expected, abs=4 * found.mcse + 2e-3)


def test_the_density_is_the_dense_one_whatever_stands_in_blocks():
    rng = np.random.default_rng(1)
    rows = reference("repeated")
    for formula, data in [
        ("time ~ group * side + Error(person/(load * side))", rows),
        ("time ~ side + (1|person) + (1|side:load)", rows),  # units that cross
    ]:
        model = jzs_model(ba.Model(formula, data))
        log_g = rng.normal(size=(len(model.r), 4))
        found = model.log_density(log_g)
        columns, which = [], []
        for part in model.core:
            columns.append(part.columns)
            which += [part.g] * part.columns.shape[1]
        for part in model.inside:
            for block in range(model.block.max() + 1):
                columns.append(part.columns * (model.block == block)[:, None])
                which += [part.g] * part.columns.shape[1]
        dense = np.hstack(columns)
        for at in range(4):
            g = np.exp(log_g[:, at])
            prior = np.log(g_density(g, model.r) * g).sum()
            frame = data.rename(columns={"time": "y"})
            assert found[at] == pytest.approx(log_ratio(frame, dense, g[which]) + prior, rel=1e-9)


def test_draws_are_those_of_the_posterior():
    """Means and sds of the cell means and of sigma, by quadrature over g."""
    fit = fit_jzs(ba.Model("y ~ A", small()), request(draws=4000))
    x, y = zero_sum(small()["A"]), centred(small()["y"].to_numpy())
    x = x - x.mean(axis=0)
    logs = np.linspace(-9, 9, 400)
    weight, mean, square, sigma2 = [], [], [], []
    for g in np.exp(logs):
        precision = x.T @ x + np.eye(2) / g
        beta = np.linalg.solve(precision, x.T @ y)
        left = y @ y - (x.T @ y) @ beta
        weight.append(np.exp(log_ratio(small(), x, g)) * g_density(g, 0.5) * g)
        sigma2.append(left / (len(y) - 3))
        mean.append(beta)
        square.append(np.outer(beta, beta) + sigma2[-1] * np.linalg.inv(precision))
    weight = np.array(weight) / np.sum(weight)
    mean = weight @ np.array(mean)
    spread = np.tensordot(weight, np.array(square), axes=1) - np.outer(mean, mean)
    basis = zero_sum(["a", "b", "c"])
    contrast = basis[0] - basis[1]
    draws = fit.draws.cells[..., 0] - fit.draws.cells[..., 1]
    error = 4 * np.sqrt(contrast @ spread @ contrast) / np.sqrt(draws.size / 2)
    assert draws.mean() == pytest.approx(contrast @ mean, abs=error)
    assert draws.std() == pytest.approx(np.sqrt(contrast @ spread @ contrast), rel=0.05)
    assert (fit.draws.auxiliary["sigma"] ** 2).mean() == pytest.approx(weight @ sigma2, rel=0.03)


def test_unit_effects_of_a_factor_sum_to_zero_and_predict_the_rows():
    rows = reference("repeated")
    model = ba.Model("time ~ load + Error(person/load)", rows)
    fit = fit_jzs(model, request())
    unit = model.design.unit("person:load")
    person = model.design.rows.codes(("person",))[0][unit.first]
    effects = fit.draws.units["person:load"].mean(axis=(0, 1))
    np.testing.assert_allclose(np.bincount(person, effects), 0, atol=1e-9)
    eta = fit.draws.cells.mean(axis=(0, 1))[model.design.cell_codes]
    eta = eta + effects[unit.codes]
    eta = eta + fit.draws.units["person"].mean(axis=(0, 1))[model.design.unit("person").codes]
    left = rows["time"] - eta
    assert left.std() < 0.7 * (rows["time"] - rows.groupby("load")["time"].transform("mean")).std()
    assert abs(np.corrcoef(left, eta)[0, 1]) < 0.4


# -- What these priors do not have -------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("hit ~ A", {"family": "bernoulli"}),
        ("y ~ A * x", {}),
        ("y ~ A + x + (0 + x|B)", {}),
        ("y ~ A", {"priors": {"sigma": 1.0}}),
    ],
)
def test_other_models_are_refused(formula, options):
    frame = small().assign(hit=(small()["y"] > 5).astype(int))
    model = ba.Model(formula, frame, **options)
    with pytest.raises(UnsupportedError, match="priors='jzs'"):
        ba.bayes_factors(model, priors="jzs", progressbar=False)


@pytest.mark.parametrize("scales", [{"C": 1.0}, {"A": -1.0}, {"fixed": "wide"}])
def test_scales_are_positive_numbers_of_known_terms(scales):
    model = ba.Model("y ~ A", small())
    with pytest.raises(ArgumentError, match="scales"):
        ba.bayes_factors(model, priors="jzs", scales=scales, progressbar=False)


def test_scales_of_a_term_are_its_own():
    model = ba.Model("y ~ A + B", small())
    kinds = [{"fixed": 1.0}, {"A": 1.0, "B": 1.0}]
    one, two = (
        ba.bayes_factors(model, priors="jzs", scales=s, random_seed=1, progressbar=False)
        for s in kinds
    )
    np.testing.assert_allclose(one.models()["log_bf"], two.models()["log_bf"])
