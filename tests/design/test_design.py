"""Designs: cells, units, and the stratum in which each term is judged."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bambi_anova.data.rows import read_rows
from bambi_anova.datasets import load_data
from bambi_anova.design.build import build_design
from bambi_anova.design.design import nested
from bambi_anova.errors import AnovaError, FormulaError
from bambi_anova.families.registry import get_family
from bambi_anova.formula.parse import parse_formula


def strata(design):
    return {term.name: term.strata for term in design.terms}


def sizes(design):
    return {unit.name: unit.size for unit in design.units}


# -- Strata ------------------------------------------------------------------------------------


def test_split_plot(build, split_plot):
    design = build("y ~ group * task + Error(subject/task)", split_plot)
    assert sizes(design) == {"subject": 12, "subject:task": 24}
    assert strata(design) == {
        "group": ("subject",),
        "task": ("subject:task",),
        "group:task": ("subject:task",),
    }
    assert {term.name: term.units for term in design.terms} == {
        "group": 12,
        "task": 24,
        "group:task": 24,
    }
    assert design.dropped == ()


def test_without_a_unit_term_every_row_is_evidence(build, split_plot):
    design = build("y ~ group * task", split_plot)
    assert set(strata(design).values()) == {("residual",)}
    assert {term.units for term in design.terms} == {72}


def test_a_term_that_varies_within_every_unit_is_judged_by_the_residual(build, split_plot):
    design = build("y ~ group * task + Error(subject)", split_plot)
    assert strata(design)["group"] == ("subject",)
    assert strata(design)["task"] == strata(design)["group:task"] == ("residual",)


def test_between_and_within(build, split_plot):
    design = build("y ~ group * task + Error(subject/task)", split_plot)
    group, task = design.factor("group"), design.factor("task")
    assert (group.between, group.within) == (("subject",), ())
    assert (task.between, task.within) == ((), ("subject",))
    assert (group.levels, task.levels) == (("A", "B"), ("x", "y"))


def test_two_within_factors_have_a_stratum_each(build, within):
    data = pd.concat([within, within], ignore_index=True)
    design = build("y ~ A * B + Error(s/(A*B))", data)
    assert sizes(design) == {"s": 8, "s:A": 16, "s:B": 16, "s:A:B": 32}
    assert strata(design) == {"A": ("s:A",), "B": ("s:B",), "A:B": ("s:A:B",)}


def test_crossed_units_each_hold_what_is_constant_in_them(build, crossed):
    design = build("y ~ group * kind + Error(subject) + Error(item)", crossed)
    assert strata(design) == {
        "group": ("subject",),
        "kind": ("item",),
        "group:kind": ("residual",),
    }
    kind, group = design.factor("kind"), design.factor("group")
    assert (kind.between, kind.within) == (("item",), ("subject",))
    assert (group.between, group.within) == (("subject",), ("item",))


def test_a_term_between_two_crossed_units_is_judged_by_both(build):
    data = pd.DataFrame(product("AB", range(4), range(3)), columns=["group", "subject", "item"])
    data["subject"] = data["group"] + data["subject"].astype(str)
    data["item"] = data["group"] + data["item"].astype(str)
    data["y"] = np.random.default_rng(0).normal(size=len(data))
    (term,) = build("y ~ group + Error(subject) + Error(item)", data).terms
    assert term.strata == ("subject", "item")
    assert term.units == 6


@pytest.mark.parametrize("labels", ["reused", "unique"])
def test_nested_blocks_and_plots(build, plots, labels):
    if labels == "unique":
        plots["plot"] = plots["block"] + plots["plot"].astype(str)
    design = build("y ~ variety * feed + Error(block/plot) + Error(block:plot:feed)", plots)
    assert sizes(design) == {"block": 4, "block:plot": 12, "block:plot:feed": 24}
    assert strata(design) == {
        "variety": ("block:plot",),
        "feed": ("block:plot:feed",),
        "variety:feed": ("block:plot:feed",),
    }
    variety = design.factor("variety")
    assert (variety.between, variety.within) == (("block:plot",), ("block",))
    assert design.factor("feed").within == ("block", "block:plot")
    plot, block = design.unit("block:plot"), design.unit("block")
    assert nested(plot, block)
    assert not nested(block, plot)
    assert design.coarser(plot) == (block,)
    assert design.coarser(block) == ()


def test_units_whose_labels_come_again_in_each_group(build):
    """Subjects 1 to 4 of group A are not those of group B, and the formula says so."""
    data = pd.DataFrame(product("AB", range(4), "xy", range(2)))
    data.columns = ["group", "subject", "task", "copy"]
    data["y"] = np.random.default_rng(0).normal(size=len(data))
    design = build("y ~ group * task + (1|group:subject) + (1|group:subject:task)", data)
    assert sizes(design) == {"group:subject": 8, "group:subject:task": 16}
    assert strata(design)["group"] == ("group:subject",)
    group, task = design.factor("group"), design.factor("task")
    assert (group.between, group.within) == (("group:subject",), ())
    assert (task.between, task.within) == ((), ("group:subject",))


def test_shipped_oats(build):
    design = build("`yield` ~ variety * nitrogen + Error(block/variety)", load_data("oats"))
    assert sizes(design) == {"block": 6, "block:variety": 18}
    assert strata(design) == {
        "variety": ("block:variety",),
        "nitrogen": ("residual",),
        "variety:nitrogen": ("residual",),
    }
    assert [term.df for term in design.terms] == [2, 3, 6]


def test_covariates_belong_to_the_stratum_in_which_they_are_constant(build, split_plot):
    split_plot["age"] = split_plot.groupby("subject").ngroup() ** 2.0
    design = build("y ~ age * task + dose * group + Error(subject/task)", split_plot)
    found = {term.name: (term.factors, term.covariate, *term.strata) for term in design.terms}
    assert found == {
        "age": ((), "age", "subject"),
        "task": (("task",), None, "subject:task"),
        "age:task": (("task",), "age", "subject:task"),
        "dose": ((), "dose", "residual"),
        "group": (("group",), None, "subject"),
        "dose:group": (("group",), "dose", "residual"),
    }


@pytest.mark.parametrize(
    ("term", "df"), [("A", 1), ("B", 2), ("C", 3), ("A:B", 2), ("B:C", 6), ("A:B:C", 6), ("x", 1)]
)
def test_degrees_of_freedom(build, term, df):
    data = pd.DataFrame(product("ab", "abc", "abcd"), columns=["A", "B", "C"])
    data = data.assign(x=np.arange(24.0) ** 2, y=np.arange(24.0) % 7)
    design = build("y ~ A * B * C + x", data)
    assert {t.name: t.df for t in design.terms}[term] == df


def test_slopes_carry_their_unit(build, split_plot):
    (slope,) = build("y ~ dose + (dose|subject)", split_plot).slopes
    assert (slope.name, slope.covariate, slope.unit.size) == ("dose|subject", "dose", 12)


# -- Units that are dropped or refused ---------------------------------------------------------


@pytest.mark.parametrize("family", ["gaussian", "t"])
def test_the_unit_with_one_row_a_unit_is_the_residual(build, within, family):
    design = build("y ~ A * B + Error(s/(A*B))", within, family)
    assert sizes(design) == {"s": 8, "s:A": 16, "s:B": 16}
    (dropped,) = design.dropped
    assert dropped.name == "s:A:B"
    assert "one row a unit" in dropped.reason
    assert "the residual" in dropped.reason
    assert strata(design)["A:B"] == ("residual",)


def test_a_unit_of_each_single_yes_or_no_is_dropped(build, within):
    within["y"] = (within["y"] > 0).astype(int)
    design = build("y ~ A * B + Error(s/(A*B))", within, "bernoulli")
    assert [(unit.name, "single yes or no" in unit.reason) for unit in design.dropped] == [
        ("s:A:B", True)
    ]


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_unit_of_each_count_is_overdispersion_and_stays(build, within, family):
    within["k"] = np.arange(32) % 5
    response = "p(k, 9)" if family == "binomial" else "k"
    design = build(f"{response} ~ A * B + Error(s/(A*B))", within, family)
    assert sizes(design)["s:A:B"] == 32
    assert design.dropped == ()


@pytest.mark.parametrize(
    "units",
    ["Error(subject/(group*task))", "(1|subject:group) + (1|subject) + (1|subject:task)"],
)
def test_of_two_names_for_the_same_units_the_shorter_stays(build, split_plot, units):
    design = build(f"y ~ group * task + {units}", split_plot)
    assert sizes(design) == {"subject": 12, "subject:task": 24}
    reasons = {unit.name: unit.reason for unit in design.dropped}
    assert reasons["subject:group"] == "its units are those of 'subject'"
    assert design.factor("group").between == ("subject",)


def test_the_same_units_under_another_column_are_dropped(build, split_plot):
    split_plot["badge"] = split_plot["subject"].str.replace("s", "b")
    design = build("y ~ group + Error(subject) + Error(badge)", split_plot)
    assert [(unit.name, unit.reason) for unit in design.dropped] == [
        ("badge", "its units are those of 'subject'")
    ]


@pytest.mark.parametrize("unit", ["group", "group:task"])
def test_units_made_of_fixed_factors_are_refused(build, split_plot, unit):
    with pytest.raises(FormulaError, match=f"'{unit}' is made of fixed factors only"):
        build(f"y ~ group * task + Error({unit})", split_plot)


def test_products_of_covariates_are_refused(build, split_plot):
    split_plot["age"] = np.arange(72) ** 2
    with pytest.raises(FormulaError, match="'dose:age' multiplies covariates"):
        build("y ~ dose * age", split_plot)


# -- Cells -------------------------------------------------------------------------------------


def test_cells_are_the_full_grid_with_the_rows_of_each(build, split_plot):
    data = split_plot.loc[~((split_plot["group"] == "B") & (split_plot["task"] == "x"))]
    data = data.iloc[3:]
    design = build("y ~ group * task", data)
    expected = pd.DataFrame(
        {"group": list("AABB"), "task": list("xyxy"), "rows": [15, 18, 0, 18]},
    )
    pd.testing.assert_frame_equal(design.cells, expected, check_dtype=False)
    assert design.shape == (2, 2)
    assert design.empty_cells == ["B:x"]
    rows = design.cells.loc[design.cell_codes, ["group", "task"]].to_numpy()
    np.testing.assert_array_equal(rows, data[["group", "task"]])


def test_without_factors_there_is_one_cell(build, split_plot):
    design = build("y ~ dose + Error(subject)", split_plot)
    assert design.shape == ()
    assert design.cells["rows"].tolist() == [72]
    assert design.empty_cells == []


# -- Properties --------------------------------------------------------------------------------

FORMULAS = [
    "y ~ group * task + Error(s/task)",
    "y ~ group * task + Error(s/(group*task))",
    "y ~ group * task + (1|s:task) + (1|s)",
    "y ~ group * task + Error(s) + Error(item)",
    "y ~ group + task + Error(item/s)",
    "y ~ group * task * item",
]


@st.composite
def unbalanced(draw):
    """Some rows of a split plot of up to 6 subjects, 2 tasks, 3 items and 2 copies."""
    groups = draw(st.lists(st.sampled_from("AB"), min_size=3, max_size=6))
    grid = [
        (group, f"s{s}", task, item)
        for s, group in enumerate(groups)
        for task, item, _ in product("xy", "pqr", range(2))
    ]
    kept = draw(st.lists(st.booleans(), min_size=len(grid), max_size=len(grid)))
    rows = [row for row, keep in zip(grid, kept, strict=True) if keep]
    data = pd.DataFrame(rows, columns=["group", "s", "task", "item"])
    return data.assign(y=np.arange(len(data)) % 5 * 1.0)


def summary(text, data, rename=None):
    """Everything about a design that does not depend on the order of rows or names of levels."""
    rename = rename or {}
    formula, family = parse_formula(text), get_family("gaussian")
    design = build_design(formula, read_rows(formula, data, family), family)
    cells = design.cells.copy()
    for name, mapping in rename.items():
        if name in cells:
            cells[name] = cells[name].map({new: old for old, new in mapping.items()})
    return {
        "terms": [(t.name, t.strata, t.units, t.df) for t in design.terms],
        "units": [(u.name, u.size, u.constant) for u in design.units],
        "dropped": design.dropped,
        "factors": [(f.name, f.between, f.within) for f in design.factors],
        "cells": {tuple(row[:-1]): row[-1] for row in cells.itertuples(index=False)},
    }


@settings(max_examples=60)
@given(unbalanced(), st.sampled_from(FORMULAS), st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_levels_do_not_matter(data, text, random):
    try:
        expected = summary(text, data)
    except AnovaError:  # too few rows are left
        assume(False)
    order = list(range(len(data)))
    random.shuffle(order)
    assert summary(text, data.iloc[order]) == expected

    rename = {}
    for name in ("group", "s", "task", "item"):
        levels = sorted(data[name].unique())
        names = [f"{name}{number}" for number in range(len(levels))]
        random.shuffle(names)
        rename[name] = dict(zip(levels, names, strict=True))
    renamed = data.assign(**{name: data[name].map(rename[name]) for name in rename})
    assert summary(text, renamed, rename) == expected


@settings(max_examples=60)
@given(unbalanced(), st.sampled_from(FORMULAS))
def test_strata_are_the_coarsest_units_that_hold_a_term(data, text):
    formula, family = parse_formula(text), get_family("gaussian")
    try:
        design = build_design(formula, read_rows(formula, data, family), family)
    except AnovaError:
        assume(False)
    labels = {u.name: data[list(u.variables)].agg(":".join, axis=1) for u in design.units}

    def constant(name, by):
        return data[name].groupby(by).nunique().max() == 1

    for unit in design.units:
        assert unit.size == labels[unit.name].nunique()
        assert set(unit.constant) == {
            f.name for f in design.factors if constant(f.name, labels[unit.name])
        }
    for term in design.terms:
        holding = [
            name for name, by in labels.items() if all(constant(f, by) for f in term.factors)
        ]
        coarsest = [
            name
            for name in holding
            if not any(
                labels[other].groupby(labels[name]).nunique().max() == 1
                for other in holding
                if other != name
            )
        ]
        assert set(term.strata) == set(coarsest or ["residual"])


def test_the_data_are_not_changed(build, split_plot):
    before = split_plot.copy(deep=True)
    design = build("y ~ group * task + Error(subject/task)", split_plot)
    assert design.cells is design.cells
    assert design.cell_codes is design.cell_codes
    pd.testing.assert_frame_equal(split_plot, before)
