"""The architecture, read from the source: which room may import which, and what a room must say of itself.

A room is a folder with an `__init__.py`. The graph of rooms below has no cycle. A line that has to
change here is a decision about the architecture, not a formality.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("crawler", "stages", "storage")
TOP_LEVEL = {
    *SOURCES, "tests", "docs", "run_crawl.py", "pyproject.toml", "mkdocs.yml", "README.md", "LICENSE",
    "CHANGELOG.md",
}  # fmt: skip

POLICIES = "crawler.policies"

# Each room, and the rooms that it may import. `crawler` itself holds the facts that all rooms share:
# messages, ports, urls, errors.
GRAPH: Mapping[str, tuple[str, ...]] = {
    "crawler": (),
    POLICIES: ("crawler",),
    "crawler.output": ("crawler",),
    "crawler.config": ("crawler", POLICIES, "crawler.output"),
    "crawler.scheduler": ("crawler", POLICIES, "crawler.output"),
    "crawler.engine": ("crawler", "crawler.output", "crawler.scheduler"),
    "crawler.monitor": ("crawler", "crawler.engine", "crawler.output", "crawler.scheduler"),
    "stages.extractors.text": (),
    "stages.extractors.fields": ("crawler", "crawler.config", "stages.extractors.text"),
    "stages.http": ("crawler", POLICIES, "crawler.config", "crawler.output"),
    "stages.fetchers": ("crawler", POLICIES, "crawler.config", "stages.http"),
    "stages.extractors.xml": ("crawler", "stages.extractors.text", "stages.http"),
    "stages.extractors": (
        "crawler", POLICIES, "crawler.output", "stages.extractors.fields", "stages.extractors.text",
        "stages.extractors.xml", "stages.http",
    ),
    "stages.workers": (
        "crawler", "crawler.config", "crawler.engine", "crawler.output", "stages.extractors",
        "stages.extractors.fields", "stages.extractors.text", "stages.extractors.xml",
    ),
    "stages": (
        "crawler", POLICIES, "crawler.output", "crawler.scheduler", "stages.extractors",
        "stages.extractors.text", "stages.extractors.xml", "stages.workers",
    ),
    "storage.database": ("crawler",),
    "storage.writing": ("crawler", POLICIES, "crawler.output", "crawler.scheduler", "storage.database"),
    "storage.reading": ("crawler", "crawler.config", "storage.database", "storage.writing"),
    "storage.jobs": ("crawler", "storage.database", "storage.writing", "storage.reading"),
    "storage.exports": ("crawler", POLICIES, "crawler.output", "storage.reading"),
    "storage": (),
    "crawler.app": (
        "crawler", POLICIES, "crawler.config", "crawler.engine", "crawler.monitor", "crawler.output",
        "crawler.scheduler", "stages", "stages.extractors", "stages.extractors.fields", "stages.fetchers",
        "stages.http", "stages.workers", "storage.writing",
    ),
    "crawler.library": (
        "crawler", "crawler.app", "crawler.config", "crawler.output", "crawler.scheduler",
        "stages.extractors.text", "storage.exports", "storage.reading",
    ),
    "crawler.cli.html": ("crawler", "crawler.output", "storage.exports", "storage.reading"),
    "crawler.cli.live": ("crawler", "crawler.config", "crawler.output"),
    "crawler.cli": (
        "crawler", "crawler.cli.html", "crawler.cli.live", "crawler.config", "crawler.engine",
        "crawler.library", "crawler.monitor", "crawler.output", "stages", "stages.extractors",
        "stages.extractors.fields", "stages.extractors.text", "stages.http", "stages.workers",
        "storage.exports", "storage.jobs", "storage.reading", "storage.writing",
    ),
}  # fmt: skip

# The one module or folder that imports each library.
KNOWN_BY = {
    "ada_url": "crawler/urls.py",
    "msgspec": "",  # defines the shape of values, as dataclasses do: any room may import it
    "pybloom_live": "crawler/scheduler/seen.py",
    "prometheus_client": "crawler/monitor/metrics.py",
    "publicsuffixlist": "crawler/config/domains.py",
    "re2": "crawler/config/patterns.py",
    "structlog": "crawler/output/logs.py",
    "rich": "crawler/cli/",
    "aiohttp": "stages/http/",
    "aiohttp_socks": "stages/http/socks.py",
    "yarl": "stages/http/aiohttp_inside.py",
    "selectolax": "stages/extractors/",
    "webencodings": "stages/extractors/",
    "pypdf": "stages/extractors/pdf.py",
    "aiosqlite": "storage/database/database.py",
    "sqlite3": "storage/",
    "pyarrow": "storage/exports/",
    "warcio": "storage/exports/",
    "xlsxwriter": "storage/exports/",
}

# A policy answers from its arguments alone, so its test needs no await, fake or sleep.
IMPURE = {"asyncio", "time", "random", "logging", "threading", "socket", "os", "secrets"}


class Import(NamedTuple):
    file: str  # relative to the root, with slashes
    line: int
    module: str  # absolute, without `penstock.`: `from a.b import c` is a.b, and a.b.c if that is a module

    @property
    def library(self) -> str:
        return self.module.partition(".")[0]

    @property
    def room(self) -> str:
        return room_of(self.module)

    @property
    def importer(self) -> str:
        return room_of(self.file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def modules() -> list[Path]:
    found = (path for source in SOURCES for path in (ROOT / source).rglob("*.py"))
    return sorted([*found, ROOT / "run_crawl.py"])


def rooms() -> list[Path]:
    return [path.parent for path in modules() if path.name == "__init__.py"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def room_of(dotted: str) -> str:
    """The folder that a module of ours lies in."""
    if ROOT.joinpath(*dotted.split(".")).is_dir():
        return dotted
    return dotted.rpartition(".")[0]


def imports_of(path: Path, tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name_of(path), node.lineno, alias.name.removeprefix("penstock."))
        elif isinstance(node, ast.ImportFrom):
            source = f"{'.' * node.level}{node.module or ''}".removeprefix("penstock.")
            for alias in node.names:
                inner = f"{source}.{alias.name}".removeprefix("penstock.")
                yield Import(name_of(path), node.lineno, inner if is_module(inner) else source)


@cache
def imports() -> list[Import]:
    return [found for path in modules() for found in imports_of(path, ast.parse(path.read_bytes()))]


def lines(found: list[Import]) -> list[str]:
    return [f"{file}:{line} imports {module}" for file, line, module in found]


class TestRooms:
    def test_a_room_imports_only_the_rooms_that_the_graph_gives_it(self) -> None:
        """Stages and storage meet only as objects behind the ports."""
        strangers = [
            found
            for found in imports()
            if found.library in SOURCES
            and found.file != "run_crawl.py"
            and found.room not in (found.importer, *GRAPH[found.importer])
        ]

        assert lines(strangers) == []

    def test_the_graph_of_rooms_has_no_cycle(self) -> None:
        assert set(TopologicalSorter(GRAPH).static_order()) == set(GRAPH)

    def test_the_graph_names_every_room_and_no_other(self) -> None:
        found = {name_of(room).replace("/", ".") for room in rooms()}

        assert found == set(GRAPH)

    def test_no_permission_of_the_graph_is_unused(self) -> None:
        used = {(found.importer, found.room) for found in imports()}
        unused = [
            (room, other) for room, others in GRAPH.items() for other in others if (room, other) not in used
        ]

        assert unused == []

    def test_stages_and_storage_never_import_each_other(self) -> None:
        across = [
            found
            for found in imports()
            if {found.library, found.file.partition("/")[0]} == {"stages", "storage"}
        ]

        assert lines(across) == []

    def test_the_command_file_imports_the_command_line_only(self) -> None:
        ours = [found for found in imports() if found.file == "run_crawl.py" and found.library in SOURCES]

        assert {found.module for found in ours} == {"crawler.cli"}

    def test_the_public_names_are_loaded_at_first_use_only(self) -> None:
        """Else importing the package would load every library."""
        tree = ast.parse((ROOT / ".src/penstock/__init__.py").read_bytes())
        at_once = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]

        assert [ast.unparse(node) for node in at_once if "penstock" in ast.unparse(node)] == []

    def test_no_room_imports_the_tests(self) -> None:
        assert lines([found for found in imports() if found.library == "tests"]) == []

    def test_every_import_of_our_own_goes_through_the_package(self) -> None:
        """`import crawler` would load a second copy, or somebody else's module of that name."""
        bare = [
            f"{name_of(path)}:{node.lineno}"
            for path in [*modules(), *(ROOT / "tests").rglob("*.py")]
            for node in ast.walk(ast.parse(path.read_bytes()))
            if (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in SOURCES)
            or (isinstance(node, ast.Import) and node.names[0].name.partition(".")[0] in SOURCES)
        ]

        assert bare == []

    def test_policies_are_pure(self) -> None:
        """Time, chance and history come in as arguments."""
        policies = [found for found in imports() if found.file.startswith("crawler/policies/")]

        assert lines([found for found in policies if found.library in IMPURE]) == []


