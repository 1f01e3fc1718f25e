"""Resource statements: the SQL about what pages load. No logic, like `statements`.

May touch: nothing. Each can be pasted into a shell; parameters are named.
"""

SAVE_RESOURCE = """
    INSERT OR REPLACE INTO resource (url_id, status, type_id, bytes, checked_at, redirect_id, redirect_text)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
ADD_USE = "INSERT OR IGNORE INTO resource_use (page_id, url_id, use_id) VALUES (?, ?, ?)"
COUNT_RESOURCES = "SELECT state, count(*) FROM url WHERE kind = 2 GROUP BY state"
# Where resources redirect to whose own hops became fewer.
FIND_TARGETS = """
    SELECT resource.url_id,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:sources) AS j
    CROSS JOIN resource ON resource.url_id = j.value
    CROSS JOIN url ON url.id = resource.redirect_id
    CROSS JOIN host ON host.id = url.host_id
"""
# A run without --resources asks for none, and the next one with it goes on.
SHELVE_RESOURCES = """
    UPDATE url SET state = 4, reason = 'resources_off', retry_at = NULL WHERE kind = 2 AND state IN (0, 1)
"""
UNSHELVE_RESOURCES = """
    UPDATE url SET state = 0, reason = NULL WHERE kind = 2 AND state = 4 AND reason = 'resources_off'
"""
