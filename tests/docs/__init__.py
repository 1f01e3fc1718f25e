"""Docs: every example of README.md and docs/ is run, and every output shown there is a true one.

    pages       Markdown as code blocks with directives
    site        the two sites that the examples crawl, on loopback
    examples    run a page's blocks in order; compare what they print with what the page shows
    fork_server what `penstock` is in the examples
    reference   docs/reference.md, made from the code
    __main__    `python -m tests.docs` rewrites the outputs and the reference; the tests then agree

A directive is an HTML comment above a block:

    <!-- file NAME -->         do not run the block: write it into that file
    <!-- not run: REASON -->   neither run nor compare it
    <!-- exit N -->            its last command ends with N, not with 0
    <!-- needs PROGRAM -->     do not run it where that program is missing
    <!-- numbers vary -->      compare words only
    <!-- first N lines -->     show the first N lines of each output, then `...`

The blocks of a page run in a folder of their own. `sh` is run by bash, `python` in a process of
its own where `await` may stand at the top level, as in a notebook. In `console`, lines that begin
with `$ ` are commands, and the others are what they print. `https://example.com` and
`https://intranet.example` stand for the sites on loopback.
"""
