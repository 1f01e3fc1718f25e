-- Beneath other views. penstock/storage/reading/explanation.py finds the same parents: keep them alike.
CREATE VIEW known_url AS         -- urls, with the numbers of their rows
SELECT
    known.id AS id,
    known.url AS url,
    known.host AS host,
    known.state AS state,
    known.reason AS reason,
    nullif(known.depth, 1 << 30) AS depth, -- NULL: only a sitemap leads here
    known.attempts AS attempts,
    -- The nearest parent; of several, the one whose URL sorts first; NULL for a seed. A parent links
    -- here from a depth one less, or redirects here from the same depth; at depth 0 by a refresh too.
    -- Nofollow links count only if nothing else leads here.
    CASE WHEN known.seed = 0 THEN (
        SELECT min(parent.url) FROM (
            SELECT source.url AS url
            -- CROSS: the index link_target holds (target, source) alone, so that the row of a link
            -- is read only for the few sources that are near enough.
            FROM link AS way
            CROSS JOIN url AS nearer ON nearer.id = way.source AND nearer.depth = known.depth - 1
            CROSS JOIN link ON link.source = way.source AND link.target = way.target
            JOIN url_text AS source ON source.id = nearer.id
            WHERE way.target = known.id
              AND link.followed = known.followed
            UNION ALL
            SELECT source.url AS url
            FROM fetch
            JOIN url AS same ON same.id = fetch.url_id
            JOIN url_text AS source ON source.id = same.id
            WHERE fetch.redirect_id = known.id
              AND same.id <> known.id
              AND same.depth = known.depth
            UNION ALL
            SELECT source.url AS url -- a redirect that the answer of a handshake replaced
            FROM handshake
            JOIN url AS same ON same.id = handshake.url_id
            JOIN url_text AS source ON source.id = same.id
            WHERE handshake.gate_id = known.id
              AND same.id <> known.id
              AND same.depth = known.depth
            UNION ALL
            SELECT source.url AS url
            FROM refresh
            JOIN url AS same ON same.id = refresh.url_id AND same.depth = 0
            JOIN url_text AS source ON source.id = same.id
            WHERE refresh.target_id = known.id AND known.depth = 0 AND same.id <> known.id
        ) AS parent
    ) END AS discovered_from,
    known.seed AS seed,
    strftime('%Y-%m-%dT%H:%M:%fZ', known.retry_at, 'unixepoch') AS retry_at
FROM (
    SELECT DISTINCT
        id, seed, followed, depth, reason, attempts, retry_at,
        -- A URL that waits for another attempt is pending.
        CASE state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state,
        (SELECT name FROM host WHERE host.id = url.host_id) AS host,
        (SELECT url_text.url FROM url_text WHERE url_text.id = url.id) AS url
    FROM url WHERE kind = 0      -- not sitemaps and resources
) AS known;
