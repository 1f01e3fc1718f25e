CREATE VIEW duplicates AS        -- pages whose bodies are the same, byte for byte
SELECT
    lower(hex(page.content_hash)) AS content_hash, -- one group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,
    page.title AS title,
    page.body_bytes AS body_bytes,
    page.canonical AS canonical  -- a page that names another one here is an honest copy
FROM (
    SELECT content_hash, count(*) AS copies FROM last_fetch
    WHERE status = 200 AND error IS NULL AND content_hash IS NOT NULL
    GROUP BY content_hash HAVING count(*) > 1
) AS grouped
JOIN last_fetch AS page ON page.content_hash = grouped.content_hash AND page.status = 200 AND page.error IS NULL
JOIN url_text ON url_text.id = page.url_id
ORDER BY grouped.copies DESC, page.content_hash, url_text.url;
