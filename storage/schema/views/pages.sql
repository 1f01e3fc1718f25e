CREATE VIEW pages AS             -- every URL that was requested, with its newest answer
SELECT
    page.url AS url,             -- canonical
    page.status AS status,       -- HTTP status; NULL: no answer arrived
    (SELECT nullif(url.depth, 1 << 30) FROM url WHERE url.id = page.id) AS depth, -- link hops from the nearest seed
    page.title AS title,         -- NULL: no title element; '': an empty one
    (SELECT phrase.text FROM phrase WHERE phrase.id = page.type_id) AS content_type, -- without parameters
    page.body_bytes AS body_bytes, -- after content-coding; Content-Length if the body was not downloaded
    page.elapsed_ms AS elapsed_ms, -- from the request to the last byte that was read
    strftime('%Y-%m-%dT%H:%M:%fZ', page.fetched_at / 1000.0, 'unixepoch') AS fetched_at, -- ISO 8601, UTC
    nullif(lower(hex(page.content_hash)), '') AS content_hash, -- SHA-256 of the body, hex
    coalesce(
        (SELECT url_text.url FROM url_text WHERE url_text.id = page.redirect_id), page.redirect_text
    ) AS redirect_to,            -- target of a redirect, in scope or not; NULL: no redirect, or no valid target
    page.error AS error,         -- the reason of a failure; NULL: the answer was taken as asked
    page.language AS language,   -- html[lang]
    page.canonical AS canonical, -- link[rel=canonical], resolved
    page.robots AS robots,       -- directives of X-Robots-Tag and meta robots
    page.etag AS etag,           -- as sent
    page.last_modified AS last_modified, -- as sent
    (SELECT url.attempts FROM url WHERE url.id = page.id) AS attempts, -- requests with a result
    (SELECT host.name FROM url JOIN host ON host.id = url.host_id WHERE url.id = page.id) AS host -- name and non-default port
FROM (
    SELECT DISTINCT
        url_id AS id, generation, status, title, type_id, body_bytes, elapsed_ms, fetched_at, content_hash,
        redirect_id, redirect_text, error, language, canonical, robots, etag, last_modified,
        (SELECT url_text.url FROM url_text WHERE url_text.id = last_fetch.url_id) AS url
    FROM last_fetch
) AS page;
