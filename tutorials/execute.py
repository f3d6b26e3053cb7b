"""Execute the tutorials in place, so that the outputs they show are those of today's code.

``python tutorials/execute.py`` runs all of them, ``python tutorials/execute.py 01`` those whose
names begin so; ``--check`` runs them without writing anything and compares what they print with
what they show.  Outputs are kept small and free of whatever differs from one machine to the next,
such as paths and execution times.

Words must be the same, numbers about so, and seconds may be any.  Of cells that are tagged "timed",
which print seconds as a column, no numbers are compared; of those tagged "chains", whose rows or
numbers depend on single chains, nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
#: Seconds that one tutorial may take on two cores.
MOST = 180
#: Bytes that one tutorial may take with its outputs.
LARGEST = 1_500_000
#: How far apart two numbers may be: a share of the largest one in their line, or this much; whole
#: numbers, such as effective sample sizes, a share of themselves.
RELATIVE, ABSOLUTE, COUNTS = 0.1, 0.02, 0.5
_SECONDS = re.compile(r"\d[\d.]* s\b")
_NUMBER = re.compile(r"[-\N{MINUS SIGN}+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


def execute(path: Path) -> tuple[nbformat.NotebookNode, float]:
    """Run one notebook from top to bottom; return it with new outputs, and the seconds."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=MOST,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        record_timing=False,
    )
    started = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - started
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [clean(output) for output in cell.outputs]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook, seconds


def clean(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take addresses of objects and paths of this machine out of an output."""
    if output.output_type == "stream":
        output.text = scrub(output.text)
    for kind in ("text/plain", "text/html", "text/markdown"):
        if kind in output.get("data", {}):
            output.data[kind] = scrub(output.data[kind])
    return output


def scrub(text: str) -> str:
    """Replace what differs between machines."""
    text = re.sub(r"\S*/ipykernel_\d+/\d+\.py:\d+", "here", text)
    text = text.replace(str(HERE.parent), "...")
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def differences(stored: nbformat.NotebookNode, fresh: nbformat.NotebookNode) -> list[str]:
    """Return where the text outputs of two runs of a notebook differ, a line a cell."""
    found = []
    for number, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=True)):
        tags = set(old.metadata.get("tags", ()))
        if old.cell_type != "code" or "chains" in tags:
            continue
        one, other = printed(old), printed(new)
        if words(one) != words(other):
            found.append(f"cell {number}: {one!r:.400} is now {other!r:.400}")
        elif "timed" not in tags:
            lines = zip(one.splitlines(), other.splitlines(), strict=False)
            apart = [f"{a!r} is now {b!r}" for a, b in lines if not close(numbers(a), numbers(b))]
            if apart:
                found.append(f"cell {number}: {'; '.join(apart[:4])}")
    return found


def printed(cell: nbformat.NotebookNode) -> str:
    """Return what a cell prints, as text."""
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    ]
    return _SECONDS.sub("some s", "\n".join(texts))


def words(text: str) -> list[str]:
    """Return a text without its numbers, and without the blanks that these need."""
    return _NUMBER.sub(" # ", text).split()


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, as they are written."""
    return [
        found.replace("\N{MINUS SIGN}", "-").replace(",", "") for found in _NUMBER.findall(text)
    ]


def close(one: list[str], other: list[str]) -> bool:
    """Whether the numbers of a line differ by no more than the draws of another machine would."""
    parts = [abs(float(text)) for text in [*one, *other] if "." in text]
    most = max(ABSOLUTE, RELATIVE * max(parts, default=0.0))
    return len(one) == len(other) and all(
        abs(float(a) - float(b)) <= (most if "." in a + b else COUNTS * abs(float(a)))
        for a, b in zip(one, other, strict=True)
    )


def main() -> int:
    """Run the notebooks that were asked for; return how many failed a check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of file names; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args()
    failed = 0
    for path in sorted(HERE.glob("*.ipynb")):
        if options.names and not path.name.startswith(tuple(options.names)):
            continue
        notebook, seconds = execute(path)
        text = nbformat.writes(notebook) + "\n"
        changes = differences(nbformat.read(path, as_version=4), notebook) if options.check else []
        good = seconds <= MOST and len(text) <= LARGEST
        failed += bool(changes) or not good
        verdict = "ok" if good else f"TOO MUCH (at most {MOST} s, {LARGEST / 1e6} MB)"
        print(f"{path.name}: {seconds:.0f} s, {len(text) / 1e6:.2f} MB, {verdict}", flush=True)
        print(*changes, sep="\n", end="\n" if changes else "")
        if not options.check:
            path.write_text(text)
    return failed


if __name__ == "__main__":
    sys.exit(main())
