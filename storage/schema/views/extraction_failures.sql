CREATE VIEW extraction_failures AS -- errors of rules and plugins, and the pages on which they happened
SELECT
    url_text.url AS url,         -- of the page
    phrase.text AS source,       -- name of the rule or plugin
    mishap.error AS error        -- one line
FROM mishap
JOIN url_text ON url_text.id = mishap.url_id
JOIN phrase ON phrase.id = mishap.source_id
WHERE mishap.generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = mishap.url_id)
ORDER BY phrase.text, url_text.url, mishap.position;
