"""What public functions are given: arguments that many take, and the state of NumPy.

What an argument cannot be is refused here, in the same words everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from types import FunctionType
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


def own_floats[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Let a function compute under NumPy's own rules for overflow and the like.

    The caller may have set ``np.seterr(all="raise")`` for code of his own, and here exponentials
    of large negative numbers vanish by design.
    """

    @wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
            return function(*args, **kwargs)

    return computed


def with_own_floats[T](owner: type[T]) -> type[T]:
    """Decorate all functions and properties of a class by ``own_floats``.

    Examples
    --------
    >>> @with_own_floats
    ... class Small:
    ...     def tiny(self):
    ...         return np.exp(np.float64(-800))
    >>> with np.errstate(all="raise"):
    ...     float(Small().tiny())
    0.0
    """
    for name, value in list(vars(owner).items()):
        if isinstance(value, FunctionType):
            setattr(owner, name, own_floats(value))
        elif isinstance(value, property) and value.fget is not None:
            setattr(owner, name, property(own_floats(value.fget), doc=value.__doc__))
    return owner
