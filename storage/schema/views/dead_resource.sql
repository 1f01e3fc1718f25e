-- Beneath other views.
CREATE VIEW dead_resource AS     -- resources and checked links that do not answer, or whose redirects lead to such
WITH RECURSIVE walk (id, at) AS (  -- every resource behind the redirects of id
    SELECT url_id, redirect_id FROM resource WHERE redirect_id IS NOT NULL
    UNION
    SELECT walk.id, hop.redirect_id FROM walk
    JOIN resource AS hop ON hop.url_id = walk.at AND hop.redirect_id IS NOT NULL
),
dead (id, at, reason) AS (       -- at: where the redirects of id end
    SELECT id, id, reason FROM broken_url WHERE kind = 2
    UNION
    -- A host that was given up never answered.
    SELECT url.id, url.id, url.reason FROM url
    WHERE url.kind = 2 AND url.state = 3 AND url.reason IN ('host_unreachable', 'redirect_invalid')
    UNION
    SELECT url.id, url.id, url.reason FROM url WHERE url.kind = 2 AND url.state = 4 AND url.reason = 'redirect_limit'
    UNION
    SELECT id, id, 'redirect_loop' FROM walk WHERE id = at
    UNION
    SELECT hop.url_id, dead.at, dead.reason FROM dead JOIN resource AS hop ON hop.redirect_id = dead.id
)
SELECT
    id,
    min(at) AS at,               -- of a loop: one of its members
    reason
FROM dead GROUP BY id;
