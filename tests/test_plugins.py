"""Families and methods of other packages: a distribution is laid out in a folder and found."""

import subprocess
import sys

import pytest

import bambi_anova as ba
from bambi_anova.families import registry

CODE = """
from dataclasses import replace
from bambi_anova.engine.approximate.laplace import fit_laplace
from bambi_anova.families.poisson import POISSON

COUNTS = replace(POISSON, name="their_counts")
MISNAMED = replace(POISSON, name="other")

def fit_theirs(specification, request):
    return fit_laplace(specification, request)

def fit_nothing(specification, request):
    return None
"""
POINTS = """
[bambi_anova.families]
their_counts = their_package:COUNTS
misnamed = their_package:MISNAMED
broken = their_package_that_is_gone:FAMILY
incomplete = their_package:NOT_THERE

[bambi_anova.methods]
theirs = their_package:fit_theirs
nothing = their_package:fit_nothing
gone = their_package_that_is_gone:fit
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package with entry points, as an installer leaves it."""
    (tmp_path / "their_package.py").write_text(CODE)
    about = tmp_path / "their_package-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(registry.FAMILIES)
    yield tmp_path
    sys.modules.pop("their_package", None)
    registry.FAMILIES.clear()
    registry.FAMILIES.update(before)


@pytest.fixture
def counts(plots):
    """Counts of a small design."""
    return plots.assign(y=(plots["y"].abs() * 4).astype(int))


@pytest.mark.filterwarnings("ignore::bambi_anova.errors.ConvergenceWarning")
def test_a_family_and_a_method_of_another_package_fit(installed, counts):
    model = ba.Model("y ~ feed + Error(block/feed)", counts, "their counts")
    assert model.family.name == "their_counts"
    result = model.fit("theirs", random_seed=1, progressbar=False)
    same = ba.Model("y ~ feed + Error(block/feed)", counts, "poisson").fit(
        "laplace", random_seed=1, progressbar=False
    )
    assert result.contrasts("feed")["mean"].tolist() == same.contrasts("feed")["mean"].tolist()


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("misnamed", "expected a Family of that name, found 'other'"),
        ("broken", "package their-package 1.2 adds it .* cannot be imported .ModuleNotFoundError"),
        ("incomplete", "package their-package 1.2 .* cannot be imported .AttributeError"),
        ("their_count", "did you mean 'their_counts'"),
    ],
)
def test_a_broken_family_is_named_with_its_package(family, text, installed, counts):
    with pytest.raises(ba.errors.ArgumentError, match=text):
        ba.Model("y ~ feed + Error(block/feed)", counts, family)


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("nothing", "expected it to return a Posterior, got NoneType"),
        ("gone", "package their-package 1.2 adds it .* cannot be imported"),
        ("their", "did you mean 'theirs'"),
    ],
)
def test_a_broken_method_is_named_with_its_package(method, text, installed, counts):
    model = ba.Model("y ~ feed + Error(block/feed)", counts, "poisson")
    with pytest.raises(ba.errors.ArgumentError, match=text):
        model.fit(method, progressbar=False)


def test_two_packages_of_one_name_are_refused(installed, counts):
    about = installed / "second-3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 3\n")
    (about / "entry_points.txt").write_text("[bambi_anova.methods]\ntheirs = second:fit\n")
    model = ba.Model("y ~ feed + Error(block/feed)", counts, "poisson")
    with pytest.raises(
        ba.errors.ArgumentError,
        match=r"second 3 and package their-package 1\.2",
    ):
        model.fit("theirs", progressbar=False)


def test_our_own_names_come_first_and_nothing_is_looked_for(installed, counts, monkeypatch):
    def never(**_):
        raise AssertionError("entry points were read")

    monkeypatch.setattr("bambi_anova.plugins.entry_points", never)
    assert registry.get_family("Poisson()").name == "poisson"


def test_importing_the_package_reads_no_entry_points():
    code = (
        "import importlib.metadata as m\n"
        "def never(**_): raise AssertionError\n"
        "m.entry_points = never\n"
        "import bambi_anova, bambi_anova.families.registry, bambi_anova.engine.methods"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
