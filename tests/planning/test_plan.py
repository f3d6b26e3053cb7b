"""Plans: simulated data, shares of goals, power as the F test has it."""

import bambi as bmb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.families.registry import get_family
from bambi_anova.formula.parse import parse_formula
from bambi_anova.planning.layout import Assumed, Layout, Size, cell_means
from bambi_anova.planning.plan import Plan, _table
from bambi_anova.planning.sequential import sequential
from bambi_anova.planning.shares import share
from bambi_anova.planning.studies import Goals, _of_interval
from tests.generated import generated

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
QUIET: dict = {"random_seed": 1, "progressbar": False}
FORMULA = "y ~ group * task + Error(s/task)"
LEVELS = {"group": ["b", "a"], "task": ["x", "y"]}


def layout(formula=FORMULA, family="gaussian", levels=LEVELS, **between):
    known = get_family(family)
    return Layout(parse_formula(formula), levels, known, known.link(None), between)


def size(count, rows=1, trials=1, name="s"):
    return Size({name: count}, rows, trials)


# -- Data --------------------------------------------------------------------------------------


def test_factors_of_unit_terms_vary_within_units_and_others_between():
    frame = layout().frame(size(6, 3))
    assert len(frame) == 6 * 2 * 3
    assert frame.groupby("s")["group"].nunique().eq(1).all()
    assert (frame.groupby(["s", "task"]).size() == 3).all()
    assert frame.drop_duplicates("s")["group"].value_counts().tolist() == [3, 3]
    alone = layout("y ~ group * task").frame(size(8, 2, name=""))
    assert alone.groupby(["group", "task"]).size().tolist() == [4] * 4
    assert (layout("y ~ task + Error(s)", s=[]).frame(size(3)).groupby("s").size() == 4).all()
    with pytest.raises(ArgumentError, match=r"units=7: expected a multiple of 2"):
        layout().frame(size(7))


def test_responses_have_the_assumed_means_and_variances():
    plan = layout()
    assumed = Assumed(np.array([1.0, 2.0, 3.0, 5.0]), {"s": 2.0, "s:task": 1.0}, {"sigma": 0.5})
    frame = plan.draw(plan.frame(size(4000, 2)), assumed, np.random.default_rng(1))
    cells = frame.groupby(["group", "task"], observed=True)["y"]
    expected = {("b", "x"): 1.0, ("b", "y"): 2.0, ("a", "x"): 3.0, ("a", "y"): 5.0}
    for cell, mean in expected.items():
        assert cells.mean()[cell] == pytest.approx(mean, abs=4 * 2.3 / 2000**0.5)
    left = frame.assign(y=frame["y"] - cells.transform("mean")).groupby(
        ["s", "task"], observed=True
    )["y"]
    assert left.var().mean() == pytest.approx(0.25, rel=0.05)
    covariance = np.cov(left.mean().to_numpy().reshape(-1, 2).T)
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
    plan = layout(formula, family, {"task": ["x", "y"]})
    cells = cell_means({"x": mean, "y": mean}, plan.levels, plan.link)
    assumed = Assumed(cells, {"s": 0.0}, {one.name: 50.0 for one in plan.family.auxiliary})
    trials = 10 if family == "binomial" else 1
    frame = plan.draw(plan.frame(size(500, 4)), assumed, np.random.default_rng(1), trials)
    response = frame["k"] / frame.get("n", 1)
    assert response.mean() == pytest.approx(mean, rel=0.1)


# -- Power -------------------------------------------------------------------------------------


def two_groups(difference=2.0, **options):
    base = {"cores": 1, "units": [4, 40], "simulations": 8, **QUIET, **options}
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
    share = table["excludes zero"]
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
    for goal in ("inside ROPE", "Bayes factor against above 3"):
        assert table[goal, 40] == 0
    assert (found.table["lower"] <= found.table["probability"]).all()
    assert (found.table["probability"] <= found.table["upper"]).all()


def test_the_sentence_names_the_smallest_size_that_will_do():
    found = two_groups()
    assert found.needed("excludes zero", 0.5)["units"] == 40
    text = found.sentence("excludes zero", 0.5)
    for words in ("With 40 rows", "8 simulated data sets", "a - b", "from assumed means"):
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


# -- Units of several kinds --------------------------------------------------------------------


