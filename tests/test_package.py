"""The package as it is released: what is in it, and that it works away from the repository."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import bambi_anova as ba

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


def test_the_wheel_holds_the_package_and_nothing_else(built):
    wheel, _ = built
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"bambi_anova", f"bambi_anova-{ba.__version__}.dist-info"}
    assert not any("__pycache__" in name or "test" in Path(name).name for name in names)
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "bambi_anova").rglob("*.py")}
    assert modules <= set(names)
    for file in ("py.typed", "datasets/oats.csv", "datasets/memory.csv"):
        assert f"bambi_anova/{file}" in names
    for line in (
        f"Version: {ba.__version__}",
        "License-Expression: MIT",
        "Requires-Python: >=3.12",
    ):
        assert line in metadata


def test_the_source_distribution_holds_what_tests_need(built):
    _, source = built
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ("pyproject.toml", "README.md", "LICENSE", "constraints.txt", "tests/test_package.py")
    assert set(wanted) <= names
    assert not any(".venv" in name or "__pycache__" in name or ".nc" in name for name in names)


def test_the_wheel_works_away_from_the_repository(built, tmp_path):
    wheel, _ = built
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "import sys; before = set(sys.modules); import bambi_anova as ba; "
        "assert not {'pymc', 'bambi', 'matplotlib'} & set(sys.modules); "
        "m = ba.Model('yield ~ variety * nitrogen + Error(block/variety)', ba.load_data('oats')); "
        "f = m.fit('laplace', random_seed=1, progressbar=False); "
        "print(ba.__file__); print(f.contrasts('variety')['mean'].round(1).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    place, numbers = done.stdout.strip().splitlines()[-2:]
    assert place.startswith(str(tmp_path))
    model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", ba.load_data("oats"))
    fit = model.fit("laplace", random_seed=1, progressbar=False)
    assert numbers == str(fit.contrasts("variety")["mean"].round(1).tolist())


def test_versions_come_from_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dynamic"] == ["version"]
    assert f"\n## {ba.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {ba.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_every_dependency_is_pinned_for_the_tests():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    names = {re.match(r"[\w-]+", text)[0].lower() for text in wanted}
    assert names <= pinned | {"bambi-anova"}


def pins(name):
    """The versions of a file of constraints, by the names of the packages."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return dict(line.lower().split("==") for line in lines if "==" in line)


def test_the_lowest_versions_are_those_that_are_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest, recipe = pins("constraints-lowest.txt"), (ROOT / "recipe" / "recipe.yaml").read_text()
    assert len(lowest) == len(project["dependencies"])
    for text in project["dependencies"]:
        name, _, bounds = text.partition(">=")
        least = bounds.split(",")[0]
        # As exact as the bound is: 0.61.2 is the first that pip finds of 0.61.
        assert f"{lowest[name]}.".startswith(f"{least}."), name
        assert f"    - {name} >={bounds}\n" in recipe
    assert f'version: "{ba.__version__}"' in recipe
