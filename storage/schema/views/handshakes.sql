CREATE VIEW handshakes AS        -- URLs behind a redirect that set a cookie; each is requested once with cookies
SELECT
    url_text.url AS url,         -- canonical
    handshake.start AS start,    -- the URL at which the exchange with an empty cookie jar began
    coalesce(handshake.outcome, 'pending') AS outcome, -- stored: the answer in pages is that of the exchange; else why it is not
    handshake.ended_at AS ended_at, -- the URL at which the exchange ended
    (SELECT gate.url FROM url_text AS gate WHERE gate.id = handshake.gate_id) AS redirect_to, -- where the URL redirects without cookies; NULL: it denies access
    handshake.reason AS reason   -- why it failed without cookies; NULL: it redirects
FROM handshake
JOIN url_text ON url_text.id = handshake.url_id;
