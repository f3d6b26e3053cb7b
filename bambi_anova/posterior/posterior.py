"""What a fit found: draws of a specified model, and what is known of how they came about.

Every table, figure and prediction is a function of a ``Posterior``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bambi_anova.design.design import Design
from bambi_anova.families.base import Family
from bambi_anova.families.links import Link
from bambi_anova.posterior.draws import Draws
from bambi_anova.posterior.importance import LogEvidence
from bambi_anova.posterior.trust import Sampling
from bambi_anova.priors.assign import Priors
from bambi_anova.specification import Specification

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, repr=False, eq=False)
class Posterior:
    """Draws of a specified model.

    Attributes
    ----------
    specification : Specification
    idata : xarray.DataTree
        Draws under Bambi's names, with our group ``cells``.
    draws : Draws
        The same draws as plain arrays.
    sampling : Sampling
    log_evidence : LogEvidence or None
        Of quick fits, whose weights it comes from.
    """

    specification: Specification
    idata: xr.DataTree
    draws: Draws
    sampling: Sampling
    log_evidence: LogEvidence | None = None

    @property
    def design(self) -> Design:
        """Factors, units, strata and cells."""
        return self.specification.design

    @property
    def family(self) -> Family:
        """The response family."""
        return self.specification.family

    @property
    def link(self) -> Link:
        """The link of the predictor that the tables are about."""
        return self.specification.link

    @property
    def priors(self) -> Priors:
        """The priors of the model that was fitted."""
        return self.specification.priors
