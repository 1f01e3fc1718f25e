"""Output: logs, terminal text and files, safe whatever a page contains.

atomic_output   files that appear completely or not at all.
logs            structlog events on the standard logging tree; for the command, on standard error.
number_formats  numbers for people.
safe_cells      database values in CSV and JSON.
terminal        the only way to standard error, and the escaping of control characters.
text_table      rows as lines of aligned columns.
"""
