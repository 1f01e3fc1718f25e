-- Beneath other views.
CREATE VIEW broken_link_target AS -- broken URLs that pages link to: in scope, or checked with --check-external
SELECT
    broken_url.id AS id,
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = broken_url.id) AS status,
    broken_url.reason AS reason
FROM broken_url
WHERE broken_url.kind = 0
UNION ALL
SELECT
    external_link.target_id,
    (SELECT resource.status FROM resource WHERE resource.url_id = dead.at),
    dead.reason
FROM dead_resource AS dead
JOIN external_link ON external_link.url_id = dead.id
JOIN url ON url.id = external_link.target_id AND url.state = 4 AND url.reason = 'scope';
