"""Database: the file, its lock, its one writing connection and its migrations.

batching     statements with what they are said of, said one after the other in SQLite's own thread.
cooperative  much work, done a little at a time, so that the event loop's other tasks have theirs.
database     the file. Whose it is, who may write to it, its schema, the one writing connection.
digests      small numbers that a long text is looked up by. What is found is then compared as text.
file_lock    one crawl per database file, and none after a kill.
migration    how a file comes to have the newest schema, and which files have another program's.
row_enums    the numbers that columns hold in place of words.
"""
