"""Effects of units that vary together: what formulas say of them, and what is refused."""

import warnings

import bambi as bmb
import numpy as np
import pytest

import bambi_anova as ba
from bambi_anova.errors import DroppedUnitWarning, FormulaError, PriorError

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


def joints(build, text, data, family="gaussian"):
    """Members and kind of each joint, by its name; and the names of all units and slopes."""
    design = build(text, data, family)
    found = {one.name: (list(one.members), one.kind) for one in design.joints}
    assert all(one.unit.size == len(one.unit.first) for one in design.joints)
    return found, [f"{u.name}{'*' * u.by_cell}" for u in design.units]


CELLS = ["task[x]|subject", "task[y]|subject"]
BOTH = {"task|subject": (CELLS, "unstructured")}


@pytest.mark.parametrize(
    ("right", "found", "units"),
    [
        ("Error(subject/task, cov='unstructured')", BOTH, ["subject*", "subject:task*"]),
        ("(task|subject)", BOTH, ["subject*", "subject:task*"]),
        ("(0 + task|subject)", BOTH, ["subject*", "subject:task*"]),
        (
            "Error(subject/task, cov='diagonal')",
            {"task|subject": (CELLS, "diagonal")},
            ["subject*", "subject:task*"],
        ),
        (
            "(task||subject)",
            {"task|subject": (CELLS, "diagonal")},
            ["subject", "subject:task*"],
        ),
        ("Error(subject/task, cov='compound')", {}, ["subject", "subject:task"]),
        ("(task|subject, cov='compound')", {}, ["subject", "subject:task"]),
        ("(dose|subject)", {"dose|subject": (["subject", "dose|subject"], "unstructured")},
         ["subject"]),
        ("(dose||subject)", {}, ["subject"]),
        ("(dose|subject, cov='diagonal')", {}, ["subject"]),
        ("(0 + dose|subject)", {}, []),
        (
            "(task + dose|subject)",
            {"task + dose|subject": ([*CELLS, "dose|subject"], "unstructured")},
            ["subject*", "subject:task*"],
        ),
    ],
)  # fmt: skip
def test_what_varies_together(build, split_plot, right, found, units):
    assert joints(build, f"y ~ group * task + dose + {right}", split_plot) == (found, units)


def test_terms_are_judged_in_the_strata_of_the_compound_model(build, split_plot):
    text = "y ~ group * task + Error(subject/task{})"
    one = build(text.format(""), split_plot)
    other = build(text.format(", cov='unstructured'"), split_plot)
    assert [(t.name, t.strata) for t in one.terms] == [(t.name, t.strata) for t in other.terms]


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ("Error(subject, cov='unstructured')", "expected factors that vary within units"),
        ("Error(subject/group, cov='unstructured')", "'group' does not vary within any 'subject'"),
        ("(group|subject)", "'group' does not vary within any 'subject'"),
        ("(task:dose|subject)", "slope 'task:dose' of a unit must be one numeric column"),
        ("(dose|subject, cov='compound')", "cov='compound' is about effects in cells"),
        ("(task + attempt|subject)", r"need one term of all factors: write \(attempt \* task"),
        ("(task|subject) + (dose|subject)", "are both about the effects of 'subject'"),
        ("(dose|subject) + (0 + dose|subject)", "are both about the effects of 'subject'"),
        ("Error(subject/task, cov='unstructured') + (task|subject)", "are both about"),
    ],
)
def test_refused_with_the_reason(build, split_plot, right, message):
    with pytest.raises(FormulaError, match=message):
        build(f"y ~ group * task + C(attempt) + dose + {right}", split_plot)


@pytest.mark.parametrize("family", ["t", "bernoulli"])
def test_one_row_a_cell_is_refused_where_only_chance_tells_rows_apart(split_plot, family):
    data = split_plot.drop_duplicates(["subject", "task"])
    data = data.assign(hit=(np.arange(len(data)) // 2 % 2))
    response = "y" if family == "t" else "hit"
    with pytest.raises(FormulaError, match="with one row a unit and cell nothing tells"):
        ba.Model(f"{response} ~ task + (task|subject)", data, family)


def test_one_gaussian_row_a_cell_takes_the_place_of_the_residual(split_plot):
    data = split_plot.drop_duplicates(["subject", "task"])
    with pytest.warns(DroppedUnitWarning, match="the residual was dropped: with one row each of"):
        model = ba.Model("y ~ task + (task|subject)", data)
    assert model.priors.auxiliary["sigma"] == pytest.approx(data["y"].std(ddof=1) / 100, rel=0.02)
    assert "residual: with one row each of 'subject:task'" in str(model.design)
    own = ba.Model("y ~ task + (task|subject)", data, priors={"sigma": 0.7})
    assert own.priors.auxiliary["sigma"] == 0.7


def test_priors_of_sds_and_correlations(split_plot):
    text, half = "y ~ task + (task|subject)", bmb.Prior("HalfNormal", sigma=1)

    def priors(**given):
        return ba.Model(text, split_plot, priors=given).priors

    assert priors().correlations["task|subject"].args == {"eta": 1.0}
    name = "correlation of task|subject"
    assert priors(**{name: 2}).correlations["task|subject"].args == {"eta": 2.0}
    lkj = bmb.Prior("LKJCorr", n=2, eta=3.0)
    assert priors(**{name: lkj}).correlations["task|subject"].args == {"eta": 3.0}
    both = priors(**{"task|subject": half}).sigmas
    assert {key: own.name for key, own in both.items() if "[" in key} == dict.fromkeys(
        CELLS, "HalfNormal"
    )
    one = priors(**{"sd of task[x]|subject": half}).sigmas
    assert [one[key].name for key in CELLS] == ["HalfNormal", "Gamma"]
    for wrong in (0, -1, "two", True, half, np.inf):
        with pytest.raises(PriorError, match="expected the eta of an LKJ distribution"):
            priors(**{name: wrong})
    with pytest.raises(PriorError, match=r"did you mean 'correlation of task\|subject'"):
        priors(**{"correlation of subject|task": 2})


def test_further_predictors_have_independent_effects_only(split_plot):
    with pytest.raises(FormulaError, match="sigma: its formula has effects of 'subject' that vary"):
        ba.Model("y ~ task + (1|subject)", split_plot, sigma="task + (task|subject)")


def test_the_printed_design_says_what_is_correlated(build, split_plot):
    text = str(build("y ~ task + dose + (task + dose|subject)", split_plot))
    assert "task + dose|subject  an effect of each unit in each cell, with correlations" in text
    assert "slopes, correlated, task + dose|subject" in text


def test_the_default_model_says_nothing_of_all_this(split_plot):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ba.Model("y ~ group * task + Error(subject/task)", split_plot)
    assert model.design.joints == ()
    assert model.priors.correlations == {}
