"""Tables of texts: rounding, marks, groups and notes."""

import numpy as np
import pytest

from bambi_anova.errors import ArgumentError
from bambi_anova.present.journal_table import UNSUPPORTED, UNTRUSTED, journal_table
from bambi_anova.present.wording import TIMES
from bambi_anova.tables.rounding import MINUS

DESIGNS = ["memory", "oats", "recall"]


def value(text):
    """The number that a cell shows."""
    return float(text.replace(MINUS, "-"))


def cells(shown, label, spanner=""):
    (column,) = [c for c in shown.columns if (c.label, c.spanner) == (label, spanner)]
    return column.cells


@pytest.mark.parametrize("name", DESIGNS)
def test_texts_are_the_tables_numbers(name, quick_fit):
    table = quick_fit(name).contrasts(next(iter(quick_fit(name).design.levels)))
    shown = journal_table(table)
    for label, column in (("Mean", "mean"), ("SD", "sd")):
        for text, truth, error in zip(
            cells(shown, label), table[column], table["mcse_mean"], strict=True
        ):
            decimal = text.partition(".")[2]
            assert abs(value(text) - truth) <= 0.5 * 10 ** -len(decimal) + 1e-12
            assert 10 ** -len(decimal) >= error
    for text, row in zip(cells(shown, "95% HDI"), table.to_dict("records"), strict=True):
        lower, upper = (value(part) for part in text.strip("[]").split(", "))
        places = len(text.partition(",")[0].partition(".")[2])
        assert lower == pytest.approx(row["hdi95_lb"], abs=0.51 * 10**-places)
        assert upper == pytest.approx(row["hdi95_ub"], abs=0.51 * 10**-places)


def test_intervals_are_one_column_named_by_kind_and_probability(quick_fit):
    shown = journal_table(quick_fit("oats").contrasts("variety", ci_prob=0.9, ci_kind="eti"))
    assert [c.label for c in shown.columns] == ["Contrast", "Mean", "SD", "90% ETI", "P(direction)"]
    assert "ETI: equal-tailed interval." in shown.notes


def test_the_anova_table_has_heads_over_its_three_parts(quick_fit):
    result = quick_fit("oats")
    shown = journal_table(result.anova())
    table = result.anova()
    shares = [value(text) for text in cells(shown, "Mean", "% of variance")]
    np.testing.assert_allclose(shares, 100 * table["share"], atol=0.6)
    for head, prefix, scale in (
        ("% of variance", "share", 100),
        ("Superpopulation SD", "sigma", 1),
    ):
        for text, row in zip(cells(shown, "95% HDI", head), table.to_dict("records"), strict=True):
            ends = [value(part) for part in text.strip("[]").split(", ")]
            truth = [scale * row[f"{prefix}_hdi95_{end}"] for end in ("lb", "ub")]
            assert ends == pytest.approx(truth, abs=0.51)
    assert cells(shown, "Mean", "SD of the effects")[-1] == ""  # the residual's are not sampled
    assert "P(direction)" not in [c.label for c in shown.columns]
    assert cells(shown, "Term")[2] == f"variety {TIMES} nitrogen"


def test_terms_are_groups_where_there_are_several(quick_fit):
    result = quick_fit("oats")
    assert set(journal_table(result.deflections()).groups) == {
        "variety",
        "nitrogen",
        f"variety {TIMES} nitrogen",
    }
    assert journal_table(result.deflections("variety")).groups == ()


def test_rope_and_comparison_value_are_columns(quick_fit):
    table = quick_fit("oats").contrasts("variety", rope=(-3, 3), comp_val=1.5)
    shown = journal_table(table)
    for text, truth in zip(cells(shown, "In ROPE"), table["in_rope"], strict=True):
        assert float(text.strip("%<> ")) == pytest.approx(100 * truth, abs=0.51)
    assert "Comparison value: 1.5." in shown.notes
    assert "ROPE: region of practical equivalence." in shown.notes


def test_doubts_are_marked_and_explained(quick_fit):
    result = quick_fit("empty cell")
    table = result.contrasts("encouragement")
    first = journal_table(table).columns[0].cells
    assert [UNSUPPORTED in cell for cell in first] == (~table["supported"]).tolist()
    assert [UNTRUSTED in cell for cell in first] == (~table["trusted"]).tolist()
    notes = " ".join(journal_table(table).notes)
    assert "Needs cells without data" in notes
    good = journal_table(quick_fit("oats").contrasts("variety"))
    assert not any(mark in " ".join(good.notes) for mark in (UNTRUSTED, UNSUPPORTED))


def test_columns_are_chosen_by_label_or_by_what_is_above(quick_fit):
    whole = journal_table(quick_fit("oats").anova())
    some = whole.only(["Term", "SD of the effects"])
    assert [column.label for column in some.columns] == ["Term", "Mean", "95% HDI"]
    assert some.groups == whole.groups
    with pytest.raises(ArgumentError, match="columns: 'Trem' is not one; did you mean 'Term'"):
        whole.only(["Trem"])
