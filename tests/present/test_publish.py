"""Tables for print: rounding, marks and notes; great_tables, Markdown, LaTeX and notebooks."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bambi_anova as ba
from bambi_anova.errors import ArgumentError
from bambi_anova.posterior.trust import Sampling
from bambi_anova.present.journal_tables import UNSUPPORTED, UNTRUSTED, make_sheet
from bambi_anova.present.naming import TIMES
from bambi_anova.tables.rounding import MINUS, decimals, interval, number, percentage, row_decimals

DESIGNS = ["memory", "oats", "recall"]
ALL = [*DESIGNS, "covariate", "no units", "no factors", "empty cell"]


def value(text):
    """The number that a cell shows."""
    return float(text.replace(MINUS, "-"))


def cells(sheet, label, spanner=""):
    (column,) = [c for c in sheet.columns if (c.label, c.spanner) == (label, spanner)]
    return column.cells


# -- Rounding --------------------------------------------------------------------------------

positive = st.floats(1e-6, 1e6)


@given(error=positive, sd=positive)
def test_no_digit_is_finer_than_the_monte_carlo_error(error, sd):
    places = decimals(error, sd)
    unit = 10.0**-places
    assert unit >= error * (1 - 1e-6)
    # Nor does an error hide digits that it leaves: the next one is noise, or beyond three.
    assert unit / 10 < error * (1 + 1e-6) or unit / 10 < sd / 1000 * (1 + 1e-6)


@given(st.floats(-1e6, 1e6), st.integers(-3, 6))
def test_a_number_is_off_by_half_a_unit_at_most(given, places):
    text = number(given, places)
    assert abs(value(text) - given) <= 0.5 * 10.0**-places * (1 + 1e-6) + 1e-9
    assert not re.fullmatch(f"{MINUS}0\\.?0*", text)


@given(share=st.floats(0, 1), effective=st.floats(1, 1e6))
def test_a_share_is_never_nothing_or_all_unless_nothing_was_counted(share, effective):
    text = percentage(share, effective)
    shown = float(re.sub(r"[<>% ]", "", text))
    if text.startswith("<"):
        assert 100 * share < shown
    elif text.startswith(">"):
        assert 100 * share > shown
    else:
        assert shown == pytest.approx(100 * share, abs=0.5001)
        assert 0 < shown < 100


def test_missing_values_are_blank():
    assert number(float("nan"), 2) == interval(float("nan"), 1.0, 2) == percentage(np.nan, 9) == ""


def test_rows_of_a_term_are_alike_and_doubtful_ones_coarser():
    table = pd.DataFrame(
        {
            "term": list("AAABB"),
            "sd": [1.0] * 5,
            "mcse_mean": [0.009, 0.02, 0.3, 0.002, 0.0],
            "trusted": [True, True, False, True, True],
        }
    )
    assert row_decimals(table).tolist() == [1, 1, 0, 2, 2]


# -- Sheets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DESIGNS)
def test_texts_are_the_tables_numbers(name, quick_fit):
    table = quick_fit(name).contrasts(next(iter(quick_fit(name).design.levels)))
    sheet = make_sheet(table)
    for label, column in (("Mean", "mean"), ("SD", "sd")):
        for text, truth, error in zip(
            cells(sheet, label), table[column], table["mcse_mean"], strict=True
        ):
            decimal = text.partition(".")[2]
            assert abs(value(text) - truth) <= 0.5 * 10 ** -len(decimal) + 1e-12
            assert 10 ** -len(decimal) >= error
    for text, row in zip(cells(sheet, "95% HDI"), table.to_dict("records"), strict=True):
        lower, upper = (value(part) for part in text.strip("[]").split(", "))
        places = len(text.partition(",")[0].partition(".")[2])
        assert lower == pytest.approx(row["hdi95_lb"], abs=0.51 * 10**-places)
        assert upper == pytest.approx(row["hdi95_ub"], abs=0.51 * 10**-places)


def test_intervals_are_one_column_named_by_kind_and_probability(quick_fit):
    sheet = make_sheet(quick_fit("oats").contrasts("variety", ci_prob=0.9, ci_kind="eti"))
    assert [c.label for c in sheet.columns] == ["Contrast", "Mean", "SD", "90% ETI", "P(direction)"]
    assert "ETI: equal-tailed interval." in sheet.notes


def test_a_user_reads_of_population_and_scale_in_words(quick_fit):
    text = quick_fit("memory").to_markdown("contrasts", "condition", population="finite")
    assert "Population: finite population (these units)." in text
    assert "Scale: logit of the probability of errors." in text


def test_the_anova_table_has_heads_over_its_three_parts(quick_fit):
    result = quick_fit("oats")
    sheet = make_sheet(result.anova())
    table = result.anova()
    shares = [value(text) for text in cells(sheet, "Mean", "% of variance")]
    np.testing.assert_allclose(shares, 100 * table["share"], atol=0.6)
    for head, prefix, scale in (
        ("% of variance", "share", 100),
        ("Superpopulation SD", "sigma", 1),
    ):
        for text, row in zip(cells(sheet, "95% HDI", head), table.to_dict("records"), strict=True):
            ends = [value(part) for part in text.strip("[]").split(", ")]
            truth = [scale * row[f"{prefix}_hdi95_{end}"] for end in ("lb", "ub")]
            assert ends == pytest.approx(truth, abs=0.51)
    assert cells(sheet, "Mean", "SD of the effects")[-1] == ""  # the residual's are not sampled
    assert "P(direction)" not in [c.label for c in sheet.columns]
    assert cells(sheet, "Term")[2] == f"variety {TIMES} nitrogen"


def test_terms_are_groups_where_there_are_several(quick_fit):
    result = quick_fit("oats")
    assert set(make_sheet(result.deflections()).groups) == {
        "variety",
        "nitrogen",
        f"variety {TIMES} nitrogen",
    }
    assert make_sheet(result.deflections("variety")).groups == ()


def test_rope_and_comparison_value_are_columns(quick_fit):
    table = quick_fit("oats").contrasts("variety", rope=(-3, 3), comp_val=1.5)
    sheet = make_sheet(table)
    for text, truth in zip(cells(sheet, "In ROPE"), table["in_rope"], strict=True):
        assert float(text.strip("%<> ")) == pytest.approx(100 * truth, abs=0.51)
    assert "Comparison value: 1.5." in sheet.notes
    assert "ROPE: region of practical equivalence." in sheet.notes


def test_doubts_are_marked_and_explained(quick_fit):
    result = quick_fit("empty cell")
    table = result.contrasts("encouragement")
    first = make_sheet(table).columns[0].cells
    assert [UNSUPPORTED in cell for cell in first] == (~table["supported"]).tolist()
    assert [UNTRUSTED in cell for cell in first] == (~table["trusted"]).tolist()
    notes = " ".join(make_sheet(table).notes)
    assert "Needs cells without data" in notes
    good = make_sheet(quick_fit("oats").contrasts("variety"))
    assert not any(mark in " ".join(good.notes) for mark in (UNTRUSTED, UNSUPPORTED))


def test_an_untrusted_fit_is_named_below_its_tables(quick_fit):
    oats = quick_fit("oats")
    bad = replace(oats, sampling=Sampling("nuts", divergences=2, seconds=1.0))
    assert "The fit as a whole is not trusted." in bad.to_markdown("anova")
    assert "not trusted" not in oats.to_markdown("anova")


def test_diagnostics_come_on_request(quick_fit):
    plain = quick_fit("oats").to_markdown("trust")
    assert "Bulk ESS" not in plain
    assert "Bulk ESS" in quick_fit("oats").to_markdown("trust", diagnostics=True)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("contrast", "did you mean 'contrasts'"),
        (pd.DataFrame({"a": [1]}), "no column 'mcse_mean'"),
        (pd.DataFrame(), "it has no column"),
    ],
)
def test_what_is_no_table_is_refused(what, words, quick_fit):
    with pytest.raises(ArgumentError, match=words):
        quick_fit("oats").table(what)


def test_arguments_belong_to_names_not_to_frames(quick_fit):
    result = quick_fit("oats")
    with pytest.raises(ArgumentError, match="already made"):
        result.table(result.anova(), population="finite")


# -- great_tables, Markdown, LaTeX -----------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_every_table_of_every_design_can_be_set(name, quick_fit):
    result = quick_fit(name)
    kinds = ["anova", "trust", *(["means", "deflections"] if result.design.factors else [])]
    for kind in kinds:
        frame = getattr(result, kind)()
        assert type(result.table(kind)).__name__ == "GT"
        rows = [line for line in result.to_markdown(kind).splitlines() if line.startswith("|")]
        assert len(rows) == len(frame) + 2
        assert len({re.sub(r"\\\|", "", line).count("|") for line in rows}) == 1


def test_html_holds_every_text_of_the_sheet(quick_fit):
    result = quick_fit("oats")
    html = result.table("contrasts", "nitrogen").as_raw_html()
    sheet = make_sheet(result.contrasts("nitrogen"))
    for column in sheet.columns:
        assert column.label in html
        assert all(text.replace(">", "&gt;") in html for text in column.cells)
    assert "Contrasts of nitrogen" in html


def test_latex_is_plain_ascii_where_the_names_are(quick_fit):
    for kind in ("anova", "deflections"):
        text = quick_fit("empty cell").to_latex(kind)
        assert text.isascii()
        assert r"\begin{tabular" in text
        assert r"$\times$" in text
        assert r"\ddag{}" in text


def test_markdown_keeps_bars_inside_cells(quick_fit):
    assert r"1\|variety_sigma" in quick_fit("oats").to_markdown("trust")


# -- Notebooks -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_results_show_offline_and_in_the_dark(name, quick_fit):
    result = quick_fit(name)
    html = result._repr_html_()
    assert not re.search(r"<script|<link|<style|https?:|<img|color\s*:\s*#|background:#", html)
    assert str(result.verdict) in html
    assert html.count("<tr") == len(result.anova()) + 2
    for tag in ("div", "table", "tr", "th", "td", "ul", "li"):
        assert html.count(f"<{tag}>") + html.count(f"<{tag} ") == html.count(f"</{tag}>")


def test_names_are_escaped_in_notebooks():
    data = pd.DataFrame({"y": np.arange(12.0) % 5, "g": ["<b>", "a & b", "c"] * 4})
    model = ba.Model("y ~ g", data)
    assert "<b>" not in model._repr_html_()
    assert "&lt;b&gt;" in model._repr_html_()
    assert "a &amp; b" in model._repr_html_()


def test_a_model_shows_every_line_of_its_printout():
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    text = re.sub(r"<[^>]+>", " ", model._repr_html_().replace("&nbsp;", " ").replace("&gt;", ">"))
    assert text.split() == str(model).split()


def test_great_tables_and_figures_are_loaded_when_asked_for():
    code = (
        "import sys, bambi_anova as ba; import bambi_anova.result\n"
        "print([m for m in ('great_tables', 'matplotlib', 'arviz_plots') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
