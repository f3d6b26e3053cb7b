"""One file for one fit: what is saved comes back, and what is broken is refused."""

import datetime
import json
import pickle
from dataclasses import replace

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bambi_anova as ba
from bambi_anova.errors import AnovaError, ArgumentError, StorageError
from bambi_anova.specification import of_design
from bambi_anova.storage.file import FORMAT, _unsealed, seal
from bambi_anova.storage.saving import GROUP

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def fit(formula, data, family="gaussian", method="laplace", draws=60, **options):
    model = ba.Model(formula, data, family=family, **options)
    return model.fit(method, draws=draws, tune=60, chains=2, random_seed=1, progressbar=False)


def assert_same(one, two, **kwargs):
    """Compare tables but for the last digits, which depend on the order of sums."""
    pd.testing.assert_frame_equal(one, two, rtol=1e-8, atol=1e-10, **kwargs)


def assert_equal(before, after, full=False):
    """The tables, and everything behind them."""
    for population in ("super", "finite") if full else ("super",):
        for scale in ("link", "response") if full else ("link",):
            where = {"population": population, "scale": scale}
            if before.design.factors:
                assert_same(before.means(**where), after.means(**where))
                assert_same(before.deflections(**where), after.deflections(**where))
                assert_same(before.anova(**where), after.anova(**where))
    for factor in before.design.levels:
        assert_same(before.contrasts(factor), after.contrasts(factor))
    assert_same(before.trust(), after.trust())
    assert repr(before.verdict) == repr(after.verdict)
    assert repr(before) == repr(after)
    assert str(before.model) == str(after.model)
    for by in ("cell", *(["unit"] if full and before.design.units else [])):
        args = {"by": by, "random_seed": 3}
        assert_same(before.predictive_check(**args), after.predictive_check(**args))
    prior = [
        r.prior_predictive(draws=5, random_seed=1)["prior_predictive"] for r in (before, after)
    ]
    xr.testing.assert_allclose(*(tree.to_dataset() for tree in prior))
    np.testing.assert_array_equal(before.draws.cells, after.draws.cells)
    np.testing.assert_array_equal(before.model.collapsed.first, after.model.collapsed.first)


@pytest.fixture
def loaded(tmp_path):
    """Save a fit and load it again."""

    def loaded(result, **options):
        assert result.save(tmp_path / "fit.nc") == tmp_path / "fit.nc"
        assert [path.name for path in tmp_path.iterdir()] == ["fit.nc"]
        return ba.load(tmp_path / "fit.nc", **options)

    return loaded


RESPONSES = {
    "gaussian": "y",
    "t": "y",
    "bernoulli": "hit['yes']",
    "binomial": "p(hits, shown)",
    "poisson": "hits",
    "negativebinomial": "hits",
    "gamma": "dose",
    "beta": "share",
    "betabinomial": "p(hits, shown)",
    "betabinomial_mode": "p(hits, shown)",
}


@pytest.mark.parametrize("family", RESPONSES)
def test_every_family_comes_back(split_plot, loaded, family):
    split_plot["hit"] = np.where(split_plot["hits"] > 2, "yes", "no")
    split_plot["shown"] = split_plot["hits"] + split_plot["shown"]
    split_plot["share"] = split_plot["dose"] / 6 + 0.05
    formula = f"{RESPONSES[family]} ~ group * task + (1|subject)"
    result = fit(formula, split_plot, family)
    assert_equal(result, loaded(result), full=True)


@pytest.mark.parametrize(
    "method", ["pathfinder", "advi", pytest.param("nuts", marks=pytest.mark.slow)]
)
def test_every_method_comes_back(split_plot, loaded, method):
    result = fit("y ~ group * task + (1|subject)", split_plot, method=method)
    after = loaded(result)
    assert_equal(result, after, full=True)
    assert after.sampling.method == method


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["nutpie", "pymc"])
def test_bambis_samplers_come_back(split_plot, loaded, sampler):
    result = fit("y ~ group * task + (1|subject)", split_plot, method=sampler)
    assert_equal(result, loaded(result))


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ 1 + (1|subject)",
        "y ~ group * task + dose + group:dose + (1|subject) + (dose|subject)",
        "np.log(y / dose) ~ group + scale(dose) + offset(shown / 10) + (1|subject:task)",
        "y ~ group * task + Error(subject/task)",
        "hits ~ group * `a task` + offset(np.log(shown)) + (1|subject)",
    ],
)
def test_formulas_come_back(split_plot, loaded, formula):
    split_plot["a task"] = split_plot["task"]
    split_plot["y"] = split_plot["y"].abs() + 1
    result = fit(formula, split_plot, "poisson" if formula.startswith("hits") else "gaussian")
    assert_equal(result, loaded(result))


@pytest.mark.parametrize(
    "options", [{"collapse": False}, {"parameterization": "overparameterized"}], ids=str
)
def test_options_come_back(split_plot, loaded, options):
    result = fit("hits ~ group * task + (1|subject)", split_plot, "poisson", **options)
    after = loaded(result)
    assert_equal(result, after)
    assert {name: getattr(after.model.options, name) for name in options} == options


