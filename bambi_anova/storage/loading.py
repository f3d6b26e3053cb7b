"""From a saved file to a ``Result`` that goes on where it was left."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bambi_anova.design.design import build_design
from bambi_anova.families.base import get_family, get_link
from bambi_anova.formula.parse import parse_formula
from bambi_anova.model import Model
from bambi_anova.result import Result
from bambi_anova.storage.archive import (
    unpack_namespace,
    unpack_priors,
    unpack_rows,
    unpack_sampling,
)
from bambi_anova.storage.file import read_file


def load(path: str | os.PathLike, extra_namespace: Mapping[str, Any] | None = None) -> Result:
    """Read a fit that ``Result.save`` wrote.

    Parameters
    ----------
    path : path
    extra_namespace : mapping, optional
        The model's ``extra_namespace``.  A file cannot hold functions; they are needed only to
        build the Bambi model again.

    Returns
    -------
    Result
        With the same tables as before; its ``model`` can be fitted again, from the loaded draws
        with ``result.model.fit(init=result)``.

    Raises
    ------
    StorageError
        If there is no such file, it is of another kind or of a newer format, or it is damaged.

    Examples
    --------
    >>> result.save("memory.nc")  # doctest: +SKIP
    >>> ba.load("memory.nc").contrasts("trial_type")  # doctest: +SKIP
    """
    from bambi_anova.posterior.extract import extract_draws

    idata, arrays, record = read_file(path)
    family = get_family(record["family"])
    namespace = unpack_namespace(record["namespace"], extra_namespace or {})
    rows = replace(unpack_rows(arrays, record["rows"]), namespace=namespace)
    model = Model.of_design(
        build_design(parse_formula(record["formula"]), rows, family),
        family,
        get_link(family, record["link"]),
        unpack_priors(record["priors"]),
        collapse=record["collapse"],
        parameterization=record["parameterization"],
        namespace=namespace,
    )
    design = model.design
    cells = idata["cells"].to_dataset()
    idata["cells"] = cells.assign_coords({name: list(own) for name, own in design.levels.items()})
    draws = extract_draws(idata["posterior"].to_dataset(), design, model.priors)
    # Sums in another order differ in the last digit: the cells are kept as they were.
    shape = (*draws.sample_shape, -1)
    draws = replace(draws, cells=cells["super"].to_numpy().reshape(shape))
    sampling = unpack_sampling(record["sampling"], idata)
    return Result(idata, design, family, model.link, draws, sampling, model.priors, model)
