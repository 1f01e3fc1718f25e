-- Beneath other views.
CREATE VIEW html_page AS         -- the answers that are HTML or XHTML pages of status 200
SELECT last_fetch.*, (SELECT nullif(url.depth, 1 << 30) FROM url WHERE url.id = last_fetch.url_id) AS depth
FROM last_fetch
WHERE status = 200 AND error IS NULL
  AND type_id IN (SELECT id FROM phrase WHERE text IN ('text/html', 'application/xhtml+xml'));
