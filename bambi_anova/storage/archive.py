"""A fit's parts -> arrays and a record, and back; nothing is pickled.

The rows of the data are kept as the design read them, after every expression of the formula has
been evaluated.  So functions of ``extra_namespace`` need not be kept; only a refit through Bambi,
which evaluates the formula again, asks for them.

Letters: N rows.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bambi_anova.data.rows import Coded, Covariate, Rows, mentions
from bambi_anova.design.design import Design
from bambi_anova.errors import ArgumentError, StorageError
from bambi_anova.families.response import ResponseValues
from bambi_anova.posterior.importance import Weighting
from bambi_anova.posterior.trust import Sampling
from bambi_anova.priors.defaults import Prior, Priors

if TYPE_CHECKING:
    import xarray as xr

Array = np.ndarray

#: Packages whose versions a file tells.
PACKAGES = ("bambi-anova", "bambi", "pymc", "arviz-stats", "numpy", "pandas")


def versions() -> dict[str, str]:
    """Return the versions of the packages that made a fit."""
    return {name: version(name) for name in PACKAGES}


# Rows


def pack_rows(design: Design) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the rows of a design as arrays and a record."""
    rows = design.rows
    used = [name for name in rows.data.columns if mentions(design.formula.text, name)]
    frame, mixed = _separate_mixed(rows.data[used])
    arrays = {"frame": _to_arrow(frame), "response": rows.response.values}
    if rows.response.trials is not None:
        arrays["trials"] = rows.response.trials
    if rows.offset is not None:
        arrays["offset"] = rows.offset
    coded = {**rows.factors, **rows.groupings}
    for index, one in enumerate(coded.values()):
        arrays[f"codes_{index}"] = one.codes
    for index, covariate in enumerate(rows.covariates.values()):
        arrays[f"covariate_{index}"] = covariate.values
    record = {
        "mixed": mixed,
        "response": {
            "name": rows.response.name,
            "success": _pack_value(rows.response.success),
            "guessed": rows.response.guessed,
        },
        "coded": [[name, [_pack_value(v) for v in one.levels]] for name, one in coded.items()],
        "factors": list(rows.factors),
        "groupings": list(rows.groupings),
        "covariates": [
            {"name": one.name, "mean": one.mean, "sd": one.sd, "centred": one.centred}
            for one in rows.covariates.values()
        ],
    }
    return arrays, record


def unpack_rows(arrays: Mapping[str, Array], record: Mapping[str, Any]) -> Rows:
    """Return the rows that ``pack_rows`` packed."""
    data = _from_arrow(arrays["frame"])
    for name, values in record["mixed"].items():
        levels = np.empty(len(values), dtype=object)
        levels[:] = [_unpack_value(value) for value in values]
        data[name] = levels[data[name].to_numpy()]
    coded = {
        name: Coded(name, tuple(_unpack_value(v) for v in levels), arrays[f"codes_{index}"])
        for index, (name, levels) in enumerate(record["coded"])
    }
    response = record["response"]
    return Rows(
        data,
        ResponseValues(
            response["name"],
            arrays["response"],
            arrays.get("trials"),
            _unpack_value(response["success"]),
            response["guessed"],
        ),
        {name: coded[name] for name in record["factors"]},
        {name: coded[name] for name in record["groupings"]},
        {
            one["name"]: Covariate(values=arrays[f"covariate_{index}"], **one)
            for index, one in enumerate(record["covariates"])
        },
        arrays.get("offset"),
    )


def _separate_mixed(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list]]:
    """Replace columns of values that Arrow has no type for by codes; return their values."""
    frame, mixed = frame.copy(), {}
    several = isinstance(frame.index, pd.MultiIndex)
    if not several and pd.api.types.infer_dtype(frame.index).startswith("mixed"):
        frame.index = frame.index.map(str)
    for name in frame:
        kind = frame[name].dtype
        values = kind.categories if isinstance(kind, pd.CategoricalDtype) else frame[name]
        plain = pd.api.types.infer_dtype(values, skipna=True)
        if (values.dtype == object and plain != "string") or plain == "interval":
            codes, levels = pd.factorize(frame[name].astype(object), use_na_sentinel=False)
            frame[name] = codes
            mixed[str(name)] = [_pack_value(value) for value in levels]
    return frame, mixed


def _to_arrow(frame: pd.DataFrame) -> Array:
    """Return a frame as bytes; unlike Parquet, Arrow's format keeps unused categories."""
    import pyarrow as pa

    table, sink = pa.Table.from_pandas(frame), io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return np.frombuffer(sink.getvalue(), dtype=np.uint8)


def _from_arrow(data: Array) -> pd.DataFrame:
    import pyarrow as pa

    with pa.ipc.open_file(pa.BufferReader(data.tobytes())) as reader:
        return reader.read_all().to_pandas()


