"""The rooms keep to themselves: who may import whom, read from the source.

`crawler/` thinks, `stages/` moves, `storage/` remembers; stages and storage never meet.
A line here that has to change is a decision about the house, not a formality.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("crawler", "stages", "storage")
TOP_LEVEL = {*ROOMS, "tests", "docs", "run_crawl.py", "pyproject.toml", "README.md"}
MAX_LINES = 300

# Which rooms a place may look into. The longest matching place counts.
MAY_IMPORT = {
    "crawler/policies/": ("crawler.policies", "crawler.messages", "crawler.urls"),
    "crawler/": ("crawler",),
    "crawler/app.py": ROOMS,
    "crawler/parts.py": ROOMS,
    "crawler/cli/": ROOMS,
    "stages/": ("crawler", "stages"),
    "storage/": ("crawler", "storage"),
    "run_crawl.py": ("crawler.cli",),
}

# The one module or plug folder that knows each library; the rest of the house does not.
KNOWN_BY = {
    "ada_url": "crawler/urls.py",
    "msgspec": "",  # the shape of a value, as dataclasses are: whoever makes values may name it
    "pybloom_live": "crawler/seen.py",
    "prometheus_client": "crawler/metrics.py",
    "publicsuffixlist": "crawler/domains.py",
    "re2": "crawler/patterns.py",
    "structlog": "crawler/logs.py",
    "rich": "crawler/cli/",
    "aiohttp": "stages/fetchers/",
    "aiohttp_socks": "stages/fetchers/socks.py",
    "yarl": "stages/fetchers/",
    "selectolax": "stages/extractors/",
    "webencodings": "stages/extractors/",
    "resiliparse": "stages/extractors/maintext.py",
    "aiosqlite": "storage/database.py",
    "sqlite3": "storage/",
    "pyarrow": "storage/exports/",
    "warcio": "storage/exports/",
}

# A policy answers from its arguments alone, so its test needs no await, fake or sleep.
IMPURE = {"asyncio", "time", "random", "logging", "threading", "socket", "os", "secrets"}


class Import(NamedTuple):
    file: str  # relative to the top, with slashes
    line: int
    module: str  # as written, absolute: `from a.b import c` is a.b, and a.b.c if that is a module

    @property
    def library(self) -> str:
        return self.module.partition(".")[0]


def modules() -> list[Path]:
    return sorted([*(path for room in ROOMS for path in (ROOT / room).rglob("*.py")), ROOT / "run_crawl.py"])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports_of(path: Path, tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name_of(path), node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                package = path.relative_to(ROOT).parent.parts
                source = ".".join([*package[: len(package) - node.level + 1], *filter(None, [source])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield Import(name_of(path), node.lineno, inner if is_module(inner) else source)


@cache
def imports() -> list[Import]:
    return [found for path in modules() for found in imports_of(path, ast.parse(path.read_bytes()))]


def place_of(file: str) -> str:
    """The longest key of the import table that the file lies in."""
    return max((place for place in MAY_IMPORT if file.startswith(place)), key=len)


def within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def said(found: list[Import]) -> list[str]:
    return [f"{file}:{line} imports {module}" for file, line, module in found]


class TestRooms:
    def test_each_room_looks_only_where_the_table_lets_it(self) -> None:
        """Stages and storage meet only as objects behind the ports."""
        strangers = [
            found
            for found in imports()
            if found.library in ROOMS and not within(found.module, MAY_IMPORT[place_of(found.file)])
        ]

        assert said(strangers) == []

    def test_only_the_wiring_is_imported_by_the_command_and_by_nobody_else(self) -> None:
        """`app` knows every room: who imports it knows them too."""
        users = [
            found
            for found in imports()
            if within(found.module, ("crawler.app",))
            and not found.file.startswith("crawler/cli/")
            and found.file != "crawler/__init__.py"
        ]

        assert said(users) == []

    def test_the_package_loads_its_wiring_at_first_use_only(self) -> None:
        """Else importing one policy would load every library of the house."""
        tree = ast.parse((ROOT / "crawler/__init__.py").read_bytes())
        at_once = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]

        assert [ast.unparse(node) for node in at_once if "crawler" in ast.unparse(node)] == []

    def test_no_room_imports_the_tests(self) -> None:
        assert said([found for found in imports() if found.library == "tests"]) == []

    def test_policies_are_pure(self) -> None:
        """Time, chance and history come in as arguments."""
        policies = [found for found in imports() if found.file.startswith("crawler/policies/")]
        impure = [found for found in policies if found.library in IMPURE]

        assert said(impure) == []


class TestLibraries:
    def test_every_third_party_has_an_entry(self) -> None:
        known = {*KNOWN_BY, *ROOMS, *sys.stdlib_module_names}
        unknown = [found for found in imports() if found.library not in known]

        assert said(unknown) == []

    @pytest.mark.parametrize("library", sorted(KNOWN_BY))
    def test_one_place_knows_the_library(self, library: str) -> None:
        """So that it can be replaced, and its errors be translated, in one place."""
        place = KNOWN_BY[library]
        elsewhere = [
            found for found in imports() if found.library == library and not found.file.startswith(place)
        ]

        assert said(elsewhere) == []

    @pytest.mark.parametrize("library", sorted(KNOWN_BY))
    def test_no_entry_outlives_its_library(self, library: str) -> None:
        assert any(found.library == library for found in imports())


class TestShape:
    def test_the_top_level_is_fixed(self) -> None:
        """What tools leave behind and git ignores does not count."""
        left_behind = ("*.egg-info", "__pycache__", "build", "dist", "*.db", "*.db-*")
        names = {
            path.name
            for path in ROOT.iterdir()
            if not path.name.startswith(".") and not any(path.match(pattern) for pattern in left_behind)
        }

        assert names <= TOP_LEVEL

    @pytest.mark.parametrize("path", modules(), ids=name_of)
    def test_a_module_opens_by_saying_which_room_you_are_in(self, path: Path) -> None:
        assert ast.get_docstring(ast.parse(path.read_bytes()))

    @pytest.mark.parametrize("path", modules(), ids=name_of)
    def test_a_module_is_read_in_one_sitting(self, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= MAX_LINES
