"""Progress: what a person sees of a running crawl, and that seeing it costs the crawl nothing."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from penstock.crawler.cli.live.progress import LiveBlock, live_view
from penstock.crawler.cli.live.status_lines import all_lines, counts, load, pack
from penstock.crawler.config.crawl_config import OutputConfig
from penstock.crawler.output import logs, terminal
from penstock.crawler.output.number_formats import format_duration, format_rate, format_size
from penstock.crawler.snapshot import HostView, LiveEvent, Snapshot, StageView
from tests.crawler.cli.test_table_formats import HOSTILE, NEVER_RAW

Capture = pytest.CaptureFixture[str]

BUSY = Snapshot(
    elapsed_s=3725,
    requests=1_300_000,
    pages=1_234_567,
    bytes=98_765_432_100,
    failed=12_345,
    retries=678,
    pending=9_876_543,
    in_flight=64,
    hosts=4_321,
    pages_per_s=331.4,
    left_s=29_484,
    skipped=765_432,
    hosts_held_back=3,
    stages={name: StageView(64, 64, 32.1, 64, 1_300_000, 12.3, 1234) for name in ("fetch", "parse", "store")},
    busiest=[HostView("docs.example.org", 4, 8, 2.5, 61.0, True), HostView("x" * 200, 1, 1)],
    failures={f"http_{status}": status for status in range(400, 420)},
    events=[LiveEvent(1_795_172_006, "failed http_404  http://example.com/" + "y" * 300)],
    loop_busy=0.87,
    lag_ms=3.4,
)


class Terminal(io.StringIO):
    """What a terminal was sent, as text with its controls."""

    def isatty(self) -> bool:
        return True

    def words(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


def ticks(count: int) -> tuple[Callable[[float], Awaitable[None]], asyncio.Event, list[float]]:
    """A clock that goes `count` steps and then stands: its wait, the moment it stands, the waits asked."""
    stands = asyncio.Event()
    asked: list[float] = []

    async def wait(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) > count:
            stands.set()
            await asyncio.Event().wait()

    return wait, stands, asked


async def run(
    view: OutputConfig, take_snapshot: Callable[[], Snapshot] = lambda: BUSY, *, count: int = 2
) -> list[float]:
    wait, stands, asked = ticks(count)
    async with asyncio.timeout(5), live_view(take_snapshot, view, wait=wait):
        await stands.wait()
    return asked


class TestKinds:
    async def test_a_plain_line_every_ten_seconds_where_there_is_no_terminal(self, capsys: Capture) -> None:
        asked = await run(OutputConfig(), count=2)

        lines = capsys.readouterr().err.splitlines()
        assert asked == [10.0, 10.0, 10.0]
        assert len(lines) == 2
        assert "1,234,567 pages" in lines[0]
        assert "9,876,543 pending" in lines[0]
        assert "fetch queue 64/64 busy 32/64, parse queue" in lines[0]

    async def test_a_live_block_four_times_a_second_on_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")

        asked = await run(OutputConfig())

        assert asked[0] == 0.25
        assert "1,234,567 pages" in screen.words()

    async def test_progress_lines_shows_plain_lines_on_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)

        await run(OutputConfig(progress="lines"), count=1)

        assert "\x1b" not in screen.getvalue()
        assert screen.getvalue().count("\n") == 1

    @pytest.mark.parametrize(
        "view",
        [OutputConfig(progress="none"), OutputConfig(quiet=True), OutputConfig(progress="bar", quiet=True)],
    )
    async def test_quiet_and_progress_none_show_nothing(self, view: OutputConfig, capsys: Capture) -> None:
        wait, _, asked = ticks(1)

        async with live_view(lambda: BUSY, view, wait=wait):
            await asyncio.sleep(0)

        assert asked == []
        assert capsys.readouterr().err == ""

    async def test_json_logs_show_progress_as_events(self, capsys: Capture) -> None:
        """A program that reads standard error finds one JSON object per line and nothing else."""
        logs.configure(form="json")
        try:
            await run(OutputConfig(log_format="json"), count=1)
        finally:
            logs.reset()

        event = json.loads(capsys.readouterr().err)
        assert (event["event"], event["pages"], event["queues"]["parse"]) == ("progress_made", 1_234_567, 64)


class TestBar:
    def bar(self, screen: Terminal, width: int = 80, height: int = 40) -> LiveBlock:
        return LiveBlock(screen, width=width, height=height, color_system=None)

    @pytest.mark.parametrize("width", [40, 41, 60, 80, 120, 200])
    def test_the_live_block_fits_any_width_and_cuts_no_number(self, width: int) -> None:
        screen = Terminal()
        bar = self.bar(screen, width)

        bar.show(replace(BUSY, stopping="sigterm"))
        words = screen.words()
        bar.close()

        lines = [line for line in words.splitlines() if line.strip()]
        assert max(map(len, lines)) <= width
        for part in (part for group in (*counts(BUSY), load(BUSY)) for part in group):
            assert part in words
        assert "stopping (sigterm)" in words

    def test_each_group_of_figures_has_lines_of_its_own(self) -> None:
        """The bar itself once ended without a line break and tore the line beneath it."""
        screen = Terminal()
        bar = self.bar(screen)

        bar.show(BUSY)
        bar.close()

        assert any(line.startswith("1,234,567 pages") for line in screen.words().splitlines())

    def test_the_cursor_is_visible_whenever_it_rests(self) -> None:
        """Even kill -9 must not leave a terminal without its cursor."""
        screen = Terminal()
        bar = self.bar(screen)

        bar.show(BUSY)
        resting = screen.getvalue()
        bar.close()

        assert resting.rfind("\x1b[?25h") > resting.rfind("\x1b[?25l")

    def test_log_lines_appear_above_it_whole(self) -> None:
        screen = Terminal()
        bar = self.bar(screen, 40)
        long = "x" * 100

        bar.show(BUSY)
        terminal.write_stderr(long)
        bar.close()

        assert long in screen.words()

    def test_lines_go_their_own_way_again_when_it_is_closed(self, capsys: Capture) -> None:
        bar = self.bar(Terminal())
        bar.show(BUSY)
        bar.close()

        terminal.write_stderr("later")

        assert capsys.readouterr().err == "later\n"

    def test_a_live_block_that_was_never_shown_leaves_nothing_behind(self) -> None:
        screen = Terminal()

        self.bar(screen).close()

        assert screen.getvalue() == ""


class Gone(Terminal):
    """A terminal whose window was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        raise BrokenPipeError


