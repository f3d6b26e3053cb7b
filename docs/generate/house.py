"""The map of the house: which layer imports which, read from the code."""

from __future__ import annotations

import ast
from pathlib import Path

import bambi_anova as ba

from . import DOCS, ROOT, write

PAGE = DOCS / "developers" / "house.md"
PACKAGE = Path(ba.__file__).parent


def layers() -> list[str]:
    """Return the layers from the ground up, as the test that enforces them lists them."""
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "LAYERS":
            return ast.literal_eval(node.value)
    raise LookupError("tests/test_layers.py names no LAYERS")


def edges() -> dict[str, set[str]]:
    """Return the layers that each layer imports."""
    found: dict[str, set[str]] = {name: set() for name in layers()}
    prefix = f"{ba.__name__}."
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(prefix):
                found.setdefault(own, set()).add(node.module.removeprefix(prefix).split(".")[0])
    return {name: others - {name} for name, others in found.items() if name != "__init__"}


def says(layer: str) -> str:
    """Return the first line of what a layer says of itself."""
    path = PACKAGE / layer / "__init__.py"
    path = path if path.exists() else PACKAGE / f"{layer}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace("``", "`").replace("|", "\\|")


def page() -> str:
    """Return the page."""
    found = edges()
    rows = [
        f"| `{name}` | {says(name)} | {', '.join(n for n in layers() if n in found[name])} |"
        for name in reversed(layers())
    ]
    return (
        "# The house\n\nLayers from the roof to the ground: each imports only what stands below, "
        "which `tests/test_layers.py` enforces. The table is read from the code by the build.\n\n"
        "| layer | what it says of itself | imports |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def make() -> None:
    """Write the page."""
    write(PAGE, page())
