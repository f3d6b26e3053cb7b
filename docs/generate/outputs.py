"""What the code of pages prints: ``python -m docs.generate.outputs [PAGE ...]`` writes it anew.

A page's blocks of Python are run in order, in one namespace, from the root of the repository.  A
block that is followed by a block of text shows there what it prints: its prints, and the value of
its last line.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import DOCS, ROOT, write

#: Pages whose code is run; the first level of folders.
FOLDERS = ("howto", "explained", "developers")
DESIGNS = DOCS / "howto" / "designs.md"
BLOCKS = re.compile(
    r"```python\n(?P<code>.*?)```(?P<gap>\n+```text\n)?(?(gap)(?P<text>.*?)```)", re.DOTALL
)


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