_TAGGED: dict[type, Callable[[Any], Any]] = {
    pd.Timestamp: lambda value: value.isoformat(),
    pd.Timedelta: lambda value: value.isoformat(),
    datetime.datetime: lambda value: value.isoformat(),
    datetime.date: lambda value: value.isoformat(),
    pd.Interval: lambda value: [_pack_value(value.left), _pack_value(value.right), value.closed],
    pd.Period: lambda value: [str(value), value.freqstr],
    tuple: lambda value: [_pack_value(part) for part in value],
}
_UNTAGGED: dict[str, Callable[[Any], Any]] = {
    "Timestamp": pd.Timestamp,
    "Timedelta": pd.Timedelta,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "Interval": lambda parts: pd.Interval(
        _unpack_value(parts[0]), _unpack_value(parts[1]), parts[2]
    ),
    "Period": lambda parts: pd.Period(parts[0], freq=parts[1]),
    "tuple": lambda parts: tuple(_unpack_value(part) for part in parts),
}


def _pack_value(value: object) -> Any:
    """Write a level as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (str, int, float, bool):
        return value
    if type(value) in _TAGGED:
        return {type(value).__name__: _TAGGED[type(value)](value)}
    raise StorageError(
        f"the level {value!r} is a {type(value).__name__}, which cannot be saved; turn the column "
        "into text before the fit"
    )


def _unpack_value(packed: Any) -> Any:
    if isinstance(packed, dict):
        ((name, content),) = packed.items()
        return _UNTAGGED[name](content)
    return packed


# Priors


def pack_priors(priors: Priors) -> dict[str, Any]:
    """Return priors as a record.

    Raises
    ------
    StorageError
        If a prior is a function of the user's.
    """

    def pack(name: str, prior: Prior | float) -> Any:
        if not isinstance(prior, Prior):
            return float(prior)
        if getattr(prior.given, "dist", None) is not None:
            raise StorageError(
                f"priors[{name!r}] is made by a function (dist=...), which cannot be saved; give "
                "it by the name of a PyMC distribution"
            )
        return {"name": prior.name, "args": dict(prior.args)}

    return {
        "intercept": pack("Intercept", priors.intercept),
        **{
            part: {name: pack(name, own) for name, own in getattr(priors, part).items()}
            for part in ("covariates", "sigmas", "auxiliary")
        },
    }


def unpack_priors(record: Mapping[str, Any]) -> Priors:
    """Return the priors that ``pack_priors`` packed."""

    def unpack(packed: Any) -> Any:
        return Prior(**packed) if isinstance(packed, dict) else packed

    parts = {
        part: {name: unpack(own) for name, own in record[part].items()}
        for part in ("covariates", "sigmas", "auxiliary")
    }
    return Priors(unpack(record["intercept"]), **parts)


# Sampling


def pack_sampling(sampling: Sampling) -> dict[str, Any]:
    """Return what is known of a fit, but for the arrays that are among its sample statistics."""
    scalars = vars(replace(sampling, weighting=None))
    weighting = sampling.weighting
    if weighting is not None:
        names = ("pareto_k", "effective", "proposed")
        scalars = scalars | {"weighting": {name: getattr(weighting, name) for name in names}}
    return scalars


def unpack_sampling(record: Mapping[str, Any], idata: xr.DataTree) -> Sampling:
    """Return what ``pack_sampling`` packed."""
    scalars = dict(record)
    own = scalars.pop("weighting")
    if own is None:
        return Sampling(**scalars)
    names = ("setting", "proposal", "log_weight")
    arrays: dict[str, Any] = {name: idata["sample_stats"][name].to_numpy() for name in names}
    return Sampling(**scalars, weighting=Weighting(**arrays, **own))


# Names of the user's


def pack_namespace(namespace: Mapping[str, Any], formula: str) -> dict[str, Any]:
    """Return the names that a formula uses, with the values of those that are numbers or text."""
    plain = (str, int, float, bool)
    return {
        name: {"value": value} if isinstance(value, plain) else {}
        for name, value in namespace.items()
        if mentions(formula, name) or f"{name}(" in formula
    }


def unpack_namespace(record: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names, with the user's values first and stand-ins for those that are missing."""
    saved = {
        name: own["value"] if "value" in own else _Missing(name) for name, own in record.items()
    }
    return {**saved, **given}


class _Missing:
    """Stands for a function that was not saved, until somebody needs it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: object, **kwargs: object) -> None:
        """Say how to get the function back."""
        raise ArgumentError(
            f"extra_namespace: the formula uses {self._name!r}, which a file cannot hold; pass "
            f"load(path, extra_namespace={{{self._name!r}: ...}}) to fit this model through Bambi"
        )

    def __getattr__(self, name: str) -> _Missing:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missing(f"{self._name}.{name}")
