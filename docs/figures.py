"""Make the figure of the README: ``python docs/figures.py``.

The figures lie beside this script; random seeds are fixed.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl

import bambi_anova as ba

HERE = Path(__file__).parent
FORMULA = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"


def draw_analyses() -> None:
    """Draw the memory experiment by all analyses that apply to it."""
    from matplotlib import pyplot as plt

    with warnings.catch_warnings():
        # The raw coefficients are there to be distrusted; the number of markers is the README's.
        warnings.simplefilter("ignore", ba.errors.AnovaWarning)
        model = ba.Model(FORMULA, ba.load_data("memory"), family="binomial")
        table = ba.compare_analyses(model, ["trial_type", "condition"], random_seed=1)
    first, *_ = ba.plot_analyses(table)
    # Without the software's version, so that the file changes only if the figure does.
    first.figure.savefig(HERE / "memory-analyses.png", dpi=120, metadata={"Software": None})
    plt.close(first.figure)


if __name__ == "__main__":
    mpl.use("Agg")
    draw_analyses()
