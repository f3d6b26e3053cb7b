"""A posterior -> one file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bambi_anova.errors import AnovaError, StorageError
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.posterior.trust import Sampling
from bambi_anova.storage.file import write_file
from bambi_anova.storage.record import Record, pack_specification, unpack_specification

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
