"""The allocator: freed memory goes back to the system, and a host program's settings stay as they are."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.small_site import Site, page

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")

# Bodies come and go; something smaller lies behind each. Says how many MiB stayed.
BODIES = """
from penstock.crawler.engine import malloc as heap
{first}
bytes(30 << 20)  # glibc would have such on the heap from now on
before, kept = heap._resident(), []
bodies = []
for _ in range(8):
    bodies.append(b"x" * (8 << 20))
    kept.append(b"y" * 100_000)
del bodies
{then}
print((heap._resident() - before) >> 20)
"""


def stays(first: str = "", then: str = "") -> int:
    said = subprocess.check_output([sys.executable, "-c", BODIES.format(first=first, then=then)], text=True)
    return int(said)


@GLIBC
class TestAllocator:
    def test_a_large_block_returns_to_the_system_when_it_is_freed(self) -> None:
        assert stays() > 48
        assert stays(first="heap.tune_allocator(); heap.map_large_blocks()") < 4

    def test_the_allocator_of_a_host_program_is_left_alone(self) -> None:
        """A library that calls mallopt changes the memory use of everything else in the process."""
        assert stays(first="heap.map_large_blocks()") > 48

    def test_free_memory_is_returned_on_request(self) -> None:
        assert stays(then="heap.give_back()") < 4

    def test_free_memory_is_returned_only_above_the_allowed_excess(self) -> None:
        excess = "excess = heap.Excess({} << 20)"
        assert stays(first=excess.format(16), then="excess.give_back()") < 4
        assert stays(first=excess.format(100), then="excess.give_back()") > 48


def test_a_system_without_figures_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.crawler.engine import malloc as heap

    monkeypatch.setattr(heap, "_resident", lambda: 0)
    monkeypatch.setattr(heap, "_function", lambda name: None)

    heap.Excess(0).give_back()
    heap.give_back()


async def test_a_crawl_in_a_host_program_does_not_call_mallopt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the command and the parser processes tune the allocator; a page of a megabyte changes nothing."""
    from penstock import Crawl, CrawlConfig
    from penstock.crawler.engine import malloc as heap

    called: list[str] = []
    monkeypatch.setattr(heap, "_function", called.append)
    monkeypatch.setattr(heap, "_ours", False)
    heap._set_mmap_threshold.cache_clear()
    site = Site(lambda path: page("/large") if path == "/" else page(note="x" * (1 << 20)))
    async with site.serve() as base:
        config = CrawlConfig(seeds=[base], db=tmp_path / "crawl.db", no_robots=True, processes=1)
        report = await Crawl(config).run()

    assert report.totals.pages == 2
    assert called == []


# What a page takes, again and again. Says how many pages of memory the system had to find for it.
PAGES = """
import resource
from penstock.crawler.engine import malloc as heap
{first}
for turn in range(50):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [b"x" * 300_000 for _ in range(6)]
    del pieces
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@GLIBC
def test_memory_of_one_page_is_kept_for_the_next() -> None:
    def faults(first: str) -> int:
        return int(subprocess.check_output([sys.executable, "-c", PAGES.format(first=first)], text=True))

    assert faults("heap.tune_allocator()") < faults("") / 10
