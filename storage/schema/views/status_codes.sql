CREATE VIEW status_codes AS      -- how many URLs ended in each status and error
SELECT
    status,                      -- HTTP status; NULL: no answer arrived
    error,                       -- NULL: the answer was taken as asked
    count(*) AS urls             -- requested URLs
FROM last_fetch
GROUP BY status, error
ORDER BY status, error;
