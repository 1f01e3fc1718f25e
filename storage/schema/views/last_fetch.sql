-- Beneath other views.
CREATE VIEW last_fetch AS        -- the newest answer of each URL
SELECT * FROM fetch
WHERE generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = fetch.url_id);
