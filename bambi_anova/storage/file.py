"""Bytes on the disk: written whole or not at all, and believed only if none of them changed.

A file is NetCDF4, which is HDF5, with a seal behind its end, where HDF5 does not look::

    HDF5 | name of the format | its number | SHA-256 of all that stands before

The seal is checked before HDF5 sees a byte, because damaged bytes can keep it busy for ever.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from bambi_anova.errors import StorageError

if TYPE_CHECKING:
    import xarray as xr

#: Counts up when older versions of the package could not read what newer ones write.
FORMAT = 2
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NAME = b"bambi_anova fit"
_HEAD = struct.Struct(f"<{len(_NAME)}sI")
_SEAL = _HEAD.size + hashlib.sha256().digest_size


def write_file(path: str | os.PathLike, tree: xr.DataTree) -> Path:
    """Write a tree of arrays to one file, or leave what was there as it was.

    Raises
    ------
    StorageError
        If the path is no plain file's or cannot be written to.
    """
    path = _writable(path)
    content = io.BytesIO()
    tree.to_netcdf(content, engine="h5netcdf")
    return _write(path, seal(content.getbuffer()))


def write_text(path: str | os.PathLike, text: str, overwrite: bool) -> Path:
    """Write a text to one file, or leave what was there as it was.

    Raises
    ------
    StorageError
        If the path is no plain file's, cannot be written to, or is there and is to stay.
    """
    path = _writable(path)
    if path.exists() and not overwrite:
        raise _error(path, "it is there already; name another file, or say overwrite=True")
    return _write(path, text.encode())


def _writable(path: str | os.PathLike) -> Path:
    """Return the path of a plain file, which need not be there yet."""
    path = _as_path(path)
    if os.path.islink(path):
        raise _error(path, "it is a symbolic link, which could lead anywhere; name the file itself")
    if os.path.isdir(path):
        raise _error(path, "expected a file, found a directory")
    if os.path.exists(path) and not os.path.isfile(path):
        raise _error(path, "expected a file, found a device or a pipe")
    if not os.path.isdir(path.parent):
        raise _error(path, f"there is no directory {str(path.parent)!r}; make it first")
    return path


def _write(path: Path, data: bytes) -> Path:
    try:
        _replace(path, data)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise _error(path, f"it cannot be written ({cause}); nothing was changed") from error
    return path


def read_file(path: str | os.PathLike) -> xr.DataTree:
    """Read what ``write_file`` wrote.

    Raises
    ------
    StorageError
        If there is no such file, it is of another kind or of a newer format, or it is damaged.
    """
    import xarray as xr

    path = _as_path(path)
    if os.path.isdir(path):
        raise _error(path, "expected a file, found a directory")
    if not os.path.isfile(path):
        raise _error(path, "there is no such file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _error(path, f"it cannot be read: {error.strerror or error}") from error
    content = _unsealed(path, data)
    try:
        with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as opened:
            return opened.load()
    except Exception as error:  # whatever bytes that were not ours make of the libraries
        raise _error(path, f"it is no NetCDF ({error})") from error


def seal(content: bytes | memoryview, number: int = FORMAT) -> bytes:
    """Return a file's bytes: the content, and the seal behind it."""
    data = bytes(content) + _HEAD.pack(_NAME, number)
    return data + hashlib.sha256(data).digest()


def _unsealed(path: Path, data: bytes) -> bytes:
    """Return the content of a file whose bytes are those that were written."""
    if not data.startswith(_SIGNATURE):
        raise _error(path, "expected a file made by Result.save, found another kind")
    head = data[-_SEAL:][: _HEAD.size]
    name, number = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0)
    if name != _NAME:
        raise _error(
            path,
            "expected a file made by Result.save, found NetCDF that another program made or "
            "altered, or that is damaged; arviz.from_netcdf opens what is intact of it",
        )
    size = hashlib.sha256().digest_size
    if hashlib.sha256(memoryview(data)[:-size]).digest() != data[-size:]:
        raise _error(path, "it is damaged: its digest does not fit its contents")
    if number > FORMAT:
        raise _error(
            path,
            f"expected format {FORMAT} or older, found {number}; the file comes from a newer "
            "version of bambi-anova: update it",
        )
    return data[:-_SEAL]


def _replace(path: Path, data: bytes) -> None:
    """Write data beside a file, and put them in its place once they are on the disk."""
    part = path.parent / f".{uuid4().hex}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    mode = stat.S_IMODE(path.stat().st_mode) if os.path.exists(path) else 0o666
    handle = os.open(part, flags, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _error(path: Path, what: str) -> StorageError:
    return StorageError(f"path={str(path)!r}: {what}")


def _as_path(path: str | os.PathLike) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise StorageError(f"path={path!r}: expected the name of a file") from None
