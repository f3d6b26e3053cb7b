"""Pages of the site that are made from the package itself: ``python -m docs.generate``."""

from pathlib import Path

#: The folder of the site's sources.
DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent


def write(path: Path, text: str) -> None:
    """Write a page, unless it says that already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
