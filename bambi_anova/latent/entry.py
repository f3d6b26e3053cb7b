import hashlib
from functools import lru_cache
from pathlib import Path

import numba
import numpy as np
from numba import carray, types

from bambi_anova.latent import kernel, kernel_rows
from bambi_anova.latent.kernel import log_density

_REALS = types.CPointer(types.double)
_LOGP = types.int64(types.uint64, _REALS, _REALS, _REALS, types.voidptr)
_EXPAND = types.int64(types.uint64, types.uint64, _REALS, _REALS, types.voidptr)

def logp(size, theta_, gradient_, logp_, data):
    n = carray(data, (1,), np.int64)[0]
    whole, real = carray(data, (n,), np.int64), carray(data, (n,), np.float64)
    h, k, p, b, width, lanes, m = whole[1], whole[2], whole[3], whole[4], whole[5], whole[6], whole[7]
    at = whole[8:19]
    value = log_density(
        carray(theta_, (size,)),
        carray(gradient_, (size,)),
        real[at[0] : at[1]],
        real[at[1] : at[2]].reshape((h, 5 + h)),
        real[at[2] : at[3]].reshape((h, k, 4)),
        real[at[3] : at[4]].reshape((3, width)),
        whole[at[4] : at[5]].reshape((b, lanes)),
        real[at[5] : at[6]].reshape((b, width, lanes)),
        real[at[6] : at[7]].reshape((p + 1, p + 1)),
        real[at[7] : at[8]].reshape((5, m)),
        whole[at[8] : at[9]],
        whole[at[9] : at[10]],
        real[at[10] : n],
    )
    carray(logp_, (1,))[0] = value
    return 0 if np.isfinite(value) else 1


def expand(size, expanded, theta_, out_, data):
    for i in range(size):
        out_[i] = theta_[i]
    return 0
