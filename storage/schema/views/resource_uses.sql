CREATE VIEW resource_uses AS     -- one row per page, resource and what the resource is used as
SELECT
    page.url AS page,            -- the page that loads it
    used.url AS resource,        -- its URL
    phrase.text AS kind          -- image, script, style, media, icon, font, object or manifest
FROM url_text AS page
CROSS JOIN resource_use ON resource_use.page_id = page.id
JOIN url_text AS used ON used.id = resource_use.url_id
JOIN phrase ON phrase.id = resource_use.use_id;
