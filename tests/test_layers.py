"""Who imports whom: folders are layers, and Bambi stays behind its wall."""

import ast
from pathlib import Path

import pytest

import bambi_anova

ROOT = Path(bambi_anova.__file__).parent

#: From the ground up: folders and root modules import only what stands before them.
LAYERS = [
    "errors",
    "arguments",
    "plugins",
    "datasets",
    "priors",
    "families",
    "formula",
    "tables",
    "data",
    "design",
    "names",
    "specification",
    "screening",
    "bambi_model",
    "posterior",
    "engine",
    "quick_fits",
    "estimates",
    "bambi_fits",
    "prediction",
    "evidence",
    "planning",
    "present",
    "plots",
    "storage",
    "report",
    "result",
    "model",
    "classical",
    "analyses",
    "cli",
    "__main__",
]

#: Layers that may touch Bambi, PyMC and the samplers.
WALL = {"bambi_model", "engine", "families"}
SAMPLERS = {"bambi", "pymc", "pytensor", "nutpie"}


def layer_of(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


PATHS = [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


def imported(tree):
    """Every imported module, wherever in the code it is imported, for annotations too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            found.add(node.module)
            if node.module == bambi_anova.__name__:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layers(names):
    """The layers of the package that some imported names lie in."""
    prefix = f"{bambi_anova.__name__}."
    return {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)}


def outside(names):
    return {name.split(".")[0] for name in names}


def imports_of(path):
    return imported(ast.parse(path.read_text()))


def test_every_folder_and_root_module_has_its_place():
    assert {layer_of(path) for path in PATHS} <= set(LAYERS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_look_down_only(path):
    own = LAYERS.index(layer_of(path))
    above = {name for name in layers(imports_of(path)) if LAYERS.index(name) > own}
    assert above == set()


@pytest.mark.parametrize("folder", sorted({layer_of(p) for p in PATHS if p.parent != ROOT}))
def test_modules_of_a_folder_do_not_import_each_other_in_a_circle(folder):
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in (ROOT / folder).rglob("*.py")
    }
    prefix = f"{bambi_anova.__name__}."
    edges = {
        name: {other.removeprefix(prefix) for other in imports_of(path)} & set(names)
        for name, path in names.items()
    }
    while edges:
        free = {name for name, others in edges.items() if not others & set(edges)}
        assert free, f"a circle among {sorted(edges)}"
        edges = {name: others for name, others in edges.items() if name not in free}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_wall_touches_bambi_and_pymc(path):
    if layer_of(path) not in WALL and layer_of(path) != "model":
        assert outside(imports_of(path)) & SAMPLERS == set()


def test_the_classical_analyses_share_no_code_with_the_fits():
    for path in (ROOT / "classical").rglob("*.py"):
        own = layers(imports_of(path))
        assert own <= {"errors", "arguments", "tables", "classical", "design", "model"}


def test_imports_are_found_wherever_they_stand():
    code = """
from bambi_anova.errors import listing
if TYPE_CHECKING:
    import bambi
def f():
    if True:
        import pymc as pm
    from bambi_anova import design
"""
    names = imported(ast.parse(code))
    assert outside(names) & SAMPLERS == {"bambi", "pymc"}
    assert layers(names) == {"errors", "design"}
