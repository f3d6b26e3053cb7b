"""Figures in a notebook."""

import nbformat
from nbclient import NotebookClient

CELLS = [
    "from bambi_anova.plots.style import make_figure",
    "figure = make_figure(None, (1, 1))\nfigure.subplots()\nfigure",
    "make_figure(None, (1, 1)).subplots()\nNone",
    "figure",
]


def test_a_figure_is_shown_once():
    """As the value of a cell, or at its end; and again when it is asked for again."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="python3").execute()
    shown = [
        sum("image/png" in output.get("data", {}) for output in cell.outputs)
        for cell in notebook.cells
    ]
    assert shown == [0, 1, 1, 1]
