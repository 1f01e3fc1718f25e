CREATE VIEW broken_links AS      -- every link to a URL that does not answer, and every resource, by target
SELECT
    source.url AS source,        -- the page to mend
    target.url AS target,
    -- HTTP status of the last answer; NULL: none arrived
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = url.id) AS status,
    url.reason AS reason,
    -- of the link; of a resource what it is used as
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text
FROM url
CROSS JOIN link ON link.target = url.id -- CROSS: from the few broken URLs to their links, not through all links
JOIN url_text AS source ON source.id = link.source
JOIN url_text AS target ON target.id = link.target
WHERE url.state = 3
  -- What the web is to blame for. A refusal (403, 429, robots.txt, a Retry-After that is too
  -- long) does not tell that a page is gone, and a limit or a bug of ours says nothing of it.
  AND ((url.reason GLOB 'http_[45]*' AND url.reason NOT IN ('http_403', 'http_429'))
       OR url.reason GLOB 'timeout*'
       OR url.reason IN ('dns', 'connect', 'refused', 'reset', 'tls', 'truncated',
                         'bad_http', 'bad_url', 'network'))
UNION ALL
SELECT page, resource, status, reason, kind FROM broken_resources
ORDER BY target, source;
