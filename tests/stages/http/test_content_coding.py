"""Content codings: undone within bounds, and never half a page taken for a whole one."""

from __future__ import annotations

import gzip
import random
import sys
import tracemalloc
import zlib
from typing import ClassVar

import brotli
import pytest

from penstock.stages.http import content_coding
from penstock.stages.http.content_coding import MAX_MEMBERS, PIECE_BYTES, CodingError, Decoder, codings_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"".join(b"<p>%d</p>" % number for number in range(20_000))
NOISE = random.Random(1).randbytes(300_000)
LIMIT = 1_000_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def decode(header: str | None, body: bytes, *, step: int = 1_000, limit: int = LIMIT) -> bytes:
    """Decode in chunks of `step` bytes, as a network would hand them over."""
    decoder = Decoder(header, limit)
    decoded = b"".join(decoder.feed(body[at : at + step]) for at in range(0, len(body), step))
    return decoded + decoder.finish()


def reason(header: str | None, body: bytes, *, step: int = 1_000, limit: int = LIMIT) -> str:
    with pytest.raises(CodingError) as caught:
        decode(header, body, step=step, limit=limit)
    return caught.value.reason


class TestCodings:
    @pytest.mark.parametrize("header", [None, "", "identity", " , Identity,"])
    def test_no_coding_changes_nothing(self, header: str | None) -> None:
        assert decode(header, TEXT) == TEXT

    @pytest.mark.parametrize("data", [TEXT, NOISE, b"", b"x"])
    @pytest.mark.parametrize("step", [1, 7, 65_536, 10_000_000])
    def test_any_division_into_chunks_gives_the_same(self, data: bytes, step: int) -> None:
        data = data[: 3_000 * step]
        packed = [
            ("gzip", gzip.compress(data)),
            ("deflate", zlib.compress(data)),
            ("deflate", raw_deflate(data)),
        ]

        for header, body in packed:
            assert decode(header, body, step=step) == data

    def test_output_that_waits_inside_the_decoder_is_fetched(self) -> None:
        """A full piece can leave the end of the page inside zlib with all its input taken."""
        for extra in range(0, 600, 7):
            data = bytes(PIECE_BYTES + extra)

            assert decode("deflate", raw_deflate(data), step=len(data)) == data

    def test_names_are_compared_without_case(self) -> None:
        assert decode("X-GZip", gzip.compress(TEXT)) == TEXT

    def test_codings_are_undone_from_the_last(self) -> None:
        """RFC 9110 §8.4: they are listed in the order in which they were applied."""
        body = gzip.compress(zlib.compress(raw_deflate(TEXT)))

        assert decode("deflate, deflate, gzip", body) == TEXT

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ("compress", "unknown_coding:compress"),
            ("X-Compress", "unknown_coding:compress"),
            ("gzip, dcb", "unknown_coding:dcb"),
            ("dcz", "unknown_coding:dcz"),
            ("exi", "unknown_coding:exi"),
            ("pack200-gzip", "unknown_coding:pack200-gzip"),
            ("aes128gcm", "unknown_coding:aes128gcm"),
            ("gzip, gzip, gzip, gzip", "unknown_coding"),
        ],
    )
    def test_a_registered_coding_that_cannot_be_undone_is_named(self, header: str, reason: str) -> None:
        with pytest.raises(CodingError) as caught:
            Decoder(header, LIMIT)

        assert caught.value.reason == reason

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "none",
                "utf-8",
                "UTF-8",
                "utf8",
                "ISO-8859-1",
                "text/html",
                "binary",
                "7bit",
                "8bit",
                "base64",
            ),
            *(
                "aws-chunked",
                "identity",
                "chunked",
                "x-secret",
                "plain",
                "gzip;q=1",
                "raw",
                "false",
                "base64",
            ),
        ],
    )
    def test_a_name_that_is_not_registered_is_passed_over(self, name: str) -> None:
        """Servers write character encodings and storage formats there; browsers show the bytes."""
        assert decode(name, TEXT) == TEXT
        assert decode(f"{name}, gzip", gzip.compress(TEXT)) == TEXT
        assert decode(f"gzip,{name.upper()}", gzip.compress(TEXT)) == TEXT
        assert codings_of(name) == ()

    def test_names_without_a_comma_between_them_are_one_unknown_name(self) -> None:
        assert codings_of("gzip deflate") == ()

    @pytest.mark.parametrize("header", ["gzip", "deflate", "gzip, deflate", "br", "zstd"])
    def test_no_byte_at_all_is_an_empty_body(self, header: str) -> None:
        """Servers declare a coding for empty answers too; browsers show an empty page."""
        assert decode(header, b"") == b""


