-- Schema 6: what the operator takes from the pages besides their links. The text of pages and
-- the index over it are no part of this: a crawl that wants them makes them (storage/database/full_text.py).

CREATE TABLE extraction (        -- values that rules and plugins took from pages
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    name_id     INTEGER NOT NULL REFERENCES phrase (id),
    position    INTEGER NOT NULL, -- among the values of that name on that page, from 0
    value       NOT NULL,        -- text, integer or real, as the rule's type says; a truth is 1 or 0
    PRIMARY KEY (url_id, generation, name_id, position)
) WITHOUT ROWID;

CREATE TABLE structured_item (   -- JSON-LD, OpenGraph, Twitter cards, microdata
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    kind_id     INTEGER NOT NULL REFERENCES phrase (id),
    position    INTEGER NOT NULL, -- among the items of that kind on that page, from 0
    data        TEXT,            -- JSON; NULL: it could not be read
    error       TEXT,            -- why: bad_json, too_large, too_deep, too_many
    PRIMARY KEY (url_id, generation, kind_id, position)
) WITHOUT ROWID;

CREATE TABLE mishap (            -- what a rule or a plugin could not do on a page
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    position    INTEGER NOT NULL, -- on that page, from 0
    source_id   INTEGER NOT NULL REFERENCES phrase (id), -- the rule's name, or the plugin's
    error       TEXT NOT NULL,
    PRIMARY KEY (url_id, generation, position)
) WITHOUT ROWID;

CREATE TABLE reparsing (         -- one row while a reparse is under way, or was cut off
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    plan        TEXT NOT NULL,   -- JSON: what was wanted; another plan begins anew
    after_url   INTEGER NOT NULL, -- the last body that is done: its url_id ...
    after_generation INTEGER NOT NULL -- ... and its generation
);

CREATE VIEW extracted AS         -- a value that a rule or a plugin took from a page, at every fetch of it
SELECT
    found.url AS url,
    (SELECT phrase.text FROM phrase WHERE phrase.id = found.name_id) AS name,
    found.position AS position,  -- among the values of that name on that page, from 0
    found.value AS value,
    (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetch.fetched_at / 1000.0, 'unixepoch') FROM fetch
     WHERE fetch.url_id = found.url_id AND fetch.generation = found.generation) AS fetched_at, -- ISO 8601, UTC
    found.generation AS generation -- which pass over the site, from 1
FROM (
    SELECT extraction.*, url_text.url AS url
    FROM extraction JOIN url_text ON url_text.id = extraction.url_id
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL WHERE 0
) AS found;

CREATE VIEW structured AS        -- structured data, an item a row
SELECT
    found.url AS url,
    (SELECT phrase.text FROM phrase WHERE phrase.id = found.kind_id) AS kind, -- json-ld, opengraph, twitter, microdata
    found.position AS position,  -- among the items of that kind on that page, from 0
    found.data AS data,          -- JSON; NULL: it could not be read
    found.error AS error,        -- why: bad_json, too_large, too_deep, too_many
    (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetch.fetched_at / 1000.0, 'unixepoch') FROM fetch
     WHERE fetch.url_id = found.url_id AND fetch.generation = found.generation) AS fetched_at -- ISO 8601, UTC
FROM (
    SELECT structured_item.*, url_text.url AS url
    FROM structured_item JOIN url_text ON url_text.id = structured_item.url_id
    WHERE generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = structured_item.url_id)
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0
) AS found;

CREATE VIEW extraction_failures AS -- what rules and plugins could not do
SELECT
    url_text.url AS url,
    phrase.text AS source,       -- the rule's name, or the plugin's
    mishap.error AS error
FROM mishap
JOIN url_text ON url_text.id = mishap.url_id
JOIN phrase ON phrase.id = mishap.source_id
WHERE mishap.generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = mishap.url_id)
ORDER BY phrase.text, url_text.url, mishap.position;
