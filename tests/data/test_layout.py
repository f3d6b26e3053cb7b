"""Designs given by the names of columns, long or wide."""

import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.data.layout import design_to_formula
from bambi_anova.errors import AnovaError, ArgumentError, DataError
from bambi_anova.formula.parse import parse_formula

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")


@pytest.fixture
def long():
    """Eight people in two groups, each at two sessions with three tasks."""
    frame = pd.DataFrame(product(range(8), ["pre", "post"], ["x", "y", "z"]))
    frame.columns = ["person", "session", "task"]
    return frame.assign(
        group=np.where(frame["person"] < 4, "A", "B"),
        dose=np.where(frame["person"] % 2, 10, 2.5),
        score=np.random.default_rng(1).normal(size=len(frame)),
    )


def spread(frame, columns):
    """Give each person one row, with the scores in named columns."""
    index = [frame["person"], frame["group"]]
    return pd.crosstab(index, columns, frame["score"], aggfunc="mean").reset_index()


@pytest.fixture
def wide(long):
    """One row a person, one column a task at the first session."""
    first = long[long["session"] == "pre"]
    return spread(first, first["task"])


@pytest.fixture
def wider(long):
    """One row a person, one column a session and task."""
    return spread(long, long["session"] + "_" + long["task"])


CELLS = {
    f"{session}_{task}": {"session": session, "task": task}
    for session in ("pre", "post")
    for task in "xyz"
}


def facts(model):
    """What a design says, without its rows' order."""
    design = model.design
    return {
        "factors": {f.name: sorted(map(str, f.levels)) for f in design.factors},
        "between": {f.name: f.between for f in design.factors},
        "terms": [(term.name, term.df, term.strata) for term in design.terms],
        "units": [(unit.name, unit.size) for unit in design.units],
    }


def cell_means(model):
    """The mean response of each cell, by its levels."""
    rows = model.design.rows
    labels = {
        name: [coded.labels[code] for code in coded.codes] for name, coded in rows.factors.items()
    }
    frame = pd.DataFrame(labels).assign(response=rows.response.values)
    return frame.groupby(list(labels))["response"].mean().to_dict()


# -- Formulas ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "within", "formula"),
    [
        ("group", (), "score ~ group + Error(person)"),
        ((), "task", "score ~ task + Error(person/task)"),
        ("group", "task", "score ~ group * task + Error(person/task)"),
        (
            ["group"],
            ["session", "task"],
            "score ~ group*session*task + Error(person/(session*task))",
        ),
        (["group", "dose"], "task", "score ~ group * C(dose) * task + Error(person/task)"),
    ],
)
def test_a_design_has_all_interactions_and_a_unit_for_every_within_term(
    long, between, within, formula
):
    text, data = design_to_formula(long, "score", "person", between, within)
    found, expected = parse_formula(text), parse_formula(formula)
    assert found.predictors == expected.predictors
    assert found.categorical == expected.categorical
    assert data is long


def test_a_numeric_factor_is_a_factor_because_it_was_named_as_one(long):
    model = ba.Model.from_design(long, "score", "person", between="dose", within="task")
    assert model.design.factor("dose").levels == (2.5, 10.0)
    assert not model.design.rows.covariates


@pytest.mark.parametrize("name", ["daily dose", "dose (mg)", "dose"])
@pytest.mark.parametrize("numeric", [True, False])
def test_names_and_kinds_of_columns_do_not_matter(long, name, numeric):
    data = long.rename(columns={"dose": name, "person": "the person", "task": "my task"})
    data[name] = data[name] if numeric else data[name].map({2.5: "low", 10: "high"})
    model = ba.Model.from_design(data, "score", "the person", between=name, within="my task")
    assert list(model.design.levels) == [name, "my task"]
    assert [unit.name for unit in model.design.units] == ["the person", "the person:my task"]
    assert len(model.design.factor(name).levels) == 2


def test_a_boolean_factor_needs_no_marking(long):
    data = long.assign(late=long["session"] == "post")
    text, _ = design_to_formula(data, "score", "person", within="late")
    assert "C(" not in text
    model = ba.Model.from_design(data, "score", "person", within="late")
    assert model.design.factor("late").levels == (False, True)


def test_further_arguments_go_to_the_model(long):
    data = long.assign(hits=2, shown=5 + (long["task"] == "x"))
    model = ba.Model.from_design(
        data, "p(hits, shown)", "person", "group", "task", family="binomial", link="probit"
    )
    assert (model.family.name, model.link.name) == ("binomial", "probit")
    assert model.collapsed.merged


# -- Wide data ---------------------------------------------------------------------------------


def test_wide_data_with_one_within_factor_make_the_model_of_the_long_data(long, wide):
    first = long[long["session"] == "pre"]
    one = ba.Model.from_design(first, "score", "person", "group", "task")
    other = ba.Model.from_design(wide, "score", "person", "group", {"task": ["x", "y", "z"]})
    assert facts(one) == facts(other)
    assert cell_means(one) == pytest.approx(cell_means(other))


def test_wide_data_with_two_within_factors_make_the_model_of_the_long_data(long, wider):
    one = ba.Model.from_design(long, "score", "person", "group", ["session", "task"])
    other = ba.Model.from_design(wider, "score", "person", "group", CELLS)
    assert facts(one) == facts(other)
    assert cell_means(one) == pytest.approx(cell_means(other))


def test_levels_keep_the_order_of_the_wide_columns(wide):
    model = ba.Model.from_design(wide, "score", "person", "group", {"task": ["z", "x", "y"]})
    assert model.design.factor("task").levels == ("z", "x", "y")
    columns = {"z": {"task": "late"}, "x": {"task": "early"}}
    model = ba.Model.from_design(wide, "score", "person", "group", columns)
    assert model.design.factor("task").levels == ("late", "early")


