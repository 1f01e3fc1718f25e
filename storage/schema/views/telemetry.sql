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
