CREATE VIEW last_fetch AS        -- beneath: fetch, the newest generation of each URL
SELECT * FROM fetch
WHERE generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = fetch.url_id);
