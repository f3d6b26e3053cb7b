"""What tables look like in a terminal, and that they are data frames all the same."""

import re

import pandas as pd
import pytest

from bambi_anova.tables.printing import LEFT_OUT, Table, printed, printed_html


@pytest.fixture
def table():
    return Table(
        {
            "term": ["A", "A"],
            "contrast": ["a - b", "a - c"],
            "population": "super",
            "scale": "link",
            "mean": [0.123456, -12.3456],
            "sd": [0.0391, 2.0],
            "pd": [0.97, 1.0],
            "in_rope": [0.5, 1e-4],
            "mcse_rope": [0.00812, 1e-5],
            **dict.fromkeys(LEFT_OUT, 1.0),
            "supported": [True, True],
            "trusted": [True, False],
        }
    )


def test_what_all_rows_share_stands_above_them(table):
    assert printed(table).splitlines() == [
        "term: A, population: super, scale: link; all supported",
        "contrast     mean     sd    pd in_rope mcse_rope  trusted",
        "   a - b   0.1235 0.0391 0.970   0.500    0.0081     True",
        "   a - c -12.3456 2.0000 1.000   0.000     1e-05    False",
    ]
    assert repr(table) == str(table) == printed(table)


def test_what_differs_stays_in_its_row(table):
    table["population"] = ["super", "finite"]
    assert "population" in printed(table).splitlines()[1]


def test_what_all_rows_share_is_something(table):
    assert printed(table.assign(population="")).startswith("term: A, scale: link; all supported")


def test_columns_without_a_value_are_not_printed(table):
    text = printed(table.assign(CompVal=float("nan")))
    assert "CompVal" not in text


def test_a_table_has_all_of_its_columns_and_begets_tables(table):
    assert set(LEFT_OUT) < set(table.columns)
    for other in (table.copy(), table[["mean"]], table.T, table.assign(x=1), table.head(1)):
        assert type(other) is Table
    pd.testing.assert_frame_equal(table, table.copy())
    pd.testing.assert_frame_equal(pd.DataFrame(table), table, check_frame_type=False)


def test_rows_that_are_picked_or_sorted_print_as_compactly(table):
    head, names, first, second = printed(table).splitlines()
    assert repr(table.sort_values("mean")).splitlines() == [head, names, second, first]
    for one in (table.head(1), table.query("mean > 0"), table[table["trusted"]], table.iloc[:1]):
        assert repr(one).splitlines() == [
            "term: A, population: super, scale: link; all supported and trusted",
            "contrast   mean     sd    pd in_rope mcse_rope",
            "   a - b 0.1235 0.0391 0.970   0.500    0.0081",
        ]


def test_columns_that_are_picked_are_printed(table):
    assert "ess_bulk" not in repr(table)
    assert "ess_bulk" in repr(table[["contrast", "mean", "ess_bulk"]])
    assert "r_hat" in repr(table[["contrast", "r_hat"]].assign(r_hat=float("nan")))
    assert repr(table[["term", "scale"]]) == "term: A, scale: link"


def test_what_pandas_shapes_otherwise_is_printed_by_pandas(table):
    wide = table.pivot_table(["mean", "sd"], "contrast", "scale")
    assert "-12.3456" in repr(wide)
    assert "contrast" in repr(table.groupby("contrast")[["mean"]].mean())
    assert "a - b" in repr(pd.concat([table, table], axis=1))
    assert "<table" in pd.concat([table, table], axis=1)._repr_html_()


def test_columns_that_can_be_spared_are_left_out_and_named(table, monkeypatch):
    wide = table.assign(median=1.0, kind="k", note="n" * 20)
    monkeypatch.setenv("COLUMNS", "80")
    about, names, *rows = repr(wide).splitlines()
    assert about.endswith("; all supported; no room for median, kind")
    assert names.split() == [*"contrast mean sd pd in_rope mcse_rope trusted note".split()]
    assert max(map(len, rows)) <= 80
    monkeypatch.setenv("COLUMNS", "200")
    assert "median" in repr(wide).splitlines()[1]
    assert "room" not in repr(wide)


def test_of_a_long_table_the_first_rows_are_printed(table):
    long = Table(pd.concat([table] * 50, ignore_index=True))
    lines = repr(long).splitlines()
    assert len(lines) == 23
    assert lines[-1] == "... and 80 rows more"
    assert "and 80 rows more" in long._repr_html_()
    with pd.option_context("display.max_rows", None):
        assert len(repr(long).splitlines()) == 102


def test_a_table_of_a_link_says_how_to_leave_it(table):
    table.attrs["link"] = "logit"
    words = 'scale: link, logit (scale="response" for the response itself); all supported'
    assert words in repr(table).replace("\n", " ")
    assert words in repr(table.query("mean < 1").head(1)).replace("\n", " ")
    assert "logit" not in repr(table.assign(scale="response"))


def test_rows_that_do_not_fit_a_line_are_numbered(table):
    wide = table.assign(note="n" * 50)
    assert repr(wide).splitlines()[2].endswith("\\")
    assert [line[0] for line in repr(wide).splitlines() if line[:1].isdigit()] == list("0101")


def test_constants_and_nothing_can_be_printed():
    assert "0.500" in printed(pd.DataFrame({"mean": [0.5], "sd": [0.0]}))
    assert "Empty" in printed(Table({"mean": []}))


def test_notebooks_show_what_terminals_do(table):
    words, head, *rows = printed(table).splitlines()
    html = table._repr_html_()
    assert words in html
    assert re.findall("<th>(.*?)</th>", html) == head.split()
    assert re.findall("<td>(.*?)</td>", html)[1 :: len(head.split())] == [
        row.split()[3] for row in rows
    ]
    assert "&lt;b&gt;" in printed_html(table.assign(term="<b>"))
    assert "a" * 99 in printed_html(table.assign(contrast="a" * 99))
    assert "<table" in Table({"mean": []})._repr_html_()


def test_columns_of_the_data_are_not_formatted_by_the_beginnings_of_their_names():
    table = Table(
        {"mean_dose": [0.25, 0.75], "share_x": [1234.5, 2.0], "mean": 100.123, "sd": 90.0}
    )
    assert re.search(r"0.25 +1234 +100\.1 +90", repr(table))
    assert "12345" in repr(Table({"Mean": [1.0], "ESS": [12345.2]}))
