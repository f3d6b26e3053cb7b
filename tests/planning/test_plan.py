"""Plans: simulated data, shares of goals, power as the F test has it."""

import bambi as bmb
import numpy as np
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.families.registry import get_family
from bambi_anova.formula.parse import parse_formula
from bambi_anova.planning.simulate import Assumed, Layout, cell_means
from tests.generated import generated

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
QUIET: dict = {"random_seed": 1, "progressbar": False}
FORMULA = "y ~ group * task + Error(s/task)"
LEVELS = {"group": ["b", "a"], "task": ["x", "y"]}


def layout(formula=FORMULA, family="gaussian", levels=LEVELS, trials=1):
    known = get_family(family)
    return Layout(parse_formula(formula), levels, known, known.link(None), trials)


# -- Data --------------------------------------------------------------------------------------


def test_factors_of_unit_terms_vary_within_units_and_others_between():
    frame = layout().frame(6, 3)
    assert len(frame) == 6 * 2 * 3
    assert (frame.groupby("s")["group"].nunique() == 1).all()
    assert (frame.groupby(["s", "task"]).size() == 3).all()
    assert frame.drop_duplicates("s")["group"].value_counts().tolist() == [3, 3]
    alone = layout("y ~ group * task").frame(8, 2)
    assert alone.groupby(["group", "task"]).size().tolist() == [4] * 4
    with pytest.raises(ArgumentError, match=r"units=7: expected a multiple of 2"):
        layout().frame(7, 1)


def test_responses_have_the_assumed_means_and_variances():
    plan = layout()
    assumed = Assumed(np.array([1.0, 2.0, 3.0, 5.0]), {"s": 2.0, "s:task": 1.0}, {"sigma": 0.5})
    frame = plan.draw(plan.frame(4000, 2), assumed, np.random.default_rng(1))
    cells = frame.groupby(["group", "task"])["y"]
    expected = {("b", "x"): 1.0, ("b", "y"): 2.0, ("a", "x"): 3.0, ("a", "y"): 5.0}
    for cell, mean in expected.items():
        assert cells.mean()[cell] == pytest.approx(mean, abs=4 * 2.3 / 2000**0.5)
    left = frame.assign(y=frame["y"] - cells.transform("mean")).groupby(["s", "task"])["y"]
    assert left.var().mean() == pytest.approx(0.25, rel=0.05)
    covariance = np.cov(left.mean().unstack().T)
    assert covariance[0, 1] == pytest.approx(4.0, rel=0.1)
    assert covariance[0, 0] - covariance[0, 1] == pytest.approx(1 + 0.125, rel=0.1)


@pytest.mark.parametrize(
    ("family", "formula", "mean"),
    [
        ("binomial", "p(k, n) ~ task + Error(s)", 0.3),
        ("poisson", "k ~ task + Error(s)", 4.0),
        ("negativebinomial", "k ~ task + Error(s)", 4.0),
        ("bernoulli", "k ~ task + Error(s)", 0.3),
    ],
)
def test_every_family_draws_about_its_means(family, formula, mean):
    plan = layout(formula, family, {"task": ["x", "y"]}, trials=10 if family == "binomial" else 1)
    cells = cell_means({"x": mean, "y": mean}, plan.levels, plan.link)
    assumed = Assumed(cells, {"s": 0.0}, {one.name: 50.0 for one in plan.family.auxiliary})
    frame = plan.draw(plan.frame(500, 4), assumed, np.random.default_rng(1))
    response = frame["k"] / frame.get("n", 1)
    assert response.mean() == pytest.approx(mean, rel=0.1)


# -- Power -------------------------------------------------------------------------------------


def two_groups(difference=2.0, **options):
    base = {"units": [4, 40], "simulations": 8, **QUIET, **options}
    means = {"a": 0.0, "b": difference}
    return ba.plan("y ~ A", {"A": ["a", "b"]}, means, {"sigma": 1.0}, **base)


#: Priors so wide that intervals are the classical ones; Kruschke's shrink, and have less power.
WIDE = {
    "Intercept": bmb.Prior("Normal", mu=0, sigma=1000),
    **{name: bmb.Prior("LogNormal", mu=5, sigma=0.5) for name in ("A", "task")},
}


def wide(*names):
    return {name: WIDE[name] for name in ("Intercept", *names)}


@pytest.mark.slow
@pytest.mark.parametrize("difference", [0.0, 0.8, 1.2])
def test_the_power_of_two_groups_is_that_of_the_f_test(difference):
    size, simulations = 24, 200
    found = two_groups(difference, units=size, simulations=simulations, priors=wide("A"))
    noncentral = stats.ncf(1, size - 2, size / 4 * difference**2)
    power = noncentral.sf(stats.f(1, size - 2).ppf(0.95)) if difference else 0.05
    table = found.table.set_index("goal")["probability"]
    share = table["excludes zero"] + table["misleading"]
    assert share == pytest.approx(power, abs=3 * np.sqrt(power * (1 - power) / simulations))


