"""PDF documents for tests, written byte by byte: the library that reads them has no part in making them."""

from __future__ import annotations

from collections.abc import Sequence


def pdf(*links: str, title: str | None = None, base: str | None = None, extra: Sequence[str] = ()) -> bytes:
    """A document of one page whose link annotations lead to `links`."""
    annotations = [
        f"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI ({link}) >> >>" for link in links
    ]
    numbers = range(5, 5 + len(annotations) + len(extra))
    uri = f" /URI << /Base ({base}) >>" if base is not None else ""
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R{uri} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Annots ["
        + " ".join(f"{number} 0 R" for number in numbers)
        + "] >>",
        "<< >>" if title is None else f"<< /Title ({title}) >>",
        *annotations,
        *extra,
    ]
    body, offsets = b"%PDF-1.7\n", []
    for number, text in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    tail = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + (head + tail).encode()
