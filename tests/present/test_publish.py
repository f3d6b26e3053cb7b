"""Tables of a result for print: which there are, and what stands around them."""

from dataclasses import replace

import pandas as pd
import pytest

from bambi_anova.errors import ArgumentError
from bambi_anova.posterior.trust import Sampling
from bambi_anova.present.publish import TABLES


def test_a_user_reads_of_population_and_scale_in_words(quick_fit):
    text = quick_fit("memory").to_markdown("contrasts", "condition", population="finite")
    assert "Population: finite population (these units)." in text
    assert "Scale: logit of the probability of errors." in text


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


def test_columns_can_be_chosen_in_every_form(quick_fit):
    result = quick_fit("oats")
    columns = ["Contrast", "95% HDI"]
    rows = result.to_markdown("contrasts", "variety", columns=columns).splitlines()
    assert "| Contrast" in rows[2]
    assert "Mean" not in rows[2]
    assert r"Contrast & 95\% HDI \\" in result.to_latex("contrasts", "variety", columns=columns)
    html = result.table("contrasts", "variety", columns=columns).as_raw_html()
    assert "95% HDI" in html
    assert ">Mean<" not in html


def test_every_named_table_can_be_set(quick_fit):
    result = quick_fit("covariate")
    arguments = {"contrasts": ["encouragement"], "slopes": ["age"]}
    for name in set(TABLES) - {"unit_slopes"}:  # slopes do not vary by unit here
        assert TABLES[name][1] in result.to_markdown(name, *arguments.get(name, []))
