"""Cookie jar: RFC 6265 and its successor as tables. The cases are those that browsers are tested with."""

from __future__ import annotations

import pytest

from penstock.crawler.config.domains import registrable_domain
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.cookie_jar import MAX_COOKIES, CookieJar, parse_cookie_date

NOW = 1_795_000_000.0
HTTP, HTTPS = "http://www.site.example/a/b?c=/d", "https://www.site.example/a/b"


def sent(
    *lines: str, at: str = HTTP, to: str | None = None, now: float = NOW, later: float = 0.0
) -> str | None:
    """The Cookie header of a request to `to`, after an answer of `at` with these Set-Cookie headers."""
    jar = CookieJar(registrable_domain)
    jar.receive(CanonicalUrl(at), lines, now=now)
    return jar.header(CanonicalUrl(to or at), now=now + later)


class TestSyntax:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("a=1", "a=1"),
            ("  a \t= 1 \t; Path=/", "a=1"),
            ("a=1=2", "a=1=2"),
            ('a="1; 2"', 'a="1'),
            ("a=", "a="),
            ("=1", "1"),
            ("a", "a"),
            ("", None),
            ("=", None),
            (" ; Secure", None),
            ("a=1, b=2", "a=1, b=2"),  # a comma separates no cookies
            ("a=b c", "a=b c"),
            ("ä=ö", "ä=ö"),
            ("a=1\x00", None),
            ("a=1\r", None),
            ("a=1\x7f", None),
            ("a=\t1\t2", "a=1\t2"),  # a tab within is allowed
            ("a=1; unknown=2; ;;", "a=1"),
            ("a=1;Path", "a=1"),
            ("A=1", "A=1"),
            ("a=" + "x" * 4095, "a=" + "x" * 4095),
            ("a=" + "x" * 4096, None),
            ("ö=" + "x" * 4095, None),  # counted in bytes
        ],
    )
    def test_a_set_cookie_header_is_read_as_browsers_do(self, line: str, expected: str | None) -> None:
        assert sent(line) == expected

    def test_names_are_distinguished_by_case(self) -> None:
        assert sent("a=1", "A=2") == "a=1; A=2"

    def test_a_cookie_that_is_set_again_keeps_its_place(self) -> None:
        """Section 5.3, step 11: the creation time is that of the first."""
        assert sent("a=1", "b=2", "a=3") == "a=3; b=2"

    def test_no_more_cookies_are_kept_than_the_limit(self) -> None:
        found = sent(*(f"c{n}=1" for n in range(MAX_COOKIES + 2)))

        assert found is not None
        assert found.split("; ") == [f"c{n}=1" for n in range(2, MAX_COOKIES + 2)]

    def test_a_jar_shows_no_value(self) -> None:
        jar = CookieJar(registrable_domain)
        jar.receive(CanonicalUrl(HTTP), ["a=secret"], now=NOW)

        assert "secret" not in f"{jar!r} {list(jar._cookies.values())!r}"


