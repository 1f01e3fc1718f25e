-- Beneath other views.
CREATE VIEW broken_url AS        -- URLs whose failure shows that the page or resource is gone or broken
SELECT
    id,
    kind,
    reason
FROM (
    SELECT
        url.id AS id,
        url.kind AS kind,
        -- A resource whose host could not be asked for its robots.txt failed for that. A host that answered
        -- with a 5xx, or began to answer, is there.
        CASE WHEN url.kind = 2 AND url.reason = 'robots_unreachable' THEN
            (SELECT robots.error FROM host
             JOIN robots ON robots.origin = iif(url.secure, 'https://', 'http://') || host.name
             WHERE host.id = url.host_id AND robots.status IS NULL AND robots.error <> 'truncated')
        ELSE url.reason END AS reason
    FROM url
    WHERE url.state = 3
)
-- A refusal (403, 429, robots.txt, a Retry-After that is too long) does not show that, nor does a limit
-- or a bug of this crawler, or its proxy. What follows a colon is the cause in detail.
WHERE (reason GLOB 'http_[45]*' AND reason NOT IN ('http_403', 'http_429'))
   OR reason GLOB 'timeout*'
   OR substr(reason, 1, instr(reason || ':', ':') - 1)
      IN ('dns', 'connect', 'refused', 'reset', 'tls', 'truncated', 'bad_http', 'bad_url', 'network');
