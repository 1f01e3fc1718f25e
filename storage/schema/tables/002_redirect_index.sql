-- Step 2: find what redirects to a URL.

-- For urls.discovered_from, and for the start of a redirect chain.
CREATE INDEX fetch_redirect ON fetch (redirect_id) WHERE redirect_id IS NOT NULL;
