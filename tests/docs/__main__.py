"""`python -m tests.docs [PAGE...]`: run the examples and write into the pages what they print.

Without arguments: all pages, and docs/reference.md made anew from the code.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs import reference
from tests.docs.examples import Folder, is_run, missing_lines
from tests.docs.fork_server import serving
from tests.docs.pages import PAGES, blocks
from tests.docs.site import serve
from tests.support.crawls import ROOT


def rewrite(page: Path, folder: Folder) -> None:
    lines = page.read_text("utf-8").splitlines()
    moved = 0  # by how many lines the page has grown so far
    for block in blocks(page):
        if not is_run(block):
            continue
        made: list[str] = []
        for command, printed, shown in folder.run(block):
            if printed.code != int(block.directives.get("exit", 0)):
                print(f"{page.name}:{block.start}: exit {printed.code}: {command}\n{printed.text}")
            if block.language == "console":
                made += ["$ " + command.replace("\n", "\n> "), *head(printed.text, shown, block.directives)]
        if block.language == "console":
            start = block.start + moved + 1
            lines[start : start + len(block.lines)] = made
            moved += len(made) - len(block.lines)
    page.write_text("\n".join(lines) + "\n", "utf-8")


def head(text: str, shown: list[str], directives: dict[str, str]) -> list[str]:
    """What to show of an output. What differs in times and rates only stays as it is."""
    if shown and missing_lines(shown, text, numbers="numbers vary" not in directives) == []:
        return shown
    found = text.rstrip("\n").split("\n") if text.strip() else []
    most = int(directives.get("first", "1000 lines").split()[0])
    return found if len(found) <= most else [*found[:most], "..."]


def main(names: list[str]) -> None:
    if not names:
        reference.PAGE.write_text(reference.page(), "utf-8")
    wanted = [page for page in PAGES if not names or page.name in names]
    with tempfile.TemporaryDirectory() as place, serve() as sites, serving(Path(place) / "socket"):
        for page in wanted:
            folder = Path(place) / page.stem
            folder.mkdir()
            rewrite(page, Folder(folder, sites, Path(place) / "socket"))
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
