"""What the checks of trials and of dispersion found, as tables and in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from bambi_anova.screening.dependence import Dependence
from bambi_anova.screening.overdispersion import Dispersion
from bambi_anova.tables.sections import sections

Array = np.ndarray

#: Differences between cells that move their contrasts by less than this, in log odds, are small.
SMALL = 0.05


class Answer:
    """A result that prints itself, in a notebook too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True, repr=False)
class NotChecked(Answer):
    """A check that these data have no answer to.

    Attributes
    ----------
    question, reason : str
    found : bool
        Always ``False``.
    table : pandas.DataFrame
        Empty.
    """

    question: str
    reason: str
    found: bool = False

    @property
    def table(self) -> pd.DataFrame:
        """No rows."""
        return pd.DataFrame(columns=["quantity", "estimate", "low", "high"])

    def __str__(self) -> str:
        return sections(("Question", [self.question]), ("Answer", [f"none: {self.reason}"]))


@dataclass(frozen=True, repr=False)
class TrialsCheck(Answer):
    """Whether the rate depends on the number of trials.

    Attributes
    ----------
    response, what, trials : str
        The response, its successes and its trials, as written in the formula.
    judged : str
        Where rows are compared.
    effect : Dependence
        For one sd of the number of trials, in log odds.
    sd : float
        Of the number of trials, where rows are compared.
    gap : float
        Largest difference between cells in their mean number of trials.
    clusters : int
        Units that carry independent evidence.
    rate : float
        Of all trials together.
    ci_prob : float
    formula : str
        The formula with the number of trials as a covariate.
    centred : str
        The same with the number of trials centred within cells.
    helper : str
        Python that makes the column which ``centred`` needs.
    mean : float
        Of the number of trials.
    by_row : bool
        Whether the number is a column beside the response, so that rates are by row.
    """

    response: str
    what: str
    trials: str
    judged: str
    effect: Dependence
    sd: float
    gap: float
    clusters: int
    rate: float
    ci_prob: float
    formula: str
    centred: str
    helper: str
    mean: float
    by_row: bool = False

    @property
    def by_itself(self) -> float:
        """What one more adds to the log odds by row where only these many can be successes.

        With n of P rows that can be successes, each with the probability theta, the rate by row
        is p = n theta / P, and d logit(p) / dn = 1 / (n (1 - p)) whatever theta is.
        """
        return 1 / (self.mean * (1 - self.rate))

    @property
    def found(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.effect.low > 0 or self.effect.high < 0

    @property
    def table(self) -> pd.DataFrame:
        """Effects in log odds and as odds ratios.

        Columns ``quantity``, ``trials`` (how many more), ``estimate``, ``low``, ``high`` (log
        odds), ``odds_ratio``, ``odds_low`` and ``odds_high``; one row for an sd more trials and
        one for a single trial more.
        """
        values = np.array([self.effect.estimate, self.effect.low, self.effect.high])
        rows = np.stack([values, values / self.sd])
        with np.errstate(over="ignore"):
            odds = np.exp(rows)
        table = pd.DataFrame({"quantity": ["one sd more", "one more"], "trials": [self.sd, 1.0]})
        table[["estimate", "low", "high"]] = rows
        table[["odds_ratio", "odds_low", "odds_high"]] = odds
        return table

    @property
    def confounded(self) -> float:
        """How far the cells' mean numbers of trials alone set them apart, in log odds."""
        return abs(self.effect.estimate) * self.gap / self.sd

    @property
    def size(self) -> str:
        """The effect of one sd more trials, in a sentence without its end."""
        odds = self.table.iloc[0]
        return (
            f"rows with {self.sd:.2g} more {self.trials} (one sd) have "
            f"{odds['odds_ratio']:.2f} times the odds of {self.what}, {self.ci_prob:.0%} CI "
            f"{odds['odds_low']:.2f} to {odds['odds_high']:.2f}"
        )

    def __str__(self) -> str:
        answer = "yes" if self.found else "no sign of it"
        more = _shifted(self.rate, self.effect.estimate)
        body = [f"{answer}; {self.size}", f"(a rate of {self.rate:.1%} becomes {more:.1%})"]
        return sections(
            ("Question", [f"Does the rate of {self.response} depend on {self.trials}?"]),
            ("Answer", body),
            ("Compared", [f"{self.judged}; {self.clusters} independent units"]),
            ("Log odds", self._numbers()),
            *([("Meaning", self._meaning()), ("Remedy", self._remedy())] if self.found else []),
        )

    def _numbers(self) -> list[str]:
        numbers = self.table[["estimate", "low", "high"]].to_numpy()
        return [
            f"{label} {self.trials}: {estimate:.3f} ({low:.3f} to {high:.3f})"
            for label, (estimate, low, high) in zip(
                [f"{self.sd:.3g} more", "one more"], numbers, strict=True
            )
        ]

    def _meaning(self) -> list[str]:
        gap = [
            f"Cells differ by up to {self.gap:.2g} {self.trials} on average, which alone makes",
            f"up to {self.confounded:.2g} of their differences on the logit scale.",
        ]
        if self.by_row:
            return [
                f"If {self.trials} says how many rows can be {self.what} at all, one more adds",
                f"{self.by_itself:.3f} to the log odds by row while the rate among them stays.",
                "A slope of about that size does not show that this rate changes.",
                *gap,
            ]
        grow = "faster" if self.effect.estimate > 0 else "more slowly"
        return [
            f"{self.response} takes {self.trials} for an exposure: with twice as many, {self.what}",
            f"would double. Here they grow {grow} than that.",
            *gap,
        ]

    def _remedy(self) -> list[str]:
        if self.by_row and self.mean >= 1:
            return [
                "Ask about that rate: add up the rows that share a number, write",
                f"  p({self.what}, {self.trials}) ~ ...",
                "and check_trials() again.",
            ]
        if self.confounded < SMALL:
            return [
                f"Add {self.trials} as a covariate; cells have nearly the same mean of it, so",
                "that their contrasts hardly change:",
                f"  {self.formula}",
            ]
        return [
            f"If {self.trials} differ between cells by accident or by your choice (a nuisance),",
            f"compare cells at the same number of {self.trials}:",
            f"  {self.formula}",
            f"If the treatment itself changes {self.trials} (a mediator) and you want its whole",
            "effect, compare cells each at its own mean:",
            f"  {self.helper}",
            f"  {self.centred}",
        ]


def _shifted(rate: float, log_odds: float) -> float:
    """Return a rate whose log odds are moved."""
    return float(1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + log_odds))))


