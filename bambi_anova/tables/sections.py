"""Sections of text: a title in front of lines whose fields stand under each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def sections(*sections: tuple[str, list[str]]) -> str:
    """Write each title in front of the first of its lines."""
    return "\n".join(
        f"{title if i == 0 else '':<11}{line}".rstrip()
        for title, body in sections
        for i, line in enumerate(body)
    )


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Align the fields of some rows."""
    rows = [list(row) for row in rows]
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