class TestDomain:
    @pytest.mark.parametrize(
        ("at", "domain", "to", "is_sent"),
        [
            ("http://site.example/", None, "http://site.example/", True),
            ("http://site.example/", None, "http://www.site.example/", False),  # host-only
            ("http://site.example/", "site.example", "http://www.site.example/", True),
            ("http://site.example/", ".site.example", "http://www.site.example/", True),
            ("http://site.example/", "SITE.Example", "http://site.example:81/", True),
            ("http://www.site.example/", "site.example", "http://site.example/", True),
            ("http://www.site.example/", "site.example", "http://shop.site.example/", True),
            ("http://www.site.example/", "www.site.example", "http://site.example/", False),
            (
                "http://www.site.example/",
                "shop.site.example",
                "http://shop.site.example/",
                False,
            ),  # a sibling
            ("http://www.site.example/", "other.example", "http://other.example/", False),
            ("http://www.site.example/", "other.example", "http://www.site.example/", False),
            ("http://site.example/", "www.site.example", "http://www.site.example/", False),  # a child
            ("http://site.example/", "te.example", "http://site.example/", False),  # no whole label
            ("http://site.example/", "example", "http://site.example/", False),
            ("http://a.co.uk/", "co.uk", "http://a.co.uk/", False),  # a public suffix
            ("http://a.co.uk/", "co.uk", "http://b.co.uk/", False),
            ("http://a.github.io/", "github.io", "http://b.github.io/", False),  # of the private part
            ("http://github.io/", "github.io", "http://github.io/", True),  # the suffix itself, host-only
            ("http://github.io/", "github.io", "http://b.github.io/", False),
            ("http://localhost/", "localhost", "http://localhost/", True),
            ("http://127.0.0.1/", "127.0.0.1", "http://127.0.0.1/", True),
            ("http://127.0.0.1/", "0.0.1", "http://127.0.0.1/", False),
            ("http://127.0.0.1/", None, "http://127.0.0.2/", False),
            ("http://[::1]/", None, "http://[::1]:8080/", True),
            ("http://site.example/", "", "http://site.example/", True),  # as if it were not there
            ("http://site.example/", "", "http://www.site.example/", False),
            ("http://site.example/", "a/b", "http://site.example/", False),
            ("http://xn--bcher-kva.example/", "bücher.example", "http://www.xn--bcher-kva.example/", True),
        ],
    )
    def test_a_cookie_is_sent_to_its_domain_only(
        self, at: str, domain: str | None, to: str, is_sent: bool
    ) -> None:
        line = "a=1" if domain is None else f"a=1; Domain={domain}"

        assert (sent(line, at=at, to=to) is not None) == is_sent

    def test_the_last_domain_counts(self) -> None:
        assert sent("a=1; Path=/; Domain=b.example; Domain=site.example", to="http://site.example/") == "a=1"


class TestPath:
    @pytest.mark.parametrize(
        ("path", "to", "is_sent"),
        [
            (None, "/a/b", True),  # the default is the folder of the answer's path, /a
            (None, "/a", True),
            (None, "/a/c/d", True),
            (None, "/ab", False),
            (None, "/", False),
            ("/", "/x", True),
            ("/a", "/a/b", True),
            ("/a/", "/a", False),
            ("/a/b", "/a/bc", False),
            ("/a/b", "/a/b?x=1", True),
            ("/a/b/", "/a/b", False),
            ("/x", "/x/y", True),  # any path may be set from anywhere
            ("a", "/a/b", True),  # not absolute: the default
            ("", "/", False),
            ("/A", "/a/b", False),
        ],
    )
    def test_a_cookie_is_sent_to_its_path_only(self, path: str | None, to: str, is_sent: bool) -> None:
        line = "a=1" if path is None else f"a=1; path={path}"

        assert (sent(line, to=f"http://www.site.example{to}") is not None) == is_sent

    def test_longer_paths_come_first(self) -> None:
        assert sent("a=1; Path=/", "b=2; Path=/a/b", "c=3; Path=/a", "a=4; Path=/a/b") == "b=2; a=4; c=3; a=1"