@pytest.mark.slow
def test_the_power_of_a_within_factor_is_that_of_the_f_test():
    size, simulations = 10, 150
    found = ba.plan(
        "y ~ task + Error(s/task)",
        {"task": ["x", "y"]},
        {"x": 0.0, "y": 1.0},
        {"s": 2.0, "s:task": 0.4, "sigma": 0.6},
        units=size,
        simulations=simulations,
        priors=wide("task"),
        **QUIET,
    )
    noncentral = stats.ncf(1, size - 1, size / (2 * (0.4**2 + 0.6**2)))
    power = noncentral.sf(stats.f(1, size - 1).ppf(0.95))
    share = found.table.set_index("goal").loc["excludes zero", "probability"]
    assert share == pytest.approx(power, abs=3 * np.sqrt(power * (1 - power) / simulations))


@pytest.mark.slow
def test_kruschkes_priors_have_less_power_and_fewer_false_alarms():
    found = two_groups(0.8, units=24, simulations=100).table
    own = two_groups(0.8, units=24, simulations=100, priors=wide("A")).table
    assert found["probability"][0] < own["probability"][0]


# -- Goals and tables --------------------------------------------------------------------------


def test_more_units_reach_every_goal_more_often():
    found = two_groups(width=2.0, rope=(-0.3, 0.3), bf=3, simulations=5)
    table = found.table.set_index(["goal", "units"])["probability"]
    for goal in ("excludes zero", "narrower than 2", "outside ROPE", "Bayes factor for above 3"):
        assert table[goal, 40] == 1.0
        assert table[goal, 4] < 1.0
    for goal in ("inside ROPE", "misleading", "Bayes factor against above 3"):
        assert table[goal, 40] == 0
    assert (found.table["lower"] <= found.table["probability"]).all()
    assert (found.table["probability"] <= found.table["upper"]).all()


def test_the_sentence_names_the_smallest_size_that_will_do():
    found = two_groups()
    assert found.needed("excludes zero", 0.5)["units"] == 40
    text = found.sentence("excludes zero", 0.5)
    for words in ("With 40 units", "8 simulated data sets", "a - b", "from assumed means"):
        assert words in text
    assert found.needed("excludes zero", 0.999) is None
    assert "None of the planned sizes" in found.sentence("excludes zero", 0.999)
    with pytest.raises(ArgumentError, match="goal='power'"):
        found.needed("power")
    assert "from assumed means" in repr(found)


def test_a_data_set_to_try_the_analysis_on():
    found = two_groups(units=4, simulations=1)
    frame = found.data(12, 3, random_seed=4)
    assert frame.equals(found.data(12, 3, random_seed=4))
    assert ba.Model("y ~ A", frame).design.levels == {"A": ("a", "b")}
    assert len(frame) == 36


def test_the_same_seed_gives_the_same_plan():
    assert two_groups(units=6).table.equals(two_groups(units=6).table)


def test_a_pilot_gives_its_posterior_and_a_model_its_prior():
    model = ba.Model("y ~ task + Error(s)", generated("gaussian", "identity"))
    fit = model.fit("laplace", random_seed=1, progressbar=False)
    options = {"units": 8, "rows": 2, "simulations": 4, **QUIET}
    posterior = ba.plan("y ~ task + Error(s)", pilot=fit, **options)
    prior = ba.plan("y ~ task + Error(s)", pilot=model, **options)
    assert posterior.assumption == "given the posterior of a pilot study"
    assert prior.assumption == "given the prior"
    draws = [posterior.assume(np.random.default_rng(s)).cells for s in range(200)]
    cells = fit.draws.cells.reshape(-1, 2)
    assert np.mean(draws, axis=0) == pytest.approx(
        cells.mean(axis=0), abs=4 * cells.std() / 200**0.5
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"means": {"a": 0.0}}, "cell 'b' is missing"),
        ({"means": {"a": 0.0, "b": 1.0, "c": 1.0}}, "'c' is no cell"),
        ({"sds": {}}, "'sigma'"),
        ({"sds": {"sigma": 1.0, "s": 1.0}}, "'s' is not in this model"),
        ({"sds": {"sigma": -1.0}}, "not negative"),
        ({"levels": None}, "expected levels and means"),
        ({"units": 0}, "units=0"),
        ({"units": []}, "at least one"),
        ({"rope": (1, 0)}, "rope"),
        ({"term": "C"}, "'C' is not a factor"),
        ({"pilot": 1}, "leave those out"),
        ({"simulations": 0}, "simulations=0"),
        ({"family": "binomial", "sds": {}, "means": {"a": 0.2, "b": 1.2}}, "does not take"),
    ],
)
def test_what_cannot_be_is_refused(changed, words):
    given = {"levels": {"A": ["a", "b"]}, "means": {"a": 0.0, "b": 1.0}, "sds": {"sigma": 1.0}}
    options = {**given, "units": 4, "simulations": 1, **QUIET, **changed}
    with pytest.raises(ArgumentError, match=words):
        ba.plan("y ~ A", **options)


def test_a_pilot_of_another_formula_is_refused():
    model = ba.Model("y ~ task + Error(s)", generated("gaussian", "identity"))
    with pytest.raises(ArgumentError, match="of this formula"):
        ba.plan("y ~ group + Error(s)", pilot=model, units=4, **QUIET)
