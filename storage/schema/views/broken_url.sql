-- Beneath other views.
CREATE VIEW broken_url AS        -- URLs whose failure shows that the page or resource is gone or broken
SELECT
    url.id AS id,
    url.kind AS kind,
    url.reason AS reason
FROM url
WHERE url.state = 3
  -- A refusal (403, 429, robots.txt, a Retry-After that is too long) does not show that, nor does a limit
  -- or a bug of this crawler, or its proxy. What follows a colon is the cause in detail.
  AND ((url.reason GLOB 'http_[45]*' AND url.reason NOT IN ('http_403', 'http_429'))
       OR url.reason GLOB 'timeout*'
       OR substr(url.reason, 1, instr(url.reason || ':', ':') - 1)
          IN ('dns', 'connect', 'refused', 'reset', 'tls', 'truncated', 'bad_http', 'bad_url', 'network'));
