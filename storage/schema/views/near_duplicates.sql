CREATE VIEW near_duplicates AS   -- pages with nearly the same text, though not the same body; after `analyse`
SELECT
    first.url AS first,          -- the page that stands for its group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,
    one.distance AS distance,    -- bits of 64 in which its simhash differs from the first one's
    one.words AS words,
    page.title AS title
FROM (
    SELECT analysis.alike AS alike, count(*) AS copies
    FROM analysis JOIN last_fetch ON last_fetch.url_id = analysis.url_id
    WHERE analysis.alike IS NOT NULL
    GROUP BY analysis.alike HAVING count(DISTINCT last_fetch.content_hash) > 1
) AS grouped
JOIN analysis AS one ON one.alike = grouped.alike
JOIN last_fetch AS page ON page.url_id = one.url_id
JOIN url_text ON url_text.id = one.url_id
JOIN url_text AS first ON first.id = grouped.alike
ORDER BY grouped.copies DESC, first.url, one.distance, url_text.url;
