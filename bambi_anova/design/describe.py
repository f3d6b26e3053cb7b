"""What a design is, as text for the notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bambi_anova.errors import listing

if TYPE_CHECKING:
    from bambi_anova.design.design import Design, FixedTerm


def describe_design(design: Design) -> str:
    """Return the printout of a design.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> print(ba.Model("yield ~ variety + Error(block/variety)", oats).design)
    Factors    variety  Golden.rain, Marvellous, Victory  within block
    Units      block          6 units
               block:variety  18 units
    Terms      variety  df 2  stratum block:variety, judged by 18 units
    Cells      variety: 3 cells of 24 rows; none empty
    """
    return sections(
        ("Factors", _factors(design)),
        (
            "Covariates",
            [f"{c.name}: mean {c.mean:.4g}, sd {c.sd:.4g}" for c in _covariates(design)],
        ),
        ("Units", _units(design)),
        ("Dropped", [f"{unit.name}: {unit.reason}" for unit in design.dropped]),
        ("Terms", _terms(design)),
        ("Cells", _cells(design)),
    )


def sections(*sections: tuple[str, list[str]]) -> str:
    """Write each title in front of the first of its lines."""
    return "\n".join(
        f"{title if i == 0 else '':<11}{line}".rstrip()
        for title, body in sections
        for i, line in enumerate(body)
    )


def _covariates(design: Design):
    return design.rows.covariates.values()


def _factors(design: Design) -> list[str]:
    rows = []
    for factor in design.factors:
        place = [f"between {listing(factor.between)}"] if factor.between else []
        place += [f"within {listing(factor.within)}"] if factor.within else []
        rows.append((factor.name, listing(factor.levels, 8), "; ".join(place)))
    return columns(rows)


def _units(design: Design) -> list[str]:
    rows = [(unit.name, f"{unit.size} units") for unit in design.units]
    rows += [(slope.name, f"{slope.unit.size} slopes") for slope in design.slopes]
    return columns(rows)


def _terms(design: Design) -> list[str]:
    return columns(_term_row(term) for term in design.terms)


def _term_row(term: FixedTerm) -> Sequence[str]:
    what = "rows" if term.strata == ("residual",) else "units"
    stratum = f"stratum {' and '.join(term.strata)}"
    return term.name, f"df {term.df}", f"{stratum}, judged by {term.units} {what}"


def _cells(design: Design) -> list[str]:
    counts = design.cells["rows"]
    if not design.factors:
        return [f"one cell of {counts.iloc[0]} rows"]
    names = " x ".join(factor.name for factor in design.factors)
    empty = design.empty_cells
    spread = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()}-{counts.max()}"
    text = f"{names}: {len(counts)} cells of {spread} rows; "
    return [text + (f"{len(empty)} empty: {listing(empty)}" if empty else "none empty")]


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Align the fields of some rows."""
    rows = [list(row) for row in rows]
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
