"""The kernel's entry points: C functions over one buffer, compiled once and kept on disk.

nutpie calls a log density by its address, from threads of its own, and hands it a pointer to
data.  So all data lie in one buffer (``packing``): a new model is a new buffer, never a new
compilation.  What is compiled is kept beside this file or, where that cannot be written to, in
the user's cache directory.

numba is heavy: import this module late.
"""

import hashlib
import sys
from functools import lru_cache
from pathlib import Path

import numba
import numpy as np
from numba import carray, types

from bambi_anova.engine.nuts import kernel, rows, tape
from bambi_anova.engine.nuts.kernel import log_density
from bambi_anova.families import compiled
from bambi_anova.families.registry import compiled_joints, compiled_rows

_REALS = types.CPointer(types.double)
_LOG_DENSITY = types.int64(types.uint64, _REALS, _REALS, _REALS, types.voidptr)
_COPY = types.int64(types.uint64, types.uint64, _REALS, _REALS, types.voidptr)


@lru_cache(maxsize=1)
def entry_points():
    """Return the compiled log density, and the function that stores a draw as it is.

    Both return zero; a positive number makes nutpie count a divergence.
    """
    # numba finds what it kept by the file of a function and by what the function closes over, but
    # does not look into the files of the functions that it calls.
    stamp = int(hashlib.sha256(_sources().encode()).hexdigest()[:8], 16)

    def entry(size, theta, gradient, value, data):
        if stamp < 0:
            return -1
        n = carray(data, (1,), np.int64)[0]
        real, signed = carray(data, (n,), np.float64), carray(data, (n,), np.int64)
        whole = carray(data, (n,), np.uint64)
        h, nodes, m, at = signed[1], signed[2], signed[3], signed[4:21]
        slope = carray(gradient, (size,))
        total = log_density(
            carray(theta, (size,)),
            slope,
            real[at[0] : at[1]],
            real[at[1] : at[2]].reshape((h, 7 + h)),
            real[at[2] : at[3]].reshape((h, nodes, 4)),
            whole[at[3] : at[4]],
            whole[at[4] : at[5]],
            whole[at[5] : at[6]].reshape((-1, 5)),
            whole[at[6] : at[7]].reshape((-1, 5)),
            whole[at[7] : at[8]].reshape((-1, 5)),
            whole[at[8] : at[9]].reshape((-1, 5)),
            real[at[9] : at[10]],
            real[at[10] : at[11]],
            real[at[11] : at[12]].reshape((4, m)),
            whole[at[12] : at[13]],
            whole[at[13] : at[14]],
            real[at[14] : at[15]],
            real[at[15] : at[16]].reshape((3, -1)),
            whole[at[16] : n],
        )
        value[0] = total
        finite = np.isfinite(total)
        for i in range(size):
            finite = finite and np.isfinite(slope[i])
        return 0 if finite else 1

    def copy(size, expanded, theta, out, data):
        for i in range(size):
            out[i] = theta[i]
        return 0

    return _compile(entry, _LOG_DENSITY), _compile(copy, _COPY)


def _sources() -> str:
    """Return the code that the kernel is compiled from, that of all families among it."""
    makes = [*compiled_rows(), *compiled_joints()]
    makers = {sys.modules[_module(make)] for make in makes}
    own = {Path(str(module.__file__)) for module in (kernel, rows, tape, *makers)}
    families = Path(str(compiled.__file__)).parent.glob("*.py")
    return "".join(path.read_text() for path in sorted({*own, *families}))


def _module(make) -> str:
    """Return the module of a function, or of the function of a partial one."""
    return getattr(make, "func", make).__module__


def _compile(function, signature):
    try:
        return numba.cfunc(signature, error_model="numpy", cache=True)(function)
    except RuntimeError:  # there is no directory that numba may write to
        return numba.cfunc(signature, error_model="numpy")(function)
