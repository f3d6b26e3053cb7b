"""Named quantities: what each is about, its draws, and whether the data support it.

Letters: H chains, D draws, K quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bambi_anova.tables.columns import CONTEXT, of_kind

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

#: Label columns that do not say where a quantity is taken.
_ABOUT = of_kind(CONTEXT)


@dataclass(frozen=True)
class Quantities:
    """K quantities on one scale, for one population.

    Attributes
    ----------
    labels : pandas.DataFrame
        K rows that say what each quantity is about.
    draws : ndarray, shape (H, D, K)
    supported : ndarray of bool, shape (K,)
        Whether the observed data determine it, or part of it rests on the prior alone.
    population, scale : str
    null : float
        The value that means "no difference": 1 for ratios; NaN where there is none, as for an sd.
    link : str
        The link whose scale they are on, if it changes anything.
    of : str
        What stands on the scale, where its name does not say it.
    """

    labels: pd.DataFrame
    draws: Array
    supported: Array
    population: str
    scale: str
    null: float = 0.0
    link: str = ""
    of: str = ""

    @property
    def names(self) -> list[str]:
        """Each quantity as text: its level or contrast, and where it is taken.

        Examples
        --------
        >>> labels = pd.DataFrame({"group": ["A", "B"], "contrast": ["x - y", "x - y"]})
        >>> Quantities(labels, np.zeros((1, 1, 2)), np.ones(2), "super", "link").names
        ['x - y at group=A', 'x - y at group=B']
        """
        labels = self.labels
        own = [name for name in ("contrast", "level") if name in labels]
        several = "term" in labels and len(set(labels["term"])) > 1
        at = [] if not own else [name for name in labels if name not in (*own, *_ABOUT)]
        named = own or [str(name) for name in labels if name not in _ABOUT] or [*map(str, labels)]
        names = []
        for row in labels.to_dict("records") or [{}] * len(labels):  # pandas 2: none of no columns
            text = ":".join(str(row[name]) for name in named)
            if several:
                text = f"{row['term']} {text}"
            text = text or "mean"  # of a model without factors
            where = ", ".join(f"{name}={row[name]}" for name in at)
            names.append(f"{text} at {where}" if where else text)
        return names

    @classmethod
    def beside(cls, parts: Mapping[str, Quantities], column: str) -> Quantities:
        """Return several quantities of the same rows, those of one row next to each other.

        Parameters
        ----------
        parts : mapping of str to Quantities
            By what the new column says of each.
        column : str

        Examples
        --------
        >>> labels, good = pd.DataFrame({"group": ["A", "B"]}), np.ones(2, dtype=bool)
        >>> parts = {
        ...     name: Quantities(labels, np.full((1, 1, 2), value), good, "super", "link")
        ...     for name, value in (("low", 0.0), ("high", 1.0))
        ... }
        >>> found = Quantities.beside(parts, "end")
        >>> found.labels.to_numpy().tolist()
        [['A', 'low'], ['A', 'high'], ['B', 'low'], ['B', 'high']]
        >>> found.draws.ravel().tolist()
        [0.0, 1.0, 0.0, 1.0]
        """
        first = next(iter(parts.values()))
        size, count = len(first.labels), len(parts)
        labels = first.labels.loc[np.repeat(first.labels.index, count)].reset_index(drop=True)
        draws = np.stack([part.draws for part in parts.values()], axis=-1)
        supported = np.stack([part.supported for part in parts.values()], axis=-1)
        return replace(
            first,
            labels=labels.assign(**{column: [*parts] * size}),
            draws=draws.reshape(*draws.shape[:2], -1),
            supported=supported.ravel(),
        )

    def to_xarray(self, kind: str) -> xr.DataArray:
        """Return the draws as an array with dimensions ``chain``, ``draw`` and ``quantity``."""
        import xarray as xr

        chains, draws, _ = self.draws.shape
        about = {
            str(name): ("quantity", self.labels[name].to_numpy(dtype=object))
            for name in self.labels
        }
        return xr.DataArray(
            self.draws,
            dims=("chain", "draw", "quantity"),
            coords={
                "chain": np.arange(chains),
                "draw": np.arange(draws),
                "quantity": self.names,
                **about,
                "supported": ("quantity", self.supported),
            },
            name=kind,
            attrs={"population": self.population, "scale": self.scale, "null": self.null}
            | ({"of": self.of} if self.of else {}),
        )
