"""A figure that a notebook shows once."""

from __future__ import annotations

from matplotlib import pyplot as plt
from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure of pyplot that is shown as a cell's value or at the cell's end, not both.

    Notebooks that show figures inline do so at the end of a cell, for all figures that pyplot
    knows; whoever shows this one first takes it from pyplot.
    """

    def _ipython_display_(self) -> None:
        if "inline" in plt.get_backend():
            plt.close(self)
        raise NotImplementedError  # IPython shows it as it shows any figure
