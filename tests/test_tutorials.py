"""The tutorials run, and what they show is there."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def load_script():
    spec = importlib.util.spec_from_file_location("execute_tutorials", FOLDER / "execute.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_tutorials():
    assert NOTEBOOKS


@each
def test_outputs_are_committed_and_small(path):
    script = load_script()
    assert path.stat().st_size < script.LARGEST
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert all(output.output_type != "error" for output in outputs)


@each
def test_nothing_of_the_machine_is_left_in_them(path):
    assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text())


@pytest.mark.slow
@each
def test_it_runs_in_time(path):
    script = load_script()
    _, seconds = script.execute(path)
    assert seconds < script.MOST
