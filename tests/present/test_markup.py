"""Journal tables as great_tables, Markdown and HTML."""

import re
from html import unescape

import pytest

from bambi_anova.present.journal_table import Column, JournalTable, journal_table
from bambi_anova.present.markup import code, to_great_table, to_html, to_markdown

ALL = ["memory", "oats", "recall", "covariate", "no units", "no factors", "empty cell"]


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
    shown = journal_table(result.contrasts("nitrogen"))
    for column in shown.columns:
        assert column.label in html
        assert all(text.replace(">", "&gt;") in html for text in column.cells)
    assert "Contrasts of nitrogen" in html


def test_markdown_keeps_bars_inside_cells(quick_fit):
    assert "sd of variety" in quick_fit("oats").to_markdown("trust")


AWKWARD = [
    "*bold*",
    "_low_",
    "a_b",
    "a * b",
    "`code`",
    "<b>x</b>",
    "[a](b)",
    "$5-$6",
    "&lt;",
    "a|b",
]


def test_markdown_shows_names_as_they_are():
    """Rendered by a Markdown parser, the text of each cell is the name."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    rows = Column("Level *x*", tuple(AWKWARD), numeric=False)
    text = to_markdown(JournalTable("The `title`", (rows,), (), ("Scale: <y>.",)))
    html = parser.render(text)
    found = [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", html)]
    assert found == AWKWARD
    assert "<strong>The `title`</strong>" in html
    assert "<p>Scale: &lt;y&gt;.</p>" in html
    assert not re.search(r"\$(?<!\\\$)", text)  # mathematics in notebooks


@pytest.mark.parametrize("text", ["y ~ a", "y ~ `my factor` * b", "`a`", "``", "a ``b`` `c`"])
def test_code_keeps_its_backticks(text):
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    (found,) = re.findall("<code>(.*?)</code>", parser.render(f"x {code(text)} y"))
    assert unescape(found) == text


def test_html_escapes_names_of_every_kind():
    columns = (Column("<u>", ("<b>",), "<i>", numeric=False),)
    table = JournalTable("<s>", columns, ("<g>",), ("<n>",))
    for html in (to_html(table), to_great_table(table).as_raw_html()):
        assert not re.search("<[usgn]>", html)
        assert "<b><s>" not in html
        for name in "busgni":
            assert f"&lt;{name}&gt;" in html
