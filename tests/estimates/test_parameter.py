"""Tables of further parameters that have predictors, against JAGS and against plain arithmetic."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bambi_anova as ba

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
REFERENCE = Path(__file__).parent.parent / "reference"
CELLS = ["a:u", "a:v", "a:w", "b:u", "b:v", "b:w"]


@pytest.fixture(scope="module")
def data():
    return pd.read_csv(REFERENCE / "spread.csv")


@pytest.fixture(scope="module")
def result(data):
    model = ba.Model("y ~ group * cond", data, family="gaussian", sigma="group + cond")
    return model.fit("laplace", random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def skewed(data):
    rows = data.assign(e=np.exp(data["y"] / 5), s=np.arange(len(data)) // 6)
    model = ba.Model("e ~ cond + Error(s)", rows, family="lognormal", sigma="group")
    return model.fit("laplace", random_seed=1, progressbar=False, draws=250)


def jags(model):
    table = pd.read_csv(REFERENCE / "spread_jags.csv")
    return table[table["model"] == model].set_index("name")


def agree(pairs, table):
    for name, own in pairs.items():
        known = table.loc[name]
        assert abs(own.mean() - known["mean"]) < 0.12 * known["sd"], name
        assert own.std() == pytest.approx(known["sd"], rel=0.15), name


def by_cell(result):
    """The cells' means and log sds under JAGS' names."""
    draws = result.draws
    order = [f"[{i},{j}]" for i in (1, 2) for j in (1, 2, 3)]
    pairs = {f"m{at}": draws.cells[..., k] for k, at in enumerate(order)}
    return pairs | {f"l{at}": draws.further["sigma"].cells[..., k] for k, at in enumerate(order)}


def test_quick_fits_agree_with_jags(result):
    draws = result.draws
    pairs = by_cell(result)
    pairs |= {"sda": draws.sigmas["group"], "sdb": draws.sigmas["cond"]}
    pairs |= {
        "sdc": draws.further["sigma"].sigmas["group"],
        "sdd": draws.further["sigma"].sigmas["cond"],
    }
    agree(pairs, jags("log"))


@pytest.fixture(scope="module")
def by_cells(data):
    model = ba.Model("y ~ group * cond", data, family="t", sigma="group:cond")
    return model.fit("laplace", random_seed=1, progressbar=False)


def test_sds_of_cells_that_share_a_distribution_agree_with_jags(by_cells):
    """A term without its margins: the log sds of cells are iid about a mean, with one sd."""
    own = by_cells.draws.further["sigma"]
    pairs = by_cell(by_cells)
    pairs |= {"sda": by_cells.draws.sigmas["group"], "nu": by_cells.draws.auxiliary["nu"]}
    agree(pairs | {"sde": own.sigmas["group:cond"]}, jags("cells"))


def test_sds_of_levels_that_share_a_distribution_agree_with_jags(data):
    model = ba.Model("y ~ cond", data, family="t", sigma="cond")
    draws = model.fit("laplace", random_seed=1, progressbar=False).draws
    pairs = {f"m[{k + 1}]": draws.cells[..., k] for k in range(3)}
    pairs |= {f"l[{k + 1}]": draws.further["sigma"].cells[..., k] for k in range(3)}
    pairs |= {"sde": draws.further["sigma"].sigmas["cond"], "nu": draws.auxiliary["nu"]}
    agree(pairs, jags("one"))


def test_sds_of_cells_are_near_those_of_kruschkes_gamma_distribution(by_cells):
    """His gamma with estimated mode and sd, and another prior of nu, move no cell by much."""
    table = jags("kruschke")
    for name, own in by_cell(by_cells).items():
        assert abs(own.mean() - table.loc[name, "mean"]) < 0.35 * table.loc[name, "sd"], name
        assert own.std() == pytest.approx(table.loc[name, "sd"], rel=0.15), name


def test_quick_fits_agree_with_quadrature(data):
    """Kruschke's model as it is written: a log sd of each group, e0 + c, both normal."""
    rows = data[data["cond"] == "u"]
    model = ba.Model("y ~ 1", rows, family="gaussian", sigma="group")
    fit = model.fit("laplace", random_seed=1, progressbar=False)
    y, group = rows["y"].to_numpy(), (rows["group"] == "b").to_numpy()
    sd = y.std(ddof=1)
    mu = np.linspace(y.mean() - 4 * sd, y.mean() + 4 * sd, 401)
    logs = np.log(sd) + np.linspace(-3, 3, 121)

    def likelihood(own):
        squares = ((own - mu[:, None]) ** 2).sum(axis=1)
        return -len(own) * logs[:, None] - squares / (2 * np.exp(2 * logs[:, None]))

    of_mu = stats.norm.logpdf(mu, y.mean(), 5 * sd)
    pair = special.logsumexp(
        likelihood(y[~group])[:, None] + likelihood(y[group])[None] + of_mu, axis=-1
    )
    scale = np.linspace(0.01, 12, 200)
    rate = (0.5 + np.sqrt(0.25 + 4)) / 2
    of_scale = stats.gamma.logpdf(scale, 1 + 0.5 * rate, scale=1 / rate)
    a, b = logs[:, None] - np.log(sd), logs[None] - np.log(sd)
    density = []
    for tau, own in zip(scale, of_scale, strict=True):
        inverse = np.linalg.inv(4 + tau**2 * np.eye(2))
        squares = inverse[0, 0] * (a**2 + b**2) + 2 * inverse[0, 1] * a * b
        density.append(own + np.linalg.slogdet(inverse)[1] / 2 - squares / 2 + pair)
    weights = np.exp(np.array(density) - np.max(density))
    weights /= weights.sum()
    spread = fit.draws.further["sigma"]
    for draws, at, axes in (
        (spread.cells[..., 0], logs, (0, 2)),
        (spread.cells[..., 1], logs, (0, 1)),
        (spread.sigmas["group"], scale, (1, 2)),
    ):
        mass = weights.sum(axis=axes)
        mean = mass @ at
        own = np.sqrt(mass @ (at - mean) ** 2)
        assert abs(draws.mean() - mean) < 0.1 * own
        assert draws.std() == pytest.approx(own, rel=0.1)


