-- Schema 8: how a run goes, second by second, for those who look on from outside.
-- Bounded: every second of the last hour, of the week before that every full minute.

CREATE TABLE sample (
    at          INTEGER PRIMARY KEY, -- unix seconds
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    requests    INTEGER NOT NULL, -- of the run so far, as are pages, bytes and failed
    pages       INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    pending     INTEGER NOT NULL, -- of the whole crawl, as is skipped
    skipped     INTEGER NOT NULL,
    in_flight   INTEGER NOT NULL,
    hosts       INTEGER NOT NULL, -- in memory
    hosts_held_back INTEGER NOT NULL,
    lag_ms      REAL NOT NULL,
    loop_busy   REAL NOT NULL
);

CREATE TABLE stage_sample (
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

CREATE TABLE live (              -- one row: what the live view showed last
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    at          REAL NOT NULL,   -- unix seconds
    snapshot    TEXT NOT NULL    -- JSON: penstock.crawler.snapshot.Snapshot
);

CREATE VIEW telemetry AS         -- one row per second and stage; means are over that second
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', sample.at, 'unixepoch') AS at, -- ISO 8601, UTC: its end
    sample.run_id AS run,        -- runs.id
    stage_sample.stage AS stage, -- fetch, parse or store
    stage_sample.waiting AS queue_depth, -- messages in its inbox, mean
    stage_sample.bound AS queue_bound,
    stage_sample.busy AS busy,   -- workers with a message in hand, mean
    stage_sample.workers AS workers,
    stage_sample.handled AS handled, -- messages, of the run so far
    stage_sample.wait_ms AS wait_ms, -- in the inbox, per message, mean
    stage_sample.service_ms AS service_ms, -- in a worker's hands, per message, mean
    sample.lag_ms AS lag_ms,     -- how late the event loop came to what was due
    sample.loop_busy AS loop_busy, -- the event loop's share of one core
    sample.requests AS requests, -- of the run so far, as are pages, bytes and failed
    sample.pages AS pages,
    sample.bytes AS bytes,
    sample.failed AS failed,
    sample.pending AS pending,   -- of the whole crawl, as is skipped
    sample.skipped AS skipped,
    sample.in_flight AS in_flight, -- URLs under way
    sample.hosts AS hosts,       -- in memory
    sample.hosts_held_back AS hosts_held_back -- by the throttle
FROM sample JOIN stage_sample ON stage_sample.at = sample.at
ORDER BY sample.at, stage_sample.position;
