"""Metrics: a running crawl's numbers for Prometheus, over HTTP on loopback.

May touch: asyncio's streams; prometheus_client, which nobody else imports, for the text format.
Never: an address that other machines can reach; a thread; anything of the crawl but a look at it.

Names end in their unit, counters in `_total`. Counts are of this run, so they begin at 0
with it, as Prometheus expects of a process; only pending and skipped are the whole crawl's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from penstock.crawler.engine.pool import BOUNDS, StageMeter
from penstock.crawler.errors import BadConfig
from penstock.crawler.snapshot import Snapshot

if TYPE_CHECKING:
    from prometheus_client import Metric

LOOPBACK = "127.0.0.1"
TYPE = "text/plain; version=0.0.4; charset=utf-8"  # of the format
MOST_HEAD = 16_384  # bytes of a request
PATIENCE = 5.0  # seconds for a request to arrive, and for its answer to be taken


class Source(Protocol):
    """A run that can be measured, before it has begun too."""

    def snapshot(self) -> Snapshot: ...
    def meters(self) -> Mapping[str, StageMeter]: ...


@contextlib.asynccontextmanager
async def serving(port: int | None, source: Source) -> AsyncIterator[None]:
    """Answer at http://127.0.0.1:PORT/metrics meanwhile; None: do nothing. Raises BadConfig."""
    if port is None:
        yield
        return
    if find_spec("prometheus_client") is None:  # checked at the start, not at the first scrape
        raise BadConfig(
            "--metrics-port: needs prometheus-client, which is not installed:"
            " pip install prometheus-client, or 'penstock-crawler[metrics]'"
        )
    connections: set[asyncio.Task[Any]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            connections.add(task)
            task.add_done_callback(connections.discard)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(reply(await reader.readuntil(b"\r\n\r\n"), lambda: exposed(source)))
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            pass  # whoever asks badly, or goes away, harms nobody but himself
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)  # it takes the loop a step to do so

    try:
        server = await asyncio.start_server(answer, LOOPBACK, port, limit=MOST_HEAD)
    except OSError as error:
        why = error.strerror or error
        raise BadConfig(f"--metrics-port: cannot listen on {LOOPBACK}:{port}: {why}") from None
    try:
        yield
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


def reply(head: bytes, body: Callable[[], bytes]) -> bytes:
    """The whole answer to a request, after which the connection is closed."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        status, text = "405 Method Not Allowed", b"only GET\n"
    elif path != b"/metrics":
        status, text = "404 Not Found", b"there is only /metrics\n"
    else:
        status, text = "200 OK", body()
    fields = (f"Content-Type: {TYPE}", f"Content-Length: {len(text)}", "Connection: close")
    said = "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()
    return said if method == b"HEAD" else said + text


def exposed(source: Source) -> bytes:
    """Every metric in the text format."""
    from prometheus_client import generate_latest

    class Registry:
        def collect(self) -> Iterable[Metric]:
            return families(source)

    return generate_latest(Registry())


def families(source: Source) -> Iterator[Metric]:
    """Every metric, with its name, help and values."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    now = source.snapshot()
    for name, text, value in (
        ("pages", "Pages of status 200 without error", now.pages),
        ("bytes", "Bytes of bodies, after content-coding", now.bytes),
        ("retries", "Requests that are to be made again", now.retries),
    ):
        yield CounterMetricFamily(f"penstock_{name}", text, value)
    for name, text, label, values in (
        ("requests", "Requests settled, by class of status; none: no answer came", "answer", now.answers),
        ("failures", "URLs given up, by reason", "reason", now.failures),
    ):
        counter = CounterMetricFamily(f"penstock_{name}", text, labels=[label])
        for key, number in sorted(values.items()):
            counter.add_metric([key], number)
        yield counter
    for name, text, amount in (
        ("pending_urls", "URLs still to be fetched, whole crawl", now.pending),
        ("skipped_urls", "URLs that a rule kept out, whole crawl", now.skipped),
        ("in_flight_urls", "URLs under way", now.in_flight),
        ("hosts", "Hosts in memory", now.hosts),
        ("hosts_held_back", "Hosts that the throttle holds back", now.hosts_held_back),
        ("loop_lag_seconds", "How late the event loop comes to what is due", now.lag_ms / 1000),
        ("loop_busy_ratio", "The event loop's share of one core", now.loop_busy),
        ("elapsed_seconds", "Since the run began", now.elapsed_s),
    ):
        yield GaugeMetricFamily(f"penstock_{name}", text, amount)
    for name, text, position in (
        ("queue_depth", "Messages waiting before a stage, mean of a second", "waiting"),
        ("queue_bound", "Messages that may wait before a stage", "bound"),
        ("workers_busy", "Workers with a message in hand, mean of a second", "busy"),
        ("workers", "Workers of a stage", "workers"),
    ):
        gauge = GaugeMetricFamily(f"penstock_{name}", text, labels=["stage"])
        for stage, view in now.stages.items():
            gauge.add_metric([stage], getattr(view, position))
        yield gauge
    for stage, meter in source.meters().items():
        text = f"Seconds that a message was in the hands of a {stage} worker"
        yield HistogramMetricFamily(
            f"penstock_{stage}_seconds", text, buckets=buckets(meter), sum_value=meter.finished_s
        )


def buckets(meter: StageMeter) -> list[tuple[str, float]]:
    """Prometheus's way of counting: each bucket holds the smaller ones too."""
    return list(zip([*map(str, BOUNDS), "+Inf"], accumulate(meter.buckets), strict=True))
