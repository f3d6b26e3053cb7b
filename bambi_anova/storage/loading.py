"""From a saved file to a posterior that goes on where it was left."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bambi_anova.design.design import build_design
from bambi_anova.families.base import get_family, get_link
from bambi_anova.formula.parse import parse_formula
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.specification import Options, of_design
from bambi_anova.storage.archive import (
    unpack_namespace,
    unpack_priors,
    unpack_rows,
    unpack_sampling,
)
from bambi_anova.storage.file import read_file


def load_posterior(
    path: str | os.PathLike, extra_namespace: Mapping[str, Any] | None = None
) -> Posterior:
    """Read what ``save`` wrote; see ``bambi_anova.load``."""
    idata, arrays, record = read_file(path)
    family = get_family(record["family"])
    namespace = unpack_namespace(record["namespace"], extra_namespace or {})
    rows = replace(unpack_rows(arrays, record["rows"]), namespace=namespace)
    design = build_design(parse_formula(record["formula"]), rows, family)
    specification = of_design(
        design,
        family,
        get_link(family, record["link"]),
        unpack_priors(record["priors"]),
        Options(record["collapse"], record["parameterization"], namespace),
    )
    cells = idata["cells"].to_dataset()
    idata["cells"] = cells.assign_coords({name: list(own) for name, own in design.levels.items()})
    draws = extract_draws(idata["posterior"].to_dataset(), specification)
    # Sums in another order differ in the last digit: the cells are kept as they were.
    shape = (*draws.sample_shape, -1)
    draws = replace(draws, cells=cells["super"].to_numpy().reshape(shape))
    sampling = unpack_sampling(record["sampling"], idata)
    return Posterior(specification, idata, draws, sampling)