def test_the_users_priors_come_back(split_plot, loaded):
    priors = {
        "Intercept": bmb.Prior("Normal", mu=9, sigma=3),
        "group": bmb.Prior("HalfStudentT", nu=3, sigma=2),
        "1|subject": bmb.Prior("Normal", mu=0, sigma=bmb.Prior("Exponential", lam=1.5)),
        "sigma": 2.0,
    }
    result = fit("y ~ group + (1|subject)", split_plot, priors=priors)
    after = loaded(result)
    assert_equal(result, after)
    assert after.priors == result.priors
    given = after.model.bambi_model.parameters["mu"].group_specific_terms["1|subject"].prior
    assert given.args["sigma"] == bmb.Prior("Exponential", lam=1.5)


def test_priors_made_by_functions_cannot_be_saved(split_plot, tmp_path):
    import pymc as pm

    own = bmb.Prior("Own", dist=lambda name, dims=None, shape=None, **kwargs: pm.Normal(name, 9, 3))
    result = fit("y ~ group + (1|subject)", split_plot)
    priors = ba.Model("y ~ group", split_plot, priors={"Intercept": own}).priors
    other = of_design(result.design, result.family, result.link, priors)
    with pytest.raises(StorageError, match=r"priors\['Intercept'\] is made by a function"):
        replace(result, specification=other).save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


LEVELS = {
    "categories": pd.Categorical(["b", "a"] * 36, categories=["c", "b", "a"], ordered=True),
    "numbers": pd.Categorical([2, 1] * 36, categories=[2, 3, 1]),
    "booleans": np.array([True, False] * 36),
    "dates": pd.to_datetime(["2024-05-01 08:00", "2023-01-01 12:30"] * 36),
    "intervals": pd.cut(np.array([0.2, 0.8] * 36), [0, 0.5, 1]),
    "mixed": np.array([1, "one"] * 36, dtype=object),
    "days": np.array([datetime.date(2024, 5, 1), datetime.date(2023, 5, 1)] * 36, dtype=object),
    "text": pd.array(["x", "y"] * 36, dtype="string"),
}


@pytest.mark.parametrize("kind", LEVELS)
def test_levels_of_every_kind_come_back(split_plot, loaded, kind):
    split_plot["level"] = pd.Series(LEVELS[kind], index=split_plot.index)
    data = split_plot.rename(columns={"level": "which"})
    result = fit("y ~ which + (1|subject)", data)
    after = loaded(result)
    assert_equal(result, after)
    assert after.design.levels == result.design.levels
    one, two = (r.idata["cells"]["which"] for r in (result, after))
    np.testing.assert_array_equal(one, two)


def test_levels_that_cannot_be_written_are_named(split_plot, tmp_path):
    split_plot["which"] = pd.Series([1j, 2j] * 36, dtype=object)
    result = fit("y ~ which + (1|subject)", split_plot)
    with pytest.raises(StorageError, match="is a complex, which cannot be saved"):
        result.save(tmp_path / "fit.nc")


def test_rows_left_out_stay_out_and_the_index_stays(split_plot, loaded):
    split_plot.loc[[3, 40], "y"] = np.nan
    split_plot.index = pd.Index([f"row {i}" for i in range(72)], name="id")
    result = fit("y ~ group + (1|subject)", split_plot, dropna=True)
    after = loaded(result)
    assert_equal(result, after)
    pd.testing.assert_index_equal(after.design.rows.data.index, result.design.rows.data.index)
    assert result.design.rows.left_out == after.design.rows.left_out == 2


def test_an_index_of_several_levels_stays(split_plot, loaded):
    data = split_plot.set_index(["subject", "attempt"], drop=False).rename_axis(["s", "a"])
    after = loaded(fit("y ~ group + (1|subject)", data))
    pd.testing.assert_index_equal(after.design.rows.data.index, data.index)


def test_only_what_the_formula_names_is_kept(split_plot, loaded):
    split_plot["secret"] = "name and address"
    after = loaded(fit("y ~ group + np.sqrt(dose) + (1|subject)", split_plot))
    assert set(after.design.rows.data) == {"y", "group", "dose", "subject"}


def test_values_stand_for_functions_until_these_are_handed_over(split_plot, loaded):
    namespace = {"halve": lambda x: x / 2, "k": 3.0}
    formula = "y ~ group + scale(halve(dose)) + np.log(shown + k) + (1|subject)"
    result = fit(formula, split_plot, extra_namespace=namespace)
    after = loaded(result)
    assert_equal(result, after)
    assert len(after.model.bambi_model.data) == 72
    at = {"dose": [1, 2]}
    with pytest.raises(ArgumentError, match="dose"):
        after.means("group", at=at)
    assert_same(after.means("group", at={"shown": 6}), result.means("group", at={"shown": 6}))
    once_more = loaded(after)
    assert_equal(result, once_more)
    again = loaded(once_more, extra_namespace=namespace)
    assert_same(again.means("group", at=at), result.means("group", at=at))


