CREATE VIEW broken_targets AS    -- URLs that do not answer, the most linked first, with some of the pages that link there
SELECT
    target.url AS target,        -- the URL that does not answer
    broken.status AS status,     -- HTTP status; NULL: no answer arrived
    broken.reason AS reason,     -- why it failed
    (SELECT count(*) FROM link WHERE link.target = broken.id) AS pages, -- that link there
    (
        SELECT source.url FROM link JOIN url ON url.id = link.source JOIN url_text AS source ON source.id = url.id
        WHERE link.target = broken.id ORDER BY url.depth, source.url LIMIT 1
    ) AS source,                 -- the one of these pages that is nearest to a seed
    (
        SELECT group_concat(further.url, ' ') FROM (
            SELECT source.url FROM link JOIN url ON url.id = link.source JOIN url_text AS source ON source.id = url.id
            WHERE link.target = broken.id ORDER BY url.depth, source.url LIMIT 2 OFFSET 1
        ) AS further
    ) AS more_sources            -- the next two, separated by a blank; inlinks TARGET shows all
FROM broken_link_target AS broken
JOIN url_text AS target ON target.id = broken.id
WHERE EXISTS (SELECT 1 FROM link WHERE link.target = broken.id)
ORDER BY pages DESC, target.url;
