-- Step 2: an index for urls.discovered_from, and for the start of a redirect chain.

-- Which URLs redirect to a URL.
CREATE INDEX fetch_redirect ON fetch (redirect_id) WHERE redirect_id IS NOT NULL;
