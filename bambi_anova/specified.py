"""A model as its user specified it: its parts, its printout, and what its prior says of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from bambi_anova.data.sufficient import collapse_rows
from bambi_anova.design.describe import columns, sections
from bambi_anova.design.design import Design
from bambi_anova.families.base import Family, Link
from bambi_anova.priors.defaults import Priors

if TYPE_CHECKING:
    import xarray as xr


class Specified:
    """The parts of a model, before anything runs; ``Model`` reads them from a formula and fits.

    Attributes
    ----------
    formula : Formula
    family : Family
    link : Link
    design : Design
    collapsed : Collapsed
    priors : Priors
    collapse : bool
    parameterization : str
    namespace : dict
        The user's names that the formula may use.
    """

    def _assemble(
        self,
        design: Design,
        family: Family,
        link: Link,
        priors: Priors,
        collapse: bool,
        parameterization: str,
        namespace: dict[str, Any],
    ) -> None:
        self.formula = design.formula
        self.family = family
        self.link = link
        self.parameterization = parameterization
        self.collapse = collapse
        self.namespace = namespace
        self.design = design
        self.collapsed = collapse_rows(design, family, collapse)
        self.priors = priors

    @classmethod
    def of_design(
        cls,
        design: Design,
        family: Family,
        link: Link,
        priors: Priors,
        *,
        collapse: bool,
        parameterization: str,
        namespace: dict[str, Any],
    ) -> Self:
        """Build the model of a design that has been read and checked before."""
        model = cls.__new__(cls)
        model._assemble(design, family, link, priors, collapse, parameterization, namespace)
        return model

    def prior_predictive(
        self, draws: int = 1000, by: str = "row", random_seed: int | None = None
    ) -> xr.DataTree:
        """Replicate the data from the prior: what the model believes before it sees them.

        Parameters
        ----------
        draws : int
        by : str
            "row", "cell", "unit" or a unit term, as for ``Result.posterior_predictive``.
        random_seed : int, optional

        Returns
        -------
        xarray.DataTree
            Groups ``prior_predictive``, ``observed_data`` and ``constant_data``, as of
            ``Result.posterior_predictive``, with one chain; and ``prior``, the parameters.

        Raises
        ------
        ArgumentError
            If an argument has a value that it cannot take.

        Examples
        --------
        >>> import bambi_anova as ba
        >>> oats = ba.load_data("oats")
        >>> model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
        >>> tree = model.prior_predictive(draws=50, by="cell", random_seed=1)
        >>> tree["prior_predictive"]["yield"].shape
        (1, 50, 12)
        """
        from bambi_anova.prediction.predictive import replicate_prior

        return replicate_prior(self, draws, by, random_seed)

    def __str__(self) -> str:
        rows, kept = len(self.design.rows.data), len(self.collapsed.first)
        merged = f" -> {kept} sufficient rows" if kept < rows else ""
        family = f"{self.family.name}, {self.link.name} link; {rows} rows{merged}"
        head = sections(
            ("Formula", [self.formula.text]), ("Family", [f"{family}; {self.parameterization}"])
        )
        return f"{head}\n{self.design}\n{sections(('Priors', columns(self.priors.rows())))}"

    __repr__ = __str__
