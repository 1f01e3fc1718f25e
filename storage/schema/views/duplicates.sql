CREATE VIEW duplicates AS        -- pages with the same body, byte for byte
SELECT
    lower(hex(page.content_hash)) AS content_hash, -- the same for all pages of a group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,         -- of the page
    page.title AS title,         -- of the page
    page.body_bytes AS body_bytes, -- after content-coding
    page.canonical AS canonical  -- if it names another page, the copy is a declared one
FROM (
    SELECT content_hash, count(*) AS copies FROM last_fetch
    WHERE status = 200 AND error IS NULL AND content_hash IS NOT NULL
    GROUP BY content_hash HAVING count(*) > 1
) AS grouped
JOIN last_fetch AS page ON page.content_hash = grouped.content_hash AND page.status = 200 AND page.error IS NULL
JOIN url_text ON url_text.id = page.url_id
ORDER BY grouped.copies DESC, page.content_hash, url_text.url;
