CREATE VIEW broken_links AS      -- links (with --resources, resources too) that do not answer, and their pages
SELECT
    source.url AS source,        -- the page to repair
    target.url AS target,        -- the URL that does not answer
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = url.id) AS status, -- HTTP status; NULL: no answer arrived
    url.reason AS reason,        -- why it failed
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text -- of the link; of a resource, its kind
FROM url
CROSS JOIN link ON link.target = url.id -- CROSS: from the few broken URLs to their links, not through all links
JOIN url_text AS source ON source.id = link.source
JOIN url_text AS target ON target.id = link.target
WHERE url.state = 3
  -- Failures that show that the page is gone or broken. A refusal (403, 429, robots.txt, a Retry-After
  -- that is too long) does not show that, nor does a limit or a bug of this crawler.
  AND ((url.reason GLOB 'http_[45]*' AND url.reason NOT IN ('http_403', 'http_429'))
       OR url.reason GLOB 'timeout*'
       OR url.reason IN ('dns', 'connect', 'refused', 'reset', 'tls', 'truncated',
                         'bad_http', 'bad_url', 'network'))
UNION ALL
SELECT page, resource, status, reason, kind FROM broken_resources
ORDER BY target, source;
