"""What the pages say of files, links and words: it is there, and it is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, blocks, prose
from tests.support.crawls import ROOT

OURS = ("crawler/", "stages/", "storage/", "tests/", "docs/", ".src/", ".ci/")
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_MODULE = re.compile(r"python -m (tests\.[\w.]+)")
# The registry that somebody's pip asks, and where files lie on somebody's machine, are no part of the pages.
_PRIVATE = re.compile(
    r"pypi|pythonhosted|localhost|(?<![\w.])/(?:tmp|work|root|home/(?!you))/", re.IGNORECASE
)
DOCS = [page for page in PAGES if page.parent == ROOT / "docs"]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as Markdown renderers make them."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestPage:
    def test_every_relative_link_leads_somewhere(self, page: Path) -> None:
        broken = []
        for target in _LINK.findall(prose(page)):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            file = (page.parent / path) if path else page
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
                broken.append(target)

        assert broken == []

    def test_every_file_and_folder_that_is_named_exists(self, page: Path) -> None:
        words = [word for word in _CODE.findall(prose(page)) if word.startswith(OURS) and " " not in word]
        made_up = {block.directives.get("file", "").removeprefix("checkout/") for block in blocks(page)}
        missing = [w for w in words if "NAME" not in w and w not in made_up and not (ROOT / w).exists()]

        assert missing == []

    def test_every_module_that_is_run_exists(self, page: Path) -> None:
        names = _MODULE.findall(page.read_text("utf-8"))
        missing = [
            name
            for name in names
            if not (ROOT / name.replace(".", "/")).with_suffix(".py").exists()
            and not (ROOT / name.replace(".", "/") / "__main__.py").exists()
        ]

        assert missing == []

    def test_no_page_names_a_registry_or_a_path_of_a_machine(self, page: Path) -> None:
        assert _PRIVATE.findall(page.read_text("utf-8")) == []


class TestSite:
    def test_the_navigation_has_every_page_and_no_other(self) -> None:
        listed = re.findall(r"^  - .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)

        assert sorted(listed) == sorted(page.name for page in DOCS)

    def test_the_readme_links_to_every_page(self) -> None:
        linked = {target.removeprefix("docs/") for target in _LINK.findall(prose(ROOT / "README.md"))}

        assert {page.name for page in DOCS} - linked <= {"index.md"}

    def test_the_readme_stays_one_screen_of_prose(self) -> None:
        """It once had 3,145 words. What grows belongs into docs/."""
        assert len(prose(ROOT / "README.md").split()) < 1_100
        assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 130

    def test_the_readme_has_the_two_marked_commands(self) -> None:
        text = (ROOT / "README.md").read_text("utf-8")

        assert (text.count("<!-- crawl command -->"), text.count("<!-- test command -->")) == (1, 1)


def test_the_messages_in_troubleshooting_are_those_of_the_code() -> None:
    """People search for the message that they see."""
    table = (ROOT / "docs/operate.md").read_text("utf-8").partition("## Troubleshooting")[2]
    seen = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")]
    messages = [text for cell in seen for text in _CODE.findall(cell) if text.count(" ") > 1 or "_" in text]
    sources = "".join(
        path.read_text("utf-8")
        for folder in ("crawler", "stages", "storage")
        for path in (ROOT / folder).rglob("*.py")
    )

    assert len(messages) > 5
    assert [text for text in messages if text not in sources and not text.startswith("http_")] == []