class TestBrotliAndZstandard:
    """The same promises as for gzip, by decoders that count what comes out."""

    PACKED: ClassVar = {"br": brotli.compress, "zstd": zstd.compress}

    @pytest.mark.parametrize("coding", ["br", "zstd"])
    @pytest.mark.parametrize("data", [TEXT, NOISE, b"x"], ids=["text", "noise", "one byte"])
    @pytest.mark.parametrize("step", [1, 7, 65_536, 10_000_000])
    def test_any_division_into_chunks_gives_the_same(self, coding: str, data: bytes, step: int) -> None:
        data = data[: 3_000 * step]

        assert decode(coding, self.PACKED[coding](data), step=step) == data
        assert decode(f"{coding}, gzip", gzip.compress(self.PACKED[coding](data)), step=step) == data

    @pytest.mark.parametrize("coding", ["br", "zstd"])
    @pytest.mark.parametrize("missing", [1, 8, 500])
    def test_a_stream_that_breaks_off_is_truncated(self, coding: str, missing: int) -> None:
        assert reason(coding, self.PACKED[coding](NOISE)[:-missing]) == "truncated"

    @pytest.mark.parametrize("coding", ["br", "zstd"])
    def test_a_page_that_is_not_in_its_declared_coding_is_bad(self, coding: str) -> None:
        assert reason(coding, b"<!DOCTYPE html><p>plain" * 9) == "bad_coding"

    @pytest.mark.parametrize("coding", ["br", "zstd"])
    @pytest.mark.parametrize("layers", [1, 2])
    def test_a_bomb_never_unfolds(self, coding: str, layers: int) -> None:
        bomb = self.PACKED[coding](bytes(50_000_000))
        for _ in range(layers - 1):
            bomb = self.PACKED[coding](bomb)
        decoder = Decoder(", ".join([coding] * layers), LIMIT)

        tracemalloc.start()
        with pytest.raises(CodingError) as caught:
            decoder.feed(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert (caught.value.reason, len(caught.value.decoded)) == ("too_large", LIMIT)
        assert peak < 12 * LIMIT  # zstd's window of 8 MiB is counted as if all of it had been touched

    @pytest.mark.parametrize("coding", ["br", "zstd"])
    def test_pieces_let_the_caller_stop_in_between(self, coding: str) -> None:
        pieces = list(Decoder(coding, LIMIT).pieces(self.PACKED[coding](TEXT)))

        assert b"".join(pieces) == TEXT
        assert max(map(len, pieces)) <= 3 * PIECE_BYTES

    def test_all_frames_of_a_zstandard_stream_are_read(self) -> None:
        """RFC 8878 section 3.1: frames are concatenated, and skippable ones hold no content."""
        skippable = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
        body = skippable + zstd.compress(b"one ") + skippable + zstd.compress(b"") + zstd.compress(b"two")

        for step in (1, 5, 1_000):
            assert decode("zstd", body, step=step) == b"one two"

    def test_the_number_of_zstandard_frames_is_bounded(self) -> None:
        assert decode("zstd", zstd.compress(b"") * MAX_MEMBERS) == b""
        assert reason("zstd", zstd.compress(b"") * (MAX_MEMBERS + 1)) == "bad_coding"

    def test_a_wrong_checksum_of_zstandard_is_bad(self) -> None:
        options: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
        body = bytearray(zstd.compress(TEXT, options=options))
        body[-1] ^= 1

        assert reason("zstd", bytes(body)) == "bad_coding"

    def test_a_zstandard_window_over_8_mib_is_refused(self) -> None:
        """RFC 9659: the content coding allows no larger one, so that a page cannot take more memory."""
        names = zstd.CompressionParameter
        options: dict[int, int] = {names.window_log: 24, names.content_size_flag: 0}
        packer = zstd.ZstdCompressor(options=options)
        body = packer.compress(NOISE) + packer.flush()

        assert reason("zstd", body) == "bad_coding"

    @pytest.mark.parametrize("rest", [b"\0", b"\0" * 5_000, b"\x28", b"\r\n", b"<!-- served by x -->"])
    @pytest.mark.parametrize("step", [1, 1_000])
    def test_bytes_after_the_end(self, rest: bytes, step: int) -> None:
        """Zstandard tells where it ended. Brotli's decoder does not, and refuses the body whole, however
        the network divided it."""
        assert decode("zstd", zstd.compress(b"page") + rest, step=step) == b"page"
        assert reason("br", brotli.compress(b"page") + rest, step=step) == "bad_coding"

    def test_a_coding_whose_decoder_is_not_installed_is_neither_offered_nor_undone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(content_coding, "find_spec", lambda name: None)
        content_coding.offered_codings.cache_clear()
        try:
            assert content_coding.offered_codings() == ("gzip", "deflate")
            assert reason("br", brotli.compress(TEXT)) == "unknown_coding:br"
        finally:
            content_coding.offered_codings.cache_clear()


class TestMembers:
    def test_all_members_of_a_gzip_stream_are_read(self) -> None:
        """RFC 1952 §2.2: a file is a series of members."""
        body = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")

        for step in (1, 5, 1_000):
            assert decode("gzip", body, step=step) == b"one two"

    def test_the_number_of_gzip_members_is_bounded(self) -> None:
        """Empty members cost time and yield nothing that a limit could count."""
        body = gzip.compress(b"")

        assert decode("gzip", body * MAX_MEMBERS) == b""
        assert reason("gzip", body * (MAX_MEMBERS + 1)) == "bad_coding"

    @pytest.mark.parametrize("rest", [b"\0", b"\0" * 5_000, b"\x1f", b"\r\n", b"<!-- served by x -->"])
    @pytest.mark.parametrize("step", [1, 1_000])
    def test_bytes_after_the_last_member_are_dropped(self, rest: bytes, step: int) -> None:
        """As browsers do: the page is complete, and servers pad."""
        assert decode("gzip", gzip.compress(b"page") + rest, step=step) == b"page"
        assert decode("deflate", zlib.compress(b"page") + rest, step=step) == b"page"


class TestBrokenBodies:
    @pytest.mark.parametrize("missing", [1, 8, 500])
    def test_a_stream_that_breaks_off_is_truncated(self, missing: int) -> None:
        """A library that hands over what had arrived lets half a page pass for a whole one."""
        assert reason("gzip", gzip.compress(TEXT)[:-missing]) == "truncated"
        assert reason("deflate", zlib.compress(TEXT)[:-missing]) == "truncated"
        assert reason("gzip, gzip", gzip.compress(gzip.compress(TEXT)[:-missing])) == "truncated"

    def test_a_second_member_that_breaks_off_is_truncated(self) -> None:
        assert reason("gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:100]) == "truncated"

    @pytest.mark.parametrize("header", ["gzip", "deflate"])
    def test_a_body_of_a_single_byte_is_truncated(self, header: str) -> None:
        assert reason(header, b"\x1f") == "truncated"

    def test_a_page_that_is_not_in_its_declared_coding_is_bad(self) -> None:
        assert reason("gzip", b"<!DOCTYPE html><p>plain") == "bad_coding"
        assert reason("deflate", b"\xff<!DOCTYPE html><p>plain") == "bad_coding"

    def test_a_wrong_checksum_is_bad(self) -> None:
        body = bytearray(gzip.compress(TEXT))
        body[-6] ^= 1

        assert reason("gzip", bytes(body)) == "bad_coding"


class TestLimit:
    @pytest.mark.parametrize("header", [None, "gzip"])
    def test_a_body_of_exactly_the_limit_is_taken(self, header: str | None) -> None:
        body = TEXT if header is None else gzip.compress(TEXT)

        assert decode(header, body, limit=len(TEXT)) == TEXT
        assert reason(header, body, limit=len(TEXT) - 1) == "too_large"

    @pytest.mark.parametrize("header", [None, "gzip"])
    def test_the_error_holds_the_content_up_to_the_limit(self, header: str | None) -> None:
        """A robots.txt that is too long is read as far as it goes (RFC 9309 §2.5)."""
        body = TEXT if header is None else gzip.compress(TEXT)
        decoder = Decoder(header, 100_000)
        beginning = decoder.feed(body[:200])

        with pytest.raises(CodingError) as caught:
            decoder.feed(body[200:])

        assert beginning + caught.value.decoded == TEXT[:100_000]

    @pytest.mark.parametrize("codings", [1, 2, 3])
    def test_a_bomb_never_unfolds(self, codings: int) -> None:
        """50 MB of zeros are 49 kB with one coding and a few hundred bytes with two."""
        bomb = gzip.compress(bytes(50_000_000))
        for _ in range(codings - 1):
            bomb = gzip.compress(bomb)
        decoder = Decoder(", ".join(["gzip"] * codings), LIMIT)

        tracemalloc.start()
        with pytest.raises(CodingError) as caught:
            decoder.feed(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert caught.value.reason == "too_large"
        assert peak < 3 * LIMIT

    def test_pieces_let_the_caller_stop_in_between(self) -> None:
        pieces = list(Decoder("gzip", LIMIT).pieces(gzip.compress(TEXT)))

        assert b"".join(pieces) == TEXT
        assert max(map(len, pieces)) <= PIECE_BYTES

    def test_empty_blocks_without_end_are_too_large(self) -> None:
        """Empty deflate blocks decode to no byte, so only what comes in can be counted."""
        empty_block = b"\x00\x00\x00\xff\xff"

        assert reason("deflate", empty_block * 100_000, limit=1_000) == "too_large"
        assert reason("deflate", empty_block * 1_000, limit=1_000) == "truncated"