def test_crossed_units_meet_in_every_cell_that_suits_both():
    formula = FORMULA + " + (1|item)"
    crossed = layout(formula).frame(Size({"s": 4, "item": 3}))
    assert len(crossed) == 4 * 3 * 2
    assert crossed.groupby("item")["task"].nunique().eq(2).all()
    words = layout(formula, item=["task"]).frame(Size({"s": 4, "item": 6}))
    assert len(words) == 4 * 6
    assert words.groupby("item")["task"].nunique().eq(1).all()
    assert words.groupby("item")["s"].nunique().eq(4).all()
    assert words.groupby("s")["group"].nunique().eq(1).all()
    with pytest.raises(ArgumentError, match="multiple of 2, the combinations of task"):
        layout(formula, item=["task"]).frame(Size({"s": 4, "item": 3}))


def test_units_inside_of_others_are_their_own():
    schools = layout("y ~ group + Error(school/class)", levels={"group": ["a", "b"]})
    frame = schools.frame(Size({"school": 4, "class": 3}, 5))
    assert len(frame) == 4 * 3 * 5
    assert frame["class"].nunique() == 12
    assert frame.groupby("school")["group"].nunique().eq(1).all()
    mixed = layout(
        "y ~ group + Error(school/class)", levels={"group": ["a", "b"]}, **{"class": ["group"]}
    ).frame(Size({"school": 4, "class": 2}, 5))
    assert mixed.groupby("school")["group"].nunique().eq(2).all()
    assert mixed.groupby("class")["group"].nunique().eq(1).all()
    plots = layout("y ~ group + Error(school/group/class)", levels={"group": ["a", "b"]})
    assert plots.frame(Size({"school": 3, "class": 2}))["class"].nunique() == 3 * 2 * 2


def test_a_smaller_size_is_a_part_of_a_larger_one():
    plan = layout(FORMULA + " + (1|item)")
    large, small = Size({"s": 6, "item": 4}, 3), Size({"s": 4, "item": 2}, 2)
    part = plan.part(plan.numbered(large), small)
    assert part.equals(plan.frame(small))
    both = part.merge(plan.frame(large).drop_duplicates(), how="left", indicator=True)
    assert (both["_merge"] == "both").all()


def test_every_unit_term_has_the_variance_that_is_assumed():
    plan = layout("y ~ task + Error(s/task) + (1|item) + (1|s:item)", levels={"task": ["x", "y"]})
    frame = plan.frame(Size({"s": 300, "item": 300}))
    sds = {"s": 2.0, "s:task": 1.0, "item": 1.5, "s:item": 0.7}
    assumed = Assumed(np.zeros(2), sds, {"sigma": 0.1})
    y = plan.draw(frame, assumed, np.random.default_rng(2))
    table = y.pivot_table(index="s", columns="item", values="y", observed=True)
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    rest = table.sub(rows, axis=0).sub(columns, axis=1).to_numpy() + table.to_numpy().mean()
    assert rows.var() == pytest.approx(4 + 0.5, rel=0.2)
    assert columns.var() == pytest.approx(2.25, rel=0.2)
    assert rest.var() == pytest.approx(0.49 + 0.005, rel=0.03)


def test_a_plan_of_crossed_units_has_a_column_of_each():
    found = ba.plan(
        "y ~ task + Error(s/task) + (1|item)",
        {"task": ["x", "y"]},
        {"x": 0.0, "y": 4.0},
        {"s": 1.0, "s:task": 0.3, "item": 0.3, "sigma": 0.5},
        units={"s": [4, 8], "item": 6},
        between={"item": ["task"]},
        simulations=2,
        cores=1,
        **QUIET,
    )
    assert found.table[["s", "item", "rows"]].to_numpy().tolist() == [[4, 6, 1], [8, 6, 1]]
    assert "4 units (s), 6 units (item)" in found.sentence("excludes zero", 0.0)
    assert len(found.data({"s": 2, "item": 4})) == 8
    assert found.cheapest("excludes zero", {"s": 1, "item": 10}, 0.0)["cost"] == 4 + 60


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"units": 4}, "expected a number of each of s, item"),
        ({"units": {"s": 4}}, "expected numbers of s, item"),
        ({"units": {"s": 4, "item": 2}, "between": {"items": ["task"]}}, "no units of this"),
        ({"units": {"s": 4, "item": 2}, "between": {"s": ["task"]}}, "varies within them"),
        ({"units": {"s": 4, "item": 2}, "between": {"item": ["colour"]}}, "is no factor"),
        ({"units": {"s": 4, "item": 3}, "between": {"item": ["task"]}}, "multiple of 2"),
    ],
)
def test_units_that_do_not_fit_the_formula_are_refused(options, words):
    with pytest.raises(ArgumentError, match=words):
        ba.plan(
            "y ~ task + Error(s/task) + (1|item)",
            {"task": ["x", "y"]},
            {"x": 0.0, "y": 1.0},
            {"s": 1.0, "s:task": 0.3, "item": 0.3, "sigma": 0.5},
            simulations=1,
            **QUIET,
            **options,
        )


