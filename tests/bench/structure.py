"""Structure: how the code is divided into modules and functions, and how much of it one page runs through.

    python -m tests.bench.structure [--root DIR]

Run it before and after a restructuring, with the same Python version, and compare. `--root` measures
another checkout. Two layouts are supported: `crawler`, `stages` and `storage` as top-level packages, and
the same folders as subpackages of `penstock`, through symlinks in `.src/penstock`.

Static figures, over all modules of the three folders (tests, `run_crawl.py` and `.src` are not counted):

- p90: the value at index `int(0.9 * n)` of the sorted values.
- Lines of a function: from `def` to its last line, docstring included. Methods and nested functions count.
- A private function has one use if its name occurs once in its own module, apart from its definition:
  as a name that is read, or as an attribute of any object.
- A user of a module is another module of the three folders that imports it, at any level of nesting
  and under `TYPE_CHECKING` too. Imports by a computed name are not found.

The walk of one page: the library API crawls three pages with default options and `processes=1`, in this
process. The first page links to the second, the second to the first and the third, the third to the first.
So the third page is only known, and requested, after the second is committed. The walk covers what runs
between the server's receipt of the second page's request and its receipt of the third's. This is one full
cycle: answer, body, parse, commit, settle, lease of the next URL, send. No name in the product marks its
ends, so it survives renamed classes and functions.

- A call is an entry into a Python function of the product, in any thread (SQLite's too). Each resumption
  of a coroutine or generator counts, as do lambdas and comprehensions (Python 3.12 and later inline most
  comprehensions).
- A change of file (of folder) is a call whose nearest product function on the call stack is in another
  file (folder), and a call without one: from the event loop, or in SQLite's thread.
- The modules in WATCHING, and what they call, are left out: timers start them, not pages.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import importlib
import statistics
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from types import CodeType, FrameType
from typing import Any, NamedTuple

from aiohttp import web

FOLDERS = ("crawler", "stages", "storage")
PACKAGE = "penstock"
WATCHING = ("lag", "telemetry", "watch", "watchdog")  # modules anywhere in `crawler`, without `.py`
SITE = {"/": ["/a"], "/a": ["/", "/b"], "/b": ["/"]}
LONGEST_SHOWN = 3

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    file: str  # relative to the root, with slashes
    lines: int
    tree: ast.Module

    @property
    def dotted(self) -> str:
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]


def modules_of(root: Path) -> list[Module]:
    paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    texts = [(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths]
    return [Module(file, len(text.splitlines()), ast.parse(text)) for file, text in texts]


def spread(values: Iterable[int]) -> str:
    """Median, p90 and maximum."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):g} / {ordered[int(0.9 * len(ordered))]} / {ordered[-1]}"


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})"


def length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def private_uses(module: Module) -> list[int]:
    """How often each private function of a module is used in that module."""
    uses: Counter[str] = Counter()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            uses[node.attr] += 1
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] += 1
    names = [function.name for function in module.functions]
    return [uses[name] for name in names if name.startswith("_") and not name.startswith("__")]


