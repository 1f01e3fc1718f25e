CREATE VIEW near_duplicates AS   -- pages with nearly the same text (after analyse, of a crawl with --save-bodies)
SELECT
    first.url AS first,          -- the first page of the group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,         -- of the page
    one.distance AS distance,    -- bits of 64 in which its simhash differs from that of the first page
    one.words AS words,          -- in the visible text
    page.title AS title          -- of the page
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
