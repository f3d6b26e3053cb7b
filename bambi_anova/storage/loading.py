"""One file -> a posterior that goes on where it was left."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bambi_anova.errors import StorageError
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.importance import LogEvidence, Weighting
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.storage.file import read_file
from bambi_anova.storage.record import Record, typed, unpack_specification
from bambi_anova.storage.saving import GROUP

if TYPE_CHECKING:
    import xarray as xr


def load_posterior(
    path: str | os.PathLike, extra_namespace: Mapping[str, Any] | None = None
) -> Posterior:
    """Read what ``save`` wrote; see ``bambi_anova.load``."""
    tree = read_file(path)
    try:
        return _unpack(tree, dict(extra_namespace or {}))
    except Exception as error:  # whatever comes of a record that was not written by ``save``
        raise StorageError(f"path={str(path)!r}: no fit can be made of it: {error}") from error


def _unpack(tree: xr.DataTree, extra_namespace: Mapping[str, Any]) -> Posterior:
    import xarray as xr

    groups = {str(name): node.to_dataset() for name, node in tree.children.items()}
    own = groups.pop(GROUP)
    record = typed(Record, json.loads(own.attrs["record"]))
    arrays = {str(name): own[name].to_numpy() for name in own}
    specification = unpack_specification(record, arrays, extra_namespace)
    levels = {name: list(labels) for name, labels in specification.design.levels.items()}
    cells = groups["cells"] = groups["cells"].assign_coords(levels)
    draws = extract_draws(groups["posterior"], specification)
    # Sums in another order differ in the last digit: the cells are kept as they were.
    super_ = cells["super"].transpose("chain", "draw", *levels).to_numpy()
    draws = replace(draws, cells=super_.reshape(draws.cells.shape))
    return Posterior(
        specification,
        xr.DataTree.from_dict(groups),
        draws,
        _unpack_sampling(record.sampling, groups),
        None if record.log_evidence is None else typed(LogEvidence, record.log_evidence),
    )


def _unpack_sampling(record: Mapping[str, Any], groups: Mapping[str, xr.Dataset]) -> Sampling:
    weighting = record["weighting"]
    if weighting is not None:
        names = ("point", "proposal", "log_weight")
        arrays = {name: groups["sample_stats"][name].to_numpy() for name in names}
        weighting = typed(Weighting, {**weighting, **arrays})
    return typed(Sampling, {**record, "weighting": weighting})
