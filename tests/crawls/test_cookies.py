"""The operator's cookies: read from a browser's export, sent to whom RFC 6265 says."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.crawler.config.credentials import load_cookies
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.cookies import read_cookies

NOW = 1_795_000_000.0
FUTURE = "1900000000"


def line(
    domain: str = "a.example",
    subdomains: str = "FALSE",
    path: str = "/",
    secure: str = "FALSE",
    expires: str = FUTURE,
    name: str = "id",
    value: str = "1",
) -> str:
    return "\t".join((domain, subdomains, path, secure, expires, name, value))


def sent(text: str, url: str = "http://a.example/", *, now: float = NOW) -> str | None:
    return read_cookies(text).header(CanonicalUrl(url), now=now)


class TestWhoGetsThem:
    @pytest.mark.parametrize(
        ("domain", "subdomains", "url", "is_sent"),
        [
            ("a.example", "FALSE", "http://a.example/", True),
            ("A.Example", "FALSE", "http://a.example:8080/", True),  # cookies know no port (§8.5)
            (".a.example", "TRUE", "http://a.example/", True),
            (".a.example", "TRUE", "http://b.a.example/", True),
            ("a.example", "TRUE", "http://c.b.a.example/", True),
            ("a.example", "FALSE", "http://b.a.example/", False),
            (".a.example", "TRUE", "http://ba.example/", False),
            (".a.example", "TRUE", "http://example/", False),
            ("b.a.example", "FALSE", "http://a.example/", False),
            ("127.0.0.1", "FALSE", "http://127.0.0.1:81/", True),
            (".0.0.1", "TRUE", "http://127.0.0.1/", False),
            ("bücher.example", "FALSE", "http://xn--bcher-kva.example/", True),
            ("[::1]", "FALSE", "http://[::1]:81/", True),
        ],
    )
    def test_a_cookie_is_sent_to_its_domain_only(
        self, domain: str, subdomains: str, url: str, is_sent: bool
    ) -> None:
        """RFC 6265 §5.1.3."""
        assert (sent(line(domain, subdomains), url) is not None) == is_sent

    @pytest.mark.parametrize(
        ("path", "url", "is_sent"),
        [
            ("/", "http://a.example/x", True),
            ("/x", "http://a.example/x", True),
            ("/x", "http://a.example/x?q=/", True),
            ("/x", "http://a.example/x/y", True),
            ("/x/", "http://a.example/x/y", True),
            ("/x/", "http://a.example/x", False),
            ("/x", "http://a.example/xy", False),
            ("/x", "http://a.example/?/x", False),
        ],
    )
    def test_a_cookie_is_sent_to_its_path_only(self, path: str, url: str, is_sent: bool) -> None:
        """RFC 6265 §5.1.4."""
        assert (sent(line(path=path), url) is not None) == is_sent

    def test_a_secure_cookie_is_for_https_only(self) -> None:
        assert sent(line(secure="TRUE")) is None
        assert sent(line(secure="TRUE"), "https://a.example/") == "id=1"

    @pytest.mark.parametrize(
        ("expires", "is_sent"),
        [("1794999999", False), ("1795000000", False), ("1795000000.5", True), (FUTURE, True), ("1", False)],
    )
    def test_an_expired_cookie_is_not_sent(self, expires: str, is_sent: bool) -> None:
        assert (sent(line(expires=expires)) is not None) == is_sent

    @pytest.mark.parametrize("expires", ["0", "", "-1"])
    def test_a_session_cookie_never_expires(self, expires: str) -> None:
        """Browsers' exports write 0; whoever reads that as 1970 sends none of them."""
        assert sent(line(expires=expires)) == "id=1"

    def test_cookies_of_longer_paths_come_first_and_a_repeated_one_wins(self) -> None:
        text = "\n".join(
            [line(name="a"), line(path="/x", name="b"), line(name="c"), line(name="a", value="2")]
        )

        assert sent(text, "http://a.example/x") == "b=1; a=2; c=1"


