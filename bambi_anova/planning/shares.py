"""How many of some simulated studies did something, with its Monte Carlo band."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

#: Probability of the bands of shares.
BAND = 0.95


def share(reached: pd.Series, trusted: pd.Series | None = None) -> dict[str, Any]:
    """Return a share with its Jeffreys band.

    Where answers are not trusted, the band reaches from none of them to all of them.

    Parameters
    ----------
    reached : Series of bool
        One a study.
    trusted : Series of bool, optional

    Returns
    -------
    dict
        ``probability``, ``lower``, ``upper``, ``trusted`` (a share) and ``simulations``.

    Examples
    --------
    >>> found = share(pd.Series([True] * 8 + [False] * 2))
    >>> found["probability"], round(found["lower"], 2), round(found["upper"], 2)
    (0.8, 0.5, 0.96)
    """
    size = len(reached)
    known = np.ones(size, dtype=bool) if trusted is None else trusted.to_numpy(dtype=bool)
    hits = reached.to_numpy(dtype=bool)
    return {
        "probability": float(hits.mean()),
        "lower": _bound(int((hits & known).sum()), size, (1 - BAND) / 2),
        "upper": _bound(int((hits | ~known).sum()), size, (1 + BAND) / 2),
        "trusted": float(known.mean()),
        "simulations": size,
    }


def _bound(count: int, size: int, probability: float) -> float:
    from scipy import stats  # heavy

    if count in (0, size):
        edge = 0.0 if count == 0 else 1.0
        if (probability < 0.5) == (count == 0):
            return edge
    return float(stats.beta(count + 0.5, size - count + 0.5).ppf(probability))
