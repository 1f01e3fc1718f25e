"""Text: bytes of a document to characters, and what of them is visible.

charset       which encoding a page is in, decided as a browser decides it.
markup        what the text of HTML elements and attributes means, and how many tags there may be.
transcode     labels to encodings, bytes of any encoding to UTF-8, queries back again.
visible_text  the text of a page that a reader sees, roughly, for counting and comparing.
"""
