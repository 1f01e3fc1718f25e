"""PDF: links and title; whatever else a document is, it is harmless."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl, Content, Document
from penstock.stages.extractors import pdf as kind
from tests.support.pdf import pdf

URL = CanonicalUrl("http://h/folder/manual.pdf")


def read(body: bytes, *, nofollow: bool = False) -> Content | None:
    return kind.read(Document(url=URL, body=body, nofollow=nofollow))


def read_links(body: bytes) -> list[str]:
    content = read(body)
    assert content is not None
    return list(content.links.urls)


class TestLinks:
    def test_link_annotations_are_links_in_the_order_of_the_pages(self) -> None:
        assert read_links(pdf("http://h/b", "http://h/a")) == ["http://h/b", "http://h/a"]

    def test_a_relative_target_leads_from_the_documents_url(self) -> None:
        assert read_links(pdf("other.html")) == ["http://h/folder/other.html"]

    def test_the_base_uri_of_the_document_comes_first(self) -> None:
        assert read_links(pdf("other.html", base="http://base/x/")) == ["http://base/x/other.html"]

    def test_a_repeated_target_is_one_link(self) -> None:
        assert read_links(pdf("http://h/a", "http://h/a#top")) == ["http://h/a"]

    def test_other_schemes_are_counted(self) -> None:
        content = read(pdf("mailto:a@b"))

        assert content is not None
        assert (len(content.links), content.other_links) == (0, 1)

    def test_other_annotations_and_actions_are_no_links(self) -> None:
        extra = [
            "<< /Subtype /Text /Contents (a note) >>",
            "<< /Subtype /Link /A << /S /GoTo /D [3] >> >>",
            "7",
        ]

        assert read_links(pdf("http://h/a", extra=extra)) == ["http://h/a"]

    def test_x_robots_tag_forbids_to_follow_them(self) -> None:
        content = read(pdf("http://h/a"), nofollow=True)

        assert content is not None
        assert [link.followed for link in content.links] == [False]

    def test_of_very_many_only_the_first_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kind, "MAX_ANNOTATIONS", 3)

        assert len(read_links(pdf(*(f"http://h/{number}" for number in range(9))))) == 3


class TestTitle:
    @pytest.mark.parametrize(
        ("written", "title"),
        [
            ("Manual", "Manual"),
            (" a \\n  b ", "a b"),
            ("", ""),
            ("\\376\\377\\000g\\000\\374", "g\u00fc"),
            (None, None),
        ],
    )
    def test_the_title_is_that_of_the_document_information(
        self, written: str | None, title: str | None
    ) -> None:
        content = read(pdf(title=written))

        assert content is not None
        assert content.title == title


class TestHostile:
    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"%PDF-1.7", b"%PDF-1.7\ntrailer << /Root 1 0 R >>\nstartxref\n0\n%%EOF"]
    )
    def test_what_is_no_document_is_not_read(self, body: bytes) -> None:
        assert read(body) is None

    def test_an_annotation_that_refers_to_itself_ends(self) -> None:
        assert read_links(pdf("http://h/a", extra=["6 0 R"])) == ["http://h/a"]

    def test_a_page_tree_that_contains_itself_ends(self) -> None:
        body = pdf("http://h/a").replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")

        content = read(body)

        assert content is None or len(content.links) == 0

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 700), st.binary(min_size=1, max_size=12))
    def test_damage_anywhere_does_not_raise(self, at: int, damage: bytes) -> None:
        body = pdf("http://h/a", "b", title="A title")

        read(body[:at] + damage + body[at + len(damage) :])