class TestLibraries:
    def test_every_third_party_library_has_an_entry(self) -> None:
        known = {*KNOWN_BY, *SOURCES, "penstock", *sys.stdlib_module_names}

        assert lines([found for found in imports() if found.library not in known]) == []

    @pytest.mark.parametrize("library", sorted(KNOWN_BY))
    def test_one_place_imports_the_library(self, library: str) -> None:
        """So that it can be replaced, and its errors be translated, in one place."""
        place = KNOWN_BY[library]
        elsewhere = [
            found for found in imports() if found.library == library and not found.file.startswith(place)
        ]

        assert lines(elsewhere) == []

    @pytest.mark.parametrize("library", sorted(KNOWN_BY))
    def test_no_entry_outlives_its_library(self, library: str) -> None:
        assert any(found.library == library for found in imports())


class TestAiohttp:
    """An upgrade of aiohttp is checked in one module: all others use only what it documents."""

    INSIDE = "stages/http/aiohttp_inside.py"
    DOCUMENTED = frozenset({"aiohttp", "aiohttp.abc"})

    def test_only_one_module_imports_its_insides(self) -> None:
        elsewhere = [
            found
            for found in imports()
            if found.library == "aiohttp"
            and found.file != self.INSIDE
            and found.module not in self.DOCUMENTED
        ]

        assert lines(elsewhere) == []

    def test_only_one_module_subclasses_its_classes(self) -> None:
        """The resolver interface is made to be implemented, and stands in `aiohttp.abc`."""
        subclasses = [
            f"{name_of(path)}:{node.lineno} class {node.name}"
            for path in (ROOT / "stages").rglob("*.py")
            if name_of(path) != self.INSIDE
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.ClassDef)
            and any(ast.unparse(base).startswith("aiohttp.") for base in node.bases)
        ]

        assert subclasses == []


