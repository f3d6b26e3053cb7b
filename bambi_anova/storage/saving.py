"""From a posterior to a file that holds all that is needed to go on."""

from __future__ import annotations

import os
from pathlib import Path

from bambi_anova.posterior.posterior import Posterior
from bambi_anova.storage.archive import (
    pack_namespace,
    pack_priors,
    pack_rows,
    pack_sampling,
    versions,
)
from bambi_anova.storage.file import write_file


def save(posterior: Posterior, path: str | os.PathLike) -> Path:
    """Write the fit to one file, with all that is needed to go on; see ``ba.load``.

    The file is NetCDF4, which ``arviz.from_netcdf`` opens too.  It holds the draws, the rows
    as the formula evaluates them, the columns of the data that the formula names, the priors,
    the options and the versions of the packages; and nothing that could run code.

    Parameters
    ----------
    posterior : Posterior
    path : path
        By custom it ends in ``.nc``.  A file that is there is replaced once the new one is
        whole.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    StorageError
        If the directory does not exist, or a prior or a factor's levels cannot be written.

    Examples
    --------
    >>> result.save("memory.nc")  # doctest: +SKIP
    """
    specification = posterior.specification
    design, options = specification.design, specification.options
    arrays, rows = pack_rows(design)
    record = {
        "formula": design.formula.text,
        "family": specification.family.name,
        "link": specification.link.name,
        "priors": pack_priors(specification.priors),
        "rows": rows,
        "collapse": options.collapse,
        "parameterization": options.parameterization,
        "namespace": pack_namespace(options.namespace, design.formula.text),
        "sampling": pack_sampling(posterior.sampling),
        "versions": versions(),
    }
    labels = {name: list(map(str, levels)) for name, levels in design.levels.items()}
    idata = posterior.idata.copy()
    idata["cells"] = idata["cells"].to_dataset().assign_coords(labels)
    return write_file(path, idata, arrays, record)
