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
    packages = re.findall(r"% Needs (.*)\.", parts[0])[0]
    body = "\n\\clearpage\n".join(parts)
    source = (
        f"\\documentclass{{article}}\n{packages}\n\\begin{{document}}\n{body}\n\\end{{document}}"
    )
    path = tmp_path / "tables.tex"
    path.write_text(source)
    options = ["--keep-logs"] if ENGINE == "tectonic" else ["-interaction=nonstopmode"]
    subprocess.run([ENGINE, *options, path.name], cwd=tmp_path, check=True, capture_output=True)
    assert "Overfull \\hbox" not in (tmp_path / "tables.log").read_text(errors="replace")
