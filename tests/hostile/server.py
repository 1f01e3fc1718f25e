"""Server: answers every case as it says, and ordinary pages as they should be.

May touch: sockets. As a program (`python -m tests.hostile.server`) it prints its port and
serves until its standard input ends; a crawl's own lag then shows nothing of its work.
`/heads` answers with all requests so far, as they came.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from tests.hostile.case import Case, head, html
from tests.support.listener import Listener

ORDINARY_SECONDS = 0.03  # an ordinary page's latency
_HEAVY_ITEM = b'<li class="x"><a href="/far/%d">An ordinary entry</a> and what there is to say of it.</li>\n'
HEAVY_PAGE = b"<title>heavy</title><ul>" + b"".join(_HEAVY_ITEM % n for n in range(900)) + b"</ul>"
LIGHT_PAGE = b"<title>light</title><p>Something <a href=/far/0>ordinary</a>.</p>"


class Server(Listener):
    def __init__(self, cases: Iterable[Case]) -> None:
        super().__init__()
        self.cases = {case.name: case for case in cases}
        self.heads: list[bytes] = []  # every request as it came, to the blank line
        self._bodies: dict[str, asyncio.Task[bytes]] = {}

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1") -> AsyncIterator[Server]:
        async with self.listening(host, backlog=1_000):
            yield self

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await self._serve_one(reader, writer):
            pass

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; True if another may follow on the connection."""
        request = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(request)
        path = request.split(b" ")[1].decode("latin-1")
        _, kind, *rest = path.split("/")
        case = self.cases.get(rest[0]) if kind == "case" and rest else None
        if kind == "heads":
            self.heads.pop()
            said = b"".join(self.heads)
            writer.write(head("Content-Type: text/plain", f"Content-Length: {len(said)}") + said)
        elif case is None:
            writer.write(await _ordinary(kind, rest))
        elif isinstance(case.answer, bytes):
            writer.write(case.answer)
        elif asyncio.iscoroutinefunction(case.answer):
            await case.answer(writer)
        else:
            writer.write(await self.made(case))
        await writer.drain()
        return case is None or case.stays

    async def made(self, case: Case) -> bytes:
        """Made once, and elsewhere, so that ordinary pages do not wait for it."""
        if case.name not in self._bodies:
            self._bodies[case.name] = asyncio.create_task(asyncio.to_thread(case.answer))  # type: ignore[arg-type]
        return await asyncio.shield(self._bodies[case.name])


async def _ordinary(kind: str, rest: list[str]) -> bytes:
    if kind not in ("ordinary", "quick"):
        return head("Content-Type: text/plain", "Content-Length: 0", status="404 Not Found")
    if kind == "ordinary":
        await asyncio.sleep(ORDINARY_SECONDS)
    return html(HEAVY_PAGE if int(rest[0]) % 10 == 0 else LIGHT_PAGE)


async def main() -> None:
    from tests.hostile.cases import CASES

    async with Server(CASES).serve("0.0.0.0") as server:
        for case in server.cases.values():
            if not isinstance(case.answer, bytes) and not asyncio.iscoroutinefunction(case.answer):
                await server.made(case)
        print(server.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def running(scale: int = 1) -> Iterator[int]:
    """The server in a process of its own; yields its port, once all bodies are made.

    `scale` divides what of them may be smaller and still be the same case.
    """
    command = [sys.executable, "-m", "tests.hostile.server"]
    env = {**os.environ, "HOSTILE_SCALE": str(scale)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(main())
