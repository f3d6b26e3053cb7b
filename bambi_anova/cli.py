"""Command line: ``bambi-anova demo``, ``fit "FORMULA" data.csv`` and ``plan "FORMULA"``."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bambi_anova
from bambi_anova.errors import AnovaError, AnovaWarning, ArgumentError, UnsupportedError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from bambi_anova.model import Model
    from bambi_anova.result import Result

#: Further parameters that may have a formula.
PREDICTED = ("sigma", "alpha", "kappa", "psi")
DEMO_FORMULA = "p(errors, markers) ~ condition * trial_type + Error(participant/trial_type)"

#: What messages say to a caller of Python, and what that is here.
_OPTIONS = {
    r"\bdropna=True": "--dropna",
    r"\binference_method='(\w+)'": r"--method \1",
    r"\bfamily='(\w+)'": r"--family \1",
    r"^(draws|tune|chains)=": r"--\1 ",
    r"^random_seed=": "--seed ",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after one line on what was wrong with the input.

    Examples
    --------
    >>> main(["fit", "y ~ a", "missing.csv"])
    2
    """
    options = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.simplefilter("always", AnovaWarning)
        warnings.showwarning = _show_warning  # restored by catch_warnings
        try:
            options.run(options)
        except (AnovaError, OSError) as error:
            _say(error)
            return 2
        except KeyboardInterrupt:
            _say("interrupted")
            return 130
    return 0


def _say(message: object) -> None:
    """Say something on the side, in the words of the command line."""
    text = str(message)
    for words, option in _OPTIONS.items():
        text = re.sub(words, option, text)
    print(f"bambi-anova: {text}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bambi-anova", description="Bayesian split-plot and mixed-design ANOVA."
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {bambi_anova.__version__}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="analyse the memory experiment that comes along")
    demo.set_defaults(run=_demo)
    fit = commands.add_parser("fit", help="analyse a data file")
    fit.set_defaults(run=_fit)
    fit.add_argument("formula", help='such as "y ~ A * B + Error(subject/B)"')
    fit.add_argument(
        "data",
        help="a .csv, .tsv, .parquet or .xlsx file, '*.parquet', or a table of a database such as "
        "'duckdb:///trials.db::rt'",
    )
    fit.add_argument("--family", help="of the response (default: gaussian)")
    fit.add_argument("--link", help="of its mean (default: the family's)")
    for name in PREDICTED:
        fit.add_argument(
            f"--{name}", metavar="TERMS", help=f'a formula of {name}, such as "A * B" or "1"'
        )
    fit.add_argument(
        "--categorical",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of numbers to take as factors",
    )
    fit.add_argument("--dropna", action="store_true", help="leave out rows with missing values")
    fit.add_argument(
        "--contrasts", nargs="+", metavar="TERM", help="terms to contrast (default: every factor)"
    )
    _add_plan(commands.add_parser("plan", help="simulate how often a design answers its question"))
    for command, out in ((demo, Path("demo-output")), (fit, None)):
        command.add_argument("--out", type=Path, default=out, metavar="DIR", help="to write to")
        command.add_argument(
            "--overwrite", action="store_true", help="write to DIR even if there are files in it"
        )
        command.add_argument(
            "--method", help="inference method (default: a quick fit, then NUTS to confirm it)"
        )
        command.add_argument("--quick", action="store_true", help="leave it at the quick fit")
        command.add_argument(
            "--draws", type=int, help="draws a chain (default: 1000, more where quick fits need it)"
        )
        command.add_argument("--tune", type=int, help="tuning steps a chain")
        command.add_argument("--chains", type=int, default=4)
        command.add_argument("--seed", type=int, default=None, help="random seed")
        command.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _add_plan(command: argparse.ArgumentParser) -> None:
    """Give a command the options of ``bambi_anova.plan``."""
    command.set_defaults(run=_plan)
    command.add_argument("formula", help='such as "y ~ A * B + Error(subject/B)"')
    pairs: dict[str, Any] = {"nargs": "+", "required": True, "metavar": "NAME=VALUE"}
    command.add_argument("--levels", **pairs, help="of each factor, such as A=a1,a2 B=b1,b2")
    command.add_argument("--means", **pairs, help="of each cell, such as a1:b1=10 a1:b2=12")
    command.add_argument(
        "--sds", nargs="+", default=[], metavar="NAME=VALUE", help="such as subject=2 sigma=1"
    )
    command.add_argument(
        "--units",
        nargs="+",
        required=True,
        metavar="N",
        help="units in all, or subject=20,40 item=8",
    )
    command.add_argument(
        "--between", nargs="+", default=[], metavar="UNIT=FACTOR", help="such as item=frequency"
    )
    command.add_argument("--rows", nargs="+", type=int, default=[1], help="rows in a unit's cell")
    command.add_argument("--family", default="gaussian", help="of the response")
    command.add_argument(
        "--trials", nargs="+", type=int, default=[1], help="of every row of a proportion"
    )
    command.add_argument("--term", help="what is asked about (default: the last factor term)")
    command.add_argument("--width", type=float, help="goal: an interval narrower than this")
    command.add_argument("--rope", nargs=2, type=float, metavar=("LOW", "HIGH"))
    command.add_argument("--bf", type=float, help="goal: a Bayes factor above this")
    command.add_argument("--simulations", type=int, default=100, help="studies")
    command.add_argument(
        "--sequential", action="store_true", help="also: look at every number of units, and stop"
    )
    command.add_argument(
        "--cost", nargs="+", default=[], metavar="NAME=PRICE", help="also: the cheapest size"
    )
    command.add_argument("--seed", type=int, default=None, help="random seed")
    command.add_argument("--quiet", action="store_true", help="no progress bar")


