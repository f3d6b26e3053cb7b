"""Warnings about designs: each fires on a design made for it and is silent on a proper one."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest

from bambi_anova.datasets import load_data
from bambi_anova.errors import (
    CovariateWarning,
    DroppedUnitWarning,
    IncompleteUnitsWarning,
    InformativeTrialsWarning,
    MissingUnitTermWarning,
    PseudoreplicationWarning,
    ReplicationWarning,
    SimilarLevelsWarning,
    SuccessLevelWarning,
    UnsupportedCellWarning,
)


def of(kind, warnings):
    return [message for found, message in warnings if found is kind]


def classes(warnings):
    return [found for found, _ in warnings]


def advised(message):
    """Return the term that a warning says to add."""
    return re.search(r"[Aa]dd (Error\(.*?\))(?: or \(|\. Or, |$)", message)[1]


# -- Proper designs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text", "family"),
    [
        ("split_plot", "y ~ group * task + Error(subject/task)", "gaussian"),
        ("split_plot", "y ~ group * task + (1|subject) + (1|subject:task)", "gaussian"),
        ("split_plot", "y ~ group * dose + task + Error(subject/task)", "gaussian"),
        ("split_plot", "y ~ C(attempt) + Error(subject/C(attempt))", "gaussian"),
        ("split_plot", "p(hits, shown) ~ group * task + Error(subject/task)", "binomial"),
        ("split_plot", "hits ~ group * task + Error(subject/task) + offset(dose)", "poisson"),
        ("within", "y ~ A * B + Error(s/(A + B))", "gaussian"),
        ("plots", "y ~ variety * feed + Error(block/plot/feed)", "gaussian"),
        ("plots", "y ~ variety * feed + Error(block/variety/feed)", "gaussian"),
        (
            "crossed",
            "y ~ group * kind + Error(subject/kind) + Error(item/group)",
            "gaussian",
        ),
    ],
)
def test_a_proper_design_draws_no_warning(check, request, data, text, family):
    assert check(text, request.getfixturevalue(data), family) == []


def test_the_shipped_experiments_draw_no_warning(check):
    memory = "~ condition * trial_type + Error(participant/trial_type)"
    dependent = f"p(errors, markers) {memory}"
    assert classes(check(dependent, load_data("memory"), "binomial")) == [InformativeTrialsWarning]
    assert check(f"{dependent} + scale(markers)", load_data("memory"), "binomial") == []
    assert check(f"error {memory}", load_data("memory_grid"), "bernoulli") == []
    oats = "`yield` ~ variety * nitrogen + Error(block/variety)"
    assert check(oats, load_data("oats")) == []


def test_a_check_does_not_change_the_data(check, split_plot):
    before = split_plot.copy(deep=True)
    assert check("y ~ group * task", split_plot)
    pd.testing.assert_frame_equal(split_plot, before)


# -- Covariates with few values ----------------------------------------------------------------


@pytest.mark.parametrize(("values", "fires"), [(2, True), (5, True), (6, False)])
def test_few_distinct_values_of_a_covariate(check, split_plot, values, fires):
    split_plot["day"] = np.arange(72) % values
    found = check("y ~ day", split_plot)
    assert classes(found) == [CovariateWarning] * fires
    if fires:
        ((_, message),) = found
        assert message.startswith("'day' is numeric")
        assert f"only {values} distinct values: 0, 1" in message
        assert "write C(day)" in message


def test_a_numeric_factor_is_no_covariate(check, split_plot):
    split_plot["day"] = np.arange(72) % 3
    assert CovariateWarning in classes(check("y ~ day", split_plot))
    assert check("y ~ C(day)", split_plot) == []
    assert check("y ~ day", split_plot, categorical=["day"]) == []


@pytest.mark.parametrize("written", ["`my day`", "scale(day)", "log(day)"])
def test_the_advice_for_a_covariate_can_be_followed(check, split_plot, written):
    split_plot["my day"] = split_plot["day"] = np.arange(72) % 3 + 1
    (message,) = of(CovariateWarning, check(f"y ~ {written}", split_plot))
    advice = re.search(r"write (C\(.*\))", message)[1]
    assert CovariateWarning not in classes(check(f"y ~ {advice}", split_plot))


# -- The success level -------------------------------------------------------------------------


def test_a_guessed_success_level_is_named(check, split_plot):
    split_plot["answer"] = np.where(split_plot["y"] > 10, "right", "wrong")
    ((kind, message),) = check("answer ~ dose", split_plot, "bernoulli")
    assert kind is SuccessLevelWarning
    assert "'wrong' was taken as success" in message
    assert "answer['wrong']" in message
    assert check("answer['right'] ~ dose", split_plot, "bernoulli") == []


def test_zeros_and_ones_are_no_guess(check, split_plot):
    split_plot["right"] = split_plot["y"] > 10
    assert check("right ~ dose", split_plot, "bernoulli") == []
    split_plot["right"] = split_plot["right"].astype(int)
    assert check("right ~ dose", split_plot, "bernoulli") == []


# -- Pseudoreplication -------------------------------------------------------------------------


def test_a_whole_plot_term_without_its_unit_names_the_term_to_add(check, split_plot):
    found = check("y ~ group * task + (1|subject:task)", split_plot)
    ((kind, message),) = found
    assert kind is PseudoreplicationWarning
    assert message.startswith("'group':")
    assert "12 levels of 'subject'" in message
    assert "Add Error(subject) or (1|subject)" in message


def test_a_whole_plot_without_its_unit_in_blocks(check, plots):
    found = check("y ~ variety * feed + (1|block) + (1|block:plot:feed)", plots)
    (message,) = of(PseudoreplicationWarning, found)
    assert message.startswith("'variety':")
    assert "Add Error(block/plot)" in message


def test_a_unit_that_stands_under_another_name_is_not_missed(check, split_plot):
    split_plot["badge"] = split_plot["subject"].str.replace("s", "b")
    found = check("y ~ group * task + Error(subject) + Error(badge/task)", split_plot)
    assert DroppedUnitWarning in classes(found)
    assert PseudoreplicationWarning not in classes(found)


def test_a_column_of_treated_units_that_the_formula_leaves_out_is_named(check, split_plot):
    ((kind, message),) = check("y ~ group * task", split_plot)
    assert kind is PseudoreplicationWarning
    assert message.startswith("'group':")
    assert "column 'subject', which the formula does not name" in message
    assert advised(message) == "Error(subject)"
    assert check("y ~ group * task", split_plot.drop(columns="subject")) == []


def test_repeated_index_labels_hide_nothing(check, split_plot):
    stacked = split_plot.set_index(np.zeros(72, dtype=int))
    assert classes(check("y ~ group * task", stacked)) == [PseudoreplicationWarning]


def test_a_unit_left_out_is_found_among_the_rows_that_are_kept(check, split_plot):
    split_plot.loc[::5, "y"] = np.nan
    found = check("y ~ group", split_plot, dropna=True)
    assert classes(found) == [PseudoreplicationWarning]


@pytest.mark.parametrize(
    "column",
    [
        lambda d: np.arange(72),  # a number of the row
        lambda d: d["group"].map({"A": "first", "B": "second"}),  # the factor by another name
        lambda d: d["group"] + d["task"],  # the cells
        lambda d: d["task"],  # groups vary within it
        lambda d: np.random.default_rng(0).normal(size=72),
        lambda d: d.groupby("subject").ngroup() / 2,  # a measurement of each subject
        lambda d: "same",
        lambda d: pd.Series([[number] for number in range(72)]),  # lists are no labels
    ],
)
def test_columns_that_are_no_treated_units_draw_no_warning(check, split_plot, column):
    data = split_plot.drop(columns="subject").assign(other=column(split_plot))
    assert check("y ~ group * task", data) == []


def separated():
    """A whole-numbered response and covariate whose values are never shared by two groups."""
    data = pd.DataFrame(product("AB", range(4), range(3)), columns=["group", "score", "copy"])
    data["score"] += np.where(data["group"] == "A", 1, 11)
    return data.assign(y=np.random.default_rng(0).normal(size=24))


def test_the_response_is_not_taken_for_a_unit(check):
    assert check("score ~ group", separated()) == []
    assert check("log(score) ~ group", separated()) == []
    assert check("score ~ group", separated(), "poisson") == []
    assert check("p(score, 20) ~ group", separated(), "binomial") == []
    # The same column does draw the warning where it is not the response.
    assert classes(check("y ~ group", separated())) == [PseudoreplicationWarning]


def test_a_covariate_or_offset_is_not_taken_for_a_unit(check):
    assert check("y ~ group + score", separated()) == []
    assert check("y ~ group + log(score)", separated()) == []
    assert check("copy ~ group + offset(log(score))", separated(), "poisson") == []


def test_unused_columns_of_one_name_do_no_harm(check, split_plot):
    data = split_plot.drop(columns="subject")
    twice = pd.concat([data, data[["attempt", "attempt"]]], axis=1)
    assert check("y ~ group * task", twice) == []


# -- Unit-by-factor terms that are missing -----------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text", "missing", "advice"),
    [
        ("split_plot", "y ~ group*task + Error(subject)", "'task'", "Error(subject/task)"),
        ("within", "y ~ A * B + Error(s)", "'A', 'B'", "Error(s/(A+B))"),
        ("crossed", "y ~ kind + Error(subject) + Error(item)", "'kind'", "Error(subject/kind)"),
        ("plots", "y ~ variety*feed + Error(block/plot)", "'feed'", "Error(block/plot/feed)"),
    ],
)
def test_a_factor_within_a_unit_without_their_term_is_named(
    check, request, data, text, missing, advice
):
    found = check(text, request.getfixturevalue(data))
    (message,) = of(MissingUnitTermWarning, found)
    assert message.startswith(f"{missing} varies within")
    assert advised(message).replace(" ", "") == advice


def test_the_advice_names_units_as_the_formula_does(check, split_plot):
    """Subjects 0 to 5 of one group are not those of the other."""
    split_plot["subject"] = split_plot.groupby("subject").ngroup() % 6
    found = check("y ~ group * task + (1|group:subject)", split_plot)
    (message,) = of(MissingUnitTermWarning, found)
    assert advised(message) == "Error(group:subject/task)"
    assert check("y ~ group * task + Error(group:subject/task)", split_plot) == []


def test_counts_out_of_many_trials_leave_room_for_their_unit_by_factor_term(check, within):
    within["k"] = np.arange(32) % 5
    data = within.query("A == 'a1'")
    found = check("p(k, 9) ~ B + Error(s)", data, "binomial")
    assert classes(found) == [MissingUnitTermWarning]
    assert check("p(k, 9) ~ B + Error(s/B)", data, "binomial") == []


def test_a_factor_between_units_needs_no_term(check, split_plot):
    assert check("y ~ group + Error(subject)", split_plot) == []


def test_the_residual_stands_for_the_last_unit_by_factor_term(check, within):
    assert check("y ~ B + Error(s)", within.query("A == 'a1'")) == []
    twice = pd.concat([within, within], ignore_index=True)
    assert MissingUnitTermWarning in classes(check("y ~ B + Error(s)", twice.query("A == 'a1'")))


def test_a_single_yes_or_no_stands_for_the_last_unit_by_factor_term(check, within):
    """Error(s/B) would be dropped here, so it must not be asked for."""
    within["right"] = (np.arange(32) * 7 % 11 > 5).astype(int)
    data = within.query("A == 'a1'")
    assert DroppedUnitWarning in classes(check("right ~ B + Error(s/B)", data, "bernoulli"))
    assert check("right ~ B + Error(s)", data, "bernoulli") == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("split_plot", "y ~ group * task + Error(subject)"),
        ("split_plot", "y ~ group * task + (1|subject:task)"),
        ("split_plot", "y ~ group * task"),
        ("within", "y ~ A * B + Error(s)"),
        ("within", "y ~ A * B + Error(s/A)"),
        ("plots", "y ~ variety * feed + Error(block/plot)"),
        ("plots", "y ~ variety * feed + Error(block)"),
        ("plots", "y ~ variety * feed + (1|block) + (1|block:plot:feed)"),
        ("crossed", "y ~ kind + Error(subject) + Error(item)"),
        ("crossed", "y ~ group * kind + Error(subject) + Error(item)"),
    ],
)
@pytest.mark.parametrize("blanks", [False, True])
def test_following_the_advice_ends_in_a_design_without_warnings(check, request, data, text, blanks):
    frame = request.getfixturevalue(data)
    if blanks:  # names that need backticks in the formula must have them in the advice
        for name in frame.columns.difference(["y"]):
            frame = frame.rename(columns={name: f"my {name}"})
            text = re.sub(rf"\b{name}\b", f"`my {name}`", text)
    for _ in range(4):
        found = [message for _, message in check(text, frame)]
        if not found:
            return
        assert "dd Error(" in found[0]
        text += f" + {advised(found[0])}"
    pytest.fail(f"still warned about after four times of following the advice: {text}: {found}")


# -- Dropped units, replication, empty cells ---------------------------------------------------


def test_a_unit_term_that_is_the_residual_is_said_to_be_dropped(check, within):
    ((kind, message),) = check("y ~ A * B + Error(s/(A*B))", within)
    assert kind is DroppedUnitWarning
    assert message.startswith("unit term 's:A:B' was dropped")
    assert "cannot be told from the residual" in message


def test_a_unit_term_that_is_another_one_is_said_to_be_dropped(check, split_plot):
    found = check("y ~ group * task + Error(subject/(group*task))", split_plot)
    assert classes(found) == [DroppedUnitWarning] * 2
    assert "'subject:group' was dropped: its units are those of 'subject'" in found[0][1]
    assert "'subject:group:task' was dropped: its units are those of 'subject:task'" in found[1][1]


def test_a_group_of_one_unit_each_has_no_replication(check, split_plot):
    data = split_plot.query("subject in ['s00', 's11']")
    (message,) = of(ReplicationWarning, check("y ~ group*task + Error(subject/task)", data))[:1]
    assert "unit term 'subject' has 2 units for 2 combinations of group" in message
    data = split_plot.query("subject in ['s00', 's01', 's11']")
    assert of(ReplicationWarning, check("y ~ group*task + Error(subject/task)", data)) == []


def test_empty_cells_are_named(check, split_plot):
    data = split_plot.query("group == 'A' or task == 'x'")
    (message,) = of(UnsupportedCellWarning, check("y ~ group * task", data))
    assert "no data in 1 of 4 cells (group:task): B:y" in message
    assert of(UnsupportedCellWarning, check("y ~ group * task", split_plot)) == []


# -- Levels --------------------------------------------------------------------------------------


def test_levels_that_differ_by_blanks_or_capitals_are_named(check, split_plot):
    data = split_plot.copy()
    data["task"] = data["task"].astype(str).to_numpy(object)
    first, second = sorted(data["task"].unique())[:2]
    text = "y ~ group * task + Error(subject/task)"
    assert not of(SimilarLevelsWarning, check(text, data))
    rows = data.index[data["task"] == first][:3]
    data.loc[rows[0], "task"] = f"{first} "
    data.loc[rows[1], "task"] = first.upper()
    (message,) = of(SimilarLevelsWarning, check(text, data))
    assert message.startswith("column 'task': levels that differ by blanks or capitals alone")
    assert all(repr(level) in message for level in (first, f"{first} ", first.upper()))
    assert repr(second) not in message


def test_units_without_some_within_cells_are_named(check, split_plot):
    lost = split_plot["subject"].isin(["s03", "s07"]) & (split_plot["task"] == "y")
    frame = split_plot[~lost]
    (message,) = of(IncompleteUnitsWarning, check("y ~ group*task + Error(subject/task)", frame))
    assert "not observed: s03:y, s07:y." in message
    # Where the whole unit has one effect, that is known in every cell.
    assert of(IncompleteUnitsWarning, check("y ~ group*task + Error(subject)", frame)) == []
    assert of(IncompleteUnitsWarning, check("y ~ group*task + (1|subject:task)", frame)) == []
    complete = check("y ~ group*task + Error(subject/task)", split_plot)
    assert of(IncompleteUnitsWarning, complete) == []


def test_blocks_without_a_plot_of_a_treatment_are_named(check, plots):
    frame = plots[(plots["block"] != "K") | (plots["variety"] != "w")]
    (message,) = of(
        IncompleteUnitsWarning, check("y ~ variety * feed + Error(block/plot/feed)", frame)
    )
    assert "not observed: K:w." in message


def test_units_whose_labels_come_again_have_a_remedy(check):
    """Subjects are numbered anew in each group, and the formula takes them for the same."""
    frame = pd.DataFrame(
        product(range(10), "AB", "xy", range(2)), columns=["s", "group", "task", "k"]
    )
    frame["y"] = np.random.default_rng(1).normal(size=len(frame))
    (message,) = of(MissingUnitTermWarning, check("y ~ group * task + Error(s/task)", frame))
    said = "if one label of 's' means another unit at each level of 'group', write "
    assert f"{said}Error(group:s/task)" in message
    assert check("y ~ group * task + Error(group:s/task)", frame) == []
    unique = frame.assign(s=frame["group"] + frame["s"].astype(str))
    assert check("y ~ group * task + Error(s/task)", unique) == []


def test_margins_of_a_term_are_asked_for_their_units_too(check):
    """Whole units have W, which stands in the formula only as a part of A:W."""
    frame = pd.DataFrame(product("pqr", range(8), range(2)), columns=["A", "s", "k"])
    frame = frame.assign(W=np.where(frame["s"] < 4, "u", "v"), y=np.arange(48.0) % 7)
    (message,) = of(PseudoreplicationWarning, check("y ~ A/W", frame))
    assert message.startswith("'W in A:W': constant within each of the 8 levels of column 's'")
    (message,) = of(PseudoreplicationWarning, check("y ~ A/W + (1|s:A)", frame))
    assert message.startswith("'W in A:W': constant within each of the 8 levels of 's'")
    assert of(PseudoreplicationWarning, check("y ~ A/W + Error(s/A)", frame)) == []
