"""The site's pages: all there, all reachable, links and code that hold; no Sphinx is needed."""

import importlib.util
import re
import warnings
from pathlib import Path

import pytest

import bambi_anova as ba
from docs.generate import designs, gallery, house, outputs, reference

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN = sorted(DOCS.rglob("*.md"))
#: Pages that the build writes.
MADE = [DOCS / "reference", DOCS / "gallery", designs.PAGE, house.PAGE]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s#]+)(?:#[^)]*)?\)")
each = pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(DOCS).as_posix())


def prose(page):
    """The text of a page without its code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@each
def test_links_between_pages_lead_somewhere(page):
    targets = [(page.parent / link).resolve() for link in LINK.findall(prose(page))]
    made = tuple(str(one) for one in MADE)
    assert [str(t) for t in targets if not t.exists() and not str(t).startswith(made)] == []


def listed(page):
    """The pages that the tables of contents of a page name."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            name = line.strip()
            if name and not name.startswith(":"):
                start = ROOT if name.startswith("/") else page.parent
                for suffix in (".md", ".ipynb"):
                    found = start.glob(f"{name.lstrip('/')}{suffix}")
                    yield from (path.resolve() for path in found)


def test_every_page_is_reached_from_the_first():
    seen, new = set(), {DOCS / "index.md"}
    while new:
        seen |= new
        new = {found for page in new if page.suffix == ".md" for found in listed(page)} - seen
    reports = {*(ROOT / "benchmarks").rglob("*.md"), *(ROOT / "tutorials").glob("*.ipynb")}
    made = {page for page in WRITTEN if str(page).startswith(tuple(map(str, MADE)))}
    assert {*WRITTEN, *reports} - seen - made == set()


def test_the_reference_has_every_public_name_once_and_no_empty_page():
    names = [name for listed in reference.sections().values() for name in listed]
    assert len(names) == len(set(names))
    wanted = {name for name, _ in reference.public_names()}
    assert set(names) == wanted
    for name in ("Model", "Model.fit", "Result.contrasts", "plots.plot_means", "errors.DataError"):
        assert name in wanted
    for section in reference.SECTIONS:
        page = reference.page(section, reference.sections()[section.slug])
        assert page.count("\n") > 6 or section.slug in reference.FURTHER


def test_a_name_from_a_module_of_no_section_is_refused():
    def stray():
        """Live nowhere."""

    stray.__module__ = "bambi_anova.nowhere"
    with pytest.raises(LookupError, match="no section of the reference"):
        reference.section_of("stray", stray)


def test_families_and_methods_are_listed():
    assert "| `betabinomial` | logit, probit, cloglog | mu, kappa |" in reference.families_table()
    assert "| `laplace` | Fit by nested Laplace" in reference.methods_table()


def test_the_gallery_has_every_figure_once():
    named = [name for names in gallery.CHAPTERS.values() for name in names]
    assert sorted(named) == sorted(gallery.scripts())
    code = "\n".join(gallery.parts(path)[2] for path in gallery.scripts().values())
    figures = {name for name in ba.plots.__all__ if name.startswith("plot_")} - {"plot_page"}
    assert {name for name in figures | {"plot_analyses"} if f"{name}(" not in code} == set()
    assert ".plot()" in code


@pytest.mark.parametrize("name", ["means", "posterior", "style"])
def test_scripts_of_the_gallery_draw(name, tmp_path):
    script = tmp_path / f"{name}.py"
    script.write_text(gallery.scripts()[name].read_text())
    gallery.draw(script)
    assert (tmp_path / f"{name}.png").stat().st_size > 5000


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(gallery.scripts()))
def test_every_script_of_the_gallery_draws(name, tmp_path):
    script = tmp_path / f"{name}.py"
    script.write_text(gallery.scripts()[name].read_text())
    gallery.draw(script)
    assert (tmp_path / f"{name}.png").stat().st_size > 5000


def tolerance():
    """The script that compares what tutorials print."""
    path = ROOT / "tutorials" / "execute.py"
    spec = importlib.util.spec_from_file_location("execute_tutorials", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: Pages whose code takes longer.
SLOW = {"bayes_factors", "jasp", "pingouin"}


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in SLOW)) for p in outputs.pages()],
    ids=lambda page: page.relative_to(DOCS).as_posix(),
)
def test_the_code_of_a_page_prints_what_the_page_shows(page):
    script, apart = tolerance(), []

    def seen(shown, now):
        same = script.words(shown) == script.words(now)
        lines = zip(shown.splitlines(), now.splitlines(), strict=False)
        near = all(script.close(script.numbers(a), script.numbers(b)) for a, b in lines)
        if not (same and near):
            apart.append(f"{shown} is now {now}")

    outputs.run(page.read_text(encoding="utf-8"), seen)
    assert apart == []


def test_a_page_that_prints_something_else_is_seen():
    found = []
    text = "```python\nx = 2\nx + 1\n```\n\n```text\n4\n```\n"
    assert "```text\n3\n```" in outputs.run(text, lambda *pair: found.append(pair))
    assert found == [("4\n", "3\n")]


@pytest.mark.parametrize("case", designs.CASES, ids=lambda case: case.title)
def test_designs_are_what_their_page_says(case):
    design = case.model().design
    picture = designs.strata(design)
    for unit in design.units:
        assert f"<b>{unit.name}</b> <small>{unit.size}</small>" in picture
    for term in design.terms:
        assert picture.count(f"<code>{term.name}</code>") == len(term.strata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = eval(case.code(), {"ba": ba, "data": case.data()})
    assert str(again.design) == str(design)


def test_boxes_lie_in_the_units_that_hold_them():
    case = next(one for one in designs.CASES if one.formula.endswith("Error(block/variety)"))
    picture = designs.strata(case.model().design)
    places = [picture.index(f"<b>{name}") for name in ("block<", "block:variety<", "rows")]
    assert places == sorted(places)
    assert "</div>" not in picture[: places[-1]]


def test_the_map_of_the_house_is_read_from_the_imports():
    order, found = house.layers(), house.edges()
    assert set(found) == set(order)
    assert "posterior" in found["estimates"]
    assert found["errors"] == set()
    for name, others in found.items():
        assert all(order.index(other) < order.index(name) for other in others)
        assert f"| `{name}` | {house.says(name)} |" in house.page()
