CREATE VIEW thin_pages AS        -- HTML pages with few words (after analyse), or with a very small body
SELECT
    url_text.url AS url,         -- of the page
    analysis.words AS words,     -- in the visible text; NULL: analyse has not read its body
    page.body_bytes AS body_bytes, -- after content-coding
    page.title AS title,         -- of the page
    page.depth AS depth          -- link hops from the nearest seed
FROM html_page AS page
JOIN url_text ON url_text.id = page.url_id
LEFT JOIN analysis ON analysis.url_id = page.url_id
-- Auditors begin to look below 200 words. Where the words were not counted: 200 words, and markup
-- around them, need more than 2048 bytes.
WHERE CASE WHEN analysis.words IS NULL THEN page.body_bytes < 2048 ELSE analysis.words < 200 END
ORDER BY analysis.words, page.body_bytes, url_text.url;
