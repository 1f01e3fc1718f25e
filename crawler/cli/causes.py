"""Causes: why URLs failed and why a crawl found so little, in words, with what to try.

May touch: the table of reasons, values that storage read. It returns lines.

The summary of a run and `status` take their sentences from here, so that they never differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.crawler.output.number_formats import format_count, plural
from penstock.crawler.reasons import about, explain, may_pass

if TYPE_CHECKING:
    from penstock.storage.reading.outcome import OnlyPage, SeedOutcome

REASONS_SHOWN = 5
SEEDS_SHOWN = 3
LOUD_SHARE = 0.1  # of the URLs to fetch: with so many failed a crawl is no success

Row = tuple[str, str]  # label and text; an empty label continues the row before


def failed_in_words(states: Mapping[str, int]) -> str:
    """How many of the URLs to fetch failed: `41 of 100 URLs failed (41%)`; '' if none did."""
    failed, settled = states.get("failed", 0), states.get("failed", 0) + states.get("done", 0)
    if not failed:
        return ""
    share = failed / settled
    # Never 100% while one is stored, and never 0% while one has failed.
    percent = "all" if failed == settled else "under 1%" if share < 0.01 else f"{min(share, 0.99):.0%}"
    return f"{format_count(failed)} of {plural(settled, 'URL')} failed ({percent})"


def is_loud(states: Mapping[str, int]) -> bool:
    failed = states.get("failed", 0)
    return failed >= LOUD_SHARE * (failed + states.get("done", 0)) and failed > 0


def failed_rows(failed: Sequence[tuple[str, int]]) -> Iterator[Row]:
    """The most frequent reasons with their meaning, and which of the URLs the next run requests again."""
    label = "failed"
    for reason, number in failed[:REASONS_SHOWN]:
        yield label, f"{format_count(number)} {explain(reason)}"
        label = ""
    if left_out := failed[REASONS_SHOWN:]:
        rest = sum(number for _, number in left_out)
        yield "", f"{format_count(rest)} for {plural(len(left_out), 'other reason')}: see `report failed`"
    if failed:
        yield "again", _again(failed)


def _again(failed: Sequence[tuple[str, int]]) -> str:
    total = sum(number for _, number in failed)
    passing = sum(number for reason, number in failed if may_pass(reason))
    if passing == total:
        return "the same command requests them once more"
    if passing:
        return f"the same command requests {format_count(passing)} of them once more; --retry-failed all"
    return "these answers are final; --retry-failed requests the URLs again"


def cause_of(seed: SeedOutcome) -> str:
    """The reason to blame, in a word: what came back for robots.txt, where that is what forbids the seed."""
    if seed.reason == "robots_unreachable" and seed.robots is not None:
        return seed.robots.reason
    return seed.reason or (f"http_{seed.status}" if seed.status is not None else seed.state)


def lost_seed_rows(lost: Sequence[SeedOutcome], seeds: int) -> Iterator[Row]:
    """The seeds that led to no stored page, why, and what to try."""
    label = "seed" if seeds == 1 else "seeds"
    if seeds > 1:
        yield label, f"{format_count(len(lost))} of {format_count(seeds)} led to no stored page"
        label = ""
    hints: dict[str, None] = {}
    for seed in lost[:SEEDS_SHOWN]:
        yield label, _describe(seed)
        label = ""
        if seed.robots is not None:
            yield "", seed.robots.describe()
        hints |= dict.fromkeys(hint for hint in _hints(seed) if hint)
    if len(lost) > SEEDS_SHOWN:
        yield "", f"and {format_count(len(lost) - SEEDS_SHOWN)} more"
    label = "try"
    for hint in hints:
        yield label, hint
        label = ""


def _describe(seed: SeedOutcome) -> str:
    way = seed.seed if seed.url == seed.seed else f"{seed.seed} redirects to {seed.url}, which is"
    reason = seed.reason or (f"http_{seed.status}" if seed.status is not None else "")
    if seed.state == "done" and seed.status is not None and not seed.reason:
        return f"{way}: status {seed.status}, which is no page"
    return f"{way} {seed.state}, {explain(reason)}" if reason else f"{way} {seed.state}"


def _hints(seed: SeedOutcome) -> Iterator[str]:
    if seed.reason == "robots_unreachable" and seed.robots is not None:
        yield about(seed.robots.reason).hint
        if seed.robots.status is not None:  # a host that does not answer has no page either
            yield about(seed.reason).hint
        return
    yield about(cause_of(seed)).hint
    if seed.reason == "scope":
        yield f"start at {seed.url}"


def only_page_hint(page: OnlyPage, *, depth: int | None) -> str:
    """Why a crawl found one page only; '' if there is nothing to say."""
    if depth == 0:
        return ""
    if page.content_type not in ("text/html", "application/xhtml+xml"):
        kind = page.content_type or "a file of no known type"
        return f"the only page is {kind}, not HTML: there are no links to follow"
    if not page.body_bytes:
        return "the only page is empty: the host may send another one to a browser (--user-agent, --cookies)"
    if not page.links:
        return (
            "the only page has no links: it may build them with JavaScript, which is not run; "
            "--sitemap names its other pages, if it has one"
        )
    if not page.followed:
        return _unfollowed_hint(page)
    if not page.skipped or sum(number for _, number in page.skipped) < page.links:
        return ""
    reason = page.skipped[0][0]
    hint = f"all links of the only page are skipped: {', '.join(f'{n} {why}' for why, n in page.skipped)}"
    if reason == "scope" and page.hosts_out_of_scope:
        hint += (
            f"; they lead to {', '.join(page.hosts_out_of_scope)}: start there, or use --scope domain or any"
        )
    elif advice := about(reason).hint:
        hint += f"; {advice}"
    return hint


def _unfollowed_hint(page: OnlyPage) -> str:
    """The kinds of links that the page has, each with the flag that follows it."""
    directives = (page.robots or "").replace(",", " ").split()
    forbidden = "nofollow" in directives or "none" in directives  # whatever the links are
    frames, head_links = (0, 0) if forbidden else (page.frames, page.head_links)
    nofollow = page.links - frames - head_links
    kinds = [
        (nofollow, "nofollow", "--follow-nofollow follows them, on a site of your own"),
        (frames, "frames", "--frames follows them"),
        (head_links, "link elements of its head", "--head-links follows them"),
    ]
    found = [kind for kind in kinds if kind[0]]
    links = plural(page.links, "link")
    if len(found) == 1:
        _, kind, flag = found[0]
        return f"the only page has {links}, all {kind}: {flag}"
    parts = ", ".join(f"{number} {kind} ({flag.partition(' ')[0]})" for number, kind, flag in found)
    return f"the only page has {links}, none of them followed without a flag: {parts}"
