"""The graph of the Bambi model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bambi_anova.errors import ArgumentError
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import graphviz


def graph(model: Specification, *args: Any, **kwargs: Any) -> graphviz.Digraph:
    """Draw the variables of the Bambi model, as ``bambi.Model.graph`` does.

    Parameters
    ----------
    model : Model
    *args, **kwargs
        Those of ``bambi.Model.graph``: ``formatting``, ``name``, ``figsize``, ``dpi``, ``fmt``.

    Returns
    -------
    graphviz.Digraph

    Raises
    ------
    ArgumentError
        If Graphviz or its Python package is not there.

    Examples
    --------
    >>> model.graph()  # doctest: +SKIP
    """
    from bambi_anova.bambi_model.build import built

    try:
        return built(model).graph(*args, **kwargs)
    except (ImportError, FileNotFoundError, RuntimeError) as error:
        # What graphviz raises without its programs is a RuntimeError.
        raise ArgumentError(
            f"graph: it needs the package graphviz and the programs of Graphviz ({error}); "
            "'conda install python-graphviz' has both, or see https://graphviz.org/download"
        ) from error
