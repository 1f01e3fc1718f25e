-- Schema 7: a page may lead to so many URLs, or 4 MiB of their text; what it says beyond is counted.

ALTER TABLE fetch ADD COLUMN dropped_links INTEGER NOT NULL DEFAULT 0; -- mentions that were not read

CREATE VIEW cut_links AS         -- pages with more links than one page may have
SELECT
    page.url AS url,
    (SELECT count(*) FROM link WHERE link.source = last_fetch.url_id) AS links, -- distinct, stored
    last_fetch.dropped_links AS dropped -- mentions behind them, which were not read
FROM last_fetch JOIN url_text AS page ON page.id = last_fetch.url_id
WHERE last_fetch.dropped_links > 0
ORDER BY last_fetch.dropped_links DESC, page.url;
