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
