CREATE VIEW cut_links AS         -- pages with more links than one page may have, and how many were left out
SELECT
    page.url AS url,             -- of the page
    (SELECT count(*) FROM link WHERE link.source = last_fetch.url_id) AS links, -- distinct links that are stored
    last_fetch.dropped_links AS dropped -- further mentions of links, which were not read
FROM last_fetch JOIN url_text AS page ON page.id = last_fetch.url_id
WHERE last_fetch.dropped_links > 0
ORDER BY last_fetch.dropped_links DESC, page.url;
