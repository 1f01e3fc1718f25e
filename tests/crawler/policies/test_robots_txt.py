"""robots.txt by RFC 9309: what a file says to us, line by line, and what our name is.

Which rule decides is in test_robots_rules.py, what hostile files cost in test_robots_hostile.py.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from penstock.crawler.messages import CanonicalUrl, RobotsAnswer, RobotsTask
from penstock.crawler.policies.robots_txt import MAX_SITEMAPS, RobotsMeaning, RobotsPolicy, product_token
from penstock.crawler.scheduler.robots_cache import ALLOW_ALL, RobotsRules
from penstock.stages.fetch import FetchStage
from tests.support.fakes import FakeFetcher, FakeGate, answer

SECTION_5_2 = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n"
SECTION_2_2_1 = (
    "user-agent: ExampleBot\ndisallow: /foo\ndisallow: /bar\n\nuser-agent: ExampleBot\ndisallow: /baz\n"
)
SECTION_2_2_1_ALL = "user-agent: *\ndisallow: /foo\ndisallow: /bar\n\nuser-agent: BazBot\ndisallow: /baz\n"


def rules(body: str | bytes, *, status: int | None = 200, **policy: object) -> RobotsRules:
    data = body.encode() if isinstance(body, str) else body
    task = RobotsTask(origin="http://h", host="h")
    read = RobotsAnswer(task=task, fetched_at=0, status=status, body=data)
    return RobotsRules.of(read, RobotsPolicy(**policy))  # type: ignore[arg-type]


def refused(read: RobotsRules, *paths: str) -> list[str]:
    """Those of the paths that may not be asked for."""
    return [path for path in paths if not read.allows(CanonicalUrl("http://h" + path))]


class TestGroups:
    @pytest.mark.parametrize(
        ("body", "token", "forbidden"),
        [
            (SECTION_5_2, "foobot", ["/example/page/disallowed.gif"]),
            (SECTION_2_2_1, "examplebot", ["/foo", "/bar", "/baz"]),
            (SECTION_2_2_1_ALL, "anyotherbot", ["/foo", "/bar"]),
            (SECTION_2_2_1_ALL, "bazbot", ["/baz"]),
        ],
    )
    def test_the_examples_of_the_rfc(self, body: str, token: str, forbidden: list[str]) -> None:
        asked = ["/", "/foo", "/bar", "/baz", "/example/page/", "/example/page/disallowed.gif"]

        assert refused(rules(body, token=token), *asked) == [path for path in asked if path in forbidden]

    def test_all_groups_of_our_name_are_merged(self) -> None:
        """Section 2.2.1. What stands between them is for others."""
        ours = "User-agent: Penstock\nDisallow: /a\n", "User-agent: penstock\nDisallow: /c\n"
        body = "User-agent: b\nDisallow: /b\n".join(ours)

        assert refused(rules(body), "/a", "/b", "/c") == ["/a", "/c"]

    def test_a_group_of_ours_without_rules_allows_everything(self) -> None:
        """It exists, so the one for all is not ours."""
        assert refused(rules("User-agent: *\nDisallow: /\n\nUser-agent: Penstock"), "/a") == []

    def test_names_in_a_row_share_their_rules(self) -> None:
        """Empty lines, comments and lines of others do not part them (section 2.2.4)."""
        others = "\n\n# x\nSitemap: http://h/s\nCrawl-delay: 1\nFoo: bar\nFoo\n"
        body = f"User-agent: penstock{others}User-agent: b\nDisallow: /a"

        assert refused(rules(body), "/a") == ["/a"]

    def test_rules_before_the_first_name_bind_no_crawler(self) -> None:
        assert refused(rules("Disallow: /a\nUser-agent: *\nDisallow: /b"), "/a", "/b") == ["/b"]

    @pytest.mark.parametrize(
        "name", ["Penstock", "PENSTOCK", "penstock/1.0", "Penstock bot", "penstock # us"]
    )
    def test_our_name_matches_in_any_case_whatever_follows_it(self, name: str) -> None:
        assert refused(rules(f"User-agent: {name}\nDisallow: /a"), "/a") == ["/a"]

    @pytest.mark.parametrize(
        "name", ["Pen", "Penstocks", "Penstock2", "My-Penstock", "*penstock", "penstocké", ""]
    )
    def test_other_names_do_not_match_ours(self, name: str) -> None:
        assert refused(rules(f"User-agent: {name}\nDisallow: /a"), "/a") == []


class TestProductToken:
    @pytest.mark.parametrize(
        ("user_agent", "token"),
        [
            ("Penstock/1.0 (+https://example.com/bot)", "Penstock"),
            ("my-bot_x", "my-bot_x"),
            ("  MyBot 2", "MyBot"),
            ("Mozilla/5.0 (compatible; MyBot/2.1; +http://example.com)", "MyBot"),
            ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; MyBot/2.1) Chrome/1", "MyBot"),
            ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla"),
            ("360Spider", "360Spider"),
        ],
    )
    def test_the_product_token_is_the_name_in_the_user_agent(self, user_agent: str, token: str) -> None:
        assert product_token(user_agent) == token

    @pytest.mark.parametrize("user_agent", ["", "(x)", "+http://example.com", "1.0", "爬虫"])
    def test_a_user_agent_without_a_name_uses_our_product_token(self, user_agent: str) -> None:
        """Nobody gets out of the group for Penstock by having no name."""
        assert product_token(user_agent) == "Penstock"


class TestLines:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\r", "\r\r\n"])
    def test_lines_end_in_cr_lf_or_both(self, end: str) -> None:
        assert refused(rules(end.join(["User-agent: *", "Disallow: /a", "Disallow: /b"])), "/a", "/b") == [
            "/a",
            "/b",
        ]

    @pytest.mark.parametrize(
        "line",
        [
            "disallow:/a",
            "\t DISALLOW \t:\t/a \t",
            "Disallow: /a#b",
            "disallow /a",
            "Dissallow: /a",
            "Disalow: /a",
        ],
    )
    def test_blanks_case_comments_and_common_misspellings_are_read(self, line: str) -> None:
        assert refused(rules(f"User-agent: *\n{line}\n"), "/a") == ["/a"]

    @pytest.mark.parametrize(
        "bad",
        [
            b"\0",
            b"\xff\xfe\xfd",
            b"Disallow: /\xe9\xff",
            b"Disallow",
            b": /",
            b"x" * 100_000,
            b"<p>",
            b"Disallow : ",
        ],
    )
    def test_a_line_without_meaning_costs_no_other_line(self, bad: bytes) -> None:
        """Section 2.3.1.5."""
        body = b"\n".join([b"User-agent: *", bad, b"Disallow: /a", bad, b"Disallow: /b"])

        assert refused(rules(body), "/", "/a", "/b") == ["/a", "/b"]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8", "latin-1"])
    def test_the_encoding_hides_no_rule(self, encoding: str) -> None:
        """Section 2.2.2 lets us bridge mismatches: a mark is obeyed, octets stay what they are."""
        encoded = "%E9" if encoding == "latin-1" else "%C3%A9"

        assert refused(rules("User-agent: *\nDisallow: /é".encode(encoding)), f"/{encoded}/") == [
            f"/{encoded}/"
        ]

    def test_a_page_in_place_of_rules_allows_everything(self) -> None:
        body = "<!DOCTYPE html>\n<html>\n<p>User-agent: *<br>Disallow: /</p>\n<a href='http://h/'>Allow</a>"

        assert refused(rules(body), "/", "/a") == []


class TestOtherLines:
    @pytest.mark.parametrize(
        ("body", "seconds"),
        [
            ("User-agent: *\nCrawl-delay: 2.5", 2.5),
            ("User-agent: *\nCrawl-delay: x\nCrawl-delay: .5\nCrawl-delay: 9", 0.5),
            ("User-agent: *\nCrawl-delay: 9\nUser-agent: Penstock\nDisallow: /", 0),
            ("User-agent: *\nDisallow:\nCrawl-delay: 9\nUser-agent: Penstock\nDisallow: /", 0),
            ("User-agent: Penstock\nCrawl-delay: 1\nUser-agent: b\nCrawl-delay: 2\nDisallow: /", 1),
            ("Crawl-delay: 1", 0),
        ],
    )
    def test_the_first_crawl_delay_of_a_group_counts(self, body: str, seconds: float) -> None:
        """It belongs to the names above it, not to those below."""
        assert rules(body).crawl_delay == seconds

    def test_sitemaps_are_in_the_files_order_each_once(self) -> None:
        lines = [
            "http://h/b",
            "HTTPS://Other/a#x",
            "ftp://h/d",
            "http://h/b",
            "http://h/" + "x" * 3000,
            "",
        ]
        body = "Sitemap: " + "\nUser-agent: x\nSITEMAP: ".join(lines) + "\nsite-map : http://h/é\n"

        assert rules(body).sitemaps == ("http://h/b", "https://other/a", "http://h/%C3%A9")
        assert rules(body).refused_sitemaps == 3

    @pytest.mark.parametrize(
        ("line", "named"),
        [
            ("Sitemap: /sitemap.xml", "http://h/sitemap.xml"),
            ("Sitemap: sitemap.xml", "http://h/sitemap.xml"),
            ("Sitemap: ./maps/a.xml?b&c", "http://h/maps/a.xml?b&c"),
            ("Sitemap: //cdn.example/a.xml", "http://cdn.example/a.xml"),
            ("Sitemap: https://h/a.xml # all of it", "https://h/a.xml"),
            ("sitemap:http://h/a.xml", "http://h/a.xml"),
            ("SITEMAP :\thttp://h/a.xml\t", "http://h/a.xml"),
            ("Sitemap http://h/a.xml", "http://h/a.xml"),
            ("Sitemap: <http://h/a.xml>", "http://h/a.xml"),
            ('Sitemap: "http://h/a.xml"', "http://h/a.xml"),
            ("Sitemap: 'http://h/a.xml',", "http://h/a.xml"),
            ("Sitemap: http://h/my map.xml", "http://h/my%20map.xml"),
            ("\ufeffSitemap: http://h/a.xml", "http://h/a.xml"),
            ("User-agent: *\rDisallow: /x\rSitemap: http://h/a.xml\r", "http://h/a.xml"),
            ("<html><body>Oh no\nSitemap: http://h/a.xml\n</body>", "http://h/a.xml"),
        ],
    )
    def test_a_sitemap_line_is_read_as_sites_write_it(self, line: str, named: str) -> None:
        found = rules(line)

        assert (found.sitemaps, found.refused_sitemaps) == ((named,), 0)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_a_file_in_utf_16_is_read_with_and_without_a_byte_order_mark(self, encoding: str) -> None:
        found = rules("User-agent: *\r\nDisallow: /x\r\nSitemap: /a.xml\r\n".encode(encoding))

        assert (found.sitemaps, refused(found, "/x", "/y")) == (("http://h/a.xml",), ["/x"])

    @pytest.mark.parametrize("separator", [" ", ", ", ",", "\t"])
    def test_several_urls_of_one_line_are_several_sitemaps(self, separator: str) -> None:
        found = rules(f"Sitemap: {separator.join(('http://h/a.xml', 'https://h/b.xml', '/c.xml'))}")

        assert found.sitemaps == ("http://h/a.xml", "https://h/b.xml", "http://h/c.xml")

    @pytest.mark.parametrize(
        "value", ["", "see our site", "http://", "http://a b/", "ftp://h/a.xml", "mailto:x@h"]
    )
    def test_a_sitemap_line_that_names_no_url_is_counted(self, value: str) -> None:
        found = rules(f"Sitemap: {value}\nSitemap: http://h/a.xml")

        assert (found.sitemaps, found.refused_sitemaps) == (("http://h/a.xml",), 1)

    def test_a_relative_sitemap_belongs_to_where_the_redirects_of_robots_txt_ended(self) -> None:
        task = RobotsTask(origin="http://h", host="h")
        where = CanonicalUrl("https://www.h/robots.txt")
        read = RobotsAnswer(task=task, fetched_at=0, status=200, url=where, body=b"Sitemap: a.xml")

        assert RobotsRules.of(read, RobotsPolicy()).sitemaps == ("https://www.h/a.xml",)

    def test_sitemaps_are_bounded(self) -> None:
        body = "".join(f"Sitemap: http://h/{number}\n" for number in range(MAX_SITEMAPS + 5))

        assert (len(rules(body).sitemaps), rules(body).refused_sitemaps) == (MAX_SITEMAPS, 5)


class TestAnswers:
    def test_robots_txt_itself_is_always_allowed(self) -> None:
        everything = "User-agent: *\nDisallow: /"

        assert refused(rules(everything), "/robots.txt", "/robots.txt?", "/x") == ["/robots.txt?", "/x"]
        assert refused(rules("", status=503), "/robots.txt", "/x") == ["/x"]

    def test_the_deciding_line_is_known(self) -> None:
        read = rules("# x\r\nUser-agent: *\r\n\r\nDisallow: /é # y\r\nAllow: /%c3%A9/*.html$\r\n")
        asked = [read.rule_for(CanonicalUrl(f"http://h/{end}")) for end in ("%C3%A9", "%C3%A9/a.html", "x")]

        assert [found and (found.line, str(found)) for found in asked] == [
            (4, "Disallow: /é"),
            (5, "Allow: /%c3%A9/*.html$"),
            None,
        ]

    def test_without_rules_the_meaning_decides(self) -> None:
        url = CanonicalUrl("http://h/a")
        gone, broken = rules("", status=404), rules("", status=503)

        assert (gone.allows(url), broken.allows(url)) == (True, False)
        assert {read.rule_for(url) for read in (gone, broken, ALLOW_ALL)} == {None}
        assert {(*read.sitemaps, read.crawl_delay) for read in (gone, broken, ALLOW_ALL)} == {(0.0,)}

    @pytest.mark.parametrize(("end", "kept"), [("\n", ["/a"]), ("\r", ["/a"]), ("\n\n", ["/a"])])
    def test_a_file_over_the_size_limit_is_cut_at_a_line(self, end: str, kept: list[str]) -> None:
        """Half a line is another rule: here one that forbids everything."""
        body = f"User-agent: *{end}Disallow: /a{end}Disallow: /"

        assert refused(rules(body + "b", max_bytes=len(body)), "/a", "/b", "/c") == kept
        assert refused(rules(body, max_bytes=len(body) + 1), "/a", "/b", "/c") == ["/a", "/b", "/c"]

    def test_a_single_endless_line_has_no_rules(self) -> None:
        assert refused(rules("User-agent: *", max_bytes=5), "/") == []

    @pytest.mark.parametrize(("hops", "meaning"), [(5, RobotsMeaning.RULES), (6, RobotsMeaning.ALLOW_ALL)])
    async def test_five_redirects_are_followed(self, hops: int, meaning: RobotsMeaning) -> None:
        """Section 2.3.1.2: across hosts too; beyond them there is no robots.txt."""
        urls = ["http://h/robots.txt", *(f"http://other{hop}/{hop}" for hop in range(hops))]
        web = {url: answer(301, location=target) for url, target in pairwise(urls)}
        fetcher = FakeFetcher({**web, urls[-1]: answer(200)}, body=b"User-agent: *\nDisallow: /")
        policy = RobotsPolicy()
        stage = FetchStage(fetchers={"plain": fetcher}, gate=FakeGate(), robots=policy)

        [found] = await stage.handle(RobotsTask(origin="http://h", host="h"))

        assert isinstance(found, RobotsAnswer)
        assert RobotsRules.of(found, policy).meaning is meaning
        assert len(fetcher.asked) == 6
