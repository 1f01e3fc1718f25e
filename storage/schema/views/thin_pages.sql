CREATE VIEW thin_pages AS        -- HTML pages with little on them
SELECT
    url_text.url AS url,
    analysis.words AS words,     -- NULL: `analyse` has not seen its body
    page.body_bytes AS body_bytes,
    page.title AS title,
    page.depth AS depth
FROM html_page AS page
JOIN url_text ON url_text.id = page.url_id
LEFT JOIN analysis ON analysis.url_id = page.url_id
-- Under 200 words, where auditors begin to look; and where nobody has counted them,
-- markup and all in less room than 200 words with a page around them would take.
WHERE CASE WHEN analysis.words IS NULL THEN page.body_bytes < 2048 ELSE analysis.words < 200 END
ORDER BY analysis.words, page.body_bytes, url_text.url;
