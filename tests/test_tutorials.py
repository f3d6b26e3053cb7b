"""The tutorials run, and what they show is there."""

import importlib.util
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import bambi_anova as ba

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
def test_it_runs_in_time_and_prints_what_it_shows(path):
    script = load_script()
    fresh, seconds = script.execute(path)
    assert seconds < script.MOST
    assert script.differences(nbformat.read(path, as_version=4), fresh) == []


def notebook(text, tags=()):
    cell = nbformat.v4.new_code_cell("1", metadata={"tags": list(tags)})
    cell.outputs = [nbformat.v4.new_output("stream", text=text)]
    return nbformat.v4.new_notebook(cells=[cell])


@pytest.mark.parametrize(
    ("one", "other", "tags", "same"),
    [
        ("x - y  0.42 [-1,234.5 to 2]", "x - y 0.43 [-1,240.5  to 2]", (), True),
        ("x - y 0.42", "x - y 0.52", (), False),
        ("x - y 0.42", "x - z 0.42", (), False),
        ("x 0.42 trusted", "x 0.42 not trusted", (), False),
        ("x 0.42 0.1", "x 0.42", (), False),
        ("0.02 in a line of 20.0", "1.9 in a line of 20.0", (), True),
        ("0.02\n20.0", "1.9\n20.0", (), False),
        ("0.42 of 3000 draws", "0.52 of 4000 draws", (), False),
        ("0.42 of 3000 draws", "0.43 of 4000 draws", (), True),
        ("in 0.4 s", "in 12.5 s", (), True),
        ("seconds 0.4", "seconds 12.5", ["timed"], True),
        ("seconds 0.4", "minutes 0.4", ["timed"], False),
        ("raw 0.4", "anything", ["chains"], True),
        ("0.41 to \N{MINUS SIGN}0.30", "0.41 to 0.30", (), False),
    ],
)
def test_stored_outputs_are_compared_word_by_word_and_number_by_number(one, other, tags, same):
    script = load_script()
    assert (script.differences(notebook(one, tags), notebook(other, tags)) == []) == same


# -- What the memory mystery says --------------------------------------------------------------


def shown(stem, tag):
    """Return the tables that the cells with a tag show."""
    notebook = nbformat.read(FOLDER / f"{stem}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]
    html = ["".join(output.data["text/html"]) for cell in cells for output in cell.outputs]
    return [read_table(text) for text in html]


def read_table(html):
    """Return the numbers of a pandas table."""
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t", row) for row in html.split("</tr>")]
    head, *body = [row for row in rows if "".join(row)]
    body = [row for row in body if "".join(row[1:])]  # the index's own name has a row
    return pd.DataFrame([row[1:] for row in body], [row[0] for row in body], head[1:]).astype(float)


def test_some_chains_of_the_literal_code_are_mirrored_and_none_with_a_prior_on_kappa_minus_2():
    by_chain, by_start = shown("02_memory_mystery", "mirror")
    mirrored = by_chain["omega"] > 0.5
    assert 0 < mirrored.sum() < len(by_chain)
    assert (by_chain.loc[mirrored, "kappa"] < 2).all()
    assert by_chain.loc[~mirrored, "cells"].between(0.4, 0.45).all()
    assert by_chain.loc[mirrored, "cells_sd"].min() > 50 * by_chain.loc[~mirrored, "cells_sd"].max()
    safe = ["kappa at 50", "prior on kappa - 2"]
    assert (by_start.loc[safe, "mirrored"] == 0).all()
    assert (by_start.drop(safe)["mirrored"] > 0).all()
    assert by_start.drop("sum-to-zero coding")["lowest raw"].max() < 0.4


@pytest.mark.parametrize(
    ("kappa", "height", "omega"),
    [(1.2, -8346.9, 0.91), (2.0, -10631.8, None), (50.0, -6424.1, 0.10)],
)
def test_the_likelihood_has_a_hill_on_either_side_of_kappa_two(kappa, height, omega):
    data = ba.load_data("memory")

    def worse(mu):
        alpha = special.expit(mu) * (kappa - 2) + 1
        beta = special.expit(-mu) * (kappa - 2) + 1
        return -stats.betabinom.logpmf(data["errors"], data["markers"], alpha, beta).sum()

    sides = [optimize.minimize_scalar(worse, bounds=bounds) for bounds in ((-9, 0), (0, 9))]
    best = min(sides, key=lambda side: side.fun)
    assert -best.fun == pytest.approx(height, abs=0.1)
    assert omega is None or special.expit(best.x) == pytest.approx(omega, abs=0.005)


@pytest.mark.parametrize("kappa", [1.3, 30.0])
def test_below_kappa_two_omega_is_where_the_density_is_lowest(kappa):
    omega, theta = 0.3, np.linspace(0.01, 0.99, 99)
    density = stats.beta.pdf(theta, omega * (kappa - 2) + 1, (1 - omega) * (kappa - 2) + 1)
    place = np.argmax(density) if kappa > 2 else np.argmin(density)
    assert theta[place] == pytest.approx(omega)