def imports_of(module: Module, known: Iterable[str]) -> Iterator[str]:
    """The modules of `known` that a module imports, without the package's name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            candidates = [[alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            folders = PurePosixPath(module.file).parent.parts
            base = folders[: len(folders) - node.level + 1] if node.level else ()
            source = ".".join([*base, *filter(None, [node.module])])
            candidates = [[f"{source}.{alias.name}", source] for alias in node.names]
        else:
            continue
        for names in candidates:
            found = [name for each in names if (name := each.removeprefix(f"{PACKAGE}.")) in known]
            yield from found[:1]


def static_figures(modules: list[Module]) -> Iterator[tuple[str, str]]:
    functions = [(module, function) for module in modules for function in module.functions]
    longest = sorted(functions, key=lambda pair: length(pair[1]), reverse=True)[:LONGEST_SHOWN]
    uses = [count for module in modules for count in private_uses(module)]
    users: defaultdict[str, set[str]] = defaultdict(set)
    known = {module.dotted for module in modules}
    for module in modules:
        for name in imports_of(module, known - {module.dotted}):
            users[name].add(module.file)
    one_user = sum(len(files) == 1 for files in users.values())
    yield "modules", f"{len(modules)}, {sum(module.lines for module in modules):,} lines"
    yield "lines of a module, median / p90 / max", spread(module.lines for module in modules)
    yield "functions", f"{len(functions):,}"
    yield "lines of a function, median / p90 / max", spread(length(function) for _, function in functions)
    yield "longest functions", ", ".join(f"{m.file}:{f.name} {length(f)}" for m, f in longest)
    yield "private functions with one use", share(uses.count(1), len(uses))
    yield "modules with one user", share(one_user, len(modules))


class Call(NamedTuple):
    file: str
    function: str  # qualified name
    caller: str  # file of the nearest product function on the stack; empty: none


@dataclass
class Recorder:
    """Records the product's calls, as a profile function for `sys` and `threading`."""

    root: Path
    calls: list[Call] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)  # page: calls before the server received it

    def __post_init__(self) -> None:
        self.file_of = cache(self._file_of)

    def _file_of(self, code: CodeType) -> str:
        """The file of a product function, relative to the root, symlinks resolved; else empty."""
        path = Path(code.co_filename).resolve()
        if not path.is_relative_to(self.root):
            return ""
        file = path.relative_to(self.root)
        return file.as_posix() if file.parts[0] in FOLDERS else ""

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not self.file_of(frame.f_code):
            return
        stack: list[str] = []
        outer: FrameType | None = frame
        while outer is not None:
            if file := self.file_of(outer.f_code):
                stack.append(file)
            outer = outer.f_back
        if not any(map(is_watching, stack)):
            caller = stack[1] if len(stack) > 1 else ""
            self.calls.append(Call(stack[0], frame.f_code.co_qualname, caller))

    async def answer(self, request: web.Request) -> web.Response:
        if request.path not in SITE:
            return web.Response(status=404)
        self.requests[request.path] = len(self.calls)
        links = "".join(f'<a href="{path}">Page {path}</a>' for path in SITE[request.path])
        return web.Response(text=f"<title>{request.path}</title>{links}", content_type="text/html")


def is_watching(file: str) -> bool:
    path = PurePosixPath(file)
    return path.parts[0] == "crawler" and path.stem in WATCHING


def load(root: Path) -> Any:
    """The package that has the library API, from this root and nowhere else."""
    source, name = (root / ".src", PACKAGE) if (root / ".src" / PACKAGE).is_dir() else (root, "crawler")
    sys.path.insert(0, str(source))
    package = importlib.import_module(name)
    if not Path(package.__file__ or "").resolve().is_relative_to(root):
        raise SystemExit(f"{name} was loaded from {package.__file__}, not from {root}")
    return package


async def walk(root: Path) -> list[Call]:
    """The calls of one page, in order."""
    package, recorder = load(root), Recorder(root)
    application = web.Application()
    application.router.add_get("/{path:.*}", recorder.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        seed = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        with tempfile.TemporaryDirectory() as folder:
            config = package.CrawlConfig(seeds=[seed], db=Path(folder, "crawl.db"), processes=1)
            crawl = package.Crawl(config)
            threading.setprofile(recorder.profile)
            sys.setprofile(recorder.profile)
            try:
                await crawl.run()
            finally:
                sys.setprofile(None)
                threading.setprofile(None)
    finally:
        await runner.cleanup()
    if list(recorder.requests) != list(SITE):
        raise SystemExit(f"requested were {list(recorder.requests)}, not {list(SITE)}")
    return recorder.calls[recorder.requests["/a"] : recorder.requests["/b"]]


def walk_figures(calls: list[Call]) -> Iterator[tuple[str, str]]:
    functions = Counter((call.file, call.function) for call in calls)
    pairs = [(call.file.partition("/")[0], call.caller.partition("/")[0]) for call in calls]
    yield "one page: files", f"{len({call.file for call in calls})}"
    yield "one page: functions", f"{len(functions)}, of which {list(functions.values()).count(1)} called once"
    yield "one page: calls", f"{len(calls)}"
    yield "one page: changes of file", f"{sum(call.file != call.caller for call in calls)}"
    yield "one page: changes of folder", f"{sum(one != other for one, other in pairs)}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how the code is divided.")
    default = Path(__file__).resolve().parents[2]
    parser.add_argument("--root", type=Path, default=default, help="the checkout to measure")
    root = parser.parse_args().root.resolve()
    for name, figure in (*static_figures(modules_of(root)), *walk_figures(asyncio.run(walk(root)))):
        print(f"{name:42}{figure}")


if __name__ == "__main__":
    main()
