"""robots.txt as others read it: Google's, crawler-commons' and Protego's tests, and RFC 9309's tables.

RFC 9309 decides. Where another parser has it otherwise the case is listed, with its reason;
a listed case that agrees fails too. Cases are named by their test and their place in the file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from penstock.crawler.messages import CanonicalUrl, RobotsAnswer, RobotsTask
from penstock.crawler.policies.robots_rules import path_of, spelling
from penstock.crawler.policies.robots_txt import RobotsMeaning, RobotsPolicy, directives, product_token
from penstock.crawler.scheduler.robots_cache import RobotsRules
from penstock.crawler.urls import canonical
from tests.support.conformance import Compared, disagreements, read_bytes, read_cases


def because(reason: str, test: str, *places: int) -> dict[str, str]:
    return {f"{test} {place}": reason for place in places}


URL_IS_ENCODED = "section 2.2.2 encodes the URI too; our URLs always are encoded"
ONE_WORD = "Google calls this agent invalid; ours is its first word"
GOOGLE: Mapping[str, str] = {
    **because(URL_IS_ENCODED, "ID_Encoding", 63, 65),
    **because("%62 is b: section 2.2.2's own table", "ID_Encoding", 66),
    **because(ONE_WORD, "GoogleOnly_AcceptUserAgentUpToFirstSpace", 40),
    **because("index.html is not its directory", "GoogleOnly_IndexHTMLisDirectory", 78),
    **because("Google cuts a line at 16,664 bytes; the RFC does not", "GoogleOnly_LineTooLong", 141),
}  # fmt: skip

ONE_NAME = "a crawler has one product token (section 2.2.1), there it has a list"
ONE_NAME_A_LINE = "a user-agent line has one product token (section 2.2.1), there it has a list"
FIRST_PRODUCT = "a User-Agent's first product is its name"
NO_TAGS = "the tags of an HTML page are not stripped: it is no robots.txt"
WRONG_FILE = "converted with section 5.1's file; test_robots.py asks it of the file it belongs to"
CRAWLER_COMMONS: Mapping[str, str] = {
    **because(ONE_NAME, "testNutchCases", 153, 155, 157, 161, 163, 175, 177, 183),
    **because(ONE_NAME_A_LINE, "testNutchCases2", 226, 229, 238, 247),
    **because(ONE_NAME_A_LINE, "testMultiAgentNames", 306),
    **because(ONE_NAME_A_LINE, "testSpacesInMultipleUserAgentNames", 365, 366),
    **because(NO_TAGS, "testHtmlMarkupInRobotsTxt", 273, 274, 275),
    **because(FIRST_PRODUCT, "testHeritrixCases", 281, 282, 283, 287),
    **because("a long Crawl-delay is capped elsewhere, there it forbids all", "testBigCrawlDelay", 315),
    **because("/* has more octets than / (section 2.2.2)", "testPrecedenceOfRules", 348),
    **because(WRONG_FILE, "testExamplesRobotsTxtRFC9309", 382, 383, 385, 386, 387, 388, 390, 391, 395),
}

NO_REQUEST_RATE = "Request-rate is in no standard and hardly in use"
ASCII_NAME = "a product token is ASCII (section 2.2.1)"
END = "$ at the end is the end and not also itself (section 2.2.3)"
WHOLE_NAME = "the whole product token has to be equal, case aside (section 2.2.1)"
UNKNOWN_LINES = "an unknown line ends no group (section 2.2.4)"
PROTEGO: Mapping[str, str] = {
    **because(NO_REQUEST_RATE, "test_request_rate", *range(51, 56)),
    **because(NO_REQUEST_RATE, "test_request_rate_bare_number", *range(56, 61)),
    **because(ASCII_NAME, "test_unicode_url_and_useragent", 122, 128, 130, 133),
    **because(UNKNOWN_LINES, "test_grouping_unknown_keys", 258, 259, 260),
    **because(WHOLE_NAME, "test_generosity", 267, 271),
    **because(NO_REQUEST_RATE, "test_generosity", 269),
    **because("index.html is not its directory", "test_index_html_is_directory", 286),
    **because(END, "test_special_symbols_dual_behaviour", 314, 315),
    **because("a pattern is a path; this one matches none (section 2.2.2)", "test_with_absolute_urls", 317),
    **because(WHOLE_NAME, "test_user_agent_precedence[/group1-hedwig-news2]", 333),
    **because(WHOLE_NAME, "test_user_agent_precedence[/group3-hedwig-new]", 339, 340),
    **because(WHOLE_NAME, "test_user_agent_precedence[/group3-hedwig-images]", 342, 343),
}  # fmt: skip


def rules(body: bytes | str, user_agent: str = "x", status: int | None = 200) -> RobotsRules:
    task = RobotsTask(origin="http://h", host="h")
    data = body.encode() if isinstance(body, str) else body
    answer = RobotsAnswer(task=task, fetched_at=0, status=status, body=data)
    return RobotsRules.of(answer, RobotsPolicy(token=product_token(user_agent) if user_agent else ""))


def page(text: str) -> CanonicalUrl:
    """The page in question; some cases name only its path."""
    url = canonical(text) or canonical(f"http://h/{text.removeprefix('/')}")
    assert url is not None
    return CanonicalUrl(url)


def allowed(case: Mapping[str, Any]) -> bool:
    body = base64.b64decode(case["robots_base64"]) if "robots_base64" in case else case["robots"]
    return rules(body, case["user_agent"]).allows(page(case["url"]))


def delay(case: Mapping[str, Any]) -> float | None:
    return rules(case["robots"], case["user_agent"]).crawl_delay or None


def placed(cases: Iterable[dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    return ((f"{case['test']} {place}", case) for place, case in enumerate(cases))


def section(name: str, title: str) -> Any:
    return json.loads(read_bytes(f"robots/{name}.json"))[title]


class TestOtherParsers:
    def test_our_answers_agree_with_googles_parser(self) -> None:
        cases = placed(read_cases("robots/google.json"))
        compared = [Compared(name, allowed(case), case["allowed"]) for name, case in cases]

        assert len(compared) == 142
        assert disagreements(compared, GOOGLE) == []

    def test_our_answers_agree_with_crawler_commons(self) -> None:
        compared = []
        for name, case in placed(read_cases("robots/crawler_commons.json")):
            if "allowed" in case:
                compared.append(Compared(name, allowed(case), case["allowed"]))
            else:
                milliseconds = case["crawl_delay_ms"]
                seconds = milliseconds / 1000 if milliseconds is not None else None
                compared.append(Compared(name, delay(case), seconds))

        assert len(compared) == 400
        assert disagreements(compared, CRAWLER_COMMONS) == []

    def test_our_answers_agree_with_protego(self) -> None:
        compared = []
        for name, case in placed(read_cases("robots/protego.json")):
            match case["fn"]:
                case "can_fetch":
                    compared.append(Compared(name, allowed(case), case["allowed"]))
                case "crawl_delay":
                    compared.append(Compared(name, delay(case), case["crawl_delay"]))
                case "sitemaps":
                    compared.append(Compared(name, [*rules(case["robots"]).sitemaps], case["sitemaps"]))
                case "request_rate":
                    compared.append(Compared(name, None, case["request_rate"]))

        assert len(compared) == 397
        assert disagreements(compared, PROTEGO) == []


class TestGoogleParts:
    def test_product_tokens_agree_with_google(self) -> None:
        """A valid one is its own product token."""
        agents = {case["user_agent"]: case["valid"] for case in section("google", "valid_user_agent_token")}
        compared = [
            Compared(repr(each), product_token(each) == each, valid) for each, valid in agents.items()
        ]

        assert disagreements(compared, {}) == []

    def test_the_path_of_a_url_agrees_with_google(self) -> None:
        reason = "no absolute URL, so it never comes this far"
        cases = section("google", "url_to_path")
        compared = []
        for case in cases:
            url = canonical(case["url"])
            compared.append(Compared(case["url"], path_of(url) if url is not None else None, case["path"]))
        elsewhere = {case["url"]: reason for case in cases if not case["url"].startswith("http://")}

        assert disagreements(compared, elsewhere) == []

    def test_the_spelling_of_patterns_agrees_with_google(self) -> None:
        compared = [
            Compared(case["pattern"], spelling(case["pattern"].encode().decode("latin-1")), case["escaped"])
            for case in section("google", "escape_pattern")
        ]

        assert disagreements(compared, {}) == []

    def test_the_lines_of_a_file_agree_with_google(self) -> None:
        """However they end, whatever the byte order mark."""
        compared = []
        for case in section("google", "line_counting"):
            found = list(directives(case["robots_bytes_latin1"].encode("latin-1")))
            compared.append(Compared(case["name"], len(found), case["valid_directives"]))
            if "last_line_seen" in case:
                compared.append(Compared(f"{case['name']}, last", found[-1].line, case["last_line_seen"]))

        assert disagreements(compared, {}) == []


class TestRfc:
    MEANINGS: Mapping[str, RobotsMeaning] = {
        "parse and obey": RobotsMeaning.RULES,
        "follow at least 5": RobotsMeaning.ALLOW_ALL,  # what is left of them, when they led nowhere
        "unavailable": RobotsMeaning.ALLOW_ALL,
        "unreachable": RobotsMeaning.UNREACHABLE,
    }

    def test_each_status_has_the_meaning_of_the_rfc(self) -> None:
        compared = []
        for row in section("rfc9309", "fetch_status"):
            [meaning] = [ours for said, ours in self.MEANINGS.items() if row["meaning"].startswith(said)]
            first, _, last = row["status"].partition("-")
            statuses = range(int(first), int(last) + 1) if last else [None]
            compared += [
                Compared(str(status), RobotsPolicy().meaning(status), meaning) for status in statuses
            ]
        deviations = {"429": "it says not now, and MAY access is no duty"}

        assert len(compared) == 401
        assert disagreements(compared, deviations) == []

    def test_each_status_has_the_meaning_of_crawler_commons(self) -> None:
        compared = []
        for row in section("rfc9309", "crawler_commons_fetch_status"):
            first, _, last = str(row["status"]).partition("-")
            for status in range(int(first), int(last or first) + 1):
                read = rules("", status=status)
                ours = read.allows(page("/")), read.meaning is RobotsMeaning.UNREACHABLE
                compared.append(Compared(str(status), ours, (row["allowed"], row["defer"])))
        deviations = {"301": "too many redirects MAY be taken as unavailable (section 2.3.1.2)"}

        assert disagreements(compared, deviations) == []

    def test_limits_are_at_least_those_of_the_rfc(self) -> None:
        limits = section("rfc9309", "limits")
        first, last = b"User-agent: *\n#", b"\nDisallow: /last"
        body = first + b"x" * (limits["parse_at_least_bytes"] - len(first) - len(last)) + last

        assert not rules(body).allows(page("/last"))
        assert RobotsPolicy().max_age <= limits["cache_max_seconds_suggested"]

    def test_robots_txt_itself_is_always_allowed(self) -> None:
        url = page(section("rfc9309", "always_allowed"))

        assert rules("User-agent: *\nDisallow: /").allows(url)
        assert rules("", status=500).allows(url)

    @pytest.mark.parametrize("place", range(5))
    def test_percent_encoding_is_compared_as_in_the_rfc(self, place: int) -> None:
        """A row's three spellings are one path, in the file and in the URL."""
        row = section("rfc9309", "percent_encoding")[place]
        spellings = {row["path"], row["encoded"], row["match"]}

        for pattern in spellings:
            read = rules(f"User-agent: *\nDisallow: {pattern}$")
            assert [url for url in spellings if read.allows(page(url))] == [], pattern