def test_ratios_are_exponentials_of_differences_of_logs(result):
    of = result.draws.further["sigma"].cells.reshape(4, -1, 2, 3)
    logs = of.mean(axis=-1)
    ratio = np.exp(logs[..., 0] - logs[..., 1])
    found = result.draws_of("contrasts", "group", compare="ratio", parameter="sigma")
    np.testing.assert_allclose(found.to_numpy()[..., 0], ratio)
    table = result.contrasts("group", parameter="sigma", compare="ratio")
    assert table["mean"].item() == pytest.approx(ratio.mean())
    assert table["of"].item() == "log of the residual sd of y"


def test_means_of_sigma_are_sds_on_the_response_scale(result):
    found = result.draws_of("means", "group:cond", scale="response", parameter="sigma")
    np.testing.assert_allclose(found.to_numpy(), np.exp(result.draws.further["sigma"].cells))
    assert set(result.means("group", parameter="sigma", scale="response")["of"]) == {
        "residual sd of y"
    }


def test_the_means_of_the_response_are_those_without_a_parameter(result):
    pd.testing.assert_frame_equal(result.means("group", parameter="mu"), result.means("group"))


def test_a_parameter_has_the_tables_of_a_predictor(result):
    spread = result.parameter("sigma")
    pd.testing.assert_frame_equal(
        spread.contrasts("cond", compare="ratio"),
        result.contrasts("cond", compare="ratio", parameter="sigma"),
    )
    pd.testing.assert_frame_equal(spread.anova(), result.anova(parameter="sigma"))
    pd.testing.assert_frame_equal(spread.deflections(), result.deflections(parameter="sigma"))
    assert set(spread.anova()["term"]) == {"group", "cond"}
    assert list(spread.summary()["parameter"]) == ["Intercept", "sd of group", "sd of cond"]
    assert not hasattr(spread, "loo")


@pytest.mark.parametrize(
    ("name", "words"),
    [("nu", r"no formula gives it.*known: 'mu', 'sigma'"), ("sigm", "did you mean 'sigma'")],
)
def test_parameters_without_a_formula_are_refused(result, name, words):
    with pytest.raises(ba.errors.ArgumentError, match=words):
        result.means("group", parameter=name)


def test_a_constant_parameter_says_how_to_give_it_a_formula(data):
    fit = ba.Model("y ~ group", data, family="gaussian").fit(
        "laplace", random_seed=1, progressbar=False, draws=100
    )
    with pytest.raises(ba.errors.ArgumentError, match="give it a formula"):
        fit.parameter("sigma")


def test_standardised_sizes_divide_by_the_root_of_the_cells_mean_variance(result):
    sigma = np.exp(result.draws.further["sigma"].cells)
    own = result.draws_of("contrasts", "group").to_numpy()[..., 0]
    found = result.draws_of("contrasts", "group", standardize="residual").to_numpy()[..., 0]
    np.testing.assert_allclose(found, own / np.sqrt((sigma**2).mean(axis=-1)))


def test_response_means_use_the_sd_of_their_own_cell(skewed):
    draws = skewed.draws
    sigma = np.exp(draws.further["sigma"].cells)
    assert np.ptp(sigma.mean((0, 1))) > 0.05  # cells differ by the group, which the mean has not
    expected = np.exp(draws.cells + (draws.sigmas["s"] ** 2)[..., None] / 2 + sigma**2 / 2)
    found = skewed.draws_of("means", "cond:group", scale="response").to_numpy()
    order = [skewed.design.levels["cond"], skewed.design.levels["group"]]
    assert list(skewed.design.levels) == ["cond", "group"], order
    np.testing.assert_allclose(found, expected)


