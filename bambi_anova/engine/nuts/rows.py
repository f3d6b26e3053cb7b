"""One compiled function that chooses among the rows of all families while it runs.

A row's number is its place in the registry's list, which nobody else need know.

numba is heavy: import this module late.
"""

from bambi_anova.families.compiled import jit_inside
from bambi_anova.families.registry import compiled_joints, compiled_rows

_ROW = "eta, y, trials, n, within, first, second, entries, ends, m, size"
_JOINT = "eta, slopes, y, trials, n, within, first, second"
_ONCE = "first, second, entries, ends, size"


def _choice(functions, arguments):
    """Return a compiled function of a number that calls the function of that number.

    Its branches are written out: closures within closures take numba half as long again.
    """
    distinct = list(dict.fromkeys(functions))
    lines = [f"def choose(kind, {arguments}):"]
    for place, one in enumerate(distinct[1:], 1):
        numbers = [number for number, function in enumerate(functions) if function is one]
        test = " or ".join(f"kind == {number}" for number in numbers)
        lines += [f"    if {test}:", f"        return f{place}({arguments})"]
    lines.append(f"    return f0({arguments})")
    namespace = {"__name__": __name__} | {f"f{i}": one for i, one in enumerate(distinct)}
    exec("\n".join(lines), namespace)
    return jit_inside(namespace["choose"])


_MADE = [make() for make in compiled_rows()]
#: (kind, ...) -> what ``CompiledRow.row`` returns.
row = _choice([made.row for made in _MADE], _ROW)
#: (kind, ...) -> what ``CompiledRow.once`` returns.
once = _choice([made.once for made in _MADE], _ONCE)
#: (kind, ...) -> what ``CompiledJoint.row`` returns.
joint = _choice([make().row for make in compiled_joints()], _JOINT)
