CREATE VIEW telemetry AS         -- one row per second and stage; means are over that second
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', sample.at, 'unixepoch') AS at, -- ISO 8601, UTC: the end of the second
    sample.run_id AS run,        -- runs.id
    stage_sample.stage AS stage, -- fetch, parse or store
    stage_sample.waiting AS queue_depth, -- messages in its inbox, mean
    stage_sample.bound AS queue_bound, -- most messages that fit into its inbox
    stage_sample.busy AS busy,   -- workers that handle a message, mean
    stage_sample.workers AS workers, -- all of them
    stage_sample.handled AS handled, -- messages, of the run so far
    stage_sample.wait_ms AS wait_ms, -- in the inbox, per message, mean
    stage_sample.service_ms AS service_ms, -- in a worker, per message, mean
    sample.lag_ms AS lag_ms,     -- delay of the event loop's timers
    sample.loop_busy AS loop_busy, -- the event loop's share of one core
    sample.requests AS requests, -- of the run so far
    sample.pages AS pages,       -- of the run so far: status 200 without error
    sample.bytes AS bytes,       -- of the run so far
    sample.failed AS failed,     -- of the run so far
    sample.pending AS pending,   -- URLs of the whole crawl
    sample.skipped AS skipped,   -- URLs of the whole crawl
    sample.in_flight AS in_flight, -- URLs between the frontier and their commit
    sample.hosts AS hosts,       -- in memory
    sample.hosts_held_back AS hosts_held_back -- by the throttle
FROM sample JOIN stage_sample ON stage_sample.at = sample.at
ORDER BY sample.at, stage_sample.position;
