"""A report as one HTML file: text, figure, tables, design, verdict, versions and the code.

The file needs nothing beside it and fetches nothing: the figure is inside, there is no script, and
names from the data are escaped wherever they stand.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from bambi_anova.errors import AnovaError, AnovaWarning
from bambi_anova.estimates.accuracy import verdict
from bambi_anova.estimates.anova import anova
from bambi_anova.estimates.contrasts import contrasts
from bambi_anova.estimates.means import means
from bambi_anova.estimates.parameters import summary
from bambi_anova.plots.page import plot_page
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.misfit import misfit_text
from bambi_anova.present.journal_table import journal_table
from bambi_anova.present.markup import to_html
from bambi_anova.priors.distributions import Prior
from bambi_anova.report.methods_text import software
from bambi_anova.report.results_text import Reported
from bambi_anova.specification import Options

if TYPE_CHECKING:
    import pandas as pd

#: Resolution of the figure.
DPI = 150
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #d0d0d0; --soft: #f4f4f4 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --line: #3c4048; --soft: #22252b }
}
body { color: var(--ink); background: var(--paper); max-width: 54rem; margin: 2rem auto;
  padding: 0 1rem; font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.4rem; overflow-wrap: anywhere }
h2 { font-size: 1.15rem; border-bottom: 1px solid var(--line); margin-top: 2rem }
figure { margin: 0; overflow-x: auto } figure img { max-width: 100%; background: #fff }
.table { overflow-x: auto; margin: 1rem 0; font-size: .88rem }
.verdict { border-left: .3rem solid; padding: .5rem 1rem; background: var(--soft) }
.trusted { border-color: #009e73 } .doubtful { border-color: #d55e00 }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; font-size: .85rem }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(posterior: Posterior, reported: Reported, sections: dict[str, str]) -> str:
    """Return the whole file.

    Parameters
    ----------
    posterior : Posterior
    reported : Reported
    sections : mapping of str to str
        The parts of the report, as Markdown, by their headings.
    """
    title = f"Report of {posterior.design.formula.text}"
    parts = [f"<h1>{escape(title)}</h1>", _verdict(posterior), _figure(posterior, reported)]
    parts += [f"<h2>{escape(name)}</h2>\n{_rendered(text)}" for name, text in sections.items()]
    parts += [f"<h2>Tables</h2>\n{''.join(_tables(posterior, reported))}"]
    parts += [f"<h2>Design</h2>\n<pre>{escape(str(posterior.design))}</pre>"]
    parts += [f"<h2>To do it again</h2>\n<pre><code>{escape(code_of(posterior))}</code></pre>"]
    parts += [f"<p>{escape(software())}</p>"]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _verdict(posterior: Posterior) -> str:
    found, missed = verdict(posterior), misfit_text(posterior)
    kind = "trusted" if found.trusted and not missed else "doubtful"
    reasons = "".join(f"<li>{escape(text)}</li>" for text in (*found.reasons, *found.reservations))
    said = f"<p>The likelihood does not fit: {escape(missed)}</p>" if missed else ""
    return (
        f'<div class="verdict {kind}"><strong>The computation is {escape(str(found))}.</strong>'
        f"{f'<ul>{reasons}</ul>' if reasons else ''}{said}</div>"
    )


def _figure(posterior: Posterior, reported: Reported) -> str:
    from matplotlib import pyplot as plt  # heavy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)  # the text says so
        figure = plot_page(posterior, **reported.options())
    data = BytesIO()
    figure.savefig(data, format="png", dpi=DPI, bbox_inches="tight")
    plt.close(figure)
    text = base64.b64encode(data.getvalue()).decode("ascii")
    about = "Means, contrasts, standard deviations, predictive check and diagnostics"
    return f'<figure><img alt="{about}" src="data:image/png;base64,{text}"></figure>'


def _rendered(text: str) -> str:
    """Return Markdown as HTML, in which HTML is text."""
    from markdown_it import MarkdownIt  # heavy

    return (
        MarkdownIt("commonmark", {"html": False})
        .disable(["link", "image", "autolink"])
        .render(text)
    )


def _tables(posterior: Posterior, reported: Reported) -> Iterator[str]:
    design, options = posterior.design, reported.options()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnovaWarning)
        if design.factors:
            yield _table(means(posterior, **options), "Means")
            for factor in design.levels:
                yield _table(contrasts(posterior, factor, **options), f"Contrasts of {factor}")
            for term in design.factor_terms:
                if len(term.factors) > 1:
                    found = contrasts(posterior, term.name, **options)
                    yield _table(found, f"Contrasts of {term.name}")
            try:
                yield _table(anova(posterior, population=reported.population), "ANOVA")
            except AnovaError as error:
                yield f"<p>{escape(str(error))}</p>"
        yield _table(summary(posterior), "Parameters")


def _table(frame: pd.DataFrame, title: str) -> str:
    return f'<div class="table">{to_html(journal_table(frame, title))}</div>'


def code_of(posterior: Posterior) -> str:
    """Return the lines that make a fit again, once ``data`` is there."""
    model, sampling = posterior.specification, posterior.sampling
    chains, draws = posterior.draws.sample_shape
    given: dict[str, object] = {"family": model.family.name, "link": model.link.name}
    default = Options()
    for name in ("collapse", "parameterization", "priors_on"):
        if getattr(model.options, name) != getattr(default, name):
            given[name] = getattr(model.options, name)
    arguments = [f"{model.formula.text!r}", "data", *(f"{k}={v!r}" for k, v in given.items())]
    own = _own_priors(posterior)
    if own:
        arguments.append(f"priors={{{', '.join(own)}}}")
    lines = ["import bambi_anova as ba", ""]
    if any("bmb." in text for text in own):
        lines.insert(0, "import bambi as bmb")
    body = "".join(f"    {argument},\n" for argument in arguments)
    lines.append(f"model = ba.Model(\n{body})")
    asked = [f"chains={chains}", f"random_seed={sampling.random_seed!r}"]
    if sampling.draws in (None, draws):  # else they are what the fit found to be needed
        asked.insert(0, f"draws={draws}")
    lines.append(f"result = model.fit({', '.join([repr(sampling.method), *asked])})")
    return "\n".join(lines)


def _own_priors(posterior: Posterior) -> list[str]:
    """Return the priors that the user chose, as entries of a dict."""
    priors = posterior.priors
    named = {
        **({} if priors.intercept is None else {"Intercept": priors.intercept}),
        **priors.covariates,
        **priors.sigmas,
        **priors.auxiliary,
    }
    found = []
    for name, prior in named.items():
        if not isinstance(prior, Prior):
            found.append(f"{name!r}: {prior!r}")
        elif prior.given is not None:
            args = "".join(f", {key}={value!r}" for key, value in prior.args.items())
            found.append(f"{name!r}: bmb.Prior({prior.name!r}{args})")
    return found
