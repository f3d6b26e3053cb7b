"""The gallery: scripts of one figure each, run by the build.

A script is made again only if it, or the package, has changed.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from pathlib import Path

import bambi_anova as ba

from . import DOCS, write

FOLDER = DOCS / "gallery"
DPI = 110
#: Chapters, and their scripts in order.
CHAPTERS = {
    "Means and differences": ("means", "interaction", "contrasts", "posteriors", "deflections"),
    "Sources of variation, and a page of all": ("variation", "page"),
    "Before and after the data": ("priors", "prior_and_posterior", "predictive"),
    "Whether to believe it": ("trust", "weights", "chains", "two_fits"),
    "Bayes factors": ("bayes_factors", "prior_scale"),
    "Planning": ("plan", "sequential"),
    "Other analyses, other looks": ("analyses", "posterior", "style"),
}


def scripts() -> dict[str, Path]:
    """Return the scripts by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.py"))}


def parts(path: Path) -> tuple[str, str, str]:
    """Return the title of a script, what it says of itself, and its code."""
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    title, _, prose = docstring.partition("\n\n")
    return title.rstrip("."), prose, text.split('"""', 2)[2].strip()


def pictures(path: Path) -> list[Path]:
    """Return the pictures that a script has left beside itself."""
    folder = path.parent
    return [*folder.glob(f"{path.stem}.png"), *sorted(folder.glob(f"{path.stem}-*.png"))]


def draw(path: Path) -> None:
    """Run a script and save the figures that it leaves, as ``name.png``, ``name-2.png``."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("Agg")
    for old in pictures(path):
        old.unlink()
    with warnings.catch_warnings(), plt.rc_context():
        warnings.simplefilter("ignore")
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {"__name__": path.stem})
        for number in plt.get_fignums():
            end = "" if number == plt.get_fignums()[0] else f"-{number}"
            plt.figure(number).savefig(path.with_name(f"{path.stem}{end}.png"), dpi=DPI)
    plt.close("all")


def state() -> str:
    """Return a digest of the package, which figures depend on."""
    digest = hashlib.sha256()
    for path in sorted(Path(ba.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def page() -> str:
    """Return the page of all figures."""
    found = scripts()
    blocks = ["# Gallery\n\nEvery figure, with the code that makes it; all are made by the build."]
    for chapter, names in CHAPTERS.items():
        blocks.append(f"## {chapter}")
        for name in names:
            title, prose, code = parts(found[name])
            figures = "\n".join(f"![{title}]({picture.name})" for picture in pictures(found[name]))
            blocks.append(f"### {title}\n\n{prose}\n\n{figures}\n\n```python\n{code}\n```")
    return "\n\n".join(blocks) + "\n"


def make() -> None:
    """Draw what is not drawn yet, and write the page."""
    package = state()
    for name, path in scripts().items():
        mark = FOLDER / f"{name}.made"
        digest = hashlib.sha256(package.encode() + path.read_bytes()).hexdigest()
        if not pictures(path) or not mark.exists() or mark.read_text() != digest:
            draw(path)
            mark.write_text(digest)
    write(FOLDER / "index.md", page())
