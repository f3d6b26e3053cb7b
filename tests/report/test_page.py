"""The report as one file: whole, alone, and safe whatever the data are called."""

import re
from html.parser import HTMLParser

import bambi as bmb
import numpy as np
import pandas as pd
import pytest

import bambi_anova as ba
from bambi_anova.errors import ArgumentError, StorageError
from bambi_anova.report.page import code_of
from bambi_anova.report.report import Report

pytestmark = pytest.mark.filterwarnings("ignore::bambi_anova.errors.AnovaWarning")
NASTY = {"a": "<script>alert(1)</script>", "b": "[x](javascript:alert(2))", "c": "<img src=x>"}


class Reader(HTMLParser):
    """Collects tags, what they refer to, and text; notices tags that are left open."""

    EMPTY = ("meta", "img", "br", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.open, self.text = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href")]
        assert not any(key.startswith("on") for key, _ in attrs)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def frame():
    y = np.random.default_rng(1).normal(size=36)
    return pd.DataFrame({"A": list("abc") * 12, "y": y}).replace({"A": NASTY})


def nasty_fit():
    priors = {"A": bmb.Prior("HalfNormal", sigma=2.0)}
    model = ba.Model("y ~ A", frame(), priors=priors)
    return model.fit("laplace", draws=250, random_seed=3, progressbar=False)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    fit = nasty_fit()
    path = fit.report().save(tmp_path_factory.mktemp("page") / "report.html")
    return fit, path, Reader(path.read_text(encoding="utf-8"))


def test_the_page_is_whole_and_needs_nothing_beside_it(saved):
    fit, _, page = saved
    assert page.open == []
    assert [address.split(",")[0] for address in page.addresses] == ["data:image/png;base64"]
    text = " ".join("".join(page.text).split())
    for words in ("Methods", "Results", "Left to the author", "Contrasts of A", "bambi-anova"):
        assert words in text
    assert " ".join(str(fit.design).split()) in text
    assert f"The computation is {fit.verdict}." in text


def test_names_from_the_data_stay_text(saved):
    _, path, page = saved
    assert not page.tags & {"script", "a", "iframe", "object", "svg"}
    assert "default-src 'none'" in path.read_text(encoding="utf-8")
    for name in NASTY.values():
        assert name in "".join(page.text)


def test_the_code_makes_the_same_fit_again(saved):
    fit, _, _ = saved
    names: dict = {}
    exec(code_of(fit), {"data": frame()}, names)
    np.testing.assert_array_equal(names["result"].draws.cells, fit.draws.cells)


def test_options_that_are_no_defaults_stand_in_the_code():
    frame = pd.DataFrame({"A": list("ab") * 8, "y": np.arange(16.0) % 5})
    model = ba.Model("y ~ A", frame, priors_on="deflections", priors={"sigma": 1.5})
    text = code_of(model.fit("laplace", draws=100, random_seed=1, progressbar=False))
    assert "priors_on='deflections'" in text
    assert "priors={'sigma': 1.5}" in text
    assert "bmb" not in text


def test_a_file_that_is_there_stays_unless_told(tmp_path, saved):
    report = saved[0].report()
    path = report.save(tmp_path / "report.md")
    assert path.read_text(encoding="utf-8") == f"{report}\n"
    with pytest.raises(StorageError, match="overwrite=True"):
        report.save(path)
    assert report.save(path, overwrite=True) == path
    with pytest.raises(ArgumentError, match=re.escape(".html or .md")):
        report.save(tmp_path / "report.docx")
    with pytest.raises(ArgumentError, match="needs the fit"):
        Report("a", "b", "c").save(tmp_path / "report.html")
    with pytest.raises(StorageError, match="no directory"):
        report.save(tmp_path / "nowhere" / "report.md")
