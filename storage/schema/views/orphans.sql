CREATE VIEW orphans AS           -- stored pages that no link and no redirect leads to (of a complete crawl)
SELECT
    url_text.url AS url,         -- of the page; seeds are not shown
    page.title AS title,         -- of the page
    nullif(url.depth, 1 << 30) AS depth -- link hops from the nearest seed; NULL: only a sitemap leads there
FROM last_fetch AS page
JOIN url ON url.id = page.url_id
JOIN url_text ON url_text.id = page.url_id
WHERE page.status = 200 AND page.error IS NULL
  AND url.seed = 0
  -- A page's link to itself does not count.
  AND NOT EXISTS (SELECT 1 FROM link WHERE link.target = url.id AND link.source <> url.id)
  AND NOT EXISTS (SELECT 1 FROM fetch WHERE fetch.redirect_id = url.id AND fetch.url_id <> url.id)
  AND NOT EXISTS (SELECT 1 FROM handshake WHERE handshake.gate_id = url.id AND handshake.url_id <> url.id)
ORDER BY url_text.url;
