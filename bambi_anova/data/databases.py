"""A table of a database, named by an address: ``duckdb:///trials.db::rt``.

DuckDB opens its file itself: read-only, and shut off from all else, so that nothing which a
stranger has stored in it, such as a view that reads other files, an extension or a setting, can do
more than compute.  Other databases are reached through ibis, if that is installed.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bambi_anova.errors import DataError, nearest

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+]*)://(?P<place>.*)::(?P<table>[^:]+)")
#: What DuckDB may not do with a file that anybody may have written.
_SHUT: dict[str, Any] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_unsigned_extensions": "false",
    "lock_configuration": "true",
}


def is_address(text: str) -> bool:
    """Whether a text names a table of a database.

    Examples
    --------
    >>> is_address("duckdb:///trials.db::rt"), is_address("trials.csv")
    (True, False)
    """
    return "://" in text


def open_table(address: str) -> Any:
    """Return a lazy table of a database.

    Parameters
    ----------
    address : str
        ``duckdb:///FILE::TABLE``, or the URL of any database that ibis knows and ``::TABLE``.  As
        of other tools, three slashes lead to a path from here and four to one from the root.

    Raises
    ------
    DataError
        If the address cannot be read, there is no such file or table, or what opens it is not
        installed.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise DataError(
            f"data: {address.partition('://')[0]}://... names no table; write the database, two "
            "colons and a table, such as duckdb:///trials.db::rt"
        )
    scheme, place, table = found["scheme"], found["place"], found["table"]
    return _duckdb(place, table) if scheme == "duckdb" else _ibis(scheme, place, table)


def _duckdb(place: str, table: str) -> Any:
    if not find_spec("duckdb"):
        raise DataError("data: a duckdb:// address needs DuckDB; pip install 'bambi-anova[duckdb]'")
    import duckdb

    path = Path(place.removeprefix("/"))
    if not path.is_file():
        path = Path(place) if Path(place).is_file() else path
    if not path.is_file():
        raise DataError(
            f"data: there is no file {str(path)!r}; write duckdb:///FILE::TABLE for a file from "
            "here, duckdb:////PATH/FILE::TABLE for one from the root"
        )
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_SHUT)
        rows = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
        ).fetchall()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"data: {str(path)!r} cannot be opened by DuckDB: {reason}") from error
    known = {
        name if schema == "main" else f"{schema}.{name}": (schema, name) for schema, name in rows
    }
    if table not in known:
        raise DataError(
            f"data: {str(path)!r} has no table {table!r}{nearest(table, sorted(known))}"
        )
    try:
        return connection.table(".".join(map(_quoted, known[table])))
    except duckdb.Error as error:  # such as of a view that reads another file
        reason = str(error).splitlines()[0]
        raise DataError(f"data: {table!r} of {str(path)!r} cannot be read: {reason}") from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _ibis(scheme: str, place: str, table: str) -> Any:
    if not find_spec("ibis"):
        raise DataError(
            f"data: a {scheme}:// address needs ibis; pip install 'ibis-framework[{scheme}]', or "
            "read the table with pandas.read_sql"
        )
    import ibis

    try:  # the place may hold a password, which no message repeats
        connection = ibis.connect(f"{scheme}://{place}")
        names = connection.list_tables()
    except Exception as error:  # whatever the backend raises
        raise DataError(
            f"data: ibis cannot open the {scheme} database ({type(error).__name__})"
        ) from None  # its message may hold the password, too
    if table not in names:
        hint = nearest(table, sorted(names))
        raise DataError(f"data: the {scheme} database has no table {table!r}{hint}")
    return connection.table(table)
