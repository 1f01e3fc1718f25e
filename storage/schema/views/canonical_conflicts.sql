CREATE VIEW canonical_conflicts AS -- pages whose canonical URL failed, redirects, or names another canonical URL
SELECT
    named.url AS url,            -- of the page
    named.canonical AS canonical, -- what its link[rel=canonical] names
    named.problem AS problem,    -- failed, skipped, pending: the state of the canonical URL. redirects. names_another:
                                 -- it names another canonical URL itself. unknown: no page links there. elsewhere:
                                 -- the same, on another host
    named.reason AS reason,      -- why the canonical URL failed or was skipped
    named.leads_to AS leads_to   -- where the canonical URL redirects to, or what it names
FROM (
    SELECT
        url_text.url AS url,
        page.canonical AS canonical,
        CASE
            WHEN target.id IS NULL AND page.host = (SELECT host.name FROM url JOIN host ON host.id = url.host_id
                                                    WHERE url.id = page.url_id) THEN 'unknown'
            WHEN target.id IS NULL THEN 'elsewhere'
            WHEN target.state = 3 THEN 'failed'
            WHEN target.state = 4 THEN 'skipped'
            WHEN target.state <> 2 THEN 'pending'
            WHEN answer.redirect_id IS NOT NULL OR answer.redirect_text IS NOT NULL THEN 'redirects'
            WHEN answer.canonical <> page.canonical THEN 'names_another'
        END AS problem,
        target.reason AS reason,
        coalesce((SELECT further.url FROM url_text AS further WHERE further.id = answer.redirect_id),
                 answer.redirect_text, nullif(answer.canonical, page.canonical)) AS leads_to
    FROM (
        -- The URL is split, so that an index on its parts finds the row.
        SELECT url_id, canonical, secure, substr(rest, 1, instr(rest, '/') - 1) AS host,
               substr(rest, instr(rest, '/')) AS path
        FROM (
            SELECT url_id, canonical, canonical LIKE 'https://%' AS secure,
                   substr(canonical, instr(canonical, '://') + 3) AS rest
            FROM html_page WHERE canonical IS NOT NULL
        )
    ) AS page
    JOIN url_text ON url_text.id = page.url_id
    LEFT JOIN host ON host.name = page.host
    LEFT JOIN url AS target
        ON target.host_id = host.id AND target.path = page.path AND target.secure = page.secure AND target.kind = 0
    LEFT JOIN last_fetch AS answer ON answer.url_id = target.id
    WHERE page.canonical <> url_text.url
) AS named
WHERE named.problem IS NOT NULL
ORDER BY named.problem, named.url;
