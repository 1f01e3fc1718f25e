"""Sniffing: the type of a body that was sent without one, by its beginning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.stages.http.mime import SNIFF_BYTES
from penstock.stages.http.sniffing import BINARY, TEXT, sniff_mime

TAGS = [
    "html",
    "head",
    "script",
    "iframe",
    "h1",
    "div",
    "font",
    "table",
    "a",
    "style",
    "title",
    "b",
    "body",
    "br",
    "p",
    "!--",
]
SPACE = "\t\n\x0c\r "

# What the web platform tests expect of a payload (hexadecimal) without a Content-Type.
PAYLOADS = [
    ("00000100", "image/x-icon"),
    ("00000200", "image/x-icon"),
    ("424D", "image/bmp"),
    ("474946383761", "image/gif"),
    ("474946383961", "image/gif"),
    ("5249464600000000574542505650", "image/webp"),
    ("524946460000000057454250", BINARY),
    ("89504E470D0A1A0A", "image/png"),
    ("FFD8FF", "image/jpeg"),
    ("FFD8FFE000004A46494600", "image/jpeg"),
    ("2E736E64", TEXT),
    ("464F524D0000000041494646", "audio/aiff"),
    ("494433", "audio/mpeg"),
    ("4F67675300", "application/ogg"),
    ("4F676753", TEXT),
    ("4D54686400000006", "audio/midi"),
    ("524946460000000041564920", "video/avi"),
    ("524946460000000057415645", "audio/wave"),
    ("52494646000000005741564500000000000000005500", "audio/wave"),
    ("00000010667479706D70340000000000", "video/mp4"),
    ("000000186674797000000000000000006D70340000000000", "video/mp4"),
    ("00000010667479706D70343100000000", "video/mp4"),
    ("000000186674797000000000000000006D70343200000000", "video/mp4"),
    ("00000010667479706176630000000000", BINARY),
    ("000000186674797000000000000000006D6D703400000000", BINARY),
    ("00000010667479706176696600000000", BINARY),
    ("0000000C6A5020200D0A870A", BINARY),
    ("1A45DFA3814282847765626D", "video/webm"),
    ("1A45DFA301FFFFFFFFFFFFFF4286810142F7810142F2810442F3810842878101428581014282847765626D", "video/webm"),
    ("1F8B08", "application/x-gzip"),
    ("504B0304", "application/zip"),
    ("526172211A0700", "application/x-rar-compressed"),
    ("0001020304050607080B0E0F101112131415161718191A1C1D1E1F", BINARY),
    ("3026B2758E66CF11A6D900AA0062CE6C", BINARY),
    ("4D4D002A", BINARY),
    ("49492A00", BINARY),
    ("492049", TEXT),
    ("49492A", TEXT),
    ("D7CDC69A", TEXT),
    ("4A47030E00", BINARY),
    ("FF0A", TEXT),
    ("FF4FFF51", TEXT),
    ("664C6143", TEXT),
    ("234558544D3355", TEXT),
    ("255044462D", "application/pdf"),
    ("252150532D41646F62652D", "application/postscript"),
    ("FEFF0000", TEXT),
    ("FFFE0000", TEXT),
    ("EFBBBF00", TEXT),
    ("20" + bytes(range(0x20, 0x80)).hex(), TEXT),
    (bytes(range(0x80, 0x100)).hex(), TEXT),
    ("", TEXT),
]


class TestSignatures:
    @pytest.mark.parametrize(("payload", "essence"), PAYLOADS)
    def test_a_body_is_of_the_type_whose_signature_it_has(self, payload: str, essence: str) -> None:
        """MIME Sniffing standard, sections 6 and 7; the payloads of the web platform tests."""
        assert sniff_mime(bytes.fromhex(payload)) == essence

    def test_mp3_without_a_tag_is_known_by_two_frames(self) -> None:
        header = b"\xff\xfb\x90\x00"  # version 1, layer 3, 128 kbit/s, 44.1 kHz: 417 bytes

        assert sniff_mime(header + bytes(413) + header) == "audio/mpeg"
        assert sniff_mime(header + bytes(412) + header) == BINARY

    def test_no_byte_behind_the_resource_header_counts(self) -> None:
        """Section 5.2: 1,445 bytes are enough for every pattern."""
        assert sniff_mime(b"a" * SNIFF_BYTES + b"\0") == TEXT
        assert sniff_mime(b"a" * (SNIFF_BYTES - 1) + b"\0") == BINARY


class TestMarkup:
    @pytest.mark.parametrize("tag", ["!DOCTYPE html", *TAGS])
    @pytest.mark.parametrize("end", " >")
    @pytest.mark.parametrize("before", ["", SPACE, *(each * 5 for each in SPACE)])
    def test_html_begins_with_white_space_and_one_of_some_tags(self, tag: str, end: str, before: str) -> None:
        for spelling in (tag.lower(), tag.upper(), tag.title()):
            assert sniff_mime(f"{before}<{spelling}{end}".encode()) == "text/html"
            assert sniff_mime(f"{before}<{spelling}".encode()) == TEXT
            assert sniff_mime(f"{before}<{spelling}x".encode()) == TEXT

    @pytest.mark.parametrize("before", ["", SPACE])
    def test_xml_begins_with_its_declaration(self, before: str) -> None:
        assert sniff_mime(f"{before}<?xml version='1.0'?><x/>".encode()) == "text/xml"
        assert sniff_mime(f"{before}<?xml version='1.0'?><rss/>".encode()) == "text/xml"

    @pytest.mark.parametrize(
        "prolog", ["", "\n", "<!-- a > b -->\n", '<!DOCTYPE html PUBLIC "x" "y">', "<?xsl a?>"]
    )
    def test_xml_whose_root_is_html_is_xhtml(self, prolog: str) -> None:
        """As the standard has it this is text/xml, which a browser shows as a page."""
        page = f"<?xml version='1.0'?>{prolog}<html xmlns='http://www.w3.org/1999/xhtml'>"

        assert sniff_mime(page.encode()) == "application/xhtml+xml"

    @pytest.mark.parametrize(
        ("root", "essence"), [("rss", "application/rss+xml"), ("feed", "application/atom+xml")]
    )
    def test_a_feed_without_a_declaration_is_a_feed(self, root: str, essence: str) -> None:
        assert sniff_mime(f"\n<{root} version='2.0'>".encode()) == essence
        assert sniff_mime(f"<{root}x>".encode()) == TEXT

    @pytest.mark.parametrize("body", ["<html>", "<?xml version='1.0'?>", "%PDF-", "<rss>"])
    def test_with_nosniff_nothing_that_could_run_a_script_is_found(self, body: str) -> None:
        assert sniff_mime(body.encode(), is_scriptable=False) == TEXT
        assert sniff_mime(b"\x89PNG\r\n\x1a\n", is_scriptable=False) == "image/png"

    @settings(deadline=None, max_examples=300)
    @given(st.binary(max_size=60))
    def test_no_body_raises(self, body: bytes) -> None:
        for start in (b"", b"\xff\xfb\x90", b"\x1a\x45\xdf\xa3", b"\0\0\0\x18ftyp", b"<?xml"):
            assert "/" in sniff_mime(start + body)
