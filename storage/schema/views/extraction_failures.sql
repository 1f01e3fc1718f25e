CREATE VIEW extraction_failures AS -- what rules and plugins could not do
SELECT
    url_text.url AS url,
    phrase.text AS source,       -- the rule's name, or the plugin's
    mishap.error AS error
FROM mishap
JOIN url_text ON url_text.id = mishap.url_id
JOIN phrase ON phrase.id = mishap.source_id
WHERE mishap.generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = mishap.url_id)
ORDER BY phrase.text, url_text.url, mishap.position;
