"""Every error and warning of the package, so that users can catch or filter them by class.

Messages follow one pattern: which argument or column, what was expected, what was found,
and what to do about it.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)


class AnovaError(ValueError):
    """Base class of the package's errors (a ``ValueError``)."""


class FormulaError(AnovaError):
    """The formula cannot be read, or says something that has no meaning here."""


class DataError(AnovaError):
    """The data frame does not fit the formula, the family or the design."""


class PriorError(AnovaError):
    """A prior names nothing in the model, or cannot be used where it was put."""


class ArgumentError(AnovaError):
    """An argument of a public function has a value that it cannot take."""


class UnsupportedError(ArgumentError):
    """A quick fit cannot evaluate this model; the message names the method that can."""


class NotLatentGaussianError(UnsupportedError):
    """A part of a Bambi model, named in the message, that quick fits cannot take, and why."""


class NotApplicableError(ArgumentError):
    """A classical analysis does not fit this design; the message names what does."""


class SeparationError(DataError):
    """Some factor or unit tells successes from failures exactly: no maximum of likelihood."""


class StorageError(AnovaError):
    """A fit cannot be written to a file, or a file cannot be read as a fit."""


class AnovaWarning(UserWarning):
    """Base class of the package's warnings."""


class CovariateWarning(AnovaWarning):
    """A numeric column with few distinct values is used as a covariate."""


class PseudoreplicationWarning(AnovaWarning):
    """A whole-plot term is judged without the unit it was assigned to."""


class MissingUnitTermWarning(AnovaWarning):
    """A factor varies within a unit, yet no unit-by-factor term lets its effect vary."""


class DroppedUnitWarning(AnovaWarning):
    """A unit term cannot be told from the residual or from another term, and was dropped."""


class UnsupportedCellWarning(AnovaWarning):
    """Cells without data: contrasts that need them rest on the prior alone."""


class IncompleteUnitsWarning(AnovaWarning):
    """Units without some within-cells: their effects there rest on their sd alone."""


class ReplicationWarning(AnovaWarning):
    """A term has no more units than cells: its unit variance rests on the prior."""


class SimilarLevelsWarning(AnovaWarning):
    """Levels of a factor or unit differ by blanks or capitals alone."""


class SuccessLevelWarning(AnovaWarning):
    """The success level of a binary response had to be guessed."""


class ConcentrationWarning(AnovaWarning):
    """A prior of a beta distribution's concentration lies mostly where it has no inner mode."""


class InformativeTrialsWarning(AnovaWarning):
    """The rate of a proportion depends on the number of trials, which the formula leaves out."""


class DefaultFamilyWarning(AnovaWarning):
    """No family was named, and the response does not look like that of gaussian, the default."""


class NoMeanWarning(AnovaWarning):
    """Quantities whose posterior has no mean: medians and intervals stand for them."""


class CorrelatedSlopesWarning(AnovaWarning):
    """Units' slopes and effects go together, though the model takes them for independent."""


class SphericityWarning(AnovaWarning):
    """Cells of units are clearly not compound symmetric, though the model takes them for that."""


class SpacingWarning(AnovaWarning):
    """Polynomial contrasts take unequally spaced levels as equally spaced."""


class ConvergenceWarning(AnovaWarning):
    """A fit did not meet the thresholds under which its numbers may be trusted."""


class EvidenceWarning(AnovaWarning):
    """A marginal likelihood is too noisy for the Bayes factors that are made of it."""


def warn(warning: AnovaWarning) -> None:
    """Warn at the user's own line, however deep in the package the reason was found."""
    warnings.warn(warning, skip_file_prefixes=(_PACKAGE,), stacklevel=2)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint ``"; did you mean 'x'?"`` or, with nothing close, the known names.

    Examples
    --------
    >>> nearest("condtion", ["condition", "trial"])
    "; did you mean 'condition'?"
    """
    known = list(known)
    close = [one for one in known if one.casefold() == name.casefold()]
    close += difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(map(repr, known[:12])) + (", ..." if len(known) > 12 else "")
    return f"; known: {shown or 'none'}"


def listing(items: Iterable[object], limit: int = 6) -> str:
    """Join items for a message, cutting long lists.

    Examples
    --------
    >>> listing(range(9), limit=3)
    '0, 1, 2, ... (9 in all)'
    """
    words = [str(item) for item in items]
    if len(words) <= limit:
        return ", ".join(words)
    return ", ".join(words[:limit]) + f", ... ({len(words)} in all)"
