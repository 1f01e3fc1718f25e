"""A crawl of more hosts than the process may have open files: every page is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.crawls import COMMAND, rows

pytest.importorskip("resource", reason="this system has no limit of open files")

HOSTS = 200
PAGE = b"<title>A page</title>"


class KeepAlive(asyncio.Protocol):
    """Answers every request with the same page, and keeps the connection."""

    open_now = most = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        KeepAlive.open_now += 1
        KeepAlive.most = max(KeepAlive.most, KeepAlive.open_now)

    def connection_lost(self, exc: Exception | None) -> None:
        KeepAlive.open_now -= 1

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"\r\n\r\n")):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE)
            self.transport.write(head + PAGE)


@pytest.fixture
async def seeds(tmp_path: Path) -> AsyncIterator[Path]:
    """A file of seeds, each on a host of its own."""
    KeepAlive.open_now = KeepAlive.most = 0
    server = await asyncio.get_running_loop().create_server(KeepAlive, "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "seeds.txt"
    file.write_text("".join(f"http://127.0.{1 + at // 250}.{1 + at % 250}:{port}/\n" for at in range(HOSTS)))
    async with server:
        yield file


@pytest.mark.parametrize(("files", "flags"), [(180, ()), (180, ("--fetchers", "500")), (110, ())])
async def test_a_shortage_of_open_files_fails_no_host(
    seeds: Path, tmp_path: Path, files: int, flags: tuple[str, ...]
) -> None:
    db = tmp_path / "crawl.db"
    arguments = [*COMMAND, "--seeds", str(seeds), "--db", str(db), "--progress", "none", "--quiet", *flags]
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", *arguments), stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await process.communicate()

    assert process.returncode == 0, stderr.decode()
    assert rows(db, "SELECT state, reason, count(*) FROM urls GROUP BY 1, 2") == [("done", None, HOSTS)]
    assert KeepAlive.most < files
    assert (b"fetchers_limited" in stderr) == (bool(flags) or files < 150)
