CREATE VIEW broken_resources AS  -- what pages load (images, scripts, stylesheets ...) and does not answer (with --resources)
SELECT
    page.url AS page,            -- the page to repair
    used.url AS resource,        -- the URL that does not answer
    phrase.text AS kind,         -- image, script, style, media, icon, font, object or manifest
    (SELECT resource.status FROM resource WHERE resource.url_id = dead.at) AS status, -- HTTP status; NULL: no answer arrived
    dead.reason AS reason,       -- why it failed
    CASE WHEN dead.at <> dead.id THEN
        (SELECT last.url FROM url_text AS last WHERE last.id = dead.at)
    END AS redirects_to          -- where its redirects end; NULL: it is no redirect
FROM dead_resource AS dead
JOIN url_text AS used ON used.id = dead.id
JOIN resource_use ON resource_use.url_id = dead.id
JOIN phrase ON phrase.id = resource_use.use_id
JOIN url_text AS page ON page.id = resource_use.page_id
ORDER BY used.url, page.url, phrase.text;
