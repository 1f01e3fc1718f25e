-- Step 5: the results of the command `analyse`.

CREATE TABLE analysis (          -- results of `analyse`; it replaces all rows together
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    rank        REAL NOT NULL,   -- PageRank; the sum of all is 1
    words       INTEGER,         -- in the visible text; NULL: the body was not saved, or is no HTML
    simhash     INTEGER,         -- 64 bits of that text; NULL: as for words, or too few words to compare
    alike       INTEGER,         -- url_id of the first page of its group of similar texts
    distance    INTEGER          -- bits in which its simhash differs from that of this page
);
CREATE TABLE analysed (          -- one row: the last `analyse`
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    at          TEXT NOT NULL,   -- ISO 8601, UTC
    urls        INTEGER NOT NULL, -- URLs that were ranked
    links       INTEGER NOT NULL, -- links and redirects between them
    rounds      INTEGER NOT NULL, -- of the power iteration
    change      REAL NOT NULL,   -- of the ranks in the last round, summed
    texts       INTEGER NOT NULL -- saved bodies that were read
);
