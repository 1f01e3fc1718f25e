-- Schema 5: more of the questions that people ask, as views. The habits of 002 hold here too.

CREATE TABLE analysis (          -- what the command `analyse` worked out; all rows are replaced together
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    rank        REAL NOT NULL,   -- PageRank; all of them add up to 1
    words       INTEGER,         -- of the visible text; NULL: its body was not saved, or is no HTML
    simhash     INTEGER,         -- 64 bits of that text; NULL: as words, or too few words to compare
    alike       INTEGER,         -- url_id of the page that stands for its group of like texts
    distance    INTEGER          -- bits in which the two simhashes differ
);
CREATE TABLE analysed (          -- one row: of what `analyse` speaks
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    at          TEXT NOT NULL,   -- ISO 8601, UTC
    urls        INTEGER NOT NULL, -- that were ranked
    links       INTEGER NOT NULL, -- and redirects, between them
    rounds      INTEGER NOT NULL, -- of the power iteration
    change      REAL NOT NULL,   -- sum of what the last round changed
    texts       INTEGER NOT NULL -- saved bodies that were read
);
