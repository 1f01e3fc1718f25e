CREATE VIEW url_text AS          -- beneath: the canonical URL of a number
SELECT
    url.id AS id,                -- what link.source, fetch.redirect_id and so on refer to
    CASE url.secure WHEN 1 THEN 'https://' ELSE 'http://' END || host.name || url.path AS url
FROM url JOIN host ON host.id = url.host_id;
