"""An export format in a package of its own: rows as a Markdown table."""

from collections.abc import Iterable

from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "a Markdown table"


def write(source: ExportSource, files: ExportFiles) -> int:
    rows, out = source.rows(), files.main()
    out.write(_line(rows.columns))
    out.write(_line("---" for _ in rows.columns))
    count = 0
    for row in rows:  # one at a time: a crawl may have millions
        out.write(_line("" if value is None else str(value) for value in row))
        count += 1
        source.on_record()  # for the progress bar
    return count


def _line(cells: Iterable[str]) -> bytes:
    texts = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(texts)} |\n".encode()
