"""RawServer: a server on loopback that sends the exact bytes of a test, and keeps the requests it got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.support.listener import Listener

Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]

PAGE = b"<title>A page</title>"


def http(*headers: str, status: str = "200 OK", body: bytes = PAGE, length: int | None = None) -> bytes:
    """The bytes of a response. Content-Length is the length of the body, or `length`."""
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {size}"]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def html(*headers: str, body: bytes = PAGE, length: int | None = None) -> bytes:
    return http("Content-Type: text/html", *headers, body=body, length=length)


class RawServer(Listener):
    """`answers` by path; a request for any other path never gets one. One request per connection."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, bytes | Respond] = {}
        self.heads: list[str] = []  # request line and headers of each request, as received
        self.sent = 0  # bytes of endless bodies
        self.url = ""

    @property
    def paths(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]

    def header(self, name: str) -> list[str]:
        """The values of a header of the last request."""
        pairs = (line.partition(":") for line in self.heads[-1].splitlines()[1:])
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[RawServer]:
        async with self.listening():
            self.url = f"http://127.0.0.1:{self.port}"
            yield self

    async def endless(self, writer: asyncio.StreamWriter) -> None:
        """Send a body until the client closes the connection."""
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            self.sent += 65_536

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == b"\x16":  # a TLS client
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        head = first + await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode("latin-1"))
        answer = self.answers.get(self.paths[-1])
        if answer is None:
            await asyncio.Event().wait()
        elif isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            await answer(writer)
