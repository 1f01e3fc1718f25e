"""Output: logs, terminal text and files, safe whatever a page contains.

atomic_output   the files that a command was asked to write. They appear whole, or not at all.
logs            events with keys, on standard error, for a person or for a program.
number_formats  numbers the way a person reads them.
safe_cells      a value of the database as CSV and JSON have it.
text_table      rows as lines of aligned columns, for a person.
terminal        the one way to standard error, for log lines and for what the commands say.
"""
