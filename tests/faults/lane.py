"""A lane: one process of the suite, with its webs, its folder, and the crawls that it starts.

A crawl is a process of its own. Most are forked from a server that has loaded the product
already (`crawl`), which saves a third of a second each; `command` starts the real command.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import util
from pathlib import Path
from typing import NamedTuple, Self

from tests.faults import child
from tests.faults.webs import WEBS, Served
from tests.support.crawls import COMMAND, ROOT, differences

Word = str | Path


class Ended(NamedTuple):
    """How a process ended. A negative code is the number of the signal that ended it."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    def __str__(self) -> str:
        return f"exit {self.code} after {self.seconds:.1f} s: {self.stderr.strip()[-600:] or '(silence)'}"


HUNG = 1_000  # a process that had to be ended after its time


class Lane:
    """A folder, webs that are served while it is open, and ways to start a crawl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._served: dict[str, Served] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        # Every lane has a server of its own to fork from.
        multiprocessing.get_context("forkserver").set_forkserver_preload([__name__, *child.SLOW_TO_LOAD])
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def web(self, name: str) -> Served:
        """One of the webs, served; its count begins anew. An undisturbed crawl of it is `peace`."""
        if name not in self._served:
            recipe, peace = WEBS[name], self.folder / f"peace-{name}.db"
            web = recipe.make()
            url = self._open.enter_context(web.serve_in_thread())
            flags = ("--seed", url, *recipe.flags)
            ended = self.crawl(*flags, "--db", peace)
            wrong = [] if ended.code == 0 else [str(ended)]
            if recipe.known:
                expected = web.expected(recipe.depth, robots=True)
                wrong += differences(peace, expected)
                if web.requests != expected.requests:
                    wrong.append(
                        f"the web was asked for {web.requests - Counter(expected.requests)} too much"
                    )
            if wrong:
                raise RuntimeError(f"the undisturbed crawl of {name} goes wrong already: {wrong[:3]}")
            share = dict(web.requests)
            self._served[name] = Served(
                web=web, url=url, flags=flags, widths=recipe.widths, peace=peace, share=share
            )
        served = self._served[name]
        served.web.forget()
        return served

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A fresh folder for one case, gone afterwards."""
        room = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def crawl(self, *words: Word, trap: str = "", timeout: float = 60.0) -> Ended:
        """Run the product's command in a forked process, with a trap set (see `child`)."""
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            context = multiprocessing.get_context("forkserver")
            process = context.Process(target=child.forked, args=(list(map(str, words)), trap, out))
            began = time.monotonic()
            process.start()
            process.join(timeout)
            code = process.exitcode
            if code is None:
                process.kill()
                process.join()
                code = HUNG
            seconds = time.monotonic() - began
            process.close()
            texts = [
                path.read_text("utf-8", "replace") if path.exists() else ""
                for path in (Path(out, "stdout"), Path(out, "stderr"))
            ]
        return Ended(code, texts[0], texts[1], seconds)

    def command(
        self,
        *words: Word,
        before: Sequence[Word] = (),
        program: Sequence[str] = COMMAND,
        env: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> Ended:
        """Run the real command, or another `program`; `before` stands before it (strace and its flags)."""
        began = time.monotonic()
        with self.started(*words, before=before, program=program, env=env) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                end_group(process)
                stdout, stderr = process.communicate()
                return Ended(HUNG, stdout, stderr, time.monotonic() - began)
        return Ended(process.returncode, stdout, stderr, time.monotonic() - began)

    @contextmanager
    def started(
        self,
        *words: Word,
        before: Sequence[Word] = (),
        program: Sequence[str] = COMMAND,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[subprocess.Popen[str]]:
        """Start the real command in a session of its own; what still runs at the end is killed."""
        process = subprocess.Popen(
            [*map(str, before), *program, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    end_group(process)


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill a process that we started, and what it started (the crawl beneath strace)."""
    os.killpg(process.pid, signal.SIGKILL)


_this: list[Lane] = []


def open_lane(folder: str) -> None:
    """In a new lane's process: open its lane, and close it when the process ends."""
    # A lane outlives the Ctrl-C that ends the suite just long enough to clean up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lane = Lane(Path(folder) / f"lane-{os.getpid()}")
    _this.append(lane.__enter__())
    util.Finalize(lane, lane.__exit__, exitpriority=10)


def this_lane() -> Lane:
    return _this[0]
