"""What is worked out once for a posterior, and forgotten with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from bambi_anova.posterior.posterior import Posterior


def once[Found](function: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """Let a function of a posterior keep what it returns, as long as the posterior lives.

    Posteriors never change, so neither does what follows from them.
    """
    known: WeakKeyDictionary[Posterior, Found] = WeakKeyDictionary()

    @wraps(function)
    def found(posterior: Posterior) -> Found:
        if posterior not in known:
            known[posterior] = function(posterior)
        return known[posterior]

    return found
