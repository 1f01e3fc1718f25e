"""Database: the file, its lock, its one writing connection and its migrations.

batching     SQL statements executed in batches on the SQLite thread; long loops in chunks on the event loop
database     the open file and its one writing connection
digests      short numbers by which long texts are looked up
file_lock    one crawl per database file
migration    bring a file to the newest schema; refuse files of other programs
search_words where a word begins and ends in any script, for the full-text index and its queries
schema_texts the SQL files of the schema, what they say of each table, and current.sql
"""