def test_covariates_and_offsets_are_refused_by_name():
    for formula, name in (("y ~ A + age", "age"), ("y ~ A + offset(w)", "w")):
        with pytest.raises(ArgumentError, match=name):
            ba.plan(formula, {"A": ["a", "b"]}, {"a": 0.0, "b": 1.0}, {"sigma": 1}, units=4)


# -- Answers -----------------------------------------------------------------------------------


def interval(lower, upper, trusted=True):
    return pd.Series({"hdi95_lb": lower, "hdi95_ub": upper, "trusted": trusted})


@pytest.mark.parametrize(
    ("bounds", "truth", "reached", "misleading"),
    [
        ((0.2, 0.4), 0.3, {"excludes zero", "narrower than 1", "outside ROPE"}, set()),
        ((0.2, 0.4), -0.3, {"excludes zero", "narrower than 1", "outside ROPE"}, "own"),
        ((0.2, 0.4), 0.0, {"excludes zero", "narrower than 1", "outside ROPE"}, "own"),
        ((0.2, 0.4), 0.05, {"excludes zero", "narrower than 1", "outside ROPE"}, {"outside ROPE"}),
        ((-0.4, 0.4), 0.3, {"narrower than 1"}, set()),
        ((-0.05, 0.05), 0.0, {"narrower than 1", "inside ROPE"}, set()),
        ((-0.05, 0.05), 0.3, {"narrower than 1", "inside ROPE"}, {"inside ROPE"}),
        ((0.05, 2.0), 0.3, {"excludes zero"}, set()),
    ],
)
def test_what_an_interval_answers(bounds, truth, reached, misleading):
    goals = Goals(0.95, 1.0, (-0.1, 0.1), None)
    found = _of_interval(goals, interval(*bounds), truth)
    if misleading == "own":
        misleading = {"excludes zero", "outside ROPE"}
    assert {goal for goal, answer in found.items() if answer.reached} == reached
    assert {goal for goal, answer in found.items() if answer.misleading} == misleading
    assert list(found) == goals.names


def test_answers_that_are_not_trusted_widen_the_band_both_ways():
    reached = pd.Series([True] * 6 + [False] * 4)
    sure = share(reached)
    doubtful = share(reached, pd.Series([True] * 4 + [False] * 4 + [True] * 2))
    assert doubtful["probability"] == sure["probability"] == 0.6
    assert doubtful["trusted"] == 0.6
    assert doubtful["lower"] == share(pd.Series([True] * 4 + [False] * 6))["lower"]
    assert doubtful["upper"] == share(pd.Series([True] * 8 + [False] * 2))["upper"]
    assert (share(reached & False)["lower"], share(reached | True)["upper"]) == (0.0, 1.0)


def test_evidence_for_nothing_misleads():
    found = two_groups(0.0, units=[40], bf=1.5, simulations=6).table.set_index("goal")
    assert found["misleading"]["Bayes factor against above 1.5"] == 0
    assert found["probability"]["Bayes factor against above 1.5"] > 0.5
    found = two_groups(0.3, units=[20], bf=1.5, simulations=6).table.set_index("goal")
    against = found.loc["Bayes factor against above 1.5"]
    assert against["misleading"] == against["probability"] > 0


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing():
    one, two = (two_groups(units=[6, 8], simulations=4, cores=n).answers for n in (1, 2))
    assert one.equals(two)


def test_ratings_are_planned_by_their_thresholds():
    cuts = {f"threshold_{place + 1}": cut for place, cut in enumerate([-1.0, 0.0, 1.0])}
    found = ba.plan(
        "r ~ task + Error(s)",
        {"task": ["x", "y"]},
        {"x": -1.5, "y": 1.5},
        {"s": 0.5, **cuts},
        family="cumulative",
        units=20,
        rows=2,
        simulations=2,
        **QUIET,
    )
    assert found.table["probability"].tolist() == [1.0]
    assert set(found.data(40, 5)["r"]) == {1, 2, 3, 4}
    with pytest.raises(ArgumentError, match="in order"):
        ba.plan(
            "r ~ task", {"task": ["x", "y"]}, {"x": 0.0, "y": 1.0},
            {**cuts, "threshold_1": 0.5}, family="cumulative", units=20, **QUIET,
        )  # fmt: skip


