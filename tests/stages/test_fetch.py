"""Fetch: one task, one request, one answer; and whatever happens, the host's gate is told."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from penstock.crawler.messages import Answer, Failed, Fetched, FetchTask, RobotsAnswer, RobotsTask
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.stages.fetch import FetchStage
from tests.support.crawls import run_command
from tests.support.fakes import FakeFetcher, FakeGate, answer, task
from tests.support.synthetic_web import SyntheticWeb

ROBOTS = RobotsTask(origin="http://h", host="h")


def fetch_stage(
    web: Mapping[str, Answer | str | BaseException], *, body: bytes | None = None, redirects: int = 5
) -> tuple[FetchStage, FakeFetcher, FakeGate]:
    fetcher, gate = FakeFetcher(web, body=body), FakeGate()
    policy = RobotsPolicy(max_redirects=redirects)
    stage = FetchStage(fetchers={"plain": fetcher}, gate=gate, robots=policy)
    return stage, fetcher, gate


class TestFetch:
    async def test_one_task_is_one_request_and_one_answer(self) -> None:
        stage, fetcher, gate = fetch_stage({"http://h/": answer(301, location="http://h/x")})

        [result] = await stage.handle(task())

        assert result == Fetched(task=task(), answer=answer(301, location="http://h/x"))
        assert fetcher.asked == ["http://h/"]
        assert gate.answers == [("http://h/", result)]

    async def test_what_the_web_does_wrong_is_a_value(self) -> None:
        stage, _, gate = fetch_stage({"http://h/": "timeout"})

        [result] = await stage.handle(task())

        assert result == Failed(task=task(), stage="fetch", reason="timeout")
        assert gate.answers == [("http://h/", result)]

    @pytest.mark.parametrize("error", [KeyError("a bug"), asyncio.CancelledError()])
    async def test_the_gate_learns_the_outcome_whatever_happens(self, error: BaseException) -> None:
        """Else the host's connection would be in use for ever."""
        stage, _, gate = fetch_stage({"http://h/": error})

        with pytest.raises(type(error)):
            await stage.handle(task())

        [(url, result)] = gate.answers
        assert url == "http://h/"
        assert isinstance(result, Failed)

    async def test_a_tier_that_returns_another_type_is_an_error_that_names_the_tier(self) -> None:
        class ForgetfulFetcher(FakeFetcher):
            async def get(self, task: FetchTask) -> Any:
                return None

        fetchers = {"plain": ForgetfulFetcher({})}
        stage = FetchStage(fetchers=fetchers, gate=FakeGate(), robots=RobotsPolicy())

        with pytest.raises(TypeError, match="'plain' must return Fetched or Failed, not NoneType"):
            await stage.handle(task())

    async def test_a_failure_of_a_tier_belongs_to_the_stage_fetch_by_default(self) -> None:
        assert Failed(task=task(), reason="timeout").stage == fetch_stage({})[0].name

    async def test_a_task_goes_to_the_fetcher_of_its_tier(self) -> None:
        plain, other = FakeFetcher({}), FakeFetcher({"http://h/": answer(200)})
        stage = FetchStage(fetchers={"plain": plain, "other": other}, gate=FakeGate(), robots=RobotsPolicy())

        await stage.handle(replace(task(), tier="other"))

        assert (plain.asked, other.asked) == ([], ["http://h/"])

    async def test_robots_txt_is_requested_by_the_tier_plain(self) -> None:
        """Another tier need not know how to read one."""
        plain, other = FakeFetcher({"http://h/robots.txt": answer(200)}), FakeFetcher({})
        stage = FetchStage(fetchers={"plain": plain, "other": other}, gate=FakeGate(), robots=RobotsPolicy())

        await stage.handle(ROBOTS)

        assert (plain.asked, other.asked) == (["http://h/robots.txt"], [])

    async def test_the_gate_learns_of_a_task_whose_tier_does_not_exist(self) -> None:
        stage, _, gate = fetch_stage({})
        unknown = replace(task(), tier="browser")

        with pytest.raises(KeyError):
            await stage.handle(unknown)

        assert len(gate.answers) == 1