def _plan(options: argparse.Namespace) -> None:
    from bambi_anova.planning.plan import plan
    from bambi_anova.planning.studies import EXCLUDES_ZERO

    found = plan(
        options.formula,
        {name: value.split(",") for name, value in _pairs("levels", options.levels)},
        {name: _number("means", value) for name, value in _pairs("means", options.means)},
        {name: _number("sds", value) for name, value in _pairs("sds", options.sds)},
        units=_units(options.units),
        rows=options.rows,
        family=options.family,
        trials=options.trials,
        between={name: value.split(",") for name, value in _pairs("between", options.between)},
        term=options.term,
        width=options.width,
        rope=options.rope,
        bf=options.bf,
        simulations=options.simulations,
        random_seed=options.seed,
        progressbar=not options.quiet,
    )
    print(found)
    print(f"\n{found.sentence(EXCLUDES_ZERO)}")
    if options.sequential:
        stopped = found.sequential()
        print(f"\n{stopped}\n\n{stopped.sentence()}")
    if options.cost:
        prices = {name: _number("cost", price) for name, price in _pairs("cost", options.cost)}
        cheapest = found.cheapest(EXCLUDES_ZERO, prices)
        if cheapest is None:
            print("\nNone of the planned sizes is large enough, whatever it costs.")
        else:
            size = ", ".join(f"{name} {cheapest[name]}" for name in found.size_columns)
            print(f"\nCheapest: {size}; cost {cheapest['cost']:g}")


def _units(given: Sequence[str]) -> list[int] | dict[str, list[int]]:
    """Read numbers of units, of one variable or of several by name."""
    if not any("=" in text for text in given):
        return [_count("units", text) for text in given]
    return {
        name: [_count("units", text) for text in value.split(",")]
        for name, value in _pairs("units", given)
    }


def _pairs(option: str, given: Sequence[str]) -> list[tuple[str, str]]:
    """Take NAME=VALUE apart."""
    for text in given:
        if not all(text.rpartition("=")):
            raise ArgumentError(f"--{option} {text}: expected NAME=VALUE")
    return [(text.rpartition("=")[0], text.rpartition("=")[2]) for text in given]