class TestTheCrawlGoesOn:
    @pytest.mark.parametrize("view", [OutputConfig(progress="bar"), OutputConfig(progress="lines")])
    async def test_a_terminal_that_was_closed_does_not_end_the_crawl(
        self, view: OutputConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """rich would end the process at a broken pipe."""
        monkeypatch.setattr(sys, "stderr", Gone())
        monkeypatch.setenv("TERM", "xterm")

        await run(view)

    async def test_an_error_in_the_view_ends_the_view_and_not_the_crawl(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def take_snapshot() -> Snapshot:
            raise ZeroDivisionError

        wait, _, _ = ticks(1)
        async with live_view(take_snapshot, OutputConfig(), wait=wait):
            for _ in range(5):
                await asyncio.sleep(0)

        assert "progress_ended" in caplog.text

    async def test_an_error_of_the_crawl_comes_through_and_the_view_is_gone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")
        wait, stands, _ = ticks(1)

        async def failing() -> None:
            async with live_view(lambda: BUSY, OutputConfig(), wait=wait):
                await stands.wait()
                raise KeyError

        with pytest.raises(KeyError):
            await failing()

        assert len(asyncio.all_tasks()) == 1
        before = screen.getvalue()
        terminal.write_stderr("after")
        assert screen.getvalue() == before + "after\n"


class TestFigures:
    def test_parts_share_lines_but_are_never_cut(self) -> None:
        assert pack(["aaaa", "bbbb", "cccc"], 10) == ["aaaa  bbbb", "cccc"]

    @pytest.mark.parametrize(
        ("byte_count", "text"),
        [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1024**2 - 1, "1.0 MiB"), (5 * 1024**4, "5.0 TiB")],
    )
    def test_sizes(self, byte_count: int, text: str) -> None:
        assert format_size(byte_count) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "0:01:00"), (3725, "1:02:05"), (90_061, "1 day 1:01:01")],
    )
    def test_durations(self, seconds: float, text: str) -> None:
        assert format_duration(seconds) == text

    def test_rates(self) -> None:
        assert (format_rate(0), format_rate(99.9), format_rate(1234.5)) == ("0.0/s", "99.9/s", "1,234/s")


class TestStatusLines:
    def test_a_stage_tells_its_queue_its_workers_and_its_times(self) -> None:
        shown = all_lines(BUSY, 80)

        row = next(line for line in shown if line.startswith("parse"))
        assert row.split() == ["parse", "64/64", "32.1/64", row.split()[3], "50%", "12", "ms", "1,234", "ms"]

    @pytest.mark.parametrize("width", [30, 53, 54, 71, 72, 80, 120, 200])
    def test_the_table_of_stages_fits_the_width(self, width: int) -> None:
        shown = [
            line for line in all_lines(BUSY, width) if line.startswith(("stage", "fetch", "parse", "store"))
        ]

        assert len(shown) == 4
        assert max(map(len, shown)) <= width

    def test_a_host_tells_what_its_throttle_allows(self) -> None:
        shown = all_lines(BUSY, 80)

        row = next(line for line in shown if "docs.example.org" in line)
        assert row.split(maxsplit=1)[1] == "4 of 8 requests  at most 2.5/s  paused 0:01:01"

    def test_the_newest_event_comes_first(self) -> None:
        events = [LiveEvent(1_795_172_006 + number, f"event {number}") for number in range(3)]
        shown = all_lines(replace(BUSY, events=events), 80)

        assert [line.split("  ")[1] for line in shown[-3:]] == ["event 2", "event 1", "event 0"]

    def test_what_a_site_wrote_is_harmless(self) -> None:
        """A name that breaks out of its line could fake one of ours."""
        hostile = replace(
            BUSY,
            stopping=HOSTILE,
            busiest=[HostView(HOSTILE, 1, 1)],
            failures={HOSTILE: 1},
            events=[LiveEvent(0, HOSTILE)],
        )

        assert not any(character in line for line in all_lines(hostile, 200) for character in NEVER_RAW)

    def test_a_low_terminal_keeps_what_matters_most(self) -> None:
        screen = Terminal()
        bar = LiveBlock(screen, width=80, height=6, color_system=None)

        bar.show(BUSY)
        words = screen.words()
        bar.close()

        assert "1,234,567 pages" in words
        assert "failed http_404" not in words

    def test_no_time_is_guessed_where_none_is_known(self) -> None:
        assert not any("left" in line for line in all_lines(replace(BUSY, left_s=None), 80))
