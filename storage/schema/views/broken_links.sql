CREATE VIEW broken_links AS      -- links (and what --check-external and --resources check) that do not answer, and their pages
SELECT
    source.url AS source,        -- the page to repair
    target.url AS target,        -- the URL that does not answer
    broken.status AS status,     -- HTTP status; NULL: no answer arrived
    broken.reason AS reason,     -- why it failed
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text -- of the link; of a resource, its kind
FROM broken_link_target AS broken
CROSS JOIN link ON link.target = broken.id -- CROSS: from the few broken URLs to their links, not through all links
JOIN url_text AS source ON source.id = link.source
JOIN url_text AS target ON target.id = link.target
UNION ALL
SELECT page, resource, status, reason, kind FROM broken_resources
ORDER BY target, source;