class TestShape:
    def test_the_top_level_is_fixed(self) -> None:
        """Hidden files and what git ignores do not count."""
        left_behind = ("*.egg-info", "__pycache__", "build", "dist", "site", "*.db", "*.db-*")
        names = {
            path.name
            for path in ROOT.iterdir()
            if not path.name.startswith(".") and not any(path.match(pattern) for pattern in left_behind)
        }

        assert names <= TOP_LEVEL

    @pytest.mark.parametrize("path", modules(), ids=name_of)
    def test_a_module_opens_with_a_docstring(self, path: Path) -> None:
        assert ast.get_docstring(ast.parse(path.read_bytes()))

    @pytest.mark.parametrize("room", rooms(), ids=name_of)
    def test_the_map_of_a_room_names_every_module_in_it(self, room: Path) -> None:
        """A plug folder is a list of plugs already: its map says what a plug is."""
        if name_of(room) in ("storage/exports", "crawler/cli"):
            return
        words = (ast.get_docstring(ast.parse((room / "__init__.py").read_bytes())) or "").split()
        names = {path.stem for path in room.glob("*.py")} - {"__init__"}
        folders = {f"{path.name}/" for path in room.iterdir() if (path / "__init__.py").is_file()}

        assert sorted(name for name in names | folders if name not in words) == []
