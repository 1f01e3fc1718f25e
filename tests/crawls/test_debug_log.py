"""--log-level debug: one line per request and one per commit, through the real command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from penstock.crawler.output import logs
from tests.support.crawls import QUICK_FLAGS, run_command
from tests.support.synthetic_web import SyntheticWeb

FETCH_KEYS = ["url", "kind", "status", "bytes", "ms", "tier", "attempt", "error"]
COMMIT_KEYS = ["verdicts", "pages", "links", "ms"]


@pytest.fixture
def web() -> SyntheticWeb:
    web = SyntheticWeb(pages=0)
    web.page("/", "/a", "/gone")
    web.page("/a")
    return web


def crawl_at(level: str, form: str, web: SyntheticWeb, db: Path) -> tuple[str, list[str]]:
    with web.serve_in_thread() as url:
        ended = run_command(
            ("--seed", url, "--db", db, *QUICK_FLAGS, "--log-level", level, "--log-format", form)
        )
    assert ended.code == 0, ended.stderr
    return url.rstrip("/"), ended.stderr.splitlines()


def test_json_has_one_event_per_request_and_per_commit_with_fixed_keys(
    web: SyntheticWeb, tmp_path: Path
) -> None:
    url, lines = crawl_at("debug", "json", web, tmp_path / "x.db")
    events = [json.loads(line) for line in lines]
    fetched = [event for event in events if event["event"] in ("fetched", "fetch_failed")]
    committed = [event for event in events if event["event"] == "committed"]

    assert sorted(event["url"] for event in fetched) == [f"{url}{path}" for path in ("/", "/a", "/gone")]
    assert {event["url"]: event["status"] for event in fetched}[f"{url}/gone"] == 404
    assert [list(event) for event in fetched] == [["timestamp", "level", "event", *FETCH_KEYS]] * 3
    assert committed
    assert {tuple(event)[3:] for event in committed} == {tuple(COMMIT_KEYS)}
    assert sum(event["pages"] for event in committed) == 2, "of status 200"
    assert {event["level"] for event in fetched + committed} == {"debug"}


def test_console_lines_have_the_same_events_and_keys_as_json(web: SyntheticWeb, tmp_path: Path) -> None:
    _, lines = crawl_at("debug", "console", web, tmp_path / "x.db")

    def keys_of(event: str) -> list[list[str]]:
        found = [line for line in lines if f" debug   {event} " in line]
        return [re.findall(r" ([a-z_]+)=", line) for line in found]

    assert keys_of("fetched") == [FETCH_KEYS] * 3
    assert keys_of("committed")
    assert all(keys == COMMIT_KEYS for keys in keys_of("committed"))


@pytest.mark.parametrize("form", logs.FORMATS)
def test_no_line_per_request_is_shown_at_info(web: SyntheticWeb, tmp_path: Path, form: str) -> None:
    _, lines = crawl_at("info", form, web, tmp_path / "x.db")

    assert [line for line in lines if "fetched" in line or "committed" in line] == []
