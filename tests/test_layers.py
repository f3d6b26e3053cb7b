"""Who imports whom: modules look down only, and Bambi stays behind its wall."""

import ast
from itertools import combinations
from pathlib import Path

import pytest

import bambi_anova

ROOT = Path(bambi_anova.__file__).parent

#: From the ground up; a module may import what stands on an earlier line, and never its own line.
ORDER = [
    ["errors", "estimates.quantities", "printing"],
    ["reference.study"],
    ["reference.contrasts", "reference.sum_coding", "reference.shuffles", "reference.unit_means"],
    ["reference.beta_categories"],
    ["reference.hierarchical", "reference.logistic"],
    ["reference.permutation", "reference.split_plot"],
    ["reference.applicable"],
    ["reference"],
    [
        "families",
        "algebra",
        "datasets",
        "draws",
        "importance",
        "estimates.contrasts",
        "estimates.statements",
    ],
    ["formula", "trust", "estimates.effects", "estimates.own_contrasts"],
    ["response", "layout", "tables", "describe", "estimates.shares", "analyses.printout"],
    ["rows", "estimates.judgements", "estimates.joint_statements"],
    ["design", "estimates.covariates"],
    ["collapse", "trials.strata", "priors", "estimates.populations", "estimates.effect_sizes"],
    ["trials.informative", "trials.overdispersion"],
    ["trials.rows", "trials.answers"],
    ["trials.checks"],
    ["checks"],
    [
        "estimates.anova",
        "analyses.data_forms",
        "estimates.reference_grid",
        "distributions",
        "prediction.replicates",
    ],
    ["backend.frame", "backend.geometry", "backend.terms", "backend.likelihoods", "latent.rising"],
    ["backend.groups", "latent.likelihoods", "latent.scales", "latent.slices", "latent.tape"],
    ["backend.distributions", "prediction.predictors"],
    ["prediction.prior_draws"],
    ["prediction.predictive", "prediction.pointwise", "prediction.sensitivity"],
    ["prediction.marginal"],
    ["prediction.loo"],
    ["backend.build", "backend.extract", "latent.model", "latent.explore", "latent.kernel_rows"],
    ["latent.build", "latent.arrow", "latent.posterior", "latent.proposal", "latent.program"],
    ["latent.mode", "latent.kernel"],
    ["latent.joint", "latent.entry"],
    ["latent.landscape"],
    ["latent.whitening"],
    ["latent.packing"],
    ["inference.contract", "inference.kernel_nuts", "inference.normals", "inference.progress"],
    ["inference.nuts", "inference.quick"],
    ["inference.laplace"],
    ["inference.tails"],
    ["inference.pathfinder", "inference.advi"],
    ["inference"],
    ["fitted", "storage.file", "storage.archive"],
    ["prediction.posterior_checks", "estimates.questions"],
    ["estimates.kruschke", "estimates.contrast_tables"],
    ["comparison", "paper.rounding"],
    ["paper.naming"],
    ["plots.style", "paper.sheets", "paper.methods_text"],
    ["paper.publish", "paper.results_text"],
    [
        "plots.analyses",
        "plots.cells",
        "plots.contrast",
        "plots.fits",
        "plots.forest",
        "plots.priors",
    ],
    ["plots.anova", "plots.checks", "plots.sampling"],
    ["plots.page"],
    ["plots", "paper.notebook", "paper.report"],
    ["paper.presented"],
    ["result"],
    ["specified"],
    ["model"],
    ["storage.loading", "analyses.variants"],
    ["analyses.compared"],
    ["cli"],
]
HEIGHT = {name: height for height, line in enumerate(ORDER) for name in line}

#: Docstrings, and the script that made a data set.
APART = {
    *("analyses", "backend", "estimates", "latent", "paper", "prediction", "storage", "trials"),
    "data.simulate_memory",
}

SAMPLERS = {"bambi", "pymc", "pytensor", "nutpie"}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {name_of(path): path for path in ROOT.rglob("*.py")}
MODULES = {name: path for name, path in PATHS.items() if name and name not in APART}


def is_for_types_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports_in(tree, for_types=False):
    """Every imported module, wherever in the code it is imported; annotations' are left out."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if is_for_types_only(node) and not for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        found |= imports_in(node, for_types)
    return found


def imported(path, **options):
    return imports_in(ast.parse(path.read_text()), **options)


def own(names):
    """Those of some imported names that are modules of the package."""
    prefix = f"{bambi_anova.__name__}."
    return {name.removeprefix(prefix) for name in names} & set(MODULES)


def outside(names):
    return {name.split(".")[0] for name in names}


def test_every_module_has_its_place():
    assert set(MODULES) == set(HEIGHT)


@pytest.mark.parametrize("name", MODULES)
def test_modules_import_only_what_stands_below_them(name):
    above = {other for other in own(imported(MODULES[name])) if HEIGHT[other] >= HEIGHT[name]}
    assert above == set()


@pytest.mark.parametrize("name", MODULES)
def test_only_the_backend_and_inference_touch_bambi_and_pymc(name):
    touched = outside(imported(MODULES[name])) & SAMPLERS
    if name.split(".")[0] not in ("backend", "inference"):
        assert touched == set()


def test_the_wall_is_where_the_samplers_are_used():
    users = {name for name in MODULES if outside(imported(MODULES[name])) & SAMPLERS}
    assert {"backend.build", "backend.terms", "backend.likelihoods"} <= users


@pytest.mark.parametrize(
    "name", ["formula", "rows", "design", "collapse", "priors", "estimates.effects"]
)
def test_the_pure_modules_do_not_know_the_model(name):
    seen, todo = set(), {name}
    while todo:
        seen |= todo
        todo = set().union(*(own(imported(MODULES[module])) for module in todo)) - seen
    assert not {module for module in seen if module.split(".")[0] in ("backend", "inference")}
    assert not seen & {"model", "result", "plots", "cli"}


def test_the_reference_analyses_share_no_code_with_the_model():
    members = [name for name in MODULES if name.split(".")[0] == "reference"]
    assert len(members) > 4
    for name in members:
        others = {other for other in own(imported(MODULES[name])) if other not in members}
        assert others <= {"errors"}
        for_types = own(imported(MODULES[name], for_types=True)) - {"errors", *members}
        assert for_types <= {"model", "design"}
        assert not outside(imported(MODULES[name])) & {"bambi", "pymc", "pytensor", "formulae"}


def test_effects_know_no_design_and_the_design_no_effects():
    assert not own(imported(MODULES["estimates.effects"])) & {"design", "rows", "formula", "model"}
    assert not own(imported(MODULES["design"])) & {
        "estimates.effects",
        "model",
        "collapse",
        "priors",
    }


def test_the_model_loads_the_backend_only_when_it_is_asked_to():
    tree = ast.parse(MODULES["model"].read_text())
    at_the_top = imports_in(ast.Module([n for n in tree.body if not has_body(n)], []))
    assert not {name for name in own(at_the_top) if name.split(".")[0] in ("backend", "inference")}
    assert "backend.build" in own(imports_in(tree))


def has_body(node):
    return isinstance(node, (ast.ClassDef, ast.FunctionDef)) or is_for_types_only(node)


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
    tree = ast.parse(code)
    assert "pymc" in imports_in(tree)
    assert "bambi" not in imports_in(tree)
    assert "bambi" in imports_in(tree, for_types=True)
    assert own(imports_in(tree)) == {"errors", "design"}


def test_no_two_modules_import_each_other():
    imports = {name: own(imported(path)) for name, path in MODULES.items()}
    for one, other in combinations(MODULES, 2):
        assert not (one in imports[other] and other in imports[one])
