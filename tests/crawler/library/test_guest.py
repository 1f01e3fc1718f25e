"""Penstock as a guest: a program that imports it and crawls finds itself unchanged, and typed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import penstock
from tests.support.crawls import ROOT
from tests.support.synthetic_web import SyntheticWeb

# Looks at what belongs to the whole process, crawls, and looks again.
PROGRAM = """
import asyncio, copyreg, gc, json, locale, logging, os, signal, sqlite3, sys, threading, warnings
class MyBool: pass
sqlite3.register_adapter(bool, lambda value: f"mine: {value}")
sqlite3.register_adapter(MyBool, str)
warnings.simplefilter("ignore", ResourceWarning)

HANDLED = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

def look():
    root = logging.getLogger()
    adapters = [(kind.__name__, repr(function)) for (kind, _), function in sqlite3.adapters.items()]
    return {
        "sqlite3 adapters": sorted(adapters),
        "sqlite3 converters": sorted(sqlite3.converters),
        "warnings": [repr(entry) for entry in warnings.filters],
        "showwarning": repr(warnings.showwarning),
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
        "signals": [repr(signal.getsignal(number)) for number in HANDLED],
        "wakeup fd": signal.set_wakeup_fd(-1),
        "logging": [root.level, repr(root.handlers), logging.raiseExceptions, logging.root.manager.disable],
        "environment": dict(os.environ),
        "path": list(sys.path),
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
        "umask": [os.umask(0o22), os.umask(0o22)][1],
        "hooks": [repr(hook) for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook)],
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "policy": type(asyncio.get_event_loop_policy()).__name__,
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "stdout": repr(sys.stdout), "stderr": repr(sys.stderr),
    }

before = look()
from penstock import Crawl, CrawlConfig
import penstock
async def main():
    config = CrawlConfig(seeds=[sys.argv[1]], db=sys.argv[2], no_robots=True, search=True, processes=2)
    async with Crawl(config) as crawl:
        async for page in crawl.pages(bodies=True):
            page.html, page.links
asyncio.run(main())
with penstock.open(sys.argv[2]) as crawl:
    repr(crawl.query("SELECT * FROM pages"))
after = look()
print(json.dumps({name: [before[name], after[name]] for name in before if before[name] != after[name]}))
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a crawl changed in the process of a program: values before and after, by name."""
    web = SyntheticWeb(seed=71, pages=20)
    with web.serve_in_thread() as url:
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, url, str(tmp_path_factory.mktemp("guest") / "a.db")],
            cwd=ROOT / ".src", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert finished.stderr == ""
    found: dict[str, object] = json.loads(finished.stdout)
    return found


class TestGuest:
    def test_a_program_that_crawls_finds_its_process_unchanged(self, changed: dict[str, object]) -> None:
        """sqlite3 adapters, warnings, gc, signals, logging, environment, locale: all are the host's."""
        assert changed == {}


class TestNames:
    def test_completion_lists_the_public_names_alone(self) -> None:
        names = [name for name in dir(penstock) if not name.startswith("__")]

        assert names == sorted([*penstock.__all__, "open"])

    def test_a_star_import_keeps_the_builtin_open(self) -> None:
        names: dict[str, object] = {}

        exec("from penstock import *", names)

        assert "open" not in names

    def test_reading_a_file_loads_neither_the_http_client_nor_the_parser(self) -> None:
        """A notebook that only reads a crawl should not wait for them."""
        code = (
            "import sys, penstock\n"
            "penstock.open, penstock.Table\n"
            "sys.exit(bool({'aiohttp', 'selectolax'} & {*sys.modules}))"
        )

        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / ".src", check=False).returncode == 0

    def test_type_checkers_see_every_public_name(self) -> None:
        """The module has a `__getattr__`, so a name that is missing there would silently be an object."""
        tree = ast.parse((ROOT / ".src/penstock/__init__.py").read_bytes())
        [block] = [node for node in tree.body if isinstance(node, ast.If)]
        imports = [alias for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]

        assert sorted(alias.asname or alias.name for alias in imports) == sorted(
            [*penstock.__all__, "open_crawl"]
        )

    def test_every_public_name_is_there_and_says_what_it_is(self) -> None:
        for name in penstock.__all__:
            value = getattr(penstock, name)
            if isinstance(value, type):
                assert value.__doc__, name

    def test_a_name_that_is_not_there_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="Crawler"):
            penstock.Crawler  # noqa: B018


SCRIPT = """
from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime

import penstock
from penstock import Crawl, CrawlConfig, Follow, Page, PageStored, RunEnded, UrlFailed, Value


def on_page(page: Page) -> Iterator[Value | Follow]:
    for cell in page.css("td.price"):
        yield Value("price", float(cell.text))


async def main() -> None:
    config = CrawlConfig(seeds=["https://example.com/"], depth=2, plugins=[on_page])
    async with Crawl(config) as crawl:
        async for page in crawl.pages(failures=True):
            when: datetime | None = page.fetched_at
            links: list[str] = [link.url for link in page.links]
            print(page.url, page.status, when, links, page.values.get("price"))
    if crawl.report is not None:
        print(crawl.report.totals.pages, crawl.report.stop_reason)
    async for event in Crawl(config).events():
        match event:
            case PageStored(page=stored):
                print(stored.title)
            case UrlFailed():
                print(event.url, event.reason)
            case RunEnded(report=report):
                print(report.exit_code)


asyncio.run(main())
with penstock.open("crawl.db") as file:
    rows: list[dict[str, object]] = file.query("SELECT 1 AS n").to_dicts()
    print(rows, file.report("broken_links"), file.why("https://example.com/").reason)
    for stored_page in file.pages():
        print(stored_page.url)
print(penstock.crawl("https://example.com/", depth=1).result)
"""
WRONG = """
import penstock
from penstock import Crawl, CrawlConfig

config: CrawlConfig = CrawlConfig(seeds=["https://example.com/"], dept=2)
status: str = Crawl(config).snapshot().pages
penstock.open("crawl.db").reprot("broken_links")
"""


class TestTypes:
    def check(self, folder: Path, text: str) -> tuple[int, str]:
        (folder / "script.py").write_text(text)
        checked = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent",
             f"--cache-dir={folder}", "script.py"],
            cwd=folder, env={"MYPYPATH": str(ROOT / ".src"), "PATH": ""},
            capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        return checked.returncode, checked.stdout

    def test_mypy_strict_accepts_a_script_and_finds_its_mistakes(self, tmp_path: Path) -> None:
        assert self.check(tmp_path, SCRIPT) == (0, "")

        code, mistakes = self.check(tmp_path, WRONG)
        assert code == 1
        assert [line.split(":")[1] for line in mistakes.splitlines() if ": error:" in line] == ["5", "6", "7"]
