"""What other packages add: families and inference methods, by entry points.

A package names them in its ``pyproject.toml``::

    [project.entry-points."bambi_anova.families"]
    skew_normal = "their_package.families:SKEW_NORMAL"

    [project.entry-points."bambi_anova.methods"]
    flows = "their_package.flows:fit_flows"

They are looked for when somebody asks for a name that is not known here, and only the one of that
name is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bambi_anova.errors import ArgumentError

FAMILIES = "bambi_anova.families"
METHODS = "bambi_anova.methods"


def plugin_names(group: str) -> list[str]:
    """Return the names that installed packages add to a group."""
    return [point.name for point in entry_points(group=group)]


def load_plugin(group: str, name: str, spelled: Callable[[str], str] = str) -> Any:
    """Return what an installed package has under a name, or ``None``.

    Parameters
    ----------
    group : str
        ``FAMILIES`` or ``METHODS``.
    name : str
    spelled : callable, optional
        Makes names comparable.

    Raises
    ------
    ArgumentError
        If it cannot be imported, or several packages have the name.

    Examples
    --------
    >>> load_plugin(METHODS, "no such method") is None
    True
    """
    found = [p for p in entry_points(group=group) if spelled(p.name) == spelled(name)]
    if not found:
        return None
    if len({point.value for point in found}) > 1:
        owners = " and ".join(sorted(map(_owner, found)))
        raise ArgumentError(f"{name!r}: {owners} both add it ({group}); uninstall one of them")
    try:
        return found[0].load()
    except Exception as error:
        raise ArgumentError(
            f"{name!r}: {_owner(found[0])} adds it ({group}), but {found[0].value!r} cannot be "
            f"imported ({type(error).__name__}: {error}); update or uninstall that package"
        ) from error


def _owner(point: EntryPoint) -> str:
    """Name the package of an entry point."""
    return f"package {point.dist.name} {point.dist.version}" if point.dist else "a package"
