-- Step 6: values, structured data and errors of extraction. The text of pages and the full-text index
-- are not part of the schema: a crawl with --search makes them (storage/writing/extraction_statements.py).

CREATE TABLE extraction (        -- values that rules and plugins took from pages
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    name_id     INTEGER NOT NULL REFERENCES phrase (id),
    position    INTEGER NOT NULL, -- among the values of that name on that page, from 0
    value       NOT NULL,        -- text, integer or real, as the rule's type says; a boolean is 1 or 0
    PRIMARY KEY (url_id, generation, name_id, position)
) WITHOUT ROWID;

CREATE TABLE structured_item (   -- JSON-LD, OpenGraph, Twitter cards, microdata
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    kind_id     INTEGER NOT NULL REFERENCES phrase (id),
    position    INTEGER NOT NULL, -- among the items of that kind on that page, from 0
    data        TEXT,            -- JSON; NULL: it could not be read
    error       TEXT,            -- why it could not be read: bad_json, too_large, too_deep, too_many
    PRIMARY KEY (url_id, generation, kind_id, position)
) WITHOUT ROWID;

CREATE TABLE mishap (            -- errors of rules and plugins on a page
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    position    INTEGER NOT NULL, -- on that page, from 0
    source_id   INTEGER NOT NULL REFERENCES phrase (id), -- the rule's name, or the plugin's
    error       TEXT NOT NULL,   -- one line
    PRIMARY KEY (url_id, generation, position)
) WITHOUT ROWID;

CREATE TABLE reparsing (         -- one row while a reparse is running or was interrupted
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    plan        TEXT NOT NULL,   -- JSON: what to extract; another plan starts from the beginning
    after_url   INTEGER NOT NULL, -- url_id of the last body that is done
    after_generation INTEGER NOT NULL -- generation of that body
);
