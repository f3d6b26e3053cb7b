"""The measured numbers of the README, from the reports: ``python -m docs.generate.readme``.

The README is written by hand but for these: each is found by the words around it, and replaced by
what a report in ``benchmarks/`` says now.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import ROOT, write

README = ROOT / "README.md"
BENCHMARKS = ROOT / "benchmarks"


def report(name: str) -> str:
    """Return the text of a report."""
    return (BENCHMARKS / name).read_text(encoding="utf-8")


def row(name: str, first: str) -> list[str]:
    """Return the cells of a report's first table row that begins so."""
    for line in report(name).splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if cells[0] == first:
            return cells
    raise LookupError(f"benchmarks/{name} has no row {first!r}")


def nuts(way: str) -> list[float]:
    """Return the seconds of a way of NUTS on the memory experiment: all, and of sampling."""
    found = re.search(
        rf"^memory +{re.escape(way)}  +([\d.]+) +([\d.]+)", report("speed/nuts.md"), re.M
    )
    if found is None:
        raise LookupError(f"benchmarks/speed/nuts.md has no line {way!r}")
    return [float(text) for text in found.groups()]


def quick(method: str) -> float:
    """Return the seconds of a second fit of 164,000 rows."""
    return float(row("speed/quick.md", f'fit("{method}")')[2])


def trust(method: str) -> dict[str, int]:
    """Return how many quantities of a method were trusted, right or wrong, and how many not."""
    cells = row("trust/report.md", method)
    right, wrong, not_trusted = (int(cell) for cell in cells[2:5])
    return {"trusted": right + wrong, "wrong": wrong, "all": right + wrong + not_trusted}


def trust_sentence() -> str:
    """Return what was found of what is trusted, by all four methods."""
    found = [trust(method) for method in ("laplace", "pathfinder", "advi", "nuts")]
    designs = re.search(r"^(\d+) designs\.", report("trust/report.md"), re.MULTILINE)[1]
    shares = [round(100 * one["trusted"] / one["all"]) for one in found]
    trusted, wrong = (sum(one[key] for one in found) for key in ("trusted", "wrong"))
    most = max(one["all"] for one in found)
    were = f"each of these {trusted:,} was" if not wrong else f"all but {wrong} of {trusted:,} were"
    return (
        f"Of {most:,} quantities of {designs} designs the four methods trusted {min(shares)} to "
        f"{max(shares)}%, and {were} within 0.15 sd of long NUTS in mean and 15% in sd"
    )


def _laplace() -> str:
    return f"{quick('laplace'):.1f}"


def _nuts() -> str:
    return f"{nuts('our density again')[0]:.1f}"


def _tally() -> str:
    """Return the seconds of a model of 100 million gaussian rows."""
    return f"{float(row('speed/tally.md', 'gaussian')[3]):.1f}"


#: Where numbers stand in the README (one group each), and what they are.
NUMBERS: list[tuple[str, Callable[[], str]]] = [
    (r"random_seed=1\)  # ([\d.]+) s \(below\)", _laplace),
    (r"NUTS, ([\d.]+) s: nothing is compiled", lambda: f"{nuts('our density again')[0]:.0f}"),
    (r"corrected by importance weights \| ([\d.]+) s", _laplace),
    (r"found by Pathfinder \| ([\d.]+) s", lambda: f"{quick('pathfinder'):.1f}"),
    (r"full-rank ADVI \| ([\d.]+) s", lambda: f"{quick('advi'):.1f}"),
    (r'"not trusted" \| ([\d.]+) s', _laplace),
    (r"through Bambi \| ([\d.]+) s", _nuts),
    (r"\[([\d.]+) s\]\(benchmarks/speed/tally.md\)", _tally),
    (r"seconds, 82 rows \| ([\d.]+); NUTS", _laplace),
    (r"seconds, 82 rows \| [\d.]+; NUTS ([\d.]+)", _nuts),
    (r"seconds, 164,000 rows \| \*\*([\d.]+)\*\*", _laplace),
    (r"seconds, 164,000 rows \| \*\*[\d.]+\*\*; NUTS ([\d.]+)", _nuts),
    (
        r"compiles the density once, which takes some (\d+) s",
        lambda: f"{nuts('our density')[0] - nuts('our density again')[0]:.0f}",
    ),
    (r"(Of [\d,]+ quantities\s+of\s.*?)\s+\(\[report\]\(benchmarks/trust", trust_sentence),
]


def wrapped(text: str, indent: str = "  ", width: int = 99) -> str:
    """Return a text in lines, of which all but the first are indented."""
    lines = [""]
    for word in text.split():
        if len(indent) + len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return f"\n{indent}".join(lines)


def render(text: str) -> str:
    """Return the README with the numbers of today's reports.

    Raises
    ------
    LookupError
        If a place where a number stood is gone.
    """
    for pattern, value in NUMBERS:
        found = re.search(pattern, text, re.DOTALL)
        if found is None:
            raise LookupError(f"README.md has no place like {pattern!r}")
        new = value()
        if " " in new and "\n" in found[1]:
            old = " ".join(found[1].split())
            new = found[1] if old == new else wrapped(new)
        text = text[: found.start(1)] + new + text[found.end(1) :]
    return text


if __name__ == "__main__":
    write(README, render(README.read_text(encoding="utf-8")))
