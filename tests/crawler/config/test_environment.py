"""Secrets from the environment and from `.env`: two names, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.crawler.config import environment
from penstock.crawler.errors import BadConfig


def read(folder: Path, text: str | bytes, **variables: str) -> dict[str, object]:
    file = folder / ".env"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return environment.options(variables, file)


class TestVariables:
    def test_two_options_have_one(self, tmp_path: Path) -> None:
        variables = {"PENSTOCK_AUTH": "a:b", "PENSTOCK_PROXY": "http://p:1", "PENSTOCK_DEPTH": "3"}

        found = environment.options(variables, tmp_path / ".env")

        assert found == {"auth": "a:b", "proxy": "http://p:1"}

    def test_those_of_other_programs_mean_nothing(self, tmp_path: Path) -> None:
        """HTTP_PROXY set for something else must not move a crawl to another way out."""
        others = {"HTTP_PROXY": "http://p:1", "http_proxy": "http://p:1", "ALL_PROXY": "http://p:1"}

        assert environment.options(others, tmp_path / ".env") == {}

    def test_an_empty_one_is_not_set(self, tmp_path: Path) -> None:
        assert read(tmp_path, "PENSTOCK_AUTH=a:b\nPENSTOCK_PROXY=\n", PENSTOCK_AUTH="") == {"auth": "a:b"}

    def test_a_variable_wins_over_the_file(self, tmp_path: Path) -> None:
        assert read(tmp_path, "PENSTOCK_AUTH=file:x", PENSTOCK_AUTH="shell:x") == {"auth": "shell:x"}


class TestFile:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("PENSTOCK_AUTH=bob:a:b", "bob:a:b"),
            ("  export PENSTOCK_AUTH = bob:x  \r\n", "bob:x"),
            ("PENSTOCK_AUTH=bob:pässwörd", "bob:pässwörd"),
            ("PENSTOCK_AUTH=bob:a#b", "bob:a#b"),
            ("PENSTOCK_AUTH=bob:x # mine", "bob:x"),
            ("PENSTOCK_AUTH='bob:a #b\"$HOME\\n ' # mine", 'bob:a #b"$HOME\\n '),
            ('PENSTOCK_AUTH="bob:\\"a\\" \\$b \'c\\\\"', 'bob:"a" $b \'c\\'),
            ("PENSTOCK_AUTH=bob:$HOME", "bob:$HOME"),
            ("PENSTOCK_AUTH=first:x\nPENSTOCK_AUTH=last:x", "last:x"),
        ],
    )
    def test_a_value_is_read_as_a_shell_would_but_nothing_is_put_in(
        self, tmp_path: Path, text: str, value: str
    ) -> None:
        assert read(tmp_path, text) == {"auth": value}

    @pytest.mark.parametrize(
        "text", [b"\xff\xfe\0\n", b"DATABASE=\xff\n", "#PENSTOCK_AUTH=a:b", "]]] no line"]
    )
    def test_other_programs_lines_are_none_of_ours(self, tmp_path: Path, text: str | bytes) -> None:
        assert read(tmp_path, text) == {}

    @pytest.mark.parametrize("value", [b"hunter2\xff", b"'hunter2", b'"hunter2" x'])
    def test_a_value_that_cannot_be_read_is_one_line_and_not_repeated(
        self, tmp_path: Path, value: bytes
    ) -> None:
        with pytest.raises(BadConfig, match=r"^\.env: line 2: the value of PENSTOCK_AUTH") as caught:
            read(tmp_path, b"\nPENSTOCK_AUTH=" + value)

        assert "hunter2" not in str(caught.value)

    def test_no_file_is_fine_and_so_is_a_folder(self, tmp_path: Path) -> None:
        """`python -m venv .env` is a custom."""
        assert environment.options({}, tmp_path / "none") == {}
        assert environment.options({}, tmp_path) == {}

    def test_one_that_cannot_be_read_is_one_line(self, tmp_path: Path) -> None:
        loop = tmp_path / ".env"
        loop.symlink_to(loop)

        with pytest.raises(BadConfig, match=r"^\.env: cannot be read: "):
            environment.options({}, loop)
