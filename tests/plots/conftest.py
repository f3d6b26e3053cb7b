"""Figures without a screen, closed after each test."""

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

mpl.use("Agg")
mpl.rcParams["figure.dpi"] = 50  # layout is in inches, the time it takes in dots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")
