-- Step 7: the links of a page are limited in number and to 4 MiB of URL text. Further ones are counted.

ALTER TABLE fetch ADD COLUMN dropped_links INTEGER NOT NULL DEFAULT 0; -- mentions of links that were not read
