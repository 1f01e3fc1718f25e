"""Options from files and texts: held to the rules of the flags, each mistake one line."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.config.crawl_config import CRAWL_OPTIONS, PATH_OPTIONS
from penstock.crawler.config.option_checks import parse_number
from penstock.crawler.config.option_files import as_toml, read_options, read_seeds
from penstock.crawler.config.plugins import check_plugins, load_plugin
from penstock.crawler.errors import BadConfig


class TestOptionsFile:
    def write(self, folder: Path, text: str | bytes) -> str:
        path = folder / "crawl.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def refusal(self, folder: Path, text: str | bytes) -> str:
        with pytest.raises(BadConfig) as caught:
            read_options(self.write(folder, text), CRAWL_OPTIONS.keys())
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_keys_are_the_flags_names_with_either_dash(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, 'seed = "http://a/"\nmax-pages = 3\nper_host = 2\ndepth = inf\n')

        assert read_options(path, CRAWL_OPTIONS.keys()) == {
            "seeds": "http://a/",
            "max_pages": 3,
            "per_host": 2,
            "depth": math.inf,
        }

    def test_unknown_keys_are_reported_together_with_what_was_meant(self, tmp_path: Path) -> None:
        message = self.refusal(tmp_path, "dept = 1\nmax-page = 3\n[crawl]\n")

        assert "did you mean depth?" in message
        assert "did you mean max_pages?" in message
        assert "'crawl'" in message

    @pytest.mark.parametrize("text", ["seed = 'a'\nseeds = ['b']", "max-pages = 1\nmax_pages = 2"])
    def test_a_key_given_twice_is_refused(self, tmp_path: Path, text: str) -> None:
        assert "given twice" in self.refusal(tmp_path, text)

    @pytest.mark.parametrize("text", ["depth = ", b"\xff", "depth = " + "9" * 5000, "x = " + "[" * 5000])
    def test_a_file_that_is_no_toml_is_refused_in_one_line(self, tmp_path: Path, text: str | bytes) -> None:
        assert self.refusal(tmp_path, text)

    def test_a_missing_file_is_refused_in_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(BadConfig, match="cannot be read: No such file"):
            read_options(str(tmp_path / "none.toml"), CRAWL_OPTIONS.keys())

    @pytest.mark.parametrize("name", sorted(PATH_OPTIONS))
    def test_a_relative_path_is_taken_from_the_files_folder(self, tmp_path: Path, name: str) -> None:
        """So that the file means the same wherever the command is called."""
        path = self.write(tmp_path, f'{name} = "some/file"')

        values = read_options(path, [name], paths=PATH_OPTIONS)

        assert values == {name: str(tmp_path / "some" / "file")}

    @pytest.mark.parametrize("value", ["/an/absolute/path", "", "-", ":memory:"])
    def test_an_absolute_path_and_what_is_none_stay(self, tmp_path: Path, value: str) -> None:
        path = self.write(tmp_path, f'db = "{value}"')

        assert read_options(path, ["db"], paths=PATH_OPTIONS) == {"db": value}

    def test_the_database_and_the_cookies_have_paths(self) -> None:
        assert {"db", "cookies"} <= PATH_OPTIONS

    def test_the_module_of_a_plugin_is_looked_for_in_the_files_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before the working directory, and behind installed packages, which it cannot hide."""
        here, there = tmp_path / "here", tmp_path / "there"
        for folder in (here, there):
            folder.mkdir()
            (folder / "plugin_beside_a_file.py").write_text(f"def on_page(page): return {folder.name!r}\n")
        monkeypatch.chdir(here)
        monkeypatch.setattr(sys, "path", [*sys.path, str(here)])
        path = self.write(there, 'plugin = "plugin_beside_a_file:on_page"')

        [asked] = check_plugins("--plugin", read_options(path, CRAWL_OPTIONS.keys())["plugins"])
        try:
            hook: Any = load_plugin(asked).hook
        finally:
            sys.modules.pop("plugin_beside_a_file", None)

        assert hook(None) == "there"
        assert sys.path[-2:] == [str(there), str(here)]

    def test_options_that_were_written_are_read_back(self, tmp_path: Path) -> None:
        values = {
            "seeds": ["http://a/"],
            "include": ['a"\\\x7f\té'],
            "durable": True,
            "delay": 0.5,
            "depth": "inf",
        }

        assert read_options(self.write(tmp_path, as_toml(values)), CRAWL_OPTIONS.keys()) == values


class TestSeedsFile:
    def test_blank_lines_and_comments_are_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "seeds.txt"
        path.write_text("\ufeff# mine\r\nhttp://a/\r\n\r\n  http://b/#part  # and this\n#http://c/")

        assert read_seeds(str(path)) == ["http://a/", "http://b/#part"]

    @pytest.mark.parametrize("name", ["none.txt", ".", "a\0b"])
    def test_an_unreadable_file_is_refused_in_one_line(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(BadConfig, match=r"^--seeds .* cannot be read"):
            read_seeds(f"{tmp_path}/{name}")


class TestNumber:
    @pytest.mark.parametrize(
        ("text", "value"), [("5", 5), ("-1", -1), ("0.5", 0.5), (".5", 0.5), ("1e3", 1000.0)]
    )
    def test_numbers_are_read(self, text: str, value: float) -> None:
        assert parse_number(text) == value

    @pytest.mark.parametrize("text", ["", "x", "1_000", "٣", "nan", "inf", "1e999", "0x10", "9" * 5000])
    def test_text_that_is_not_a_number_stays_text_for_the_check_to_refuse(self, text: str) -> None:
        assert parse_number(text) == text
