-- Step 3: the limits that a host's throttle has found, so that a resumed crawl starts with them.

ALTER TABLE host ADD COLUMN connections INTEGER NOT NULL DEFAULT 0; -- concurrency limit; 0: not known
ALTER TABLE host ADD COLUMN rate REAL;   -- requests per second; NULL: no limit found
