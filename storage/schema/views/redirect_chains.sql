CREATE VIEW redirect_chains AS   -- redirects that lead to redirects, and loops
WITH RECURSIVE walk (start, at, elsewhere, hops, least, path, via) AS (
    SELECT url_id, redirect_id, redirect_text, 1, min(url_id, coalesce(redirect_id, url_id)),
           ',' || url_id || ',', ''
    FROM last_fetch
    WHERE redirect_id IS NOT NULL OR redirect_text IS NOT NULL
    UNION ALL
    SELECT walk.start, hop.redirect_id, hop.redirect_text, walk.hops + 1,
           min(walk.least, coalesce(hop.redirect_id, walk.least)), walk.path || walk.at || ',',
           ltrim(walk.via || ' ' || (SELECT url_text.url FROM url_text WHERE url_text.id = walk.at))
    FROM walk
    JOIN last_fetch AS hop ON hop.url_id = walk.at
    WHERE (hop.redirect_id IS NOT NULL OR hop.redirect_text IS NOT NULL)
      AND instr(walk.path, ',' || walk.at || ',') = 0 -- a loop ends at the first URL it meets again
      AND walk.hops < 100        -- the limit for a chain without end
),
whole AS (                       -- the longest walk from each start; `at` and the rest come from that row
    SELECT start, at, elsewhere, max(hops) AS hops, least, via,
           instr(path, ',' || at || ',') > 0 AS looped
    FROM walk GROUP BY start
)
SELECT
    first.url AS url,            -- where the chain starts
    whole.hops AS hops,          -- redirects in a row: at least two, or one for a URL that redirects to itself
    coalesce(last.url, whole.elsewhere) AS final_url, -- where the chain ends
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = whole.at) AS final_status, -- HTTP status
    CASE WHEN whole.looped THEN 'loop' ELSE last.state END AS result, -- loop, or the state of the final URL; NULL: it has no row
    whole.via AS via             -- the URLs between, separated by blanks
FROM whole
JOIN url_text AS first ON first.id = whole.start
LEFT JOIN known_url AS last ON last.id = whole.at
WHERE (whole.hops > 1 OR whole.looped)
  -- Once per chain: from the URL that no redirect leads to. A loop that no redirect leads into is
  -- shown from its oldest member.
  AND (NOT EXISTS (SELECT 1 FROM fetch AS before
                   WHERE before.redirect_id = whole.start AND before.url_id <> whole.start)
       OR (whole.looped AND whole.at = whole.start AND whole.least = whole.start))
ORDER BY whole.hops DESC, first.url;
