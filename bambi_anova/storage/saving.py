"""A posterior -> one file, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bambi_anova.errors import AnovaError, StorageError
from bambi_anova.posterior.extract import extract_draws
from bambi_anova.posterior.importance import LogEvidence, Weighting
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.storage.file import read_file, write_file
from bambi_anova.storage.record import Record, pack_specification, typed, unpack_specification

if TYPE_CHECKING:
    import xarray as xr

GROUP = "bambi_anova"
#: What of a weighting is no array; the arrays are among the sample statistics.
WEIGHTS = ("pareto_k", "effective", "proposed")


def save(posterior: Posterior, path: str | os.PathLike) -> Path:
    """Write the fit to one file, with all that is needed to go on; see ``ba.load``.

    The file is NetCDF4, which ``arviz.from_netcdf`` opens too.  It holds the draws, the columns of
    the data that the formula names, the formula, priors and options, and the versions of the
    packages; and nothing that could run code.  It is written whole or not at all.

    Parameters
    ----------
    posterior : Posterior
    path : path
        By custom it ends in ``.nc``.  A file that is there is replaced once the new one is
        whole; a symbolic link is refused.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StorageError
        If the file cannot be written (there is no such directory, the disk is full), or a prior
        or a factor's levels cannot be.

    Examples
    --------
    >>> result.save("memory.nc")  # doctest: +SKIP
    """
    import xarray as xr

    own, arrays = pack_specification(posterior.specification)
    evidence = posterior.log_evidence
    record = Record(
        **own,
        sampling=_pack_sampling(posterior.sampling),
        log_evidence=None if evidence is None else vars(evidence),
    )
    try:
        unpack_specification(record, arrays, {})
    except AnovaError as error:
        raise StorageError(f"this model cannot be saved so that it comes back: {error}") from error
    labels = {name: list(map(str, own)) for name, own in posterior.design.levels.items()}
    groups = {name: node.to_dataset() for name, node in posterior.idata.children.items()}
    groups["cells"] = groups["cells"].assign_coords(labels)
    groups = {name: _storable(group) for name, group in groups.items()}
    groups[GROUP] = xr.Dataset(
        {name: (("row",), values) for name, values in arrays.items()},
        attrs={"record": json.dumps(vars(record), default=_plain)},
    )
    return write_file(path, xr.DataTree.from_dict(groups))


def _pack_sampling(sampling: Sampling) -> dict[str, Any]:
    weighting = sampling.weighting
    packed = None if weighting is None else {name: getattr(weighting, name) for name in WEIGHTS}
    return {**vars(sampling), "weighting": packed}


def _plain(value: Any) -> Any:
    """Write NumPy's numbers as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise StorageError(f"{value!r:.60} is a {type(value).__name__}, which cannot be saved")


def _storable(group: xr.Dataset) -> xr.Dataset:
    """Return a group with labels and attributes that NetCDF can hold."""
    group = group.copy()
    for name in group.variables:
        values = group[name]
        if values.dtype == object:
            text = np.array([str(value) for value in values.to_numpy().ravel()], dtype=object)
            group[name] = values.copy(data=text.reshape(values.shape))
    kept = (str, int, float, np.integer, np.floating)
    group.attrs = {str(key): own for key, own in group.attrs.items() if isinstance(own, kept)}
    for name in group.variables:
        group[name].attrs, group[name].encoding = {}, {}
    return group


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
