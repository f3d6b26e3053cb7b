"""What all reports say of the machine, and tables as Markdown."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

PACKAGES = ("bambi-anova", "bambi", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy")


def machine(*more: str) -> str:
    """Say what it ran on and how busy that was, with versions of packages and of some more."""
    load = f"load {os.getloadavg()[0]:.1f}, " if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {load}{platform.system()}, Python "
        f"{platform.python_version()}; {', '.join(map(_version, (*PACKAGES, *more)))}."
    )


def _version(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} not installed"


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def markdown(table: pd.DataFrame) -> str:
    """Write a table that reads well as text too."""
    lines = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    # A message must neither break its line nor its cell, and "1|s" would.
    lines = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
