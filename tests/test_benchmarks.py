"""Benchmarks are run by hand, once in a while: they must not break in between."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = [
    path.relative_to(ROOT)
    for path in sorted((ROOT / "benchmarks").glob("*/*.py"))
    if 'if __name__ == "__main__"' in path.read_text()
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.as_posix())
def test_scripts_find_all_that_they_import(path):
    module = import_module(".".join(path.with_suffix("").parts))
    assert module.main.__doc__
    assert f"python {path.as_posix()}" in module.__doc__


def test_a_script_runs_from_the_root():
    done = subprocess.run(
        [sys.executable, "benchmarks/speed/quick.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--report" in done.stdout