def test_finite_response_means_use_it_too(skewed):
    draws, design = skewed.draws, skewed.design
    sigma = np.exp(draws.further["sigma"].cells)
    unit = design.unit("s")
    found = skewed.draws_of("means", "cond:group", "finite", "response").to_numpy()
    group = design.rows.factors["group"].codes[unit.first]
    for cell in range(6):
        own = draws.units["s"][..., group == cell % 2]
        mean = np.exp(draws.cells[..., [cell]] + own).mean(axis=-1)
        expected = mean * np.exp(sigma[..., cell] ** 2 / 2)
        np.testing.assert_allclose(found[..., cell], expected)


def test_predictions_replicate_rows_with_their_own_sd(result, data):
    tree = result.posterior_predictive(random_seed=1)
    values = tree["posterior_predictive"]["y"].to_numpy()
    rows = tree["posterior_predictive"]["group"].to_numpy() == "a"
    parameters = result.predict()["posterior"]
    sigma = parameters["sigma"].to_numpy()
    np.testing.assert_allclose(
        np.unique(sigma[0, 0]), np.unique(np.exp(result.draws.further["sigma"].cells[0, 0]))
    )
    spread = (values - np.median(values, axis=(0, 1))).std(axis=(0, 1))
    assert spread[~rows].mean() > 1.5 * spread[rows].mean()


def test_leave_one_out_is_that_of_a_normal_with_the_rows_own_sd(result, data):
    from bambi_anova.prediction.predictors import predictor_of
    from bambi_anova.prediction.rows import total_log_likelihood

    found = result.predict()["posterior"]
    mu, sigma = found["mu"].to_numpy(), found["sigma"].to_numpy()
    log = stats.norm.logpdf(data["y"].to_numpy(), mu, sigma).sum(axis=-1)
    ours = total_log_likelihood(predictor_of(result), result.specification)
    np.testing.assert_allclose(ours - ours.mean(), log - log.mean(), atol=1e-6)


def test_saved_fits_come_back_with_their_predictors(result, tmp_path, data):
    import bambi as bmb

    priors = {"sigma": {"Intercept": bmb.Prior("Normal", mu=0.5, sigma=1.0)}}
    model = ba.Model("y ~ group", data, family="gaussian", sigma="group", priors=priors)
    fit = model.fit("laplace", random_seed=1, progressbar=False, draws=100)
    for one in (fit, result):
        one.save(tmp_path / "fit.nc")
        again = ba.load(tmp_path / "fit.nc")
        pd.testing.assert_frame_equal(
            again.means("group", parameter="sigma"), one.means("group", parameter="sigma")
        )
        assert str(again.model) == str(one.model)


def test_units_of_a_spread_that_means_depend_on_are_refused(data):
    rows = data.assign(e=np.exp(data["y"] / 5), s=np.arange(len(data)) // 6)
    with pytest.raises(ba.errors.UnsupportedError, match="not averaged over units"):
        ba.Model("e ~ group", rows, family="lognormal", sigma="(1|s)")
    with pytest.raises(ba.errors.UnsupportedError, match="not averaged over units"):
        ba.Model("log(e) ~ group", rows, family="gaussian", sigma="(1|s)")


def test_a_covariate_that_takes_the_name_of_a_variable_is_refused(data):
    rng = np.random.default_rng(1)
    rows = data.assign(x=rng.normal(size=len(data)), sigma_x=rng.normal(size=len(data)))
    with pytest.raises(ba.errors.DataError, match=r"'sigma_x'.*rename"):
        ba.Model("y ~ group + sigma_x", rows, family="gaussian", sigma="x")


def test_what_is_told_of_trust_names_the_spread(result):
    names = set(result.trust()["quantity"])
    assert {"sigma: Intercept", "sigma: sd of group", "sigma: mean a:u"} <= names
    assert result.parameter("sigma").verdict.trusted
    assert "sigma: sd of cond" in set(result.summary()["parameter"])


def test_reports_tell_of_the_spread(result):
    text = str(result.report())
    assert "The log of sigma, the residual sd, has effects of group and cond" in text
    assert "**sigma, the residual sd.** By group it was" in text
    assert "a / b" in text


def test_another_posterior_would_be_noticed(result):
    """The comparison with JAGS tells one sd for all from sds by cell."""
    table = jags("log")
    same = result.draws.further["sigma"].cells.mean(axis=-1, keepdims=True)
    known = table.loc["l[1,1]"]
    assert abs(same.mean() - known["mean"]) > known["sd"]
    assert replace(result, draws=result.draws).draws is result.draws
