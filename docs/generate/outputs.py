"""What the code of pages prints: ``python -m docs.generate.outputs [PAGE ...]`` writes it anew.

A page's blocks of Python are run in order, in one namespace, from the root of the repository.  A
block that is followed by a block of text shows there what it prints: its prints, and the value of
its last line.  A block that begins with a file's name (``# wind.py``) is that file, and TOML
declares its entry points: both are laid out as an installer leaves them while the page runs.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import DOCS, ROOT, write

#: Pages whose code is run; the first level of folders.
FOLDERS = ("howto", "explained", "developers")
DESIGNS = DOCS / "howto" / "designs.md"
BLOCKS = re.compile(
    r"```python\n(?P<code>.*?)```(?P<gap>\n+```text\n)?(?(gap)(?P<text>.*?)```)", re.DOTALL
)


MODULE = re.compile(r"# (?P<name>\w+)\.py\n")
TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def pages() -> list[Path]:
    """Return the pages that have code which runs."""
    found = [path for folder in FOLDERS for path in sorted((DOCS / folder).glob("*.md"))]
    # The page of designs is made from them, and has a test of its own.
    return [path for path in found if "```python\n" in path.read_text() and path != DESIGNS]


def printed(code: str, names: dict[str, Any]) -> str:
    """Run code as a notebook's cell and return what it prints."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(tree, "page", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "page", "eval"), names)
            if value is not None:
                print(value if isinstance(value, str) else repr(value))
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").split("\n")) + "\n"


@contextlib.contextmanager
def installed(text: str) -> Iterator[None]:
    """Install the package whose files and entry points a page shows, for a while."""
    from bambi_anova.families import registry

    codes = [found["code"] for found in BLOCKS.finditer(text)]
    files = {found["name"]: code for code in codes if (found := MODULE.match(code))}
    groups = [tomllib.loads(one)["project"]["entry-points"] for one in TOML.findall(text)]
    families = dict(registry.FAMILIES)
    with tempfile.TemporaryDirectory() as folder:
        about = Path(folder) / "shown-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shown\nVersion: 1.0\n")
        lines = [
            line
            for group in groups
            for name, points in group.items()
            for line in (f"[{name}]", *(f"{key} = {value}" for key, value in points.items()))
        ]
        (about / "entry_points.txt").write_text("\n".join(lines))
        for name, code in files.items():
            (Path(folder) / f"{name}.py").write_text(code)
        sys.path.insert(0, folder)
        try:
            yield
        finally:
            sys.path.remove(folder)
            for name in files:
                sys.modules.pop(name, None)
            registry.FAMILIES.clear()
            registry.FAMILIES.update(families)


def run(text: str, seen: Callable[[str, str], None] | None = None) -> str:
    """Run the code of a page and return the page with what it prints now.

    Parameters
    ----------
    text : str
    seen : callable, optional
        Told of each shown output: what the page says, and what is printed.
    """
    import matplotlib as mpl
    import pandas as pd

    names: dict[str, Any] = {"__name__": "page"}

    def fresh(found: re.Match[str]) -> str:
        if MODULE.match(found["code"]):
            return found[0]
        now = printed(found["code"], names)
        if found["gap"] is None:
            return found[0]
        if seen is not None:
            seen(found["text"], now)
        return f"```python\n{found['code']}```{found['gap']}{now}```"

    mpl.use("Agg")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        with (
            installed(text),
            warnings.catch_warnings(),
            pd.option_context("display.width", 96, "display.max_columns", 12),
        ):
            warnings.simplefilter("ignore")
            return BLOCKS.sub(fresh, text)
    finally:
        os.chdir(here)


if __name__ == "__main__":
    for page in [Path(name) for name in sys.argv[1:]] or pages():
        print(page)
        write(page, run(page.read_text(encoding="utf-8")))
