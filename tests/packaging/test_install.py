"""What a wheel holds, and that it works where it is installed: beside other people's modules too.

A fresh environment has the built package, and the dependencies by a `.pth` file: nothing is downloaded.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import aiohttp
import pytest

from tests.support.crawls import ROOT, rows
from tests.support.shop_site import shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SOURCES = ("crawler", "stages", "storage")
PACKED = (".src", *SOURCES, "run_crawl.py", "pyproject.toml", "README.md", "LICENSE")
DEPENDENCIES = Path(aiohttp.__file__).parents[1]
# Where pip finds its index, its certificates and what it has downloaded before.
PIP = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
PIP.setdefault("PIP_CACHE_DIR", os.path.expanduser("~/.cache/pip"))
FLAGS = ("--throttle", "fixed", "--no-robots", "--progress", "none")

# What a user has: a script beside modules with the names of our folders, and a plugin of their own.
SCRIPT = """
import asyncio, sys
import crawler, stages, storage
from penstock import Crawl, CrawlConfig

assert (crawler.MINE, stages.MINE, storage.MINE) == (1, 2, 3)
report = asyncio.run(Crawl(CrawlConfig(
    seeds=[sys.argv[1]], db="crawl.db", plugins=["storage:on_page"], processes=2, throttle="fixed",
    no_robots=True,
)).run())
print(report.exit_code, report.totals.pages)
"""
PLUGIN = """
from penstock import Value
MINE = 3
def on_page(page):
    yield Value("price", page.first(".price").text if page.first(".price") else "none")
"""


def run(command: Sequence[str | Path], cwd: Path) -> str:
    """Run a command in a clean environment; its output. Fails with what it wrote."""
    clean = {**PIP, "PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONWARNINGS": "error::ResourceWarning"}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


async def run_beside_a_site(command: Sequence[str | Path], cwd: Path) -> str:
    return await asyncio.to_thread(run, command, cwd)


def checkout(target: Path) -> Path:
    """A clean checkout: what is packed, without what lies about in a working tree."""
    target.mkdir(parents=True)
    for name in PACKED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, target / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(source, target / name)
    return target


def built(kind: str, source: Path, target: Path) -> Path:
    """Build as an installer does, by the build backend's own call; `kind` is `wheel` or `sdist`."""
    target.mkdir(exist_ok=True)
    program = f"from setuptools.build_meta import build_{kind} as b; import sys; print(b(sys.argv[1]))"
    return target / run((sys.executable, "-c", program, target), source).splitlines()[-1]