class TestLog:
    """At --log-level debug one line per request, whatever it is for and whatever came of it."""

    @pytest.fixture(autouse=True)
    def _debug(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, logger="penstock")

    async def test_a_request_is_one_event_with_its_outcome(self, caplog: pytest.LogCaptureFixture) -> None:
        stage, _, _ = fetch_stage({"http://h/": answer(404, body_bytes=12)})

        await stage.handle(replace(task(attempt=2), kind="sitemap"))

        [event] = events(caplog)
        assert event == {
            "event": "fetched",
            "url": "http://h/",
            "kind": "sitemap",
            "status": 404,
            "bytes": 12,
            "ms": event["ms"],
            "tier": "plain",
            "attempt": 2,
            "error": None,
        }

    async def test_a_failure_is_an_event_with_the_same_keys(self, caplog: pytest.LogCaptureFixture) -> None:
        stage, _, _ = fetch_stage({"http://h/": "timeout", "http://h/x": answer(200)})

        await stage.handle(task())
        await stage.handle(task("http://h/x"))

        failed, fetched = events(caplog)
        assert (failed["event"], failed["error"], failed["status"]) == ("fetch_failed", "timeout", None)
        assert list(failed) == list(fetched)

    async def test_every_hop_to_a_robots_txt_is_an_event(self, caplog: pytest.LogCaptureFixture) -> None:
        stage, _, _ = fetch_stage(chain(2))

        await stage.handle(ROBOTS)

        assert [(event["kind"], event["status"]) for event in events(caplog)] == [
            ("robots", 302),
            ("robots", 302),
            ("robots", 200),
        ]

    async def test_below_debug_no_event_is_built(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caplog.set_level(logging.INFO, logger="penstock")
        monkeypatch.delattr("penstock.stages.fetch.log_request")
        stage, _, _ = fetch_stage({"http://h/": answer(200)})

        await stage.handle(task())

        assert events(caplog) == []

    def test_the_command_shows_a_line_for_each_request(self, tmp_path: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", "/a", "/missing")
        web.redirect("/a", "/b")
        with web.serve_in_thread() as url:
            finished = run_command(["--seed", url, "--db", tmp_path / "x.db", "--log-level", "debug"])

        lines = [line for line in finished.stderr.splitlines() if " fetched " in line]
        assert [re.findall(r" (?:kind|status)=(\S+)", line) for line in lines] == [
            ["robots", "404"],
            ["page", "200"],
            ["page", "302"],
            ["page", "404"],
            ["page", "404"],
        ]


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def chain(length: int) -> dict[str, Answer]:
    """Redirects from the robots.txt on, each to another host; at their end, a 200."""
    urls = ["http://h/robots.txt", *(f"http://h{number}/robots.txt" for number in range(length))]
    web = {url: answer(302, location=after) for url, after in pairwise(urls)}
    return {**web, urls[-1]: answer(200)}


class TestFetchRobots:
    async def test_robots_txt_is_fetched_from_the_root_of_the_origin(self) -> None:
        stage, fetcher, gate = fetch_stage({"http://h/robots.txt": answer(200)}, body=b"Disallow:")

        [result] = await stage.handle(ROBOTS)

        assert isinstance(result, RobotsAnswer)
        assert (result.status, result.body, result.error) == (200, b"Disallow:", None)
        assert (gate.robots, gate.answers) == (["h"], [])
        assert [hold.released for hold in fetcher.holds] == [1]

    @pytest.mark.parametrize("status", [204, 404, 403, 503])
    async def test_a_robots_txt_response_without_a_body_is_an_answer(self, status: int) -> None:
        stage, _, _ = fetch_stage({"http://h/robots.txt": answer(status)})

        [result] = await stage.handle(ROBOTS)

        assert isinstance(result, RobotsAnswer)
        assert (result.status, result.body) == (status, b"")

    async def test_a_failed_robots_txt_is_an_error_without_a_status(self) -> None:
        stage, _, gate = fetch_stage({"http://h/robots.txt": "refused"})

        [result] = await stage.handle(ROBOTS)

        assert isinstance(result, RobotsAnswer)
        assert (result.status, result.error) == (None, "refused")
        assert gate.robots == ["h"]

    @pytest.mark.parametrize(("length", "status"), [(0, 200), (1, 200), (5, 200), (6, 302), (50, 302)])
    async def test_redirects_of_robots_txt_are_followed_across_hosts_up_to_a_limit(
        self, length: int, status: int
    ) -> None:
        """RFC 9309 section 2.3.1.2: at least five."""
        stage, fetcher, gate = fetch_stage(chain(length))

        [result] = await stage.handle(ROBOTS)

        assert isinstance(result, RobotsAnswer)
        assert result.status == status
        assert len(fetcher.asked) <= 6
        assert gate.robots == ["h"]

    @pytest.mark.parametrize("location", ["ftp://h/robots.txt", "mailto:me@h", "javascript:0"])
    async def test_redirects_of_robots_txt_to_other_schemes_are_not_followed(self, location: str) -> None:
        stage, fetcher, _ = fetch_stage({"http://h/robots.txt": answer(301, location=location)})

        [result] = await stage.handle(ROBOTS)

        assert isinstance(result, RobotsAnswer)
        assert (result.status, len(fetcher.asked)) == (301, 1)

    async def test_a_redirect_loop_of_robots_txt_ends(self) -> None:
        stage, fetcher, _ = fetch_stage({"http://h/robots.txt": answer(301, location="http://h/robots.txt")})

        [result] = await stage.handle(ROBOTS)

        assert isinstance(result, RobotsAnswer)
        assert result.status == 301
        assert len(fetcher.asked) == 6

    @pytest.mark.parametrize("error", [KeyError("a bug"), asyncio.CancelledError()])
    async def test_the_gate_learns_that_robots_txt_was_fetched_whatever_happens(
        self, error: BaseException
    ) -> None:
        stage, _, gate = fetch_stage({"http://h/robots.txt": error})

        with pytest.raises(type(error)):
            await stage.handle(ROBOTS)

        assert gate.robots == ["h"]
