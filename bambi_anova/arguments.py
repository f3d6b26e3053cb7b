"""Arguments that many functions take: what each may be, and what is said if it is not."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from bambi_anova.errors import ArgumentError


def whole_number(name: str, value: Any, least: int = 1, most: float = np.inf) -> int:
    """Return a whole number within bounds, or say which argument is none.

    Examples
    --------
    >>> whole_number("draws", 0)
    Traceback (most recent call last):
    bambi_anova.errors.ArgumentError: draws=0: expected a whole number from 1 up
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        bounds = f"{least} up" if most == np.inf else f"{least} to {most}"
        raise ArgumentError(f"{name}={value!r}: expected a whole number from {bounds}")
    return int(value)


def one_of(name: str, value: Any, known: Collection[str]) -> None:
    """Refuse what is none of some names."""
    if not isinstance(value, str) or value not in known:
        raise ArgumentError(f"{name}={value!r}: expected one of {tuple(known)}")


def probability(value: Any, name: str = "ci_prob") -> None:
    """Refuse what is no probability between 0 and 1."""
    if not isinstance(value, (int, float, np.number)) or not 0 < value < 1:
        raise ArgumentError(f"{name}={value!r}: expected a probability between 0 and 1")


def check_seed(random_seed: object) -> None:
    """Refuse what cannot make draws repeatable."""
    if random_seed is not None:
        whole_number("random_seed", random_seed, 0, 2**63 - 1)


def generator(random_seed: int | None) -> np.random.Generator:
    """Return a random number generator, or say that the seed cannot be one.

    Examples
    --------
    >>> generator("a")
    Traceback (most recent call last):
    bambi_anova.errors.ArgumentError: random_seed='a': expected a whole number from 0 to ...
    """
    check_seed(random_seed)
    return np.random.default_rng(random_seed)
