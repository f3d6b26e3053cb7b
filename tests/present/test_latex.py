"""Journal tables as LaTeX: plain signs, a column's width."""

import re
import subprocess
from pathlib import Path
from shutil import which

import matplotlib as mpl
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from bambi_anova.present.journal_table import (
    UNSUPPORTED,
    UNTRUSTED,
    Column,
    JournalTable,
    journal_table,
)
from bambi_anova.present.latex import GAP, LINE, SIZES, to_latex
from bambi_anova.present.wording import TIMES
from bambi_anova.tables.rounding import MINUS

#: Signs of Computer Modern's other fonts, and letters as wide.
SIGNS = str.maketrans({MINUS: "=", TIMES: "=", UNTRUSTED: "5", UNSUPPORTED: "5"})


def test_latex_is_plain_ascii_where_the_names_are(quick_fit):
    for kind in ("anova", "deflections"):
        text = quick_fit("empty cell").to_latex(kind)
        assert text.isascii()
        assert r"\begin{tabular" in text
        assert r"$\times$" in text
        assert r"\ddag{}" in text


@pytest.mark.parametrize("name", ["memory", "recall"])
@pytest.mark.parametrize("width", [LINE, 470.0])
def test_tables_fit_a_column(name, width, quick_fit):
    """Set in Computer Modern, no row is wider than the line."""
    result = quick_fit(name)
    for table in (result.anova(), result.contrasts(next(iter(result.design.levels)), rope=(-1, 1))):
        text = to_latex(journal_table(table), width)
        left_out = re.findall("% Left out, for want of room: (.*)\\.", text)
        spared = left_out[0].split(", ") if left_out else []
        if "share" in table:
            assert bool(spared) == (width == LINE)
        columns = [
            c for c in journal_table(table).columns if not {c.label, c.spanner} & set(spared)
        ]
        size = next(size for size in SIZES if rf"\centering\{size}" in text)
        (sides,) = re.findall(r"\\begin{tabular}{@{}(.*)@{}}", text)
        given = re.findall(
            r"p{([\d.]+)em}|([lr])", sides.replace(r"\raggedright\arraybackslash", "")
        )
        total = GAP * (len(columns) - 1)
        for column, (ems, _) in zip(columns, given, strict=True):
            label = re.split(" ", column.label) if column.numeric else [column.label]
            texts = [text for text in (*label, *column.cells) if text]
            total += SIZES[size] * float(ems) if ems else max(inked(t, size) for t in texts)
        assert total <= width


def inked(text, size):
    """Width of a text in points, by the glyphs of Computer Modern that matplotlib brings along."""
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "cmr10.ttf"
    font = FontProperties(fname=path, size=SIZES[size])
    return TextPath((0, 0), text.translate(SIGNS), prop=font).get_extents().width


def test_names_are_set_as_they_are():
    columns = (Column("50%", (r"[a]_b & {c}$\^~#<>|",), numeric=False),)
    text = to_latex(JournalTable("", columns, (), ()))
    assert "\n{}[a]\\_b \\& \\{c\\}\\$\\textbackslash{}\\textasciicircum{}" in text
    assert r"\textasciitilde{}\#\textless{}\textgreater{}\textbar{} \\" in text
    assert r"50\%" in text


def long_table():
    """Three pages of rows in groups."""
    levels = [f"level {i}" for i in range(100)]
    columns = (
        Column("Level", tuple(levels), numeric=False),
        Column("Mean", tuple(f"{i / 7:.2f}" for i in range(100))),
        Column("Lower", ("0.10",) * 100, spanner="95% HDI"),
        Column("Upper", ("0.20",) * 100, spanner="95% HDI"),
    )
    groups = tuple(f"group {i // 10}" for i in range(100))
    return JournalTable("Means of many levels", columns, groups, ("Scale: y.",))


def test_what_is_longer_than_a_page_goes_on_over_pages():
    text = to_latex(long_table())
    assert text.startswith("% Needs \\usepackage{array,booktabs,longtable}.")
    assert "\\begin{table}" not in text
    assert "tabular}" not in text
    assert text.count("\\endhead") == text.count("\\endfirsthead") == 1
    assert text.count("Level & Mean") == 2  # on the first page and on the others
    assert sum("level " in line for line in text.splitlines()) == 100
    assert text.index("\\end{longtable}") < text.index("Scale: y.")
    few = JournalTable("", (Column("Level", ("a",) * 12, numeric=False),), (), ())
    assert "longtable" not in to_latex(few)


ENGINE = next(filter(which, ["tectonic", "pdflatex", "xelatex", "lualatex"]), None)


@pytest.mark.slow
@pytest.mark.skipif(ENGINE is None, reason="no TeX engine on the PATH")
@pytest.mark.parametrize("name", ["memory", "oats", "recall", "empty cell"])
def test_tex_sets_every_table_without_overfull_lines(name, quick_fit, tmp_path):
    result = quick_fit(name)
    factor = next(iter(result.design.levels))
    parts = [
        result.to_latex(kind) for kind in ("anova", "means", "deflections", "summary", "trust")
    ]
    parts.append(result.to_latex("contrasts", factor, rope=(-1, 1), comp_val=0.5))
    parts.append(to_latex(long_table()))
    packages = re.findall(r"% Needs (.*)\.", parts[-1])[0]
    body = "\n\\clearpage\n".join(parts)
    source = (
        f"\\documentclass{{article}}\n{packages}\n\\begin{{document}}\n{body}\n\\end{{document}}"
    )
    path = tmp_path / "tables.tex"
    path.write_text(source)
    options = ["--keep-logs"] if ENGINE == "tectonic" else ["-interaction=nonstopmode"]
    subprocess.run([ENGINE, *options, path.name], cwd=tmp_path, check=True, capture_output=True)
    assert "Overfull \\" not in (tmp_path / "tables.log").read_text(errors="replace")
