CREATE VIEW broken_resources AS  -- images, scripts, stylesheets and media that do not answer (with --resources)
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
    page.url AS page,            -- the page to repair
    used.url AS resource,        -- the URL that does not answer
    phrase.text AS kind,         -- image, script, style, media, icon or font
    (SELECT resource.status FROM resource WHERE resource.url_id = dead.at) AS status, -- HTTP status; NULL: no answer arrived
    dead.reason AS reason,       -- why it failed
    CASE WHEN dead.at <> dead.id THEN
        (SELECT last.url FROM url_text AS last WHERE last.id = dead.at)
    END AS redirects_to          -- where its redirects end; NULL: it is no redirect
FROM (SELECT id, min(at) AS at, reason FROM dead GROUP BY id) AS dead -- of a loop: one of its members
JOIN url_text AS used ON used.id = dead.id
JOIN resource_use ON resource_use.url_id = dead.id
JOIN phrase ON phrase.id = resource_use.use_id
JOIN url_text AS page ON page.id = resource_use.page_id
ORDER BY used.url, page.url, phrase.text;
