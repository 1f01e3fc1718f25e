"""Fork server: runs each `penstock` and each Python example in a fork of a process that has all modules.

Most of a short command is the loading of modules: 0.2 of 0.25 s. The command that stands in for
`penstock` sends its arguments, folder, environment and streams; a fork runs them, and answers with
the exit code.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import os
import pkgutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import penstock
from tests.support.crawls import ROOT

# The command in the examples' PATH: nothing but the C modules, so that it starts in 15 ms.
CLIENT = """#!{python} -ISs
import _socket, os, sys
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({address!r})
variables = [f"{{name}}={{value}}" for name, value in os.environ.items()]
words = ["{kind}", os.getcwd(), str(len(variables)), *variables, *sys.argv]
data = "\\0".join(words).encode("utf-8", "surrogateescape")
streams = b"".join(n.to_bytes(4, sys.byteorder) for n in (0, 1, 2))
server.sendmsg([len(data).to_bytes(4, "big") + data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
code = server.recv(1)
os._exit(code[0] if code else 255)
"""


def command(kind: str, address: Path) -> str:
    """The text of an executable file: `penstock`, or `example` for Python on standard input."""
    return CLIENT.format(python=sys.executable, address=str(address), kind=kind)


@contextmanager
def serving(address: Path) -> Iterator[None]:
    """Serve at a socket file, from a process of its own: this one may have threads."""
    import subprocess

    program = [sys.executable, "-m", "tests.docs.fork_server", str(address)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.kill()


def serve(address: str) -> None:
    for module in pkgutil.walk_packages(penstock.__path__, "penstock."):
        importlib.import_module(module.name)
    importlib.import_module("pyarrow.parquet")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                code = run(connection)
            finally:
                connection.send(bytes([code]))
                os._exit(code)
        connection.close()


def run(connection: socket.socket) -> int:
    """Take over what the client sent, and do it. Returns the exit code."""
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    data = b""
    while len(data) < int.from_bytes(head, "big"):
        data += connection.recv(1 << 16)
    kind, folder, count, *words = data.decode("utf-8", "surrogateescape").split("\0")
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(
        {name: value for name, _, value in (word.partition("=") for word in words[: int(count)])}
    )
    sys.path += os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv = words[int(count) :]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    try:
        if kind == "penstock":
            from penstock.crawler.cli import main

            return main()
        run_cell(sys.stdin.read())
        return 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()


def run_cell(source: str) -> None:
    """Run Python in which `await` may stand at the top level, as in a notebook."""
    sys.path.insert(0, "")
    code = compile(source, "<example>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names = {"__name__": "__main__"}
    if code.co_flags & 128:  # a coroutine

        async def cell() -> None:
            await eval(code, names)

        asyncio.run(cell())
    else:
        exec(code, names)


if __name__ == "__main__":
    serve(sys.argv[1])