def test_a_pilot_brings_its_own_family():
    data = generated("binomial", "logit")
    formula = "p(y, n) ~ task + Error(s)"
    model = ba.Model(formula, data, family="binomial")
    found = ba.plan(formula, pilot=model, units=6, simulations=2, **QUIET)
    assert found.layout.family.name == "binomial"
    with pytest.raises(ArgumentError, match="leave those out"):
        ba.plan(formula, pilot=model, family="binomial", units=6)


# -- Costs and looks ---------------------------------------------------------------------------


def answered(*studies):
    """Return answers of studies: for each the goals that are reached at 10, 20 and 30 units."""
    goals = ("yes", "no")
    return pd.DataFrame(
        {
            "simulation": number,
            "size": place,
            "goal": goal,
            "reached": goal in reached,
            "misleading": goal == "no" and goal in reached,
            "trusted": True,
        }
        for number, study in enumerate(studies)
        for place, reached in enumerate(study)
        for goal in goals
    )


SIZES = [Size({"s": units}) for units in (10, 20, 30)]


def test_studies_stop_at_their_first_answer():
    answers = answered(
        (["yes"], [], []),  # stops at once, whatever comes later
        ([], ["no"], ["yes"]),
        ([], ["yes", "no"], []),  # both at one look: the first that is named
        ([], [], []),
    )
    found = sequential(answers, SIZES, SIZES[0], "s", None, ["yes", "no"])
    table = found.table.set_index("goal")
    assert table["probability"].to_dict() == {"yes": 0.5, "no": 0.25, "none": 0.25}
    assert table["misleading"].to_dict() == {"yes": 0.0, "no": 0.25, "none": 0.0}
    assert table["mean_units"].to_dict() == {"yes": 15.0, "no": 20.0, "none": 30.0}
    assert found.mean_units == (10 + 20 + 20 + 30) / 4
    looks = found.looks.set_index(["goal", "units"])["probability"]
    assert looks["yes"].tolist() == [0.25, 0.5, 0.5]
    assert looks["no"].tolist() == [0.0, 0.25, 0.25]
    only = sequential(answers, SIZES, SIZES[0], "s", "no", ["yes", "no"])
    assert only.table.set_index("goal")["probability"].to_dict() == {"no": 0.5, "none": 0.5}
    for words in ("looks at 10, 20, 30 units", "on average 20.0 units"):
        assert words in repr(found)
    assert "0.50 for 'yes'" in found.sentence()
    with pytest.raises(ArgumentError, match="stop='yess'"):
        sequential(answers, SIZES, SIZES[0], "s", "yess", ["yes", "no"])
    with pytest.raises(ArgumentError, match="two numbers of units"):
        sequential(answers, SIZES[:1], SIZES[0], "s", None, ["yes", "no"])


def test_looks_are_made_at_the_sizes_of_a_plan():
    found = two_groups(1.2, units=[8, 16, 24], simulations=6)
    stopped = found.sequential()
    by_size = found.answers.pivot_table(
        index="simulation", columns="size", values="reached", aggfunc="any"
    ).to_numpy(dtype=bool)
    ends = [([8, 16, 24][row.argmax()] if row.any() else 24) for row in by_size]
    assert stopped.mean_units == np.mean(ends)
    assert stopped.table["goal"].tolist() == ["excludes zero", "none"]


def test_the_cheapest_size_weighs_units_against_rows():
    plan = layout("y ~ task + Error(s)", levels={"task": ["x", "y"]}, s=[])
    sizes = tuple(Size({"s": units}, rows) for units in (4, 12) for rows in (1, 8))
    reached = (False, True, True, True)  # not by four units of one row each
    answers = pd.DataFrame(
        {
            "simulation": number,
            "size": place,
            "goal": "yes",
            "reached": reached[place],
            "misleading": False,
            "trusted": True,
        }
        for number in range(50)
        for place in range(4)
    )
    about = ("y ~ task + Error(s)", "task", "x - y", "from assumed means", plan, None)
    found = Plan(_table(answers, plan, sizes), *about, sizes, answers)
    dear_units = found.cheapest("yes", {"unit": 100, "row": 1})
    assert (dear_units["units"], dear_units["rows"]) == (4, 8)
    assert dear_units["cost"] == 4 * 100 + 4 * 2 * 8
    dear_rows = found.cheapest("yes", {"unit": 1, "row": 100})
    assert (dear_rows["units"], dear_rows["rows"]) == (12, 1)
    assert dear_rows["cost"] == 12 + 12 * 2 * 100
    assert found.cheapest("yes", {"unit": 1}, 0.999) is None
    with pytest.raises(ArgumentError, match="cost: 'units'"):
        found.cheapest("yes", {"units": 1})
    with pytest.raises(ArgumentError, match="not negative"):
        found.cheapest("yes", {"unit": -1})
