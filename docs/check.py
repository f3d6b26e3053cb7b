"""Look at the site in a browser: ``make check-docs``.

A headless Chromium opens pages on a desktop and on a phone, light and dark, and is asked, over its
DevTools protocol, what it shows: no failed file, no figure missing, nothing wider than the screen,
code that copies, a search that finds.  ``--pictures FOLDER`` keeps what it saw.
"""

from __future__ import annotations

import argparse
import base64
import functools
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from websockets.sync.client import connect

SITE = Path(__file__).parents[1] / "build" / "site"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCREENS = {"desktop": (1280, 900), "phone": (390, 844)}
#: What each page is asked; the answer is a list of complaints.
LOOK = """(() => {
  const wrong = [];
  for (const image of document.querySelectorAll('article img')) {
    image.loading = 'eager';
    if (image.complete && image.naturalWidth === 0) wrong.push('no figure: ' + image.src);
  }
  if (/\\\\[([]|\\$\\$/.test([...document.querySelectorAll('article p, article div.math')]
      .map(one => one.textContent).join(' '))) wrong.push('a formula is shown as its source');
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide > 1) wrong.push('the page is ' + wide + ' px wider than the screen');
  for (const block of document.querySelectorAll('article div.highlight pre'))
    if (!block.parentElement.querySelector('.copybtn'))
      wrong.push('does not copy: ' + block.textContent.slice(0, 40));
  return wrong;
})()"""
COPY = """(async () => {
  let copied = null;
  navigator.clipboard.writeText = text => { copied = text; return Promise.resolve(); };
  document.execCommand = () => { copied = String(window.getSelection()); return true; };
  document.querySelector('.copybtn').click();
  await new Promise(done => setTimeout(done, 300));
  return copied;
})()"""
FOUND = "[...document.querySelectorAll('#search-results li a')].map(link => link.textContent)"


class Browser:
    """A Chromium, and the one page that it has open."""

    def __init__(self, program: str, profile: str) -> None:
        self.process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = self._port(Path(profile) / "DevToolsActivePort")
        with connect(port, max_size=None) as control:
            found = _ask(control, 1, "Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in found if one["type"] == "page")
        address = f"{port.rpartition('/devtools')[0]}/devtools/page/{page}"
        self.stack = ExitStack()
        self.socket = self.stack.enter_context(connect(address, max_size=None))
        self.number = 0
        self("Page.enable")

    def _port(self, file: Path) -> str:
        """Return the address that the browser listens at, once it says so."""
        for _ in range(300):
            if file.exists() and len(lines := file.read_text().split()) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.1)
        raise RuntimeError("the browser did not start within 30 s")

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self.number += 1
        return _ask(self.socket, self.number, method, **parameters)

    def run(self, code: str) -> Any:
        """Return the value of an expression in the page."""
        options = {"returnByValue": True, "awaitPromise": True}
        found = self("Runtime.evaluate", expression=code, **options)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{code[:60]}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def open(self, address: str, screen: str = "desktop", scheme: str = "light") -> None:
        """Open a page and wait until it is there."""
        width, height = SCREENS[screen]
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=screen == "phone",
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self("Emulation.setEmulatedMedia", features=features)
        self("Page.navigate", url=address)
        self.wait(f"document.readyState === 'complete' && location.href === {address!r}")

    def wait(self, condition: str, seconds: float = 20) -> bool:
        """Wait until an expression is true; return whether it came true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run(f"Boolean({condition})"):
                return True
            time.sleep(0.05)
        return False

    def picture(self, path: Path) -> None:
        """Save what is on the screen."""
        found = self("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """End the browser."""
        self.stack.close()
        self.process.terminate()
        self.process.wait(20)


def _ask(socket: Any, number: int, method: str, **parameters: Any) -> dict[str, Any]:
    socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
    while True:
        answer = json.loads(socket.recv(60))
        if answer.get("id") == number:
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            return answer["result"]


class Links(HTMLParser):
    """What a page links to, and the places in it that may be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag points to, and what it is called."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            if name in ("id", "name") and value:
                self.places.add(value)


def broken_links(site: Path) -> list[str]:
    """Return the links within the site that lead nowhere."""
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in paths}
    wrong = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if file.is_dir():
                file /= "index.html"
            place = unquote(parts.fragment)
            known = pages.get(file)
            if not file.exists() or (place and known is not None and place not in known.places):
                wrong.append(f"{path.relative_to(site)}: {target}")
    return wrong


def looks(browser: Browser, root: str, pages: list[str], pictures: Path | None) -> list[str]:
    """Return what is wrong with pages, on either screen, in either colour."""
    wrong = []
    for page in pages:
        for screen in SCREENS:
            for scheme in ("light", "dark"):
                browser.open(f"{root}/{page}", screen, scheme)
                browser.wait("document.querySelector('.copybtn')", 1)
                browser.run("scrollTo(0, document.body.scrollHeight)")
                browser.wait("[...document.images].every(image => image.complete)")
                found = browser.run(LOOK)
                shown = browser.run("document.documentElement.dataset.theme")
                if shown != scheme:
                    found.append(f"is {shown}, not {scheme}")
                wrong += [f"{page}, {screen}, {scheme}: {one}" for one in found]
                if pictures is not None:
                    browser.run("scrollTo(0, 0)")
                    name = page.removesuffix(".html").replace("/", "-")
                    browser.picture(pictures / f"{name}-{screen}-{scheme}.png")
    return wrong


def copies(browser: Browser, root: str, page: str, expected: str) -> list[str]:
    """Return what is wrong with copying the first block of code of a page."""
    browser.open(f"{root}/{page}")
    browser.wait("document.querySelector('.copybtn')")
    copied = browser.run(COPY)
    return [] if expected in (copied or "") else [f"{page}: copied {copied!r}"]


def finds(browser: Browser, root: str, words: str, title: str) -> list[str]:
    """Return what is wrong with searching for some words."""
    browser.open(f"{root}/search.html?q={words}")
    browser.wait(f"({FOUND}).some(text => text.includes({title!r}))")
    found = browser.run(FOUND)
    return [] if any(title in text for text in found) else [f"search {words!r}: {found[:8]}"]


def check(site: Path, pictures: Path | None, only: str) -> list[str]:
    """Return everything that is wrong with the site."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} was found")
    pages = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    # The reference has one page a name, all of one kind: one of them stands for the rest.
    single = "docs/reference/generated/bambi_anova.Result.means.html"
    pages = [p for p in pages if "/generated/" not in p or p == single]
    pages = [p for p in pages if p.startswith("docs/") or p.startswith(("tutorials", "benchmarks"))]
    pages = [p for p in pages if only in p]
    handler = functools.partial(Quiet, directory=str(site))
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        browser = Browser(program, profile)
        try:
            wrong = looks(browser, root, pages, pictures)
            wrong += copies(browser, root, "docs/index.html", "import bambi_anova as ba")
            for words, title in SEARCHES.items():
                wrong += finds(browser, root, words, title)
        finally:
            browser.close()
            server.shutdown()
    return broken_links(site) + wrong


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the site without a word."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


#: What somebody may search for, and a page that should be found.
SEARCHES = {"savage_dickey": "Result.savage_dickey", "pseudoreplication": "Designing and checking"}


def main() -> int:
    """Check the built site; return how much is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="keep what was seen in this folder")
    parser.add_argument("--only", default="", help="pages whose addresses have this in them")
    options = parser.parse_args()
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
    wrong = check(SITE, options.pictures, options.only)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(wrong)} faults")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
