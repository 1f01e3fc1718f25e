"""--include and --exclude: expressions that no URL can make slow, and what they cannot say."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from penstock.crawler.config.patterns import Patterns
from penstock.crawler.errors import BadConfig
from tests.support.crawls import ROOT


def refusal(expression: str) -> str:
    with pytest.raises(BadConfig) as caught:
        Patterns([expression])
    return str(caught.value)


class TestPatterns:
    def test_any_of_them_is_found_anywhere_in_the_url(self) -> None:
        found = Patterns([r"/blog/\d+$", "(?i)PRINT", r"^https://"])

        assert found("http://h/blog/12")
        assert found("http://h/x?print=1")
        assert found("https://h/")
        assert not found("http://h/blog/12/x")

    def test_a_flag_or_a_group_of_one_says_nothing_of_the_next(self) -> None:
        assert not Patterns(["(?i)(?P<a>x)", "(?P<a>Y)"])("http://h/y")

    @pytest.mark.parametrize(
        ("expression", "url"),
        [
            (r"(a|aa)+$", "a" * 2_000 + "!"),
            (r"(a*)*b", "a" * 2_000),
            (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 2_000),
            (r"(.*a){12}b", "a" * 2_000),
            (r"(x+x+)+y", "x" * 2_000),
            (r"(?:.?){500}" + "a{500}b", "a" * 2_000),
        ],
    )
    def test_no_url_makes_a_pattern_slow(self, expression: str, url: str) -> None:
        """Each of these keeps a backtracking engine busy for longer than anybody waits."""
        found = Patterns([expression])

        started = time.perf_counter()
        assert not found(f"http://h/{url}")
        assert time.perf_counter() - started < 0.5

    @pytest.mark.parametrize("expression", ["(?=x)", "a(?!b)", "(?<=/)x", "(?<!x)y", r"(a)\1", "(?>a)"])
    def test_what_only_backtracking_can_do_is_refused_by_name(self, expression: str) -> None:
        assert "without lookaround and backreferences" in refusal(expression)

    @pytest.mark.parametrize("expression", ["(", "[", "a{1001}", r"\p{Foo}", "*", "(a{999}){999}", "\ud800"])
    def test_the_problem_of_a_pattern_is_one_line(self, expression: str) -> None:
        assert refusal(expression)
        assert "\n" not in refusal(expression)

    def test_the_engine_is_loaded_only_where_there_are_patterns(self) -> None:
        program = (
            "import sys; from penstock import CrawlConfig\n"
            "CrawlConfig(seeds='http://h/').included; print('re2' in sys.modules)\n"
            "CrawlConfig(seeds='http://h/', exclude='x'); print('re2' in sys.modules)"
        )
        said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)

        assert said.stdout.split() == ["False", "True"]
