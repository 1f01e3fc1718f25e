-- Step 8: samples of a run, second by second, for `status` and other processes that watch it.
-- Bounded: every second of the last hour; of the week before, every full minute.

CREATE TABLE sample (            -- one second of a run
    at          INTEGER PRIMARY KEY, -- unix seconds
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    requests    INTEGER NOT NULL, -- of the run so far; also pages, bytes and failed
    pages       INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    pending     INTEGER NOT NULL, -- of the whole crawl; also skipped
    skipped     INTEGER NOT NULL,
    in_flight   INTEGER NOT NULL,
    hosts       INTEGER NOT NULL, -- in memory
    hosts_held_back INTEGER NOT NULL,
    lag_ms      REAL NOT NULL,
    loop_busy   REAL NOT NULL
);

CREATE TABLE stage_sample (      -- one second of a stage
    at          INTEGER NOT NULL REFERENCES sample (at),
    position    INTEGER NOT NULL, -- in the flow, from 0
    stage       TEXT NOT NULL,
    waiting     REAL NOT NULL,
    bound       INTEGER NOT NULL,
    busy        REAL NOT NULL,
    workers     INTEGER NOT NULL,
    handled     INTEGER NOT NULL,
    wait_ms     REAL NOT NULL,
    service_ms  REAL NOT NULL,
    PRIMARY KEY (at, position)
) WITHOUT ROWID;

CREATE TABLE live (              -- one row: the last state of the live view
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    at          REAL NOT NULL,   -- unix seconds
    snapshot    TEXT NOT NULL    -- JSON: penstock.crawler.snapshot.Snapshot
);
