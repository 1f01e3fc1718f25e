CREATE VIEW top_pages AS         -- pages by PageRank over followed links and redirects (after analyse)
SELECT
    url_text.url AS url,         -- of the page
    round(analysis.rank, 9) AS pagerank, -- the sum over all pages is 1
    (SELECT count(*) FROM link WHERE link.target = analysis.url_id AND link.source <> analysis.url_id) AS inlinks, -- pages that link here
    page.status AS status,       -- HTTP status
    page.title AS title          -- of the page
FROM analysis
JOIN url_text ON url_text.id = analysis.url_id
JOIN last_fetch AS page ON page.url_id = analysis.url_id
ORDER BY analysis.rank DESC, url_text.url;
