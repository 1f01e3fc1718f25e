CREATE VIEW extraction_sources AS -- rules and plugins: on how many pages they succeeded, failed, found nothing
SELECT
    phrase.text AS source,       -- name of the rule or plugin
    counted.pages AS pages,      -- pages to which it was applied
    counted.taken AS taken,      -- pages on which a rule found a value, or a plugin ended without an error
    counted.failed AS failed     -- pages on which it has an error
FROM extraction_source AS counted JOIN phrase ON phrase.id = counted.source_id
WHERE counted.generation = (SELECT max(generation) FROM extraction_source)
ORDER BY counted.taken > 0, counted.failed DESC, phrase.text;