class TestTheFile:
    def test_a_cookie_file_may_have_comments_blank_lines_and_either_line_end(self) -> None:
        text = f"# Netscape HTTP Cookie File\r\n\r\n# a comment\n{line()}\r\n\n"

        assert sent(text) == "id=1"

    def test_a_header_line_is_not_needed(self) -> None:
        assert sent(line()) == "id=1"

    def test_an_http_only_line_is_no_comment(self) -> None:
        assert sent("#HttpOnly_" + line()) == "id=1"

    @pytest.mark.parametrize("value", ["", "a=b", '"quoted"', "ключ", "a b", "a\u2028b"])
    def test_a_cookie_value_is_sent_unchanged(self, value: str) -> None:
        assert sent(line(value=value)) == f"id={value}"

    def test_an_editor_may_strip_the_tab_before_an_empty_value(self) -> None:
        assert sent(line(value="").rstrip("\t")) == "id="

    @pytest.mark.parametrize(
        "bad",
        [
            line().replace("\t", " "),
            line() + "\thunter2",
            line(subdomains="yes", value="hunter2"),
            line(secure="1", value="hunter2"),
            line(path="x", value="hunter2"),
            line(expires="soon", value="hunter2"),
            line(domain="", value="hunter2"),
            line(domain="a b", value="hunter2"),
            line(domain="a/b", value="hunter2"),
            line(domain="u:hunter2@a", value="hunter2"),
            line(name="", value="hunter2"),
            line(value="a; admin=hunter2"),
            line(value="hunter2\rX-Own: 1"),
            line(value="hunter2\0"),
            '[{"domain": "a.example", "name": "id", "value": "hunter2"}]',
            "Cookie: id=hunter2",
        ],
    )
    def test_a_line_of_another_format_is_rejected_by_number_and_not_shown(self, bad: str) -> None:
        with pytest.raises(ValueError, match=r"^line 2 is not a cookie") as caught:
            read_cookies(f"{line()}\n{bad}")

        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "# Netscape HTTP Cookie File\n"])
    def test_a_file_without_cookies_is_rejected(self, text: str) -> None:
        with pytest.raises(ValueError, match="contains no cookie"):
            read_cookies(text)

    def test_the_repr_of_cookies_shows_no_cookie(self) -> None:
        cookies = read_cookies(line(value="hunter2"))

        assert "hunter2" not in repr(cookies) + repr(vars(cookies))

    @pytest.mark.parametrize("name", ["none", ".", "a\0b", "binary", "json"])
    def test_a_bad_cookie_file_is_one_line(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "binary").write_bytes(b"SQLite format 3\0\xff\xfe")
        (tmp_path / "json").write_text("[\n]")

        with pytest.raises(BadConfig, match=r"^--cookies ") as caught:
            load_cookies(f"{tmp_path}/{name}", ["http://a.example"])

        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("cookie", "is_told"),
        [
            (line(expires="0"), False),
            (line(path="/deep", expires="0"), False),
            (line(expires="5"), True),
            (line("b.example"), True),
            (line(secure="TRUE"), True),
        ],
    )
    def test_a_cookie_file_of_which_nothing_is_sent_is_logged(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, cookie: str, is_told: bool
    ) -> None:
        """Else a crawl of login pages is the first that one hears of it."""
        (tmp_path / "cookies").write_text(cookie)

        load_cookies(tmp_path / "cookies", ["http://a.example:8080"])

        assert ("cookies_unused" in caplog.text) == is_told

    def test_a_large_export_costs_a_request_nothing(self) -> None:
        """Only the host's own names are looked up."""
        cookies = read_cookies("\n".join(line(f"h{n}.example") for n in range(5000)))
        looked_up: list[str] = []

        class CountedReads(dict):  # type: ignore[type-arg]
            def get(self, key: str, default: object = None) -> object:
                looked_up.append(key)
                return dict.get(self, key, default)

        cookies._by_domain = CountedReads(cookies._by_domain)

        assert cookies.header(CanonicalUrl("http://h7.example/"), now=NOW) == "id=1"
        assert looked_up == ["h7.example", "example"]
