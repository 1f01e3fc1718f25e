-- Schema 3: what a host's throttle has learnt, so that a resumed crawl knows it from the start.

ALTER TABLE host ADD COLUMN connections INTEGER NOT NULL DEFAULT 0; -- open at once; 0: not known
ALTER TABLE host ADD COLUMN rate REAL;   -- starts a second that it takes; NULL: it never refused any
