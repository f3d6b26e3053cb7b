"""Models and results at first sight: a result's printout, and plain HTML for notebooks.

The HTML works offline and in the dark.
"""

from __future__ import annotations

from html import escape

from bambi_anova.estimates.accuracy import verdict
from bambi_anova.estimates.anova import anova
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.misfit import misfit_text
from bambi_anova.present.journal_table import journal_table
from bambi_anova.present.markup import to_html
from bambi_anova.specification import Specification

_RATINGS = "          category_probabilities(term), superiority(term)\n"
_CATEGORIES = "          category_probabilities(term), category_contrasts(term)\n"
NO_MISFIT = "none found"
_HEAD = "padding:2px 12px 2px 0;border:0;text-align:left;vertical-align:top;background:none"
_BODY = "padding:2px 0;border:0;text-align:left;background:none;font-family:monospace"


def model_html(model: Specification) -> str:
    """Return the printout of a model, its sections as rows of a table.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> model = ba.Model("yield ~ variety + Error(block/variety)", ba.load_data("oats"))
    >>> "18 units" in model_html(model)
    True
    """
    rows: list[tuple[str, list[str]]] = []
    for line in str(model).splitlines():
        # A section's title stands in the first columns; the lines that follow are indented.
        if line[:1].strip():
            title, _, text = line.partition(" ")
            rows.append((title, [text.strip()]))
        else:
            rows[-1][1].append(line.strip())
    body = "".join(
        f'<tr style="background:none"><th style="{_HEAD}">{escape(title)}</th>'
        f'<td style="{_BODY}">{"<br>".join(_spaced(text) for text in texts)}</td></tr>'
        for title, texts in rows
    )
    return f'<table style="border-collapse:collapse">{body}</table>'


def result_text(posterior: Posterior) -> str:
    """Return what was fitted, how, the verdict, and what can be asked."""
    return (
        f"{_title(posterior)}\n"
        f"  {_method(posterior)}\n"
        f"  verdict: {verdict(posterior)!r}\n"
        f"  misfit: {misfit_text(posterior) or NO_MISFIT}\n"
        "  tables: means(), deflections(), contrasts(term), slopes(column), anova(),\n"
        "          probability(statement, term), orders(term), kruschke(), trust()\n"
        f"{_of_categories(posterior)}"
        "  draws: draws_of(table), idata"
    )


def _of_categories(posterior: Posterior) -> str:
    if not posterior.family.categories:
        return ""
    return _CATEGORIES if posterior.family.response.nominal else _RATINGS


def result_html(posterior: Posterior) -> str:
    """Return what was fitted, the verdict with its reasons, and the ANOVA table."""
    found, missed = verdict(posterior), misfit_text(posterior)
    reasons = "".join(f"<li>{escape(word)}</li>" for word in (*found.reasons, *found.reservations))
    return (
        f"<div><div><b>{escape(_title(posterior))}</b></div>"
        f"<div>{escape(_method(posterior))}</div>"
        f"<div>Verdict: <b>{escape(str(found))}</b></div>"
        f"{f'<ul>{reasons}</ul>' if reasons else ''}"
        f"<div>Misfit: {f'<b>{escape(missed)}</b>' if missed else NO_MISFIT}</div></div>"
        f"{to_html(journal_table(anova(posterior), 'Analysis of variance'))}"
    )


def _title(posterior: Posterior) -> str:
    return f"Result of {posterior.design.formula.text}"


def _method(posterior: Posterior) -> str:
    """Say by which method the draws were made, how many they are, and how long it took."""
    chains, draws = posterior.draws.sample_shape
    sampling = posterior.sampling
    time = f"{sampling.seconds:.1f} s"
    if sampling.sampling_seconds is not None and sampling.weighting is None:
        time += f", of it {sampling.sampling_seconds:.1f} s sampling"
    kind = "chains" if sampling.weighting is None else "independent parts"
    return f"{sampling.method}, {chains} {kind} of {draws} draws ({time})"


def _spaced(text: str) -> str:
    """Keep the alignment of a printout's columns."""
    return escape(text).replace("  ", "&nbsp;&nbsp;")
