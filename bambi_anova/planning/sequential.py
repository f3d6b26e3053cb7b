"""Sequential designs: look at the data at every size, and stop once there is an answer.

The studies of a plan grow from its smallest size to its largest.  Of a study that stops at the
first look at which it reaches one of some goals, this says how often it stops for which, when, and
how often the answer is misleading (Schoenbrodt & Wagenmakers 2018,
doi:10.3758/s13423-017-1230-y; Kruschke 2015, section 13.3).

Looking more often misleads more often where the rule is that an interval excludes zero: with
intervals that are classical, two looks find 8.3% false alarms instead of 5%, five 14.2%
(Armitage, McPherson & Rowe 1969, doi:10.2307/2343787).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bambi_anova.errors import ArgumentError, nearest
from bambi_anova.planning.layout import Size
from bambi_anova.planning.shares import share
from bambi_anova.planning.studies import EXCLUDES_ZERO
from bambi_anova.tables.printing import Table

#: Stands for the goal of studies that reach none.
NONE = "none"


@dataclass(frozen=True, repr=False, eq=False)
class Sequential:
    """What becomes of studies that may stop early.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each ``goal`` at which studies stop, and "none": its ``probability`` with the
        95% Monte Carlo band ``lower``, ``upper``; ``misleading``, the share of all studies that
        stop there wrongly; ``trusted``, ``simulations`` and ``mean_units``, of those that stop.
    looks : pandas.DataFrame
        For each look, by its number of ``units``, and goal the ``probability`` to have stopped
        for it by then.
    mean_units : float
        Units that a study takes on average.
    mcse_units : float
        Monte Carlo error of that.
    unit : str
        The variable whose units grow.
    """

    table: pd.DataFrame
    looks: pd.DataFrame
    mean_units: float
    mcse_units: float
    unit: str

    def sentence(self) -> str:
        """Return a sentence for the preregistration."""
        looks = ", ".join(str(units) for units in dict.fromkeys(self.looks["units"]))
        parts = [
            f"{row['probability']:.2f} for {row['goal']!r}"
            for _, row in self.table.iterrows()
            if row["goal"] != NONE
        ]
        rest = float(self.table.set_index("goal")["probability"].get(NONE, 0.0))
        wrong = float(self.table["misleading"].sum())
        return (
            f"We look at the data at {looks} units and stop at the first answer: with "
            f"probability {', '.join(parts)}, and with {rest:.2f} there is none at the last look. "
            f"A study takes {self.mean_units:.1f} units on average and misleads with probability "
            f"{wrong:.3f} ({int(self.table['simulations'].iloc[0])} simulated studies)."
        )

    def __repr__(self) -> str:
        head = f"looks at {', '.join(str(one) for one in dict.fromkeys(self.looks['units']))} units"
        head += (
            f"; on average {self.mean_units:.1f} units (Monte Carlo error {self.mcse_units:.1f})"
        )
        return f"{head}\n\n{pd.DataFrame(self.table).to_string(index=False, float_format='%.3f')}"


def sequential(
    answers: pd.DataFrame,
    sizes: Sequence[Size],
    fixed: Size,
    unit: str,
    stop: str | Sequence[str] | None,
    goals: Sequence[str],
) -> Sequential:
    """Let every study stop at its first answer.

    Parameters
    ----------
    answers : DataFrame
        As ``run_studies`` returns them.
    sizes : sequence of Size
    fixed : Size
        What all looks share but the units of ``unit``.
    unit : str
        The variable whose units grow.
    stop : str, sequence of str or None
    goals : sequence of str
        Those that were planned for.

    Raises
    ------
    ArgumentError
        If there are no two looks, or a goal was not planned for.
    """
    stop = _stops(stop, goals)
    looks = _looks(sizes, fixed, unit)
    own = answers[answers["size"].isin(list(looks)) & answers["goal"].isin(stop)]
    own = own.assign(units=own["size"].map(looks))
    ends = pd.DataFrame(
        [_end(study, stop, max(looks.values())) for _, study in own.groupby("simulation")]
    )
    rows, steps = [], []
    for goal in [*stop, NONE]:
        at = ends["goal"] == goal
        rows.append(
            {
                "goal": goal,
                **share(at, ends["trusted"]),
                "misleading": float((at & ends["misleading"]).mean()),
                "mean_units": float(ends.loc[at, "units"].mean()) if at.any() else np.nan,
            }
        )
        if goal != NONE:
            for units in sorted(looks.values()):
                by_then = float((at & (ends["units"] <= units)).mean())
                steps.append({"units": units, "goal": goal, "probability": by_then})
    taken = ends["units"].to_numpy(dtype=float)
    error = float(taken.std(ddof=1) / np.sqrt(len(taken))) if len(taken) > 1 else np.nan
    table, steps_table = Table(pd.DataFrame(rows)), Table(pd.DataFrame(steps))
    return Sequential(table, steps_table, float(taken.mean()), error, unit)


def _stops(stop: str | Sequence[str] | None, goals: Sequence[str]) -> list[str]:
    """Return the goals at which studies stop."""
    if stop is None:
        others = [goal for goal in goals if goal != EXCLUDES_ZERO]
        return others or [EXCLUDES_ZERO]
    named = [stop] if isinstance(stop, str) else list(stop)
    for goal in named:
        if goal not in goals:
            raise ArgumentError(f"stop={goal!r} was not planned for{nearest(str(goal), goals)}")
    if not named:
        raise ArgumentError("stop: expected at least one goal")
    return named


def _looks(sizes: Sequence[Size], fixed: Size, unit: str) -> dict[int, int]:
    """Return the units of every look, by the place of its size."""
    found = {
        place: size.units[unit]
        for place, size in enumerate(sizes)
        if Size({**fixed.units, unit: size.units[unit]}, fixed.rows, fixed.trials) == size
    }
    if len(found) < 2:
        raise ArgumentError(
            f"sequential: expected a plan of two numbers of units or more with rows={fixed.rows}"
            f"{'' if fixed.trials == 1 else f' and trials={fixed.trials}'}; got {len(found)}"
        )
    return found


def _end(study: pd.DataFrame, stop: Sequence[str], last: int) -> dict[str, object]:
    """Say where one study ends; of goals reached at one look the first that is named counts."""
    ahead = study.assign(order=study["goal"].map({goal: i for i, goal in enumerate(stop)}))
    reached = ahead[ahead["reached"]].sort_values(["units", "order"])
    seen = study if reached.empty else study[study["units"] <= reached["units"].iloc[0]]
    about = {"trusted": bool(seen["trusted"].all())}
    if reached.empty:
        return {"goal": NONE, "units": last, "misleading": False, **about}
    first = reached.iloc[0]
    return {
        "goal": first["goal"],
        "units": first["units"],
        "misleading": first["misleading"],
        **about,
    }
