"""What the README says is so: its links, its numbers, its figure."""

import re
import warnings
from pathlib import Path

import matplotlib
import pytest

import bambi_anova as ba
from docs.generate import readme

matplotlib.use("Agg")

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def example():
    """The names that the README's example makes, but for the NUTS fit."""
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ba.errors.InformativeTrialsWarning)
        exec(code.split("full =")[0], names)
    return names


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_tutorial_is_listed():
    for path in (ROOT / "tutorials").glob("*.ipynb"):
        assert f"(tutorials/{path.name})" in TEXT


@pytest.mark.parametrize(
    ("line", "term", "population"),
    [
        ('quick.contrasts("trial_type")', "trial_type", "super"),
        ('quick.contrasts("condition")', "condition", "super"),
        ('quick.contrasts("condition", population="finite")', "condition", "finite"),
    ],
)
def test_the_numbers_of_the_example_are_those_that_it_prints(example, line, term, population):
    comment = next(text for text in TEXT.splitlines() if text.startswith(f"{line}  #"))
    written = [float(number) for number in re.findall(r"-?\d\.\d\d", comment)]
    row = example["quick"].contrasts(term, population=population).iloc[0]
    # Another processor's last digits may round the other way.
    expected = [row["mean"], row["hdi95_lb"], row["hdi95_ub"]]
    assert written == pytest.approx(expected, abs=0.0101)


def test_the_example_is_trusted_and_warned_of(example):
    assert example["quick"].verdict == "trusted"
    with pytest.warns(ba.errors.InformativeTrialsWarning):
        ba.Model(example["formula"], example["memory"], family="binomial")


def public_names():
    """Everything that a user may name: of the package, its classes, and its public modules."""
    for owner in (ba, ba.classical, ba.plots):
        yield from (name for name in owner.__all__ if not name.startswith("_"))
    for owner in (ba.Model, ba.Result):
        yield from (name for name in vars(owner) if not name.startswith("_"))
    yield from (name for name in vars(ba.errors) if name.endswith(("Error", "Warning")))


def test_the_changelog_names_all_that_is_public():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    missing = {name for name in public_names() if not re.search(rf"\b{name}\b", changelog)}
    assert missing == set()


def test_its_measured_numbers_are_those_of_the_reports():
    assert readme.render(TEXT) == TEXT


def test_a_number_of_another_report_would_be_seen(monkeypatch):
    monkeypatch.setattr(readme, "quick", lambda method: 9.9)
    assert "found by Pathfinder | 9.9 s" in readme.render(TEXT)
    with pytest.raises(LookupError, match="no place like"):
        readme.render(TEXT.replace("found by Pathfinder", "found"))


def test_it_is_short():
    assert len(TEXT.splitlines()) < 200
