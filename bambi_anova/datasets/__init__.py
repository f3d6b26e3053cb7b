"""The data sets that the package ships, and the experiment expanded on demand.

Letters: N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest

#: Seed of the places on the grid that ``memory_grid`` gives to markers and errors.
GRID_SEED = 40


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is loaded."""

    read: Callable[[], pd.DataFrame]
    rows: int
    source: str
    purpose: str


def load_data(name: str | None = None) -> pd.DataFrame:
    """Load a data set by name, or list them all.

    Parameters
    ----------
    name : str, optional
        ``"memory"``, ``"memory_grid"``, ``"oats"``, ``"times"`` or ``"ratings"``.  Without a
        name a table of the data sets is returned, with columns ``name``, ``rows``, ``source`` and
        ``purpose``.

    Returns
    -------
    pandas.DataFrame
        A fresh copy, shape (N, columns).

    Raises
    ------
    ArgumentError
        If there is no data set of that name.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> ba.load_data("oats").shape
    (72, 4)
    >>> list(ba.load_data()["name"])
    ['memory', 'memory_grid', 'oats', 'times', 'ratings']
    """
    if name is None:
        return pd.DataFrame(
            [(key, d.rows, d.source, d.purpose) for key, d in DATASETS.items()],
            columns=["name", "rows", "source", "purpose"],
        )
    if not isinstance(name, str) or name not in DATASETS:
        raise ArgumentError(f"name={name!r} is not a data set{nearest(str(name), DATASETS)}")
    return DATASETS[name].read()


def _read(name: str, **options) -> pd.DataFrame:
    with files("bambi_anova").joinpath("datasets", f"{name}.csv").open() as handle:
        return pd.read_csv(handle, **options)


def _memory() -> pd.DataFrame:
    return _read("memory")


def _oats() -> pd.DataFrame:
    return _read("oats", dtype={"nitrogen": str})


def _memory_grid() -> pd.DataFrame:
    """Expand each trial to its 40 positions, with and without a marker or an error."""
    trials = _memory()
    size = int(trials["positions"].iloc[0])
    # The order of the positions is random; the first of it hold the markers, and of these
    # the first are the errors.
    order = np.random.default_rng(GRID_SEED).random((len(trials), size)).argsort(axis=1)
    place = order.argsort(axis=1).ravel()
    grid = trials.loc[trials.index.repeat(size)].reset_index(drop=True)
    grid.insert(4, "position", np.tile(np.arange(1, size + 1), len(trials)))
    grid["marker"] = (place < grid["markers"]).astype(int)
    grid["error"] = (place < grid["errors"]).astype(int)
    return grid.drop(columns=["positions", "errors"])


DATASETS = {
    "memory": Dataset(
        _memory,
        4_100,
        "simulated by bambi_anova/datasets/simulate_memory.py",
        "split plot, binomial: 41 participants, condition between, trial_type within",
    ),
    "memory_grid": Dataset(
        _memory_grid,
        164_000,
        "memory, one row for each of a trial's 40 positions",
        "the same experiment as Bernoulli rows: error forgotten or not at each position",
    ),
    "oats": Dataset(
        _oats,
        72,
        "Yates, F. (1935). Complex experiments. Supplement to the Journal of the Royal "
        "Statistical Society 2(2), 181-247. doi:10.2307/2983638",
        "split plot, gaussian: 6 blocks, variety on whole plots, nitrogen on subplots",
    ),
    "times": Dataset(
        partial(_read, "times"),
        1_440,
        "simulated by bambi_anova/datasets/simulate_times.py",
        "split plot, reaction times: 24 people, age between, condition within",
    ),
    "ratings": Dataset(
        partial(_read, "ratings"),
        480,
        "simulated by bambi_anova/datasets/simulate_ratings.py",
        "crossed, ratings 1 to 5: 30 people, author between, length between 16 texts",
    ),
}
