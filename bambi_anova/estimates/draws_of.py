"""The draws behind every table that has some."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.estimates.contrasts import contrast_quantities
from bambi_anova.estimates.deflections import deflection_quantities
from bambi_anova.estimates.means import mean_quantities
from bambi_anova.estimates.quantities import Quantities
from bambi_anova.estimates.slopes import slope_quantities, unit_slope_quantities
from bambi_anova.posterior.posterior import Posterior

if TYPE_CHECKING:
    import xarray as xr

#: What stands behind each table that has draws.
_QUANTITIES: dict[str, Callable[..., Quantities]] = {
    "means": mean_quantities,
    "deflections": deflection_quantities,
    "contrasts": contrast_quantities,
    "slopes": slope_quantities,
    "unit_slopes": unit_slope_quantities,
}


def draws_of(posterior: Posterior, kind: str, *args: Any, **kwargs: Any) -> xr.DataArray:
    """Return the draws behind a table.

    Parameters
    ----------
    posterior : Posterior
    kind : {"means", "deflections", "contrasts", "slopes", "unit_slopes"}
        Which table.
    *args, **kwargs
        What that table takes, but for ``ci_prob``, ``ci_kind``, ``rope`` and ``comp_val``.

    Returns
    -------
    xarray.DataArray
        Dimensions ``chain``, ``draw`` and ``quantity``, the quantities in the order of the
        table's rows.  Coordinate ``quantity`` names each of them as text; the table's label
        columns (factors, ``term``, ``level``, ``contrast``) and ``supported`` are further
        coordinates along it.  Attributes: ``population``, ``scale`` and ``null``, the value
        that means "no difference".

    Raises
    ------
    ArgumentError
        If there is no such table, or an argument has a value that it cannot take.

    Examples
    --------
    >>> draws = result.draws_of("contrasts", "trial_type", by="condition")  # doctest: +SKIP
    >>> (draws > 0).mean(("chain", "draw")).to_series()  # doctest: +SKIP
    """
    if not isinstance(kind, str) or kind not in _QUANTITIES:
        raise ArgumentError(f"kind={kind!r} has no draws{nearest(str(kind), _QUANTITIES)}")
    return _QUANTITIES[kind](posterior, *args, **kwargs).to_xarray(kind)
