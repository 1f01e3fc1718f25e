CREATE VIEW top_pages AS         -- pages by PageRank over followed links and redirects; after `analyse`
SELECT
    url_text.url AS url,
    round(analysis.rank, 9) AS pagerank, -- all URLs' add up to 1
    (SELECT count(*) FROM link WHERE link.target = analysis.url_id AND link.source <> analysis.url_id) AS inlinks,
    page.status AS status,
    page.title AS title
FROM analysis
JOIN url_text ON url_text.id = analysis.url_id
JOIN last_fetch AS page ON page.url_id = analysis.url_id
ORDER BY analysis.rank DESC, url_text.url;
