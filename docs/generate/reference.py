"""The reference: every public name, in the order in which an analysis goes.

Which section a name belongs to follows from the module that defines it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import bambi_anova as ba
from bambi_anova.engine.methods import methods
from bambi_anova.families.registry import FAMILIES

from . import DOCS, write

FOLDER = DOCS / "reference"
#: What needs no page: the version, and the name that ``classical`` had first.
WITHOUT_PAGE = {"__version__", "reference"}


@dataclass(frozen=True)
class Section:
    """A page of the reference: names that are defined in some modules."""

    slug: str
    title: str
    modules: tuple[str, ...]
    intro: str


SECTIONS = [
    Section(
        "model",
        "Model",
        ("model", "specification", "design", "formula", "screening", "bambi_model"),
        "What is said before anything is fitted: a formula and data become a frozen model.",
    ),
    Section("data", "Data", ("datasets", "data"), "The data sets that come with the package."),
    Section(
        "fit", "Fit", ("result", "engine", "analyses.many", "model.fit"), "Ways to a posterior."
    ),
    Section(
        "trust",
        "Trust",
        ("estimates.accuracy", "posterior", "prediction.compare.compare_fits"),
        "What of a fit may be believed, as a whole and number by number.",
    ),
    Section("estimates", "Estimates", ("estimates",), "Tables of a posterior."),
    Section(
        "prediction",
        "Predictions and checks",
        ("prediction",),
        "What the model says of new rows and units, and how well it says it of the old ones.",
    ),
    Section("evidence", "Evidence", ("evidence",), "Bayes factors and marginal likelihoods."),
    Section("planning", "Planning", ("planning",), "Studies before they are run."),
    Section(
        "plots",
        "Figures",
        ("plots",),
        "All of them are in the [gallery](../gallery/index.md).",
    ),
    Section("report", "Reports", ("report", "present", "tables"), "Words and tables to publish."),
    Section("storage", "Storage", ("storage", "model.load"), "Fits on the disk."),
    Section("families", "Families", ("families",), "What a response may be."),
    Section("priors", "Priors", ("priors",), "What is assumed before the data."),
    Section(
        "bambi",
        "Models of Bambi",
        ("bambi_fits", "quick_fits"),
        "For models that Bambi built; see the page [for Bambi users](../bambi.md).",
    ),
    Section(
        "analyses",
        "Other analyses",
        ("analyses", "classical"),
        "The same data analysed otherwise, by code that shares nothing with the fits.",
    ),
    Section("errors", "Errors and warnings", ("errors",), "All are classes of the package's own."),
]


def public_names() -> Iterator[tuple[str, object]]:
    """Go through every public name with what it stands for, the package's own first."""
    modules = []
    for name in ba.__all__:
        if name in WITHOUT_PAGE:
            continue
        found = getattr(ba, name)
        if isinstance(found, ModuleType):
            modules.append((name, found))
            continue
        yield name, found
        if inspect.isclass(found):
            for member, value in vars(found).items():
                if not member.startswith("_") and (callable(value) or _is_documented(value)):
                    yield f"{name}.{member}", value
    for name, module in modules:
        for member in getattr(module, "__all__", None) or classes_of(module):
            yield f"{name}.{member}", getattr(module, member)


def classes_of(module: ModuleType) -> list[str]:
    """Return the classes that a module defines, in its order."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]


def _is_documented(value: object) -> bool:
    return isinstance(value, (property, classmethod, staticmethod))


def home_of(name: str, value: object) -> str:
    """Return the module that defines a name, and the name in it, without the package's."""
    inner = getattr(value, "fget", None) or getattr(value, "__func__", value)
    module = getattr(inner, "__module__", None)
    if not isinstance(module, str) or not module.startswith(ba.__name__):
        owner = name.partition(".")[0]
        module = getattr(ba, owner).__name__ if owner in ("plots", "classical") else ba.__name__
    return f"{module}.{name.rpartition('.')[2]}".removeprefix(f"{ba.__name__}.")


def section_of(name: str, value: object) -> Section:
    """Return the section of a public name: the one that knows its module most closely."""
    home = home_of(name, value)
    fitting = [
        (len(module), section)
        for section in SECTIONS
        for module in section.modules
        if f"{home}.".startswith(f"{module}.")
    ]
    if not fitting:
        raise LookupError(f"{name} of {home}: no section of the reference has that module")
    return max(fitting, key=lambda pair: pair[0])[1]


def sections() -> dict[str, list[str]]:
    """Return the public names of every section, by its slug."""
    found: dict[str, list[str]] = {section.slug: [] for section in SECTIONS}
    for name, value in public_names():
        found[section_of(name, value).slug].append(name)
    return found


def families_table() -> str:
    """Return the families as a table: their names, links and what may have a formula."""
    lines = ["| family | links | may have a formula |", "|---|---|---|"]
    for name, family in FAMILIES.items():
        links = ", ".join(link.name for link in family.parent.links)
        own = [one.name for one in family.predicted]
        further = [one.name for one in family.auxiliary if one.predictable is not None]
        parameters = ", ".join([*own, *further])
        lines.append(f"| `{name}` | {links} | {parameters} |")
    return "\n".join(lines)


def methods_table() -> str:
    """Return the inference methods, with the first line of what they say of themselves."""
    lines = ["| `inference_method` | |", "|---|---|"]
    for name, method in methods.items():
        lines.append(f"| `{name}` | {first_line(method)} |")
    return "\n".join(lines)


def first_line(value: object) -> str:
    """Return the first line of a docstring, for Markdown."""
    return (inspect.getdoc(value) or "").partition("\n")[0].replace("``", "`")


#: What a page says besides its names.
FURTHER = {
    "fit": lambda: "## Methods\n\n" + methods_table(),
    "families": lambda: families_table(),
    "priors": lambda: (
        "Priors are shown with the model and replaced by name, with Bambi's own class: "
        '`priors={"condition": bmb.Prior("HalfNormal", sigma=1)}`.'
    ),
}


def page(section: Section, names: list[str]) -> str:
    """Return a page of the reference as Markdown."""
    parts = [f"# {section.title}", section.intro]
    if names:
        listed = "\n".join(f"   {name}" for name in names)
        parts.append(
            "```{eval-rst}\n.. currentmodule:: bambi_anova\n\n.. autosummary::\n"
            f"   :toctree: generated\n   :nosignatures:\n\n{listed}\n```"
        )
    if section.slug in FURTHER:
        parts.append(FURTHER[section.slug]())
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Return the first page of the reference."""
    entries = "\n".join(section.slug for section in SECTIONS)
    rows = "\n".join(
        f"| [{section.title}]({section.slug}.md) | {section.intro} |" for section in SECTIONS
    )
    return (
        "# Reference\n\nEvery public name, in the order in which an analysis goes; "
        "`import bambi_anova as ba` is understood. `ba.reference` is an older name of "
        "`ba.classical`, and `ba.__version__` is the version.\n\n"
        f"| | |\n|---|---|\n{rows}\n\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"
    )


def make() -> None:
    """Write the pages."""
    write(FOLDER / "index.md", index())
    names = sections()
    for section in SECTIONS:
        write(FOLDER / f"{section.slug}.md", page(section, names[section.slug]))
