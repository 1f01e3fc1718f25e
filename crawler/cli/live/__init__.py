"""Live view: a running crawl on the terminal.

progress      the live view, its plain lines elsewhere, and the progress bar of other commands.
status_lines  a snapshot of a crawl as lines of text, for the live view, `status` and logs.
"""
