-- Step 10: find URLs and phrases by a digest of their text (storage/database/digests.py), which takes a
-- fifth of the space of an index that holds the text a second time. The digests have tables of their
-- own, so that the file holds each once. ADD_URL_DIGESTS (storage/writing/statements.py) makes sure
-- that no URL has two rows.

DROP INDEX url_key;
CREATE TABLE url_digest (        -- a host's URLs by the digest of url.path; several paths may share one
    host_id     INTEGER NOT NULL REFERENCES host (id),
    digest      INTEGER NOT NULL,
    url_id      INTEGER NOT NULL REFERENCES url (id),
    PRIMARY KEY (host_id, digest, url_id)
) WITHOUT ROWID;
INSERT INTO url_digest SELECT host_id, digest_of_path(path), id FROM url ORDER BY 1, 2, 3;

-- The UNIQUE of step 1 is part of the table, so the table is made anew. It is not made under another
-- name and renamed: a renaming reads all views, and they would miss the table at that moment.
CREATE TEMP TABLE kept_phrase AS SELECT id, text FROM phrase;
DROP TABLE phrase;
CREATE TABLE phrase (            -- anchor texts, rel values and content types, each once
    id          INTEGER PRIMARY KEY,
    text        TEXT NOT NULL
);
INSERT INTO phrase SELECT id, text FROM temp.kept_phrase ORDER BY id;
DROP TABLE temp.kept_phrase;

CREATE TABLE phrase_digest (     -- phrases by the digest of their text; several may share one. Empty while
                                 -- a crawl holds all phrases in memory and looks up none
    digest      INTEGER NOT NULL,
    phrase_id   INTEGER NOT NULL REFERENCES phrase (id),
    PRIMARY KEY (digest, phrase_id)
) WITHOUT ROWID;
INSERT INTO phrase_digest SELECT digest_of_text(text), id FROM phrase ORDER BY 1, 2;
