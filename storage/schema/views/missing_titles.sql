CREATE VIEW missing_titles AS    -- HTML pages without a title, or with an empty one
SELECT
    url_text.url AS url,         -- of the page
    page.title AS title,         -- NULL: no title element; '': an empty one
    page.depth AS depth,         -- link hops from the nearest seed
    page.body_bytes AS body_bytes, -- after content-coding
    page.canonical AS canonical  -- link[rel=canonical], resolved
FROM html_page AS page
JOIN url_text ON url_text.id = page.url_id
WHERE coalesce(page.title, '') = ''
ORDER BY url_text.url;