def _count(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(f"--{option} {text}: expected a whole number") from None


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(f"--{option} {text}: expected a number") from None


def _demo(options: argparse.Namespace) -> None:
    from bambi_anova.datasets import load_data

    options.formula, options.family, options.link = DEMO_FORMULA, "binomial", None
    options.categorical, options.dropna, options.contrasts = [], False, None
    if options.seed is None:
        options.seed = 1
    print("41 participants in two conditions, 100 trials of two types each: do condition and")
    print("trial type change the rate of errors?\n")
    _analyse(options, load_data("memory"))


def _fit(options: argparse.Namespace) -> None:
    from bambi_anova.data.databases import is_address
    from bambi_anova.data.files import read_data

    # Of databases and many Parquet files not every row need be read.
    if is_address(options.data) or "*" in Path(options.data).name:
        _analyse(options, options.data)
        return
    data, notes = read_data(Path(options.data))
    for note in notes:
        _say(f"note: {note}")
    _analyse(options, data)


def _analyse(options: argparse.Namespace, data: pd.DataFrame | str) -> None:
    from bambi_anova.estimates.effects import Grid
    from bambi_anova.model import Model

    model = Model(
        options.formula,
        data,
        family=options.family,
        link=options.link,
        categorical=options.categorical,
        dropna=options.dropna,
        predictors={name: getattr(options, name, None) for name in PREDICTED},
    )
    print(model, end="\n\n", flush=True)
    terms = options.contrasts or list(model.design.levels)
    for term in terms:
        Grid(model.design.levels).factors(term)  # complain before the fit, not after it
    if options.out is not None:
        _require_free(options.out, options.overwrite)
    result = _fit_model(model, options)
    tables = _tables(result, terms)
    for title, table in tables.items():
        print(f"{title.replace('_', ' ')}\n{table}\n")
    if options.out is not None:
        _write(result, tables, options.out)


def _require_free(out: Path, overwrite: bool) -> None:
    """Refuse a directory whose files would be lost, before anything is computed."""
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"--out {out}: expected a directory, found a file")
    if not overwrite and out.exists() and any(out.iterdir()):
        raise ArgumentError(
            f"--out {out}: there are files in it; name another directory, or pass --overwrite"
        )


def _fit_model(model: Model, options: argparse.Namespace) -> Result:
    """Fit by the method that was named, or quickly first and then in full."""
    from bambi_anova.prediction.compare import compare_fits

    settings = {
        "draws": options.draws,
        "tune": options.tune,
        "chains": options.chains,
        "random_seed": options.seed,
        "progressbar": not options.quiet,
    }
    if options.method is not None:
        return _shown(model.fit(options.method, **settings))
    try:
        quick = _shown(model.fit("laplace", **settings))
    except UnsupportedError as error:
        if options.quick:
            raise
        _say(f"note: {error}")
        return _shown(model.fit(**settings))
    if options.quick:
        return quick
    kernel = model.family.form(model.links).compiled is not None
    full = _shown(model.fit(init=quick if kernel else None, **settings))
    worst = compare_fits(quick, full).iloc[0]
    print(
        f"Quick against full: the largest difference is in {worst['quantity']} "
        f"{worst['population']}: mean {worst['shift']:+.2f} sd, sd ratio {worst['sd_ratio']:.2f}.\n"
    )
    return full


def _shown(result: Result) -> Result:
    print(result, end="\n\n", flush=True)
    return result


def _tables(result: Result, terms: Sequence[str]) -> dict[str, pd.DataFrame]:
    tables = {"anova": result.anova()}
    for term in terms:
        name = term.replace(":", "_by_")
        for population in ("super", "finite"):
            table = result.contrasts(term, population=population)
            tables[f"contrasts_of_{name}_{population}_population"] = table
    for parameter in list(result.specification.predictors)[1:]:
        tables[f"means_of_{parameter}"] = result.means(parameter=parameter, scale="response")
    from bambi_anova.estimates.shown_scale import shown_scale

    tables["cell_means_on_the_response_scale"] = result.means(scale=shown_scale(result, "super"))
    tables["deflections"] = result.deflections()
    return tables


def _write(result: Result, tables: dict[str, pd.DataFrame], out: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from bambi_anova.plots import plot_anova, plot_deflections, plot_means

    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False)
    result.save(out / "draws.nc")
    report = result.report()
    for name in ("report.md", "report.html"):
        report.save(out / name, overwrite=True)
    result.plot().savefig(out / "page.png", dpi=150)
    figures: dict[str, Callable[..., Axes]] = {"anova": plot_anova}
    if result.design.factors:
        figures |= {"means": plot_means, "deflections": plot_deflections}
    for name, draw in figures.items():
        draw(result)
        plt.savefig(out / f"{name}.png", dpi=150)
        plt.close()
    plt.close("all")
    print(f"tables, draws (for bambi_anova.load), figures and a report are in {out}/")


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    if issubclass(category, AnovaWarning):
        _say(f"note: {message}")


if __name__ == "__main__":
    raise SystemExit(main())