def test_numeric_levels_of_wide_columns_are_levels(wide):
    columns = {"x": {"dose": 10}, "y": {"dose": 2}}
    model = ba.Model.from_design(wide, "score", "person", "group", columns)
    assert model.design.factor("dose").levels == (10, 2)


def test_each_person_keeps_the_values_of_their_own_row(wide):
    _, long = design_to_formula(wide, "score", "person", "group", {"task": ["x", "y", "z"]})
    assert len(long) == 3 * len(wide)
    for task in "xyz":
        scores = long[long["task"] == task].set_index("person")["score"]
        assert scores.loc[wide["person"]].tolist() == wide[task].tolist()
    groups = long.groupby("person")["group"].agg(["first", "nunique"])
    assert groups["first"].tolist() == wide["group"].tolist()
    assert (groups["nunique"] == 1).all()


@pytest.mark.parametrize("within", [{"task": ["x", "y", "z"]}, {"x": {"t": 1}, "y": {"t": 2}}])
def test_the_users_wide_data_are_left_as_they_were(wide, within):
    before = wide.copy(deep=True)
    ba.Model.from_design(wide, "score", "person", "group", within)
    pd.testing.assert_frame_equal(wide, before)


def test_missing_cells_of_wide_data_are_missing_rows(wide):
    wide.loc[0, "x"] = np.nan
    within = {"task": ["x", "y", "z"]}
    with pytest.raises(DataError, match="missing values"):
        ba.Model.from_design(wide, "score", "person", "group", within)
    model = ba.Model.from_design(wide, "score", "person", "group", within, dropna=True)
    assert len(model.design.rows.data) == 3 * len(wide) - 1


# -- Errors ------------------------------------------------------------------------------------


def refused(error, match, *args, **kwargs):
    with pytest.raises(error, match=match) as caught:
        design_to_formula(*args, **kwargs)
    assert isinstance(caught.value, AnovaError)


def test_a_unit_in_two_groups_is_refused_with_its_label(long):
    long.loc[(long["person"] == 3) & (long["session"] == "post"), "group"] = "B"
    refused(
        DataError,
        r"between='group': 1 of 8 levels of 'person'.*: 3 \(the first in A, B\).*within",
        *(long, "score", "person", "group", "task"),
    )


def test_unit_labels_that_groups_share_are_refused_with_the_remedy(long):
    long["person"] %= 4
    refused(DataError, "make the labels unique", long, "score", "person", "group", "task")


def test_a_unit_in_two_rows_of_wide_data_is_refused(wide):
    wide.loc[1, "person"] = 0
    refused(
        DataError,
        "one row a unit; 0 have several",
        *(wide, "score", "person", (), {"task": ["x", "y", "z"]}),
    )


@pytest.mark.parametrize(
    ("change", "known"),
    [({"unit": "persn"}, "person"), ({"between": "grup"}, "group"), ({"within": "tasks"}, "task")],
)
def test_an_unknown_column_is_refused_with_the_nearest_name(long, change, known):
    arguments = {"unit": "person", "between": "group", "within": "task"} | change
    match = f"no column '{next(iter(change.values()))}'; did you mean '{known}'"
    refused(DataError, match, long, "score", **arguments)


def test_an_unknown_wide_column_is_refused(wide):
    refused(DataError, "no column 'w'", wide, "score", "person", (), {"task": ["x", "w"]})


def test_a_design_needs_a_factor(long):
    refused(ArgumentError, "at least one factor", long, "score", "person")


@pytest.mark.parametrize(
    ("between", "within"), [("group", "group"), (["group", "group"], ()), ("person", "task")]
)
def test_a_column_plays_one_part(long, between, within):
    refused(ArgumentError, "named twice", long, "score", "person", between, within)


@pytest.mark.parametrize(
    ("dv", "within", "match"),
    [
        ("x", {"task": ["x", "y"]}, "dv='x' is a column already"),
        ("group", {"task": ["x", "y"]}, "dv='group' is a column already"),
        ("score", {"group": ["x", "y"]}, "'group' is a column already"),
        ("score", {"x": {"person": 1}, "y": {"person": 2}}, "'person' is a column already"),
    ],
)
def test_new_columns_of_wide_data_do_not_hide_old_ones(wide, dv, within, match):
    refused(ArgumentError, match, wide, dv, "person", (), within)


def test_the_response_of_wide_data_has_another_name_than_the_factor(wide):
    refused(ArgumentError, "task", wide, "task", "person", (), {"task": ["x", "y", "z"]})


@pytest.mark.parametrize(
    ("within", "match"),
    [
        ({}, "empty mapping"),
        ({"task": "x"}, "expected"),
        ({"task": ["x", "y"], "session": ["z"]}, "expected"),
        ({"x": {"task": 1}, "y": {"session": 1}}, "same factors"),
        ({"x": {"task": 1}, "y": {"task": 1}}, "same levels"),
    ],
)
def test_an_unclear_layout_of_wide_data_is_refused(wide, within, match):
    refused(ArgumentError, match, wide, "score", "person", (), within)


def test_factors_of_wide_columns_may_be_named_in_any_order(wide):
    columns = {
        "x": {"time": "pre", "task": "a"},
        "y": {"task": "b", "time": "pre"},
    }
    text, long = design_to_formula(wide, "score", "person", "group", columns)
    assert set(long["task"]) == {"a", "b"}
    assert "time" in text


@pytest.mark.parametrize("data", [{"x": [1]}, [1, 2], None])
def test_data_are_a_frame(data):
    refused(DataError, "expected a pandas DataFrame", data, "score", "person", "group")


def test_a_good_design_does_not_warn(long):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design_to_formula(long, "score", "person", "group", ["session", "task"])