def test_other_functions_are_refused(split_plot, loaded):
    result = fit("y ~ group + own(dose)", split_plot, extra_namespace={"own": np.sqrt})
    with pytest.raises(StorageError, match=r"covariates.*were the functions .* the same\?"):
        loaded(result, extra_namespace={"own": np.cbrt})


@pytest.mark.slow
def test_a_loaded_fit_starts_the_next(split_plot, loaded):
    result = fit("y ~ group + (1|subject)", split_plot, draws=200)
    after = loaded(result)
    full = after.model.fit("nuts", init=after, draws=50, chains=2, random_seed=1, progressbar=False)
    from_first = result.model.fit(
        "nuts", init=result, draws=50, chains=2, random_seed=1, progressbar=False
    )
    np.testing.assert_allclose(full.draws.cells, from_first.draws.cells, rtol=1e-6)


def test_arviz_opens_the_file(split_plot, tmp_path):
    import arviz

    result = fit("y ~ group + (1|subject)", split_plot)
    tree = arviz.from_netcdf(result.save(tmp_path / "fit.nc"))
    np.testing.assert_array_equal(
        tree["posterior"]["Intercept"], result.idata["posterior"]["Intercept"]
    )
    assert tree["cells"]["group"].to_numpy().tolist() == ["A", "B"]
    record = json.loads(tree[GROUP].attrs["record"])
    assert record["versions"]["bambi"] == bmb.__version__


def test_saving_changes_no_result(split_plot, tmp_path):
    result = fit("y / dose ~ group + (1|subject)", split_plot)
    before = result.idata.copy(deep=True)
    result.save(tmp_path / "fit.nc")
    assert before.identical(result.idata)


# What is refused


@pytest.fixture
def saved(split_plot, tmp_path):
    return fit("y ~ group + (1|subject)", split_plot).save(tmp_path / "fit.nc")


def test_missing_files_and_directories(saved, tmp_path):
    with pytest.raises(StorageError, match="there is no such file"):
        ba.load(tmp_path / "none.nc")
    result = ba.load(saved)
    with pytest.raises(StorageError, match=r"there is no directory .*; make it first"):
        result.save(tmp_path / "none" / "fit.nc")
    with pytest.raises(StorageError, match="expected a file, found a directory"):
        result.save(tmp_path)


def test_errors_are_the_packages(tmp_path):
    with pytest.raises(AnovaError):
        ba.load(tmp_path / "none.nc")


def test_other_files(tmp_path):
    (tmp_path / "notes.txt").write_text("y ~ a")
    with pytest.raises(StorageError, match="found another kind"):
        ba.load(tmp_path / "notes.txt")
    (tmp_path / "empty.nc").touch()
    with pytest.raises(StorageError, match="found another kind"):
        ba.load(tmp_path / "empty.nc")
    xr.Dataset({"x": ("i", np.arange(3.0))}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(StorageError, match=r"another program.*arviz\.from_netcdf"):
        ba.load(tmp_path / "other.nc")


def test_newer_formats(saved):
    saved.write_bytes(seal(_unsealed(saved, saved.read_bytes()), FORMAT + 1))
    with pytest.raises(StorageError, match=f"format {FORMAT} or older, found {FORMAT + 1}.*update"):
        ba.load(saved)


def test_numbers_of_the_users_are_there_after_loading(tmp_path, split_plot):
    """``at`` evaluates the formula's expressions at new values."""
    before = fit("y ~ task + np.log(dose + shift)", split_plot, extra_namespace={"shift": 2})
    after = ba.load(before.save(tmp_path / "fit.nc"))
    assert_same(before.means("task", at={"dose": 3}), after.means("task", at={"dose": 3}))


def test_paths_that_are_no_paths(split_plot):
    result = fit("y ~ task", split_plot)
    for act in (result.save, ba.load):
        with pytest.raises(StorageError, match="path=None"):
            act(None)


# -- Other processes ---------------------------------------------------------------------------


def half(values):
    return values / 2


@pytest.mark.parametrize("family", ["gaussian", "betabinomial", "cumulative"])
def test_models_and_results_go_through_pickle(family, split_plot):
    rng = np.random.default_rng(1)
    data = split_plot.assign(n=9, hits=rng.integers(1, 9, len(split_plot)))
    left = {"gaussian": "y", "betabinomial": "p(hits, n)", "cumulative": "hits"}[family]
    formula = f"{left} ~ group * task + half(dose) + (1|subject)"
    model = ba.Model(
        formula,
        data,
        family=family,
        priors={"half(dose)": bmb.Prior("Normal", mu=0, sigma=3)},
        extra_namespace={"half": half},
    )
    assert str(pickle.loads(pickle.dumps(model))) == str(model)
    result = model.fit("laplace", draws=30, random_seed=1, progressbar=False)
    assert_equal(result, pickle.loads(pickle.dumps(result)))
