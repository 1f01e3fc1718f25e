"""Pages: the code blocks of a Markdown page, with their directives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.crawls import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_DIRECTIVE = re.compile(r"<!-- (file|exit|needs|first|numbers vary|not run:)(?: (.+?))? -->")
_PROMPTS = ("$ ", "> ")


@dataclass(slots=True)
class Block:
    """One fenced code block; line numbers count from 0, `start` is that of its first fence."""

    language: str
    lines: list[str]
    start: int
    directives: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """The commands of a `console` block, each with the output that is shown for it."""
        found: list[tuple[list[str], list[str]]] = []
        for line in self.lines:
            if line.startswith("$ "):
                found.append(([line[2:]], []))
            elif line.startswith("> ") and found and not found[-1][1]:
                found[-1][0].append(line[2:])
            else:
                assert found, f"line {self.start}: an output before the first `$ `"
                found[-1][1].append(line)
        for command, output in found:
            yield "\n".join(command), output


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order."""
    found: list[Block] = []
    directives: dict[str, str] = {}
    current: Block | None = None
    for number, line in enumerate(page.read_text("utf-8").splitlines()):
        if current is not None:
            if line.rstrip() == "```":
                found.append(current)
                current = None
            else:
                current.lines.append(line)
        elif line.startswith("```"):
            current = Block(line[3:].strip(), [], number, directives)
            directives = {}
        elif match := _DIRECTIVE.fullmatch(line.strip()):
            directives[match[1].rstrip(":")] = match[2] or ""
        elif line.strip() and not line.startswith("<!--"):
            directives = {}
    assert current is None, f"{page.name}: a code block has no end"
    return found


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
