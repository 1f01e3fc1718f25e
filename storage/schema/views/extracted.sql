CREATE VIEW extracted AS         -- a value that a rule or a plugin took from a page, at every fetch of the page
SELECT
    found.url AS url,            -- of the page
    (SELECT phrase.text FROM phrase WHERE phrase.id = found.name_id) AS name, -- of the value
    found.position AS position,  -- among the values of that name on that page, from 0
    found.value AS value,        -- text, integer or real
    (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetch.fetched_at / 1000.0, 'unixepoch') FROM fetch
     WHERE fetch.url_id = found.url_id AND fetch.generation = found.generation) AS fetched_at, -- ISO 8601, UTC
    found.generation AS generation -- the pass over the site, from 1
FROM (
    SELECT extraction.*, url_text.url AS url
    FROM extraction JOIN url_text ON url_text.id = extraction.url_id
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL WHERE 0
) AS found;
