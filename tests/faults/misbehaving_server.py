"""Misbehaving server: resets, cut answers, answers for one host only; no HTTP library does that."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple


class ReceivedRequest(NamedTuple):
    """One request that arrived."""

    at: float  # unix seconds
    host: str  # as its Host header says, with the port
    path: str
    nth: int  # how often this path was asked for at this host, from 1


class Misbehaviour(Enum):
    RESET = "reset"  # instead of an answer
    DRIP = "drip"  # an answer by the byte, which takes minutes


DRIP_SECONDS = 4.0  # between two bytes: never silent for so long that a crawl gives up
Reply = bytes | Misbehaviour
Behaviour = Callable[[ReceivedRequest], Reply]


class MisbehavingServer:
    """What it answers is a function of the request. `asked` is all it was asked for."""

    def __init__(self, behaviour: Behaviour, *, delay: float = 0.0) -> None:
        self.behaviour = behaviour
        self.delay = delay  # seconds before an answer
        self.asked: list[ReceivedRequest] = []
        self._times: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def served(self, hosts: Sequence[str] = ("127.0.0.1",), port: int = 0) -> Iterator[int]:
        """Serve from a thread of its own on the same port of every host; yield that port."""
        loop = asyncio.new_event_loop()
        servers = [loop.run_until_complete(asyncio.start_server(self._meet, hosts[0], port))]
        port = servers[0].sockets[0].getsockname()[1]
        servers += [
            loop.run_until_complete(asyncio.start_server(self._meet, host, port)) for host in hosts[1:]
        ]
        thread = threading.Thread(target=loop.run_forever, name="misbehaving_server")
        thread.start()
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(_end(servers), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ", 2)[1]
            host = next(line[6:].strip() for line in head.split("\r\n") if line.lower().startswith("host:"))
            self._times[host, path] += 1
            asked = ReceivedRequest(time.time(), host, path, self._times[host, path])
            self.asked.append(asked)
            await asyncio.sleep(self.delay)
            reply = self.behaviour(asked)
            if reply is Misbehaviour.RESET:
                # Without lingering, closing sends RST instead of FIN.
                line: socket.socket = writer.get_extra_info("socket")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            for part in _drops(answer("." * 400)) if reply is Misbehaviour.DRIP else [reply]:
                assert isinstance(part, bytes)
                writer.write(part)
                await writer.drain()
                if reply is Misbehaviour.DRIP:
                    await asyncio.sleep(DRIP_SECONDS)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the crawl was killed, or has gone; or this server is being closed
        finally:
            writer.close()


def _drops(reply: bytes) -> list[bytes]:
    return [reply[at : at + 1] for at in range(len(reply))]


async def _end(servers: Sequence[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    mine = asyncio.current_task()
    for task in asyncio.all_tasks():
        if task is not mine:
            task.cancel()
    await asyncio.sleep(0.01)


def answer(body: str, *, status: str = "200 OK", extra: str = "", cut: int = 0) -> bytes:
    """A whole answer, or one that ends `cut` bytes early. The connection is closed after it."""
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(data)}\r\n"
    return f"{head}Connection: close\r\n{extra}\r\n".encode() + data[: len(data) - cut]


def page(path: str, links: Sequence[str] = (), *, cut: int = 0) -> bytes:
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    return answer(f"<title>{path}</title>{anchors}{'.' * 200}", cut=cut)


NOT_THERE = answer("", status="404 Not Found")
