"""Metrics: the numbers of a running crawl for Prometheus, over HTTP; on loopback unless asked otherwise.

May touch: asyncio's streams; prometheus_client for the text format, which no other module imports.
Never: an address that other machines can reach, unless the operator names it; a thread; a part of the
crawl, except to read its numbers.

Names end in their unit, counters in `_total`. Counts are those of this run: they begin at 0, as
Prometheus expects of a process. Only pending and skipped URLs are counted over the whole crawl.
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
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_REQUEST_BYTES = 16_384
TIMEOUT = 5.0  # seconds for a request to arrive and for its answer to be sent


class Source(Protocol):
    """A run, which may not have begun yet."""

    def snapshot(self) -> Snapshot: ...
    def meters(self) -> Mapping[str, StageMeter]: ...


@contextlib.asynccontextmanager
async def serving(port: int | None, source: Source, *, address: str = LOOPBACK) -> AsyncIterator[None]:
    """Answer at http://ADDRESS:PORT/metrics within the block; None: do nothing. Raises BadConfig."""
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
            async with asyncio.timeout(TIMEOUT):
                writer.write(reply(await reader.readuntil(b"\r\n\r\n"), lambda: exposed(source)))
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            pass  # a bad or abandoned request concerns its sender only
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)  # the loop needs one step for it

    try:
        server = await asyncio.start_server(answer, address, port, limit=MAX_REQUEST_BYTES)
    except OSError as error:
        why = error.strerror or error
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        raise BadConfig(f"--metrics-port: cannot listen on {place}: {why}") from None
    try:
        yield
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


def reply(head: bytes, body: Callable[[], bytes]) -> bytes:
    """The whole answer to a request. The connection is closed after it."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        status, text = "405 Method Not Allowed", b"only GET\n"
    elif path != b"/metrics":
        status, text = "404 Not Found", b"there is only /metrics\n"
    else:
        status, text = "200 OK", body()
    fields = (f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(text)}", "Connection: close")
    answer = "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()
    return answer if method == b"HEAD" else answer + text


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
        ("retries", "Requests that failed and will be repeated", now.retries),
    ):
        yield CounterMetricFamily(f"penstock_{name}", text, value)
    for name, text, label, values in (
        ("requests", "Settled requests, by class of status; none: no answer arrived", "answer", now.answers),
        ("failures", "Failed URLs, by reason", "reason", now.failures),
    ):
        counter = CounterMetricFamily(f"penstock_{name}", text, labels=[label])
        for key, number in sorted(values.items()):
            counter.add_metric([key], number)
        yield counter
    for name, text, amount in (
        ("pending_urls", "URLs to be fetched, whole crawl", now.pending),
        ("skipped_urls", "URLs that a rule excluded, whole crawl", now.skipped),
        ("in_flight_urls", "URLs in flight", now.in_flight),
        ("hosts", "Hosts in memory", now.hosts),
        ("hosts_held_back", "Hosts that the throttle holds back", now.hosts_held_back),
        ("loop_lag_seconds", "Delay of the event loop, averaged over about a second", now.lag_ms / 1000),
        ("loop_busy_ratio", "The event loop's share of one core", now.loop_busy),
        ("elapsed_seconds", "Seconds since the run began", now.elapsed_s),
    ):
        yield GaugeMetricFamily(f"penstock_{name}", text, amount)
    for name, text, position in (
        ("queue_depth", "Messages in the inbox of a stage, mean of a second", "waiting"),
        ("queue_bound", "Bound of the inbox of a stage", "bound"),
        ("workers_busy", "Busy workers of a stage, mean of a second", "busy"),
        ("workers", "Workers of a stage", "workers"),
    ):
        gauge = GaugeMetricFamily(f"penstock_{name}", text, labels=["stage"])
        for stage, view in now.stages.items():
            gauge.add_metric([stage], getattr(view, position))
        yield gauge
    for stage, meter in source.meters().items():
        text = f"Seconds that a {stage} worker spent on a message"
        yield HistogramMetricFamily(
            f"penstock_{stage}_seconds", text, buckets=buckets(meter), sum_value=meter.finished_s
        )


def buckets(meter: StageMeter) -> list[tuple[str, float]]:
    """Cumulative counts, as Prometheus has them: each bucket contains the smaller ones."""
    return list(zip([*map(str, BOUNDS), "+Inf"], accumulate(meter.buckets), strict=True))
