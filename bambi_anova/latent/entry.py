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
    real, signed = carray(data, (n,), np.float64), carray(data, (n,), np.int64)
    whole = carray(data, (n,), np.uint64)
    h, nodes, m, at = signed[1], signed[2], signed[3], signed[4:20]
    value = log_density(
        carray(theta_, (size,)),
        carray(gradient_, (size,)),
        real[at[0] : at[1]],
        real[at[1] : at[2]].reshape((h, 5 + h)),
        real[at[2] : at[3]].reshape((h, nodes, 4)),
        whole[at[3] : at[4]],
        (whole[at[4]], whole[at[4] + 1], whole[at[4] + 2], whole[at[4] + 3], whole[at[4] + 4]),
        whole[at[5] : at[6]].reshape((-1, 5)),
        whole[at[6] : at[7]].reshape((-1, 5)),
        whole[at[7] : at[8]].reshape((-1, 5)),
        whole[at[8] : at[9]].reshape((-1, 5)),
        real[at[9] : at[10]],
        real[at[10] : at[11]].reshape((5, m)),
        whole[at[11] : at[12]],
        whole[at[12] : at[13]],
        real[at[13] : n],
    )
    carray(logp_, (1,))[0] = value
    return 0 if np.isfinite(value) else 1


def expand(size, expanded, theta_, out_, data):
    for i in range(size):
        out_[i] = theta_[i]
    return 0
