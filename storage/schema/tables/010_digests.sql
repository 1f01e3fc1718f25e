-- Schema 10: URLs and phrases are found by a digest (storage/database/digests.py), which takes a fifth of the
-- room of an index that holds the whole text once more. The digests have tables of their own, so
-- that they stand in the file once. That no URL has two rows is ADD_URL_DIGESTS' to see to
-- (storage/writing/statements.py).

-- Beneath: the rows of a host's URLs by the digest of url.path. Several paths may share one.
DROP INDEX url_key;
CREATE TABLE url_digest (
    host_id     INTEGER NOT NULL REFERENCES host (id),
    digest      INTEGER NOT NULL,
    url_id      INTEGER NOT NULL REFERENCES url (id),
    PRIMARY KEY (host_id, digest, url_id)
) WITHOUT ROWID;
INSERT INTO url_digest SELECT host_id, digest_of_path(path), id FROM url ORDER BY 1, 2, 3;

-- The UNIQUE of 001 is part of its table, so the table is made anew. Under its own name, not
-- renamed: a renaming reads all views, and they would not find a phrase meanwhile.
CREATE TEMP TABLE kept_phrase AS SELECT id, text FROM phrase;
DROP TABLE phrase;
CREATE TABLE phrase (            -- anchor texts, rel values and content types, each once
    id          INTEGER PRIMARY KEY,
    text        TEXT NOT NULL
);
INSERT INTO phrase SELECT id, text FROM temp.kept_phrase ORDER BY id;
DROP TABLE temp.kept_phrase;

-- Beneath: phrases by the digest of their text. Several texts may share one. Empty while the crawl
-- has all phrases in memory, for then it looks up none.
CREATE TABLE phrase_digest (
    digest      INTEGER NOT NULL,
    phrase_id   INTEGER NOT NULL REFERENCES phrase (id),
    PRIMARY KEY (digest, phrase_id)
) WITHOUT ROWID;
INSERT INTO phrase_digest SELECT digest_of_text(text), id FROM phrase ORDER BY 1, 2;
