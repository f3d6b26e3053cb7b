"""One file for one fit: NetCDF4 that ArviZ opens too, with our own group beside the draws.

The file is written under another name and moved into place when it is whole, and it carries a
digest of everything in it, so that a cut or altered file is refused instead of believed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from bambi_anova.errors import StorageError

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

#: Counts up when older versions of the package could not read what newer ones write.
FORMAT = 1
GROUP = "bambi_anova"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def write_file(
    path: str | os.PathLike, idata: xr.DataTree, arrays: dict[str, Array], record: dict[str, Any]
) -> Path:
    """Write draws, arrays and a record to one file, or leave what was there.

    Parameters
    ----------
    path : path
    idata : xarray.DataTree
    arrays : dict of str to ndarray
        One-dimensional.
    record : dict
        What JSON can hold.

    Raises
    ------
    StorageError
        If the directory does not exist or cannot be written to.
    """
    import xarray as xr

    path = _as_path(path)
    if path.is_dir():
        raise StorageError(f"path={str(path)!r}: expected a file, found a directory")
    if not path.parent.is_dir():
        raise StorageError(
            f"path={str(path)!r}: there is no directory {str(path.parent)!r}; make it first"
        )
    groups = {name: _storable(node.to_dataset()) for name, node in idata.children.items()}
    groups[GROUP] = xr.Dataset({key: ((f"{key}_size",), own) for key, own in arrays.items()})
    text = json.dumps(record)
    groups[GROUP].attrs = {"format": FORMAT, "record": text, "digest": _digest(groups, text)}
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        xr.DataTree.from_dict(groups).to_netcdf(part, engine="h5netcdf")
        os.replace(part, path)
    except OSError as error:
        raise StorageError(f"path={str(path)!r}: the file cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def read_file(
    path: str | os.PathLike,
) -> tuple[xr.DataTree, dict[str, Array], dict[str, Any]]:
    """Read what ``write_file`` wrote.

    Raises
    ------
    StorageError
        If there is no such file, it is of another kind or of a newer format, or it is damaged.
    """
    import xarray as xr

    path = _as_path(path)
    name = f"path={str(path)!r}"
    if not path.is_file():
        raise StorageError(f"{name}: there is no such file")
    with path.open("rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            raise StorageError(f"{name}: expected a file made by Result.save, found another kind")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except Exception as error:  # whatever broken bytes make of the libraries
        raise StorageError(f"{name}: the file is damaged or cut short ({error})") from error
    if GROUP not in tree.children or "format" not in tree[GROUP].attrs:
        raise StorageError(
            f"{name}: expected a file made by Result.save, found NetCDF without the group "
            f"{GROUP!r}; open it with arviz.from_netcdf"
        )
    groups = {key: node.to_dataset() for key, node in tree.children.items()}
    own = groups[GROUP]
    if int(own.attrs["format"]) > FORMAT:
        raise StorageError(
            f"{name}: expected format {FORMAT} or older, found {own.attrs['format']}; the file "
            "comes from a newer version of bambi-anova: update it"
        )
    text = own.attrs.get("record", "")
    if _digest(groups, text) != own.attrs.get("digest"):
        raise StorageError(f"{name}: the file is damaged: its digest does not fit its contents")
    del groups[GROUP]
    return (
        xr.DataTree.from_dict(groups),
        {str(key): own[key].to_numpy() for key in own},
        json.loads(text),
    )


def _as_path(path: str | os.PathLike) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise StorageError(f"path={path!r}: expected the name of a file") from None


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


def _digest(groups: dict[str, xr.Dataset], text: str) -> str:
    """Return a fingerprint of all names and values."""
    found = hashlib.sha256(text.encode())
    for key in sorted(groups):
        group = groups[key]
        for name in sorted(map(str, group.variables)):
            values = group[name].to_numpy()
            if values.dtype.kind in "OUT":
                content = "\0".join(map(str, values.ravel())).encode()
            else:
                content = np.ascontiguousarray(values).tobytes()
            found.update(f"{key}/{name}{values.shape}".encode() + content)
    return found.hexdigest()
