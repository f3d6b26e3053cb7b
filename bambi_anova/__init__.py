"""Bayesian split-plot and mixed-design ANOVA from a formula, on Bambi.

>>> import bambi_anova as ba
>>> memory = ba.load_data("memory")
>>> model = ba.Model(
...     "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)",
...     memory,
...     family="binomial",
... )
>>> result = model.fit()  # doctest: +SKIP
>>> result.contrasts("trial_type")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bambi_anova import classical, errors, plots
    from bambi_anova import classical as reference
    from bambi_anova.analyses.compared import applicable_analyses, compare_analyses
    from bambi_anova.analyses.figure import plot_analyses
    from bambi_anova.analyses.many import fit_many
    from bambi_anova.bambi_fits.anova import anova
    from bambi_anova.bambi_fits.estimates import contrasts, means, slopes
    from bambi_anova.datasets import load_data
    from bambi_anova.evidence.bayes_factors import bayes_factors
    from bambi_anova.evidence.covariances import compare_covariances
    from bambi_anova.evidence.prior_scale import prior_scale_curve
    from bambi_anova.model import Model, load
    from bambi_anova.planning.plan import plan
    from bambi_anova.plots import plot_fits
    from bambi_anova.prediction.compare import compare, compare_fits
    from bambi_anova.quick_fits.quick import quick
    from bambi_anova.quick_fits.quick_fit import QuickFit
    from bambi_anova.result import Result

__version__ = "0.2.0"

#: Public names and where they live; loaded when first asked for, because pandas, SciPy and
#: Bambi take seconds to import.
_LAZY = {
    "Model": "bambi_anova.model",
    "QuickFit": "bambi_anova.quick_fits.quick_fit",
    "Result": "bambi_anova.result",
    "anova": "bambi_anova.bambi_fits.anova",
    "applicable_analyses": "bambi_anova.analyses.compared",
    "bayes_factors": "bambi_anova.evidence.bayes_factors",
    "compare": "bambi_anova.prediction.compare",
    "compare_analyses": "bambi_anova.analyses.compared",
    "compare_covariances": "bambi_anova.evidence.covariances",
    "compare_fits": "bambi_anova.prediction.compare",
    "contrasts": "bambi_anova.bambi_fits.estimates",
    "fit_many": "bambi_anova.analyses.many",
    "load": "bambi_anova.model",
    "load_data": "bambi_anova.datasets",
    "means": "bambi_anova.bambi_fits.estimates",
    "prior_scale_curve": "bambi_anova.evidence.prior_scale",
    "plan": "bambi_anova.planning.plan",
    "plot_analyses": "bambi_anova.analyses.figure",
    "plot_fits": "bambi_anova.plots",
    "quick": "bambi_anova.quick_fits.quick",
    "slopes": "bambi_anova.bambi_fits.estimates",
}

#: Modules that are public under a name; "reference" is what "classical" was called first.
_MODULES = {
    "classical": "bambi_anova.classical",
    "errors": "bambi_anova.errors",
    "plots": "bambi_anova.plots",
    "reference": "bambi_anova.classical",
}

__all__ = [
    "Model",
    "QuickFit",
    "Result",
    "__version__",
    "anova",
    "applicable_analyses",
    "bayes_factors",
    "classical",
    "compare",
    "compare_analyses",
    "compare_covariances",
    "compare_fits",
    "contrasts",
    "errors",
    "fit_many",
    "load",
    "load_data",
    "means",
    "plan",
    "plot_analyses",
    "plot_fits",
    "plots",
    "prior_scale_curve",
    "quick",
    "reference",
    "slopes",
]


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