def environment(target: Path) -> Path:
    """A fresh environment that has the dependencies and nothing else; its Python."""
    venv.create(target, symlinks=True, with_pip=False)
    [site_packages] = target.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(f"{DEPENDENCIES}\n")
    return target / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    environment = python.parent.parent
    run((sys.executable, "-m", "pip", "--python", python, "install", *offline, *what), environment)


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return built("wheel", checkout(folder / "checkout"), folder / "dist")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel is installed."""
    python = environment(tmp_path_factory.mktemp("installed") / "venv")
    install(python, wheel)
    return python


class TestWheel:
    def test_a_wheel_has_one_top_level_name(self, wheel: Path) -> None:
        tops = {name.partition("/")[0] for name in names_in(wheel)}

        assert {top for top in tops if not top.endswith(".dist-info")} == {"penstock"}

    def test_a_wheel_has_every_module_and_schema_file_of_the_checkout(self, wheel: Path) -> None:
        ours = {
            f"penstock/{path.relative_to(ROOT).as_posix()}"
            for source in SOURCES
            for pattern in ("*.py", "*.sql")
            for path in (ROOT / source).rglob(pattern)
        }

        packed = {name for name in names_in(wheel) if ".dist-info/" not in name}

        assert packed == ours | {"penstock/__init__.py", "penstock/py.typed"}

    def test_a_wheel_carries_its_licence_and_its_name(self, wheel: Path) -> None:
        [licence] = [name for name in names_in(wheel) if name.endswith("licenses/LICENSE")]
        with zipfile.ZipFile(wheel) as archive:
            metadata = Parser().parsestr(
                archive.read(licence.replace("licenses/LICENSE", "METADATA")).decode()
            )

        assert (metadata["Name"], metadata["License-Expression"]) == ("penstock-crawler", "MIT")
        assert metadata["Author"] == "Penstock contributors"

    def test_a_source_distribution_builds_the_same_wheel(self, wheel: Path, tmp_path: Path) -> None:
        sdist = built("sdist", checkout(tmp_path / "checkout"), tmp_path / "sdist")
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path / "unpacked", filter="data")
        [unpacked] = (tmp_path / "unpacked").iterdir()

        assert names_in(built("wheel", unpacked, tmp_path / "dist")) == names_in(wheel)


class TestInstalled:
    async def test_a_script_beside_modules_with_our_folders_names_imports_and_crawls(
        self, installed: Path, tmp_path: Path
    ) -> None:
        """Heavy pages go to parser processes, which import the script's own plugin."""
        (tmp_path / "crawler").mkdir()
        (tmp_path / "crawler/__init__.py").write_text("MINE = 1\n")
        (tmp_path / "stages.py").write_text("MINE = 2\n")
        (tmp_path / "storage.py").write_text(PLUGIN)
        (tmp_path / "mine.py").write_text(SCRIPT)

        async with shop(items=5, heavy=True).serve() as url:
            output = await run_beside_a_site((installed, "mine.py", url), tmp_path)

        assert output.split() == ["0", "6"]
        prices = rows(tmp_path / "crawl.db", "SELECT count(*) FROM extracted WHERE value LIKE 'now only%'")
        assert prices == [(5,)]

    async def test_the_command_penstock_crawls(self, installed: Path, tmp_path: Path) -> None:
        async with shop(items=2).serve() as url:
            command = (installed.parent / "penstock", "--seed", url, *FLAGS)
            await run_beside_a_site(command, tmp_path)

        assert rows(tmp_path / "crawl.db", "SELECT count(*) FROM pages") == [(3,)]

    def test_the_package_is_typed_for_those_who_import_it(self, installed: Path, tmp_path: Path) -> None:
        """mypy reads annotations of an installed package only if it has `py.typed`."""
        (tmp_path / "typed.py").write_text(
            "from penstock import Crawl, CrawlConfig\nreveal_type(Crawl(CrawlConfig(seeds=['x'])).run)\n"
        )
        command = (sys.executable, "-m", "mypy", "--python-executable", installed, "typed.py")

        output = run((*command, "--ignore-missing-imports", "--follow-imports=silent"), tmp_path)

        assert "Report" in output
        assert "Any" not in output.splitlines()[0].replace("Coroutine[Any, Any,", "")

    async def test_an_editable_installation_crawls(self, tmp_path: Path) -> None:
        python = environment(tmp_path / "venv")
        install(python, "--editable", checkout(tmp_path / "checkout"))

        async with shop(items=2).serve() as url:
            command = (python.parent / "penstock", "--seed", url, *FLAGS)
            await run_beside_a_site(command, tmp_path)

        assert rows(tmp_path / "crawl.db", "SELECT count(*) FROM pages") == [(3,)]


class TestBareClone:
    """`python run_crawl.py` needs the dependencies, and no installation."""

    @pytest.mark.parametrize("called", ["in the clone", "from elsewhere", "through a link"])
    async def test_run_crawl_works_from_a_bare_clone(self, called: str, tmp_path: Path) -> None:
        python = environment(tmp_path / "venv")
        clone = checkout(tmp_path / "clone")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "crawl").symlink_to(clone / "run_crawl.py")
        where, script = {
            "in the clone": (clone, "run_crawl.py"),
            "from elsewhere": (elsewhere, str(clone / "run_crawl.py")),
            "through a link": (elsewhere, "crawl"),
        }[called]

        async with shop(items=3, heavy=True).serve() as url:
            command = (python, script, "--seed", url, "--processes", "2", "--select", "price=.price", *FLAGS)
            await run_beside_a_site(command, where)

        assert rows(where / "crawl.db", "SELECT count(*) FROM extracted") == [(3,)]


async def test_the_crawl_command_of_the_readme_sets_itself_up_and_crawls(tmp_path: Path) -> None:
    """As it stands there, in a clean checkout. It downloads the dependencies, so it needs a network."""
    marked = (ROOT / "README.md").read_text("utf-8").partition("<!-- crawl command -->")[2]
    command = marked.partition("```sh\n")[2].partition("\n")[0]
    clone = checkout(tmp_path / "clone")

    async with shop(items=3).serve() as url:
        await run_beside_a_site(("bash", "-c", f"export SEED={url}; {command}"), clone)

    assert rows(clone / "crawl.db", "SELECT count(*) FROM pages") == [(4,)]
