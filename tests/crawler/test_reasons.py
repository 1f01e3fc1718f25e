"""The table of reasons: every word that the code can give has a sentence, and every hint can be followed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.crawler.config.crawl_config import CRAWL_OPTIONS
from penstock.crawler.policies.breaker import NO_ANSWER
from penstock.crawler.policies.retry import RETRIED_REASONS, RETRIED_STATUSES
from penstock.crawler.reasons import REASONS, about, explain, may_pass

ROOT = Path(__file__).resolve().parents[2]
WORD = re.compile(r"[a-z][a-z_0-9]*(:[a-z_]+)?\Z")
MESSAGES = {
    "Failed",
    "Dead",
    "Skipped",
    "RetryAt",
    "GiveUp",
    "Rejected",
    "CodingError",
    "ProxyFailed",
    "ParseFailed",
}
DECIDERS = {"reason_of", "rule", "rule_along", "_path_rule", "reason_of_tls", "tls_reason"}  # return a reason
COMING = {"--follow-nofollow"}
STATES = {"failed", "skipped", "pending"}


def words_of(node: ast.AST) -> Iterator[str]:
    """The texts that an expression may have as its value."""
    match node:
        case ast.Constant(value=str(word)) if WORD.match(word):
            yield word
        case ast.IfExp(body=body, orelse=orelse):
            yield from words_of(body)
            yield from words_of(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from words_of(value)


def reasons_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in MESSAGES:
                for argument in arguments[:1]:
                    yield from words_of(argument)
                for keyword in keywords:
                    if keyword.arg == "reason":
                        yield from words_of(keyword.value)
            case ast.FunctionDef(name=name) if name in DECIDERS:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        yield from words_of(inner.value)
            case ast.Tuple(elts=[ast.Constant(value=state), reason]) if state in STATES:
                yield from words_of(reason)


def produced() -> set[str]:
    found = set(NO_ANSWER | RETRIED_REASONS)
    for room in ("crawler", "stages", "storage"):
        for path in (ROOT / room).rglob("*.py"):
            found |= set(reasons_in(ast.parse(path.read_text("utf-8"))))
    statements = "".join(
        path.read_text("utf-8") for path in (ROOT / "storage/writing").glob("*statements.py")
    )
    return found | set(re.findall(r"reason = '([a-z_:]+)'", statements))


def test_every_reason_that_the_code_can_give_has_a_sentence() -> None:
    found = produced()

    assert {"robots", "dns", "too_large", "poison", "trap:repeat", "parse_crash"} <= found  # they are seen
    assert sorted(reason for reason in found - STATES if not about(reason).meaning) == []


@pytest.mark.parametrize(
    "status", [*range(300, 309), *range(400, 432), 451, *range(500, 512), *range(520, 531), 999]
)
def test_every_status_has_a_sentence_that_names_it(status: int) -> None:
    assert f"the host answered with status {status}" in explain(f"http_{status}")


def test_every_flag_of_a_hint_exists() -> None:
    known = {option.flag for option in CRAWL_OPTIONS.values()} | COMING
    told = {
        flag
        for reason in [*REASONS, "http_401", "http_403", "http_407", "http_429", "http_503"]
        for flag in re.findall(r"--[a-z][a-z-]+", about(reason).meaning + " " + about(reason).hint)
    }

    assert sorted(told - known) == []


def test_an_answer_is_final_and_its_want_may_pass() -> None:
    """The split on which the next run relies."""
    assert all(may_pass(reason) for reason in NO_ANSWER)
    assert not any(may_pass(f"http_{status}") for status in RETRIED_STATUSES)
    assert not may_pass("tls:expired")


@pytest.mark.parametrize("reason", ["", "unheard_of", "unheard:of"])
def test_an_unknown_reason_is_shown_as_it_is(reason: str) -> None:
    """A fetch tier of somebody else may have reasons of its own."""
    assert explain(reason) == reason
