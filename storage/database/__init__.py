"""Database: the file, its lock, its one writing connection and its migrations.

batching     SQL statements with their parameters, executed in order in one call to the SQLite thread
cooperative  long loops in chunks, so that other tasks of the event loop run in between
database     the open file and its one writing connection
digests      short numbers by which long texts are looked up
file_lock    one crawl per database file
migration    bring a file to the newest schema; refuse files of other programs
schema_texts the SQL files of the schema, what they say of each table, and current.sql
"""
