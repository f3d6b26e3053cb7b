"""Bambi's classes of families in either of its cores: that of 0.21, and the rewritten one.

What is there decides, not a version.  In 0.21 a family writes its parameters as PyMC's in methods
of its class; in the other core, on Bambi's main branch, a registry has a function of each class,
and the class lists what its parameters are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def first_of(*names: str) -> Any:
    """Return the first module of some names that there is.

    Raises
    ------
    ModuleNotFoundError
        If there is none.

    Examples
    --------
    >>> first_of("no_such_module", "math").sqrt(4)
    2.0
    """
    for name in names[:-1]:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            # A module of Bambi's that fails to import something else is no missing feature.
            if error.name is None or not name.startswith(error.name):
                raise
    return import_module(names[-1])


def bambi_class(name: str) -> Any:
    """Return one of Bambi's classes of families, such as ``"LogNormal"``.

    Parameters
    ----------
    name : str
        "UnivariateFamily" is the plain ``Family`` where there is no such class.
    """
    module = first_of("bambi.families.builtin", "bambi.families.univariate")
    found = getattr(module, name, None)
    return import_module("bambi").Family if found is None else found


def distribution_of_prior(prior: Any) -> Any:
    """Return the PyMC distribution, or the callable, of a prior or a likelihood of Bambi's."""
    module = first_of("bambi.backend.pymc.utils", "bambi.backend.utils")
    return module.get_distribution_from_prior(prior)


def is_rewritten() -> bool:
    """Whether Bambi has the registry of its rewritten core."""
    return _registry() is not None


def declare(
    family: type,
    links: Mapping[str, Sequence[str]],
    written: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> None:
    """Say of a class of families what its parameters are, and how they are written as PyMC's.

    Parameters
    ----------
    family : type
        With the methods that Bambi 0.21 calls.
    links : mapping of str to sequence of str
        The names of the links of each parameter.
    written : callable, optional
        From the parameters to those of PyMC's distribution; the same ones by default.
    """
    known = _registry()
    if known is None:
        family.SUPPORTED_LINKS = {name: list(own) for name, own in links.items()}  # type: ignore[attr-defined]
        return
    spec = import_module("bambi.families.types").ParamSpec
    family.PARAMETERS = {  # type: ignore[attr-defined]
        name: spec(links=list(own)) for name, own in links.items()
    }
    if written is not None:
        known.transform_parameters(family)(written)


def _registry() -> Any:
    """Return the registry of the rewritten core, or nothing."""
    try:
        return import_module("bambi.backend.pymc.transform.register").transforms_registry
    except ModuleNotFoundError as error:
        # In 0.21 ``bambi.backend.pymc`` is a module, not a package.
        if error.name is None or not error.name.startswith("bambi.backend.pymc"):
            raise
        return None
