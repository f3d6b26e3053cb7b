"""Models and results in a notebook."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba

ALL = ["memory", "oats", "recall", "covariate", "no units", "no factors", "empty cell"]


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
    data = pd.DataFrame({"y": np.arange(12.0) % 5 - 2, "g": ["<b>", "a & b", "c"] * 4})
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
