"""The user's model: a formula and a data frame, understood before anything runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, SupportsIndex

from bambi_anova.arguments import own_floats, with_own_floats
from bambi_anova.bambi_model.graph import graph
from bambi_anova.design.advice import check_design
from bambi_anova.design.priors import check_priors
from bambi_anova.errors import (
    ArgumentError,
    ConvergenceWarning,
    StorageError,
    UnsupportedError,
    warn,
)
from bambi_anova.formula.several import whole_formula
from bambi_anova.plots.prior_posterior import plot_priors
from bambi_anova.posterior.posterior import Posterior
from bambi_anova.prediction.predictive import prior_predictive
from bambi_anova.present.overview import model_html
from bambi_anova.screening.default_family import warn_of_default_family
from bambi_anova.screening.screen import check_dispersion, check_trials, warn_of_trials
from bambi_anova.screening.sphericity import warn_of_sphericity
from bambi_anova.specification import (
    IDENTIFIED,
    LEVELS,
    Options,
    Specification,
    describe,
    same_model,
    specify,
)

if TYPE_CHECKING:
    import bambi as bmb
    import xarray as xr
    from narwhals.typing import IntoFrame

    from bambi_anova.engine.request import Request
    from bambi_anova.result import Result

#: "laplace" and, where that is not to be trusted, "nuts" started from it.
AUTO = "auto"
#: Tuning steps a chain, and those of chains that start from draws of a quick fit.
TUNE = 1000
DEFAULT_FAMILY = "gaussian"
TUNE_STARTED = 300


@with_own_floats
class Model(Specification):
    """A split-plot or mixed-design ANOVA as a Bambi model.

    Parameters
    ----------
    formula : str or bambi.Formula
        Fixed factors and covariates as in R, with the units either as ``Error(s/(A*B))`` or as
        ``(1|s) + (1|s:A)``.  With ``Error(s/A, cov="unstructured")``, or ``(A|s)``, each unit's
        effects in the cells have sds of their own and correlations; ``cov="diagonal"`` has no
        correlations.  ``(x|s)`` has that of effects and slopes, as in lme4; ``(x||s)`` takes them
        for independent, as Bambi does ``(x|s)``.
        Responses are ``y``, ``y['level']`` or ``p(successes, trials)``.
        Further parameters may have formulas of their own, as in Bambi
        (``bambi.Formula("y ~ A + Error(s)", "sigma ~ A")``) or behind a semicolon
        (``"y ~ A + Error(s); sigma ~ A"``); see ``predictors``.
    data : DataFrame, table or path
        One row an observation, of pandas or any engine that narwhals reads; only the columns that
        the formula names are taken.  A lazy table (DuckDB, Polars, Ibis, Spark, ...) or the path of
        Parquet files, in which ``*`` may stand for parts of names, is tallied by its engine: cells
        and units reach Python, not the rows.  The posterior is the same; what needs single rows,
        such as leaving out one of them, then says so.
    family : str, optional
        "gaussian" (if left out, with a warning where the response looks otherwise), "bernoulli",
        "binomial", "poisson", "t", "negativebinomial", "gamma", "lognormal" (the predictor is the
        log of the median; on the response scale tables give means), "wald" (inverse gaussian, with
        the prior of its shape "lam"), "beta", "betabinomial" (rows with probabilities of their own,
        given by their mean) or "betabinomial_mode" (given by their mode, Kruschke's chapter 21:
        cell means on the response scale are modes, and the prior is of "kappa_minus_2").
        For times also "shifted_lognormal" (a log-normal time beyond a shift, the same for all),
        "exgaussian" (given by its mean), "weibull" and "exponential"; see ``quantiles`` too.
        For tails "laplace" (of medians) and "skewnormal" (by mean, sd and "delta", between -1 and
        1).  For zeros beyond chance "zero_inflated_poisson", "zero_inflated_negativebinomial",
        "zero_inflated_binomial", "hurdle_poisson" and "hurdle_negativebinomial", of amounts
        "hurdle_gamma" and "hurdle_lognormal", where "psi" is the probability of not being a zero
        apart; see ``zeros``.  For rates with zeros and ones "ordered_beta".
        For ratings, whole numbers or ordered categories: "cumulative" (a latent variable, its sd
        one and the mean of all cells zero, cut by free thresholds; links "probit" and "logit"),
        "sratio" (the same in steps: at each category one stops or goes on) or
        "thresholded_normal" (Kruschke's chapter 23: the end thresholds held half a point inside
        the ends, so that the latent variable is on the ratings' own scale).  On the response
        scale tables give mean ratings; see ``category_probabilities`` and ``superiority`` too.
        For categories without an order: "categorical" (log odds of each against the first, in the
        order of an ordered or sorted column; softmax) or "conditional_logistic" (of each against
        all behind it).  All log odds have the terms of the formula; see
        ``category_probabilities`` and ``category_contrasts``.
    priors : mapping of str to bambi.Prior, optional
        By term (the prior of its standard deviation), unit term, covariate, ``"Intercept"`` or
        auxiliary parameter such as ``"sigma"``; of one that has a predictor, a mapping of its own
        (``{"sigma": {"Intercept": ..., "A": ...}}``); ``"correlation of x|s"`` is the eta of the
        LKJ prior of correlations.  Kruschke's by default, and an eta of 1.
    link : str, optional
        Link of the mean; the family's default if left out.
    categorical : str or sequence of str, optional
        Numeric columns to take as factors.
    dropna : bool
        Leave out rows with missing values instead of refusing them.
    collapse : bool
        Merge rows that share every predictor; the posterior is the same.
    parameterization : {"identified", "overparameterized"}
        Coordinates of the model: those that the data can tell apart, which sample well, or a
        free effect for every level, as Kruschke writes the model.  The posterior of cell means,
        standard deviations and all that is made of them is the same.
    priors_on : {"levels", "deflections"}
        What the effects' priors are about: the effect of every level of every term, as in
        Kruschke's model, whose deflections are taken after the fit; or the deflections of each
        term of the formula, which then shrinks by itself.  These are different models as soon as
        there is an interaction; see ``bambi_anova.design.margins``.
    predictors : mapping of str to str, optional
        Right-hand sides of formulas for further parameters, such as ``{"sigma": "A * B"}``:
        sigma of "gaussian", "t", "lognormal" and "exgaussian" (which has "nu" too), alpha of
        "gamma", "weibull" and "negativebinomial", kappa of "beta" and "betabinomial" (on the log
        scale), and psi of counts with zeros of their own (on the logit scale).  Unequal variances
        are ``predictors={"sigma": "A"}``; see ``Result.parameter``.  Of ``"A:B"``, without its
        margins, the cells' log sds are normal about one mean with one sd that is estimated, which
        is how cells' sds share a distribution in Kruschke's chapters 19 and 20.
    sigma, alpha, kappa, psi : str, optional
        The same for one parameter: ``sigma="A * B"``.
    extra_namespace : mapping, optional
        Further values and functions that the formula may use, by their names; ``name.part`` reads
        what a module or an object holds.  A formula can reach nothing else but columns and NumPy's
        functions of single values, and all that a module that you hand over holds.

    Attributes
    ----------
    design : Design
        Factors, units, strata and cells.
    priors : Priors
    collapsed : Collapsed
        The sufficient rows.

    Raises
    ------
    AnovaError
        If the formula, data, family or priors do not fit together; the message names the argument
        or column, what was expected, what was found and the remedy.

    Warns
    -----
    AnovaWarning
        For whatever a careful colleague would ask about; see ``bambi_anova.errors``.

    Examples
    --------
    >>> import bambi_anova as ba
    >>> oats = ba.load_data("oats")
    >>> model = ba.Model("yield ~ variety * nitrogen + Error(block/variety)", oats)
    >>> model.design.unit("block:variety").size
    18
    """

    def __init__(
        self,
        formula: str | bmb.Formula,
        data: IntoFrame | str | os.PathLike,
        family: str | None = None,
        priors: Mapping[str, Any] | None = None,
        link: str | None = None,
        categorical: str | Sequence[str] | None = None,
        dropna: bool = False,
        *,
        collapse: bool = True,
        parameterization: str = IDENTIFIED,
        priors_on: str = LEVELS,
        predictors: Mapping[str, str | None] | None = None,
        sigma: str | None = None,
        alpha: str | None = None,
        kappa: str | None = None,
        psi: str | None = None,
        extra_namespace: Mapping[str, Any] | None = None,
    ) -> None:
        options = Options(collapse, parameterization, priors_on, dict(extra_namespace or {}))
        named = DEFAULT_FAMILY if family is None else family
        short = {"sigma": sigma, "alpha": alpha, "kappa": kappa, "psi": psi}
        formula = whole_formula(formula, predictors, short)
        self._take(specify(formula, data, named, priors, link, categorical, dropna, options))
        warnings = [*check_design(self.design, self.family), *warn_of_trials(self)]
        warnings += warn_of_sphericity(self)
        if family is None:
            warnings += warn_of_default_family(self)
        for warning in (*check_priors(self.priors, self.family), *warnings):
            warn(warning)

    def __getattr__(self, name: str) -> Any:
        """Say what has to be done before a model has means, tables and the like."""
        if not name.startswith("_"):
            from bambi_anova.result import Result

            if hasattr(Result, name):
                raise AttributeError(
                    f"{name!r} is of a fitted model: result = model.fit(), then result.{name}"
                )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Return what a copy in another process is made of: what a file holds of a model."""
        from bambi_anova.storage.record import pack_specification

        try:
            packed, arrays = pack_specification(self)
        except StorageError:  # priors that are functions: what can hold functions will do
            return super().__reduce_ex__(protocol)
        return _unpickled, (packed, arrays, dict(self.options.namespace))

    @classmethod
    def of(cls, specification: Specification) -> Self:
        """Return the model of a specification that was read and checked before."""
        model = cls.__new__(cls)
        model._take(specification)
        return model

    def _take(self, specification: Specification) -> None:
        vars(self).update(vars(specification))

    @classmethod
    def from_design(
        cls,
        data: IntoFrame,
        dv: str,
        unit: str,
        between: str | Sequence[str] = (),
        within: str | Sequence[str] | Mapping[str, Any] = (),
        **kwargs: Any,
    ) -> Model:
        """Build the model of a design that is given without a formula.

        Parameters
        ----------
        data : pandas.DataFrame
            Long (one row an observation) or, if ``within`` is a mapping, wide (one row a unit).
        dv : str
            Response, as in a formula; for wide data the name to give it.
        unit : str
            Column that identifies the units.
        between : str or sequence of str
            Factors that differ between units.
        within : str, sequence of str or mapping
            Factors that vary within units.  For wide data either ``{factor: [columns]}``, whose
            columns are the levels of one factor, or ``{column: {factor: level, ...}}``.
        **kwargs
            Further arguments of ``Model``.

        Returns
        -------
        Model
            With all interactions, and a unit term for every combination of within factors.

        Raises
        ------
        DataError
            If a unit has two levels of a between factor, or columns do not fit the design.

        Examples
        --------
        >>> import bambi_anova as ba
        >>> memory = ba.load_data("memory")
        >>> model = ba.Model.from_design(
        ...     memory, dv="p(errors, markers)", unit="participant",
        ...     between="condition", within="trial_type", family="binomial",
        ... )
        >>> model.formula.text
        'p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)'
        """
        from bambi_anova.data.layout import design_to_formula

        formula, long = design_to_formula(data, dv, unit, between, within)
        return cls(formula, long, **kwargs)

    @property
    def bambi_model(self) -> bmb.Model:
        """The built Bambi model; its data are the sufficient rows."""
        from bambi_anova.bambi_model.build import built

        return built(self)

    check_trials = check_trials
    check_dispersion = check_dispersion
    prior_predictive = prior_predictive
    plot_priors = plot_priors
    graph = graph

    def fit(
        self,
        inference_method: str = "nuts",
        draws: int | None = None,
        tune: int | None = None,
        chains: int = 4,
        random_seed: int | None = None,
        progressbar: bool = True,
        init: Result | None = None,
        **kwargs: Any,
    ) -> Result:
        """Approximate or sample the posterior.

        Parameters
        ----------
        inference_method : str
            - "nuts": full NUTS by nutpie, on our own compiled density where the model is latent
              Gaussian, through Bambi otherwise; "nutpie", "pymc", "numpyro" and "blackjax" name
              one of Bambi's samplers.
            - "laplace", "pathfinder", "advi": quick fits, in a second or so; ``Result.verdict``
              says whether to believe them.
            - "auto": "laplace", and NUTS started from it where that is not trusted.
        draws : int, optional
            Draws kept a chain: by default 1,000, of which quick fits, and short runs of "nuts",
            make up to four times as many where long tails, as of few units, call for them.
        tune, chains : int
            Tuning steps a chain (by default 1,000, or 300 with ``init``), and chains.  Quick fits
            make ``chains`` independent parts and do not tune.
        random_seed : int, optional
        progressbar : bool
        init : Result, optional
            An earlier fit of this model to start NUTS from: its draws are the chains' starting
            points.
        **kwargs
            Handed to the sampler, such as ``target_accept`` or ``cores``.

        Returns
        -------
        Result

        Warns
        -----
        ConvergenceWarning
            If the draws do not meet the thresholds of ``bambi_anova.posterior.trust``.
        CorrelatedSlopesWarning
            If units' slopes clearly go together with their effects, which ``(x||s)`` takes for
            independent; ``(x|s)`` has their correlation.

        Raises
        ------
        UnsupportedError
            If a quick fit cannot evaluate this model; the message names the way on.

        Examples
        --------
        >>> quick = model.fit("laplace", random_seed=1)  # doctest: +SKIP
        >>> full = model.fit(init=quick, random_seed=1)  # doctest: +SKIP
        """
        from bambi_anova.engine.methods import check_method
        from bambi_anova.engine.request import DRAWS, MOST, Request
        from bambi_anova.estimates.independent_slopes import correlated_slopes

        check_method(inference_method, (AUTO,))
        first = "laplace" if inference_method == AUTO else inference_method
        start = None if init is None else self._start(init)
        if tune is None:
            tune = TUNE if init is None else TUNE_STARTED
        request = Request(
            first,
            DRAWS if draws is None else draws,
            tune,
            chains,
            random_seed,
            progressbar,
            {} if inference_method == AUTO else kwargs,
            start,
            MOST if draws is None else 1,
        )
        result = self._run_auto(request, kwargs) if inference_method == AUTO else self._run(request)
        if not result.verdict.trusted:
            warn(ConvergenceWarning(repr(result.verdict)))
        for warning in correlated_slopes(result):
            warn(warning)
        return result

    def _run_auto(self, request: Request, options: Mapping[str, Any]) -> Result:
        """Run NUTS only if the quick fit is not to be trusted, or not to be had."""
        full = replace(request, method="nuts", options=dict(options))
        try:
            quick = self._run(request)
        except UnsupportedError:
            return self._run(full)
        if quick.verdict.trusted:
            return quick
        if self.family.form(self.links).compiled is None:  # Bambi's samplers start by themselves
            return self._run(full)
        full = replace(full, start=quick.idata["posterior"].to_dataset())
        return self._run(replace(full, tune=min(full.tune, TUNE_STARTED)))

    def _run(self, request: Request) -> Result:
        from bambi_anova.engine.methods import run

        return _result(run(self, request))

    def _start(self, init: Result) -> xr.Dataset:
        """Return the posterior to start from."""
        if not isinstance(init, Posterior):
            raise ArgumentError(f"init: expected a Result of this model, got {init!r:.60}")
        difference = same_model(init.specification, self)
        if difference:
            raise ArgumentError(f"init: expected a fit of this model; they differ: {difference}")
        return init.idata["posterior"].to_dataset()

    __str__ = __repr__ = describe
    _repr_html_ = model_html


@own_floats
def load(path: str | os.PathLike, extra_namespace: Mapping[str, Any] | None = None) -> Result:
    """Read a fit that ``Result.save`` wrote.

    Parameters
    ----------
    path : path
    extra_namespace : mapping, optional
        The model's ``extra_namespace``.  A file cannot hold functions, only what they gave for
        the data; they are needed for covariates ``at`` new values.

    Returns
    -------
    Result
        With the same tables as before; its ``model`` can be fitted again, from the loaded draws
        with ``result.model.fit(init=result)``.

    Raises
    ------
    StorageError
        If there is no such file, it is of another kind or of a newer format, or it is damaged.

    Examples
    --------
    >>> result.save("memory.nc")  # doctest: +SKIP
    >>> ba.load("memory.nc").contrasts("trial_type")  # doctest: +SKIP
    """
    from bambi_anova.storage.saving import load_posterior

    found = load_posterior(path, extra_namespace)
    return _result(replace(found, specification=Model.of(found.specification)))


def _unpickled(packed: dict[str, Any], arrays: dict[str, Any], namespace: dict[str, Any]) -> Model:
    from bambi_anova.storage.record import Record, unpack_specification

    record = Record(**packed, sampling={}, log_evidence=None)
    return Model.of(unpack_specification(record, arrays, namespace))


def _result(found: Posterior) -> Result:
    from bambi_anova.result import Result

    return Result(**vars(found))
