CREATE VIEW status_codes AS      -- how many URLs ended in each status and error
SELECT
    status,                      -- HTTP status; NULL: none arrived
    error,                       -- NULL: taken as asked
    count(*) AS urls
FROM last_fetch
GROUP BY status, error
ORDER BY status, error;
