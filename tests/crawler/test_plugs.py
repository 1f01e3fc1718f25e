"""Plugs: found in a folder, as an entry point, or given as an object; loaded only when used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from penstock.crawler.errors import BadConfig
from penstock.crawler.plugs import Plugs

EXPORTS = Plugs("export format", "penstock.storage.exports", "penstock.exports")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that offers the entry points `extra`, `csv`, `broken` and `exits`."""
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    points = "extra = elsewhere_plug:PLUG\ncsv = elsewhere_plug:PLUG\nbroken = elsewhere_missing:PLUG\n"
    points += "exits = elsewhere_exits:PLUG\n"
    (info / "entry_points.txt").write_text(f"[penstock.exports]\n{points}")
    (tmp_path / "elsewhere_plug.py").write_text("PLUG = 'the plug'\n")
    (tmp_path / "elsewhere_exits.py").write_text("raise SystemExit(7)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "elsewhere_plug", raising=False)


class TestNames:
    def test_every_module_of_the_folder_is_a_plug(self) -> None:
        assert {"csv", "jsonl", "warc"} <= set(EXPORTS.names())

    @pytest.mark.usefixtures("installed")
    def test_entry_points_and_given_objects_are_plugs(self) -> None:
        assert {"extra", "mine", "csv"} <= set(EXPORTS.names({"mine": object()}))

    def test_listing_the_names_loads_no_plug(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "penstock.storage.exports.graphml", raising=False)

        EXPORTS.names()

        assert "penstock.storage.exports.graphml" not in sys.modules


class TestLoading:
    def test_a_given_object_wins_over_a_module(self) -> None:
        mine = object()

        assert EXPORTS.load("csv", {"csv": mine}) is mine

    @pytest.mark.usefixtures("installed")
    def test_a_built_in_plug_wins_over_an_entry_point(self) -> None:
        assert EXPORTS.load("csv") is sys.modules["penstock.storage.exports.csv"]

    def test_a_built_in_plug_is_found_without_a_look_at_the_installed_packages(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An ordinary crawl would start 20 ms later."""
        monkeypatch.delattr("importlib.metadata.entry_points")

        assert EXPORTS.load("csv") is sys.modules["penstock.storage.exports.csv"]

    @pytest.mark.usefixtures("installed")
    def test_an_entry_point_is_loaded_by_its_name(self) -> None:
        assert EXPORTS.load("extra") == "the plug"

    @pytest.mark.usefixtures("installed")
    def test_an_entry_point_that_cannot_be_imported_names_its_package(self) -> None:
        with pytest.raises(BadConfig, match="export format 'broken' of elsewhere cannot be loaded"):
            EXPORTS.load("broken")

    @pytest.mark.usefixtures("installed")
    def test_an_entry_point_whose_import_exits_is_an_error_that_names_its_package(self) -> None:
        """Otherwise the command would end without a word, with the exit code of that module."""
        with pytest.raises(BadConfig, match="'exits' of elsewhere cannot be loaded: SystemExit: 7"):
            EXPORTS.load("exits")

    def test_an_unknown_name_lists_the_known_ones(self) -> None:
        with pytest.raises(BadConfig, match=r"unknown export format 'pdf'; known are csv, "):
            EXPORTS.load("pdf")