@dataclass(frozen=True, repr=False)
class DispersionCheck(Answer):
    """Whether counts vary more than chance allows.

    Attributes
    ----------
    response : str
    counts : bool
        Whether chance is that of counts (Poisson), not of proportions.
    judged : str
        Which rows are expected to have the same rate.
    effect : Dispersion
    df : int
        Rows less rates fitted.
    clusters : int
        Units that carry independent evidence.
    ci_prob : float
    remedy : tuple of str
        What to change, line by line; empty if nothing need change.
    allowed : str
        The family, if it allows for overdispersion already.
    """

    response: str
    counts: bool
    judged: str
    effect: Dispersion
    df: int
    clusters: int
    ci_prob: float
    remedy: tuple[str, ...] = ()
    allowed: str = ""

    @property
    def found(self) -> bool:
        """Whether the interval of the ratio lies above 1."""
        return self.effect.low > 1

    @property
    def table(self) -> pd.DataFrame:
        """The ratio of variances and what follows from it.

        Columns ``quantity``, ``estimate``, ``low``, ``high``.
        """
        effect = self.effect
        name = "1/alpha" if self.counts else "intra_trial_correlation"
        rows = [
            ("variance_ratio", effect.ratio, effect.low, effect.high),
            (name, *effect.correlation),
        ]
        return pd.DataFrame(rows, columns=["quantity", "estimate", "low", "high"])

    def __str__(self) -> str:
        effect = self.effect
        chance = "Poisson" if self.counts else "binomial"
        if self.found:
            answer = "yes"
        elif effect.high < 1:
            answer = "no, less"
        else:
            answer = "no sign of it"
        name = "1 / alpha" if self.counts else "intra-trial correlation"
        estimate, low, high = effect.correlation
        found = (
            f"{effect.ratio:.2f} times the variance of chance, {self.ci_prob:.0%} CI "
            f"{effect.low:.2f} to {effect.high:.2f}"
        )
        evidence = f"{self.df} degrees of freedom, {self.clusters} independent units"
        return sections(
            ("Question", [f"Does {self.response} vary more than {chance} chance allows?"]),
            ("Answer", [f"{answer}: {found}"]),
            ("Compared", [self.judged, evidence]),
            ("Equals", [f"{name}: {estimate:.3f} ({low:.3f} to {high:.3f})"]),
            ("Meaning", self._meaning()),
            ("Remedy", list(self.remedy)),
        )

    def _meaning(self) -> list[str]:
        if self.found and self.allowed:
            return [f"Rows differ in their rate, which family={self.allowed!r} allows for."]
        if self.found:
            return [
                "Rows differ in their rate beyond factors, units and chance. Standard errors that",
                f"rest on rows come out {np.sqrt(self.effect.ratio):.2f} times too small; those of "
                "contrasts that a unit",
                "term judges, less so.",
            ]
        if self.effect.high < 1:
            return [
                "Counts are more regular than independent chances make them, for instance because",
                "one success makes the next one less likely; intervals come out too wide.",
            ]
        return []
