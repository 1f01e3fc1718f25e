CREATE VIEW structured AS        -- structured data of pages, one item per row
SELECT
    found.url AS url,            -- of the page
    (SELECT phrase.text FROM phrase WHERE phrase.id = found.kind_id) AS kind, -- json-ld, opengraph, twitter or microdata
    found.position AS position,  -- among the items of that kind on that page, from 0
    found.data AS data,          -- JSON; NULL: it could not be read
    found.error AS error,        -- why it could not be read: bad_json, empty, too_large, too_deep, too_many; beside data: repaired:WHAT, cut
    (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetch.fetched_at / 1000.0, 'unixepoch') FROM fetch
     WHERE fetch.url_id = found.url_id AND fetch.generation = found.generation) AS fetched_at -- ISO 8601, UTC
FROM (
    SELECT structured_item.*, url_text.url AS url
    FROM structured_item JOIN url_text ON url_text.id = structured_item.url_id
    WHERE generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = structured_item.url_id)
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0
) AS found;