class TestExpiry:
    @pytest.mark.parametrize(
        ("attributes", "is_sent"),
        [
            ("", True),
            ("; Max-Age=10", True),
            ("; Max-Age=0", False),
            ("; Max-Age=-1", False),
            ("; Max-Age=x", True),
            ("; Max-Age=1.5", True),  # no number: ignored
            ("; Max-Age=", True),
            ("; Max-Age=" + "9" * 100, True),
            ("; Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),
            ("; Expires=Wed, 01-Jan-2070 00:00:00 GMT", True),
            ("; Expires=never", True),
            ("; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=10", True),  # Max-Age wins
            ("; Expires=Wed, 01 Jan 2070 00:00:00 GMT; Max-Age=0", False),
            ("; Max-Age=10; Max-Age=0", False),  # the last counts
        ],
    )
    def test_an_expired_cookie_is_not_kept(self, attributes: str, is_sent: bool) -> None:
        assert (sent(f"a=1{attributes}") is not None) == is_sent

    def test_an_expired_cookie_deletes_the_one_before(self) -> None:
        assert sent("a=1", "b=2", "a=; Max-Age=0") == "b=2"
        assert sent("a=1; Path=/", "a=; Max-Age=0; Path=/a") == "a=1"  # another cookie

    def test_a_cookie_is_not_sent_after_its_age(self) -> None:
        assert sent("a=1; Max-Age=10", later=9.0) == "a=1"
        assert sent("a=1; Max-Age=10", later=10.0) is None

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Wed, 09 Jun 2021 10:18:14 GMT", 1623233894.0),
            ("Wednesday, 09-Jun-21 10:18:14 GMT", 1623233894.0),
            ("Wed Jun  9 10:18:14 2021", 1623233894.0),
            ("2021 june 9 10:18:14", 1623233894.0),
            ("9 Jun 2021 10:18:14 PST", 1623233894.0),  # the zone is not read
            ("09 Jun 70 00:00:00", 13737600.0),
            ("09 Jun 69 00:00:00", 3137961600.0),
            ("Wed, 09 Jun 2021", None),
            ("Wed, 32 Jun 2021 10:18:14 GMT", None),
            ("Wed, 30 Feb 2021 10:18:14 GMT", None),
            ("Wed, 09 Jun 2021 24:18:14 GMT", None),
            ("Wed, 09 Jun 1600 10:18:14 GMT", None),
            ("09 Jun 12345 10:18:14", None),
            ("", None),
        ],
    )
    def test_a_date_is_read_token_by_token(self, text: str, expected: float | None) -> None:
        """RFC 6265 section 5.1.1."""
        assert parse_cookie_date(text) == expected


class TestSecure:
    @pytest.mark.parametrize(
        ("line", "at", "to", "is_sent"),
        [
            ("a=1; Secure", HTTPS, HTTPS, True),
            ("a=1; secure=x", HTTPS, HTTPS, True),
            ("a=1; Secure", HTTPS, HTTP, False),
            ("a=1; Secure", HTTP, HTTPS, False),  # plain HTTP sets no Secure cookie
            ("a=1", HTTPS, HTTP, True),
            ("a=1; HttpOnly; SameSite=Strict", HTTP, HTTPS, True),
            ("__Secure-a=1; Secure", HTTPS, HTTPS, True),
            ("__Secure-a=1", HTTPS, HTTPS, False),
            ("__secure-a=1", HTTPS, HTTPS, False),  # in any case
            ("__Secure-a=1; Secure", HTTP, HTTPS, False),
            ("__Host-a=1; Secure; Path=/", HTTPS, HTTPS, True),
            ("__Host-a=1; Secure", HTTPS, HTTPS, False),
            ("__Host-a=1; Path=/", HTTPS, HTTPS, False),
            ("__Host-a=1; Secure; Path=/a", HTTPS, HTTPS, False),
            ("__Host-a=1; Secure; Path=/; Domain=site.example", HTTPS, HTTPS, False),
            ("=__Host-a=1; Secure; Path=/", HTTPS, HTTPS, False),  # a name in disguise
            ("__Host-; Secure; Path=/", HTTPS, HTTPS, False),
        ],
    )
    def test_secure_cookies_and_prefixes_keep_their_promise(
        self, line: str, at: str, to: str, is_sent: bool
    ) -> None:
        assert (sent(line, at=at, to=to) is not None) == is_sent

    @pytest.mark.parametrize("line", ["a=2", "a=2; Domain=site.example", "a=; Max-Age=0"])
    def test_plain_http_replaces_no_secure_cookie(self, line: str) -> None:
        jar = CookieJar(registrable_domain)
        jar.receive(CanonicalUrl(HTTPS), ["a=1; Secure"], now=NOW)
        jar.receive(CanonicalUrl(HTTP), [line], now=NOW)

        assert jar.header(CanonicalUrl(HTTPS), now=NOW) == "a=1"
