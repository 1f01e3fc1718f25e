-- Schema 7: a page may lead to so many URLs, or 4 MiB of their text; what it says beyond is counted.

ALTER TABLE fetch ADD COLUMN dropped_links INTEGER NOT NULL DEFAULT 0; -- mentions that were not read
