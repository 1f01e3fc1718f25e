"""Live view: what a running crawl shows on the terminal.

progress      a running crawl, as it is seen from outside, a few times a second.
progress_bar  how far a command is that reads a whole crawl, shown on a terminal.
status_lines  a snapshot of a crawl as lines of text, for the live view, for `status`, for a log.
view_options  what the person at the terminal, or the program that reads along, is shown.
"""
