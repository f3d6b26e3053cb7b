"""A progress bar for quick fits, shown only where they are not quick."""

from __future__ import annotations

import threading
import time
from importlib.util import find_spec
from types import TracebackType
from typing import Any

#: Seconds after which a fit owes its user a sign of life.
PATIENCE = 1.0


class Progress:
    """Shows what a fit is doing, from a second after its start.

    A call says what is being done, how much of it is done, and of how much if that is known.

    Parameters
    ----------
    title : str
        Name of the method.
    shown : bool
        False keeps it silent.

    Examples
    --------
    >>> with Progress("laplace", shown=False) as progress:
    ...     progress("drawing", 1, 10)
    """

    def __init__(self, title: str, shown: bool) -> None:
        self.title = title
        self.shown = shown
        self._started = time.perf_counter()
        self._lock = threading.Lock()
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """Report; threads may."""
        if not self.shown or time.perf_counter() - self._started < PATIENCE:
            return
        with self._lock:
            if self._bar is None:
                self._open()
            text = f"{self.title}: {stage}"
            self._bar.update(self._task, description=text, completed=done, total=total)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away, whatever ended the fit."""
        if self._bar is not None:
            self._bar.stop()

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        # Without widgets rich warns in each notebook; as no notebook it stays silent there.
        console = Console(force_jupyter=None if find_spec("ipywidgets") else False)
        self._bar = Bar(*columns, console=console, transient=True)
        self._task = self._bar.add_task(self.title, total=None)
        self._bar.start()
