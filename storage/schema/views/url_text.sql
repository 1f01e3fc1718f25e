-- Beneath other views.
CREATE VIEW url_text AS          -- the canonical URL of a row of url
SELECT
    url.id AS id,                -- what link.source, fetch.redirect_id and other columns refer to
    CASE url.secure WHEN 1 THEN 'https://' ELSE 'http://' END || host.name || url.path AS url -- canonical
FROM url JOIN host ON host.id = url.host_id;
